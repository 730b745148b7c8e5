/** What the type of a machine says about its events, states and actors. A machine without types accepts everything. */
import type {
  AnyMachineSnapshot,
  AnyStateMachine,
  EventFromLogic,
  EventObject,
  OutputFrom,
  SnapshotFrom,
  StateMachine,
  StateValue,
} from 'xstate';

/** The types of a machine that appear in its paths. */
export interface ChartTypes {
  /** An event that is sent to it. */
  readonly event: EventObject;
  /** The value of its states, for example `'idle' | { active: 'waiting' }`. */
  readonly value: StateValue;
  readonly snapshot: AnyMachineSnapshot;
  /** The output of an actor that it invokes. */
  readonly output: unknown;
}

/** What the type of a machine says about them. A machine without types has those of `ChartTypes`. */
export interface TypesOf<M extends AnyStateMachine> extends ChartTypes {
  readonly event: Known<EventFromLogic<M>, EventObject>;
  readonly value: Known<ValueOf<M>, StateValue>;
  readonly snapshot: Known<SnapshotFrom<M>, AnyMachineSnapshot>;
  readonly output: Known<OutputOf<M>, unknown>;
}

/** A type, or the other one in place of `any`. */
type Known<T, Otherwise> = 0 extends 1 & T ? Otherwise : T extends Otherwise ? T : Otherwise;

type ValueOf<M extends AnyStateMachine> =
  // biome-ignore lint/suspicious/noExplicitAny: the type parameters that do not matter here
  M extends StateMachine<any, any, any, any, any, any, any, infer V, any, any, any, any, any, any, any>
    ? V
    : StateValue;

/** The actors that `setup()` declares: name, logic and, where it is known, the id of the invoke. */
type ActorOf<M extends AnyStateMachine> =
  // biome-ignore lint/suspicious/noExplicitAny: the type parameters that do not matter here
  M extends StateMachine<any, any, any, infer A, any, any, any, any, any, any, any, any, any, any, any>
    ? A
    : never;

/** The output of actor logic. */
type LogicOutput<A> = A extends { readonly logic: infer L } ? OutputFrom<L> : unknown;

/** The output of any of the actors of a machine. */
type OutputOf<M extends AnyStateMachine> = LogicOutput<ActorOf<M>>;

/** An actor by the id of its invoke. Many have the name of their logic for an id. */
type NamesOf<A> = A extends { readonly src: infer S; readonly id: infer I }
  ? string extends I
    ? S & string
    : undefined extends I
      ? S & string
      : I & string
  : never;

/** The actor with this id, or else with this name. */
type ActorNamed<A, N> = A extends { readonly src: infer S; readonly id: infer I }
  ? N extends NamesOf<A>
    ? A
    : N extends S | I
      ? A
      : never
  : never;

/** Something for each situation, or a function of the snapshot that returns it. */
type PerSnapshot<T, S> = readonly T[] | ((snapshot: S) => readonly T[]);

/**
 * The outputs of each invoked actor by the id of the invoke. An id that is the name of an actor of `setup()` accepts the
 * outputs of that actor, and any other id those of all.
 */
export type OutcomesOf<M extends AnyStateMachine, S> =
  string extends NamesOf<ActorOf<M>>
    ? Readonly<Record<string, PerSnapshot<unknown, S>>>
    : { readonly [N in NamesOf<ActorOf<M>>]?: PerSnapshot<LogicOutput<ActorNamed<ActorOf<M>, N>>, S> } & {
        readonly [id: string]: PerSnapshot<OutputOf<M>, S> | undefined;
      };
