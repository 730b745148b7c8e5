import { assign, emit, fromPromise, setup } from 'xstate';
import type { Decision } from '../../src/protocol/decision.js';
import type { EngineEnd, StepOutcome } from '../../src/protocol/engine-life.js';
import { type Failure, failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import type { Env, Timing } from '../../src/protocol/timing.js';
import { actorFailure, decide, notProvided } from '../shared/decision.js';

/** What the `engine` chart starts with. */
export interface EngineInput {
  readonly env: Env;
  readonly timing: Pick<Timing, 'shutdownTimeout'>;
}

/** What the `engine` chart knows. */
export interface EngineContext extends EngineInput {
  /** Why the engine ends; null: nothing failed. */
  readonly failure: Failure | null;
  readonly decision: Decision;
}

/** The events of the `engine` chart. */
export type EngineEvent =
  /** The program calls `start`. */
  | { readonly type: 'START' }
  /** The program calls `stop`, a signal arrives, or the owner sends `engine/stop`. */
  | { readonly type: 'STOP' }
  /** The chart `remoteControl` has ended, for example because this start needs a sign-in. */
  | { readonly type: 'REMOTE.ENDED'; readonly failure: Failure | null }
  /** The chart `remoteControl` has failed unexpectedly. */
  | { readonly type: 'REMOTE.FAULT'; readonly failure: Failure }
  /** The client over stdio has disconnected; the failure is null without an error. */
  | { readonly type: 'STDIO.ENDED'; readonly failure: Failure | null };

/** What the `engine` chart reports to the program. */
export type EngineReport =
  /** The start has succeeded. */
  | { readonly type: 'STARTED' }
  /** Everything that was started has ended. */
  | { readonly type: 'ENDED'; readonly failure: Failure | null };

type AnEvent = { readonly type: string } | EngineEvent;

function outcomeOf(event: AnEvent): StepOutcome | null {
  // The types of `provide()` make the host report a `StepOutcome`.
  return 'output' in event ? ((event.output as StepOutcome | undefined) ?? null) : null;
}

function failureIn(context: EngineContext, event: AnEvent): Failure {
  if ('failure' in event && event.failure !== null) return event.failure;
  const got = outcomeOf(event);
  return got?.kind === 'failed' ? got.failure : actorFailure(context, event);
}

const ends = (context: EngineContext, reported: Failure) => ({
  ...decide(context, reported.reason, reported.message),
  failure: reported,
});

/** How long one step of the start may take: the disk, the modules that it loads, ms. */
const STEP = 30_000;
/** The chart `homeLock` and the installation id have limits of their own, which are shorter together, ms. */
const LOCK = 60_000;
/** What the end of remote control may take beyond its own limit, ms. */
const MARGIN = 1_000;

const share =
  (part: number) =>
  ({ context }: { context: EngineContext }): number =>
    context.timing.shutdownTimeout * part;

/** Actors, actions, guards and delays of the chart `engine`, by name. */
export const engineSetup = setup({
  types: {
    context: {} as EngineContext,
    events: {} as EngineEvent,
    emitted: {} as EngineReport,
    input: {} as EngineInput,
    output: {} as EngineEnd,
    /** `ready`: the start has succeeded. `ending`: nothing is begun any more. */
    tags: {} as 'ready' | 'ending',
  },
  actors: {
    /** Checks the options that can prevent a start. */
    checkOptions: fromPromise<StepOutcome>(notProvided('checkOptions')),
    /** Opens the home directory and checks who can write to it. RC-8c */
    openHome: fromPromise<StepOutcome>(notProvided('openHome')),
    /** Opens the enrollment store, which reads its file meanwhile. RC-6 */
    openStore: fromPromise<StepOutcome>(notProvided('openStore')),
    /** Runs the chart `homeLock`, and reads the installation id. RC-8 */
    takeHome: fromPromise<StepOutcome>(notProvided('takeHome')),
    /** Creates the account, the app server, remote control and the local access, and connects them. */
    wire: fromPromise<StepOutcome>(notProvided('wire')),
    /** Starts the chart `remoteControl` and the app server. */
    startRemoteControl: fromPromise<StepOutcome>(notProvided('startRemoteControl')),
    /** Opens the control socket. RC-8b */
    openControl: fromPromise<StepOutcome>(notProvided('openControl')),
    /** Serves the metrics, where they are wanted. RC-170 */
    openMetrics: fromPromise<StepOutcome>(notProvided('openMetrics')),
    /** Opens the listener, which accepts no clients yet, or serves stdio. */
    openListener: fromPromise<StepOutcome>(notProvided('openListener')),
    /** Ends when the chart `remoteControl` knows whether it can start. */
    awaitDecision: fromPromise<StepOutcome>(notProvided('awaitDecision')),
    /** Ends when the step of the start ends that was in progress; its failure is the outcome. */
    settle: fromPromise<StepOutcome>(notProvided('settle')),
    /** Stops the chart `remoteControl`, which closes the clients and the link; why it ended is the outcome. RC-46 */
    endRemoteControl: fromPromise<StepOutcome>(notProvided('endRemoteControl')),
    /** Closes the account, the metrics, the control socket and the listener. */
    closeAccess: fromPromise<unknown>(notProvided('closeAccess')),
    /** Ends the children of the app server. */
    closeAppServer: fromPromise<unknown>(notProvided('closeAppServer')),
    /** Finishes the writes of the store and closes it. */
    closeStore: fromPromise<unknown>(notProvided('closeStore')),
    /** Removes `engine.json` and gives back the lock of the home. */
    releaseHome: fromPromise<unknown>(notProvided('releaseHome')),
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    recordFailure: assign(({ context, event }) => ends(context, failureIn(context, event))),
    /** A step of the start did not end within the deadline of its state. RC-218 */
    recordStartOverdue: assign(({ context }, { what }: { what: string }) =>
      ends(context, failure('startTimeout', `${what} did not end in time.`, context.env.now())),
    ),
    /** A part did not end within the deadline of its state. The reason of the end stays. RC-219 */
    recordStopOverdue: assign(({ context }, { what }: { what: string }) =>
      decide(context, 'stopTimeout', `${what} did not end in time; the engine stops without it.`),
    ),
    /** A part failed while it ended. The reason of the end stays. */
    recordStopError: assign(({ context, event }) => {
      const { reason, message } = actorFailure(context, event);
      return decide(context, reason, message);
    }),
    /** The listener accepts clients from now on. */
    admitClients: notProvided('admitClients'),
    /** The listener accepts no clients from now on. WSA-20 */
    refuseClients: notProvided('refuseClients'),
    reportStarted: emit({ type: 'STARTED' }),
    reportEnded: emit(({ context }) => ({ type: 'ENDED', failure: context.failure })),
  },
  guards: {
    done: ({ event }) => outcomeOf(event)?.kind === 'done',
    hasFailure: ({ event }) => 'failure' in event && event.failure !== null,
    hasFailed: ({ context }) => context.failure !== null,
  },
  delays: {
    stepTimeout: STEP,
    lockTimeout: LOCK,
    remoteControlTimeout: ({ context }) => context.timing.shutdownTimeout + MARGIN,
    settleTimeout: ({ context }) => context.timing.shutdownTimeout,
    accessTimeout: share(1 / 2),
    appServerTimeout: share(1 / 2),
    /** A store that another process has locked must not delay the end of the engine. RC-46 */
    storeTimeout: share(3 / 4),
    homeTimeout: share(1 / 4),
  },
});
