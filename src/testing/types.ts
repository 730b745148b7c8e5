import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  EventFromLogic,
  EventObject,
  InputFrom,
  SnapshotFrom,
} from 'xstate';
import type { ChartTypes, OutcomesOf } from './chart-types.js';
import type { Effect } from './effects.js';

/**
 * What the paths cover. `states`: every state. `transitions`: every edge, every guard both ways, and each state that a history
 * leads back to. `thorough`: also the edges of a state from each state in it, and the order of guards that hold together.
 * `pairs`: also every pair of edges that can follow each other.
 */
export type Coverage = 'transitions' | 'states' | 'thorough' | 'pairs';

/** The options of `generatePaths`. All have a default. */
export interface GenerateOptions<M extends AnyStateMachine> {
  /**
   * Events with their payloads; several of one type if guards read the payload. Event types that are not listed are sent
   * without payload. A function is called in each situation, and only the events that it returns are sent.
   */
  readonly events?:
    | readonly EventFromLogic<M>[]
    | ((snapshot: SnapshotFrom<M>) => readonly EventFromLogic<M>[]);
  /** Outputs of each invoked actor, by the id of the invoke. Default: one without output. */
  readonly outcomes?: OutcomesOf<M, SnapshotFrom<M>>;
  /** Errors that each invoked actor can reject with, by the id of the invoke. Default: one `Error`. */
  readonly failures?: Readonly<Record<string, readonly unknown[]>>;
  /** Snapshots of each invoked actor that a state with `onSnapshot` receives. Default: one that is active, without a value. */
  readonly snapshots?: Readonly<Record<string, readonly unknown[]>>;
  /** Default: transitions. */
  readonly coverage?: Coverage;
  /**
   * Distinguishes two snapshots in the same states. Default: the whole context as JSON. Return only what guards read,
   * because a counter without a limit makes a new situation each time. If it returns an array, the search continues from a
   * situation only if one of these aspects is new in its states. Not every combination is tried, so that charts with a
   * large context can be explored.
   */
  readonly key?: (snapshot: SnapshotFrom<M>) => string | readonly string[];
  /** Edges, states and guard results, named as in `CoverageReport`, that need no path. Default: none. */
  readonly except?: ReadonlySet<string>;
  /** Maximum number of situations; more is a `PathLimitError`. Default: 20,000. */
  readonly limit?: number;
  /** Maximum number of steps of a path. Default: 40. */
  readonly maxSteps?: number;
  /** Receives the simulated time (ms since the start) before each step, for a chart whose guards read a clock. */
  readonly setTime?: (ms: number) => void;
  /** Input of the machine. */
  readonly input?: InputFrom<M>;
  /** False: no delay ends in this state, for example because the real system would wait too long. Default: true. */
  readonly waits?: (snapshot: SnapshotFrom<M>) => boolean;
  /** False: a path ends in this state. Default: true. */
  readonly within?: (snapshot: SnapshotFrom<M>) => boolean;
}

/** What happens in a step: an event is sent, an actor ends with an output or an error, or a delay ends. */
export type StepKind = 'event' | 'outcome' | 'failure' | 'delay';

/** One step of a path: something that happens to the chart, and the situation after it. `kind` says which. */
export type Step<T extends ChartTypes = ChartTypes> =
  | (StepOf<T> & {
      readonly kind: 'event';
      /** The event that is sent. */
      readonly event: T['event'];
      readonly actor: null;
      readonly value: undefined;
    })
  | (StepOf<T> & {
      readonly kind: 'outcome';
      readonly event: EventObject;
      /** Id of the invoke whose actor ends. */
      readonly actor: string;
      /** Output of the actor. */
      readonly value: T['output'];
    })
  | (StepOf<T> & {
      readonly kind: 'failure';
      readonly event: EventObject;
      /** Id of the invoke whose actor ends. */
      readonly actor: string;
      /** Error of the actor. */
      readonly value: unknown;
    })
  | (StepOf<T> & {
      readonly kind: 'delay';
      readonly event: EventObject;
      readonly actor: null;
      readonly value: undefined;
    });

/** What every step has. */
export interface StepOf<T extends ChartTypes> {
  /** In words, for example `dial done (tokenRejected)` or `after pause`. */
  readonly words: string;
  /** Simulated time that passes, ms; 0 except for delays. */
  readonly elapsed: number;
  /** Ids of the edges taken, as in the exports. Empty: the chart ignores the event. */
  readonly edges: readonly string[];
  /** Situation of the chart after the step. */
  readonly expected: Expected<T>;
}

/** The situation that the chart is in, and so the system under test has to be in. */
export interface Expected<T extends ChartTypes = ChartTypes> {
  /** Ids of the active states, outermost first, for example `remoteControl.active.connecting`. */
  readonly states: readonly string[];
  readonly tags: readonly string[];
  /** The states as XState has them, for example `{ active: 'connecting' }`. */
  readonly value: T['value'];
  readonly status: AnyMachineSnapshot['status'];
  readonly snapshot: T['snapshot'];
  /** What the chart does on the way there besides assignments, in order. */
  readonly effects: readonly Effect[];
}

/** A sequence of steps from the initial state. */
export interface Path<T extends ChartTypes = ChartTypes> {
  /** The last state and the number of steps. */
  readonly name: string;
  readonly start: Expected<T>;
  readonly steps: readonly Step<T>[];
}

/** What the paths cover, and what they miss. */
export interface CoverageReport {
  readonly states: Covered;
  readonly transitions: Covered;
  /** Each guard twice: names end in ` holds` and ` fails`. */
  readonly guards: Covered;
}

/** How many there are, and the names of those that no path covers. */
export interface Covered {
  readonly total: number;
  readonly missing: readonly string[];
}

/** The result of `generatePaths`. */
export interface Generated<T extends ChartTypes = ChartTypes> {
  readonly paths: readonly Path<T>[];
  /** Edges that are taken at the start, before the first step. */
  readonly startEdges: readonly string[];
  /** The coverage of the paths. */
  readonly coverage: CoverageReport;
  /** The number of situations that were explored. */
  readonly explored: number;
}

/** The chart has more situations than `limit`. The message names the state with the most of them. */
export class PathLimitError extends Error {
  override readonly name = 'PathLimitError';
}
