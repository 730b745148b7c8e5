import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  EventFromLogic,
  EventObject,
  InputFrom,
  SnapshotFrom,
} from 'xstate';

/** What a path must reach: every edge of the chart, every state, or every two edges that can follow each other. */
export type Coverage = 'transitions' | 'states' | 'pairs';

export interface GenerateOptions<M extends AnyStateMachine> {
  /**
   * Events with their payloads; several of one type where guards look at the payload. An event type of the chart
   * that is not here is sent without payload. A function is asked in each state, and nothing else is sent.
   */
  readonly events?:
    | readonly EventFromLogic<M>[]
    | ((snapshot: SnapshotFrom<M>) => readonly EventFromLogic<M>[]);
  /** What each invoked actor can come to, by the id of the invoke. Default: done with no output. */
  readonly outcomes?: Readonly<
    Record<string, readonly unknown[] | ((snapshot: SnapshotFrom<M>) => readonly unknown[])>
  >;
  /** What each invoked actor can be rejected with, by the id of the invoke. Default: one `Error`. */
  readonly failures?: Readonly<Record<string, readonly unknown[]>>;
  /** Default: transitions. */
  readonly coverage?: Coverage;
  /**
   * What tells two snapshots in the same states apart. Default: the whole context, as JSON. Give only what guards
   * read: a counter that grows for ever makes a situation each. With several aspects (an array) the search goes on
   * from a situation only if one of its aspects is new in its states: not every mix of them is tried, which keeps a
   * chart with much context within reach.
   */
  readonly key?: (snapshot: SnapshotFrom<M>) => string | readonly string[];
  /** Edges, states and guards (as `CoverageReport` names them) that need no path: other paths cover them. */
  readonly except?: ReadonlySet<string>;
  /** Most states (with what `key` says) that are looked at; more is a `PathLimitError`. Default 20,000. */
  readonly limit?: number;
  /** Most steps of one path. Default 40. */
  readonly maxSteps?: number;
  /** Is told the simulated time, ms since the start, before each step: for a chart whose guards look at a clock. */
  readonly setTime?: (ms: number) => void;
  readonly input?: InputFrom<M>;
  /** Whether the delay that ends next may end in this state: false where the system's time is real and long. Default: it may. */
  readonly waits?: (snapshot: SnapshotFrom<M>) => boolean;
  /** A path goes on only in states of which this is true. Default: all. */
  readonly within?: (snapshot: SnapshotFrom<M>) => boolean;
}

export type StepKind = 'event' | 'outcome' | 'failure' | 'delay';

export interface Step {
  readonly kind: StepKind;
  readonly event: EventObject;
  /** In words, as `dial done (tokenRejected)` or `after pause`. */
  readonly words: string;
  /** The invoke whose actor came to this; null for events and delays. */
  readonly actor: string | null;
  /** What the actor reported or was rejected with; undefined for events and delays. */
  readonly value: unknown;
  /** Simulated ms that pass before it: 0 but for delays. */
  readonly elapsed: number;
  /** Edges of the chart that it takes; ids as in the exports. None: the chart ignores it. */
  readonly edges: readonly string[];
  /** Where the chart is to be after it. */
  readonly expected: Expected;
}

export interface Expected {
  /** Active states, outermost first, as `remoteControl.active.connecting`. */
  readonly states: readonly string[];
  readonly tags: readonly string[];
  readonly value: AnyMachineSnapshot['value'];
  readonly status: AnyMachineSnapshot['status'];
  readonly snapshot: AnyMachineSnapshot;
  /** Actions that the host has to do on the way there, by name. */
  readonly effects: readonly string[];
}

export interface Path {
  /** Where it leads and how many steps it has. */
  readonly name: string;
  readonly start: Expected;
  readonly steps: readonly Step[];
}

export interface CoverageReport {
  readonly states: Covered;
  readonly transitions: Covered;
  /** Each guard twice: it held, it did not. Items end in ` holds` and ` fails`. */
  readonly guards: Covered;
}

export interface Covered {
  readonly total: number;
  readonly missing: readonly string[];
}

export interface Generated {
  readonly paths: readonly Path[];
  /** Edges that are taken at the start itself, before the first step. */
  readonly startEdges: readonly string[];
  /** What the paths cover. */
  readonly coverage: CoverageReport;
  /** How many states (with what `key` says) the chart was seen in. */
  readonly explored: number;
}

/** The chart has more states than the limit allows. */
export class PathLimitError extends Error {
  override readonly name = 'PathLimitError';
}
