import type { AnyMachineSnapshot, AnyStateMachine } from 'xstate';
import type { Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Env } from '../../protocol/timing.js';
import type { GenerateOptions } from '../types.js';

/** One configuration of a chart, with the events and outcomes that are possible then. */
export interface Variant<M extends AnyStateMachine = AnyStateMachine> {
  /** What is special about this configuration; part of the title of its scenarios. */
  readonly name: string;
  readonly options: GenerateOptions<M>;
}

/** Wall-clock ms at which simulated time begins. */
export const EPOCH = Date.UTC(2026, 0, 1);

/** Simulated time. Random numbers are always 0.5. */
export class SimulatedEnv implements Env {
  #elapsed = 0;

  readonly setTime = (ms: number): void => {
    this.#elapsed = ms;
  };

  readonly now = (): number => EPOCH + this.#elapsed;

  readonly monotonic = (): number => this.#elapsed;

  readonly random = (): number => 0.5;
}

/**
 * True while an adapter is to answer. Its deadline is much longer than other delays.
 * @param others ids of invokes that have no deadline, or a short one
 */
export const isCalling = (
  { children }: Pick<AnyMachineSnapshot, 'children'>,
  others: readonly string[],
): boolean => Object.keys(children).some((id) => !others.includes(id));

/** A failure at the start of simulated time. */
export function failure(reason: Reason, extra: Partial<Failure> = {}): Failure {
  return { reason, message: `it was ${reason}`, at: EPOCH, ...extra };
}
