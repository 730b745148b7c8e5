import type { AnyStateMachine } from 'xstate';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Env } from '../../protocol/timing.js';
import type { GenerateOptions } from '../types.js';

/** One way to start a chart, and everything that can happen to it then. */
export interface Variant<M extends AnyStateMachine = AnyStateMachine> {
  /** What is special about this start. */
  readonly name: string;
  readonly options: GenerateOptions<M>;
}

/** Wall-clock ms at which simulated time begins. */
export const EPOCH = Date.UTC(2026, 0, 1);

/** The clock and chance of a simulated run: chance always falls in the middle. */
export class SimulatedEnv implements Env {
  #elapsed = 0;

  readonly setTime = (ms: number): void => {
    this.#elapsed = ms;
  };

  readonly now = (): number => EPOCH + this.#elapsed;

  readonly random = (): number => 0.5;
}

export function failure(reason: Reason, extra: Partial<Failure> = {}): Failure {
  return { reason, message: `it was ${reason}`, at: EPOCH, ...extra };
}
