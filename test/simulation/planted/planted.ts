import type { Patch } from '../bundle.js';

/** A fault that somebody could make in the code. The simulation must find it. */
export interface Planted {
  readonly name: string;
  /** What is wrong, in a sentence. */
  readonly what: string;
  readonly patches: readonly Patch[];
}
