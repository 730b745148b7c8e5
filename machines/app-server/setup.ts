import { assign, fromPromise, setup } from 'xstate';
import { type Failure, failure, type LaunchOutcome } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { backoffPause } from '../shared/backoff.js';
import { actorFailure, decide, notProvided } from '../shared/decision.js';
import { restartWindow, startInitializeTimer, startWindow, stopInitializeTimer } from './timers.js';
import type { AppServerContext, AppServerEvent, AppServerInput } from './types.js';

/** Failures within the window after which no client is let through. */
const MAX_FAILURES = 5;

/** Actors, actions, guards and delays of the chart `appServer`, by name. */
export const appServerSetup = setup({
  types: {
    context: {} as AppServerContext,
    events: {} as AppServerEvent,
    input: {} as AppServerInput,
    tags: {} as 'unavailable',
  },
  actors: {
    /** Starts the shared child and waits until it listens. Left early, the child is ended. */
    launch: fromPromise<LaunchOutcome>(notProvided('launch')),
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    setServing: assign(({ context }) =>
      context.decision.reason === 'appServerServing' ? {} : decide(context, 'appServerServing'),
    ),
    recordFailure: assign(({ context, event }) => {
      const reported = reportedFailure(context, event);
      return decide(context, reported.reason, reported.message);
    }),
    recordSocketGone: assign(({ context }) =>
      decide(
        context,
        'appServerSocketGone',
        'The socket file of the app server was deleted; new clients get a new child.',
      ),
    ),
    recordRestart: assign(({ context, event }) =>
      decide(context, 'appServerRestarted', event.type === 'RESTART' ? event.cause : null),
    ),
    recordBreaker: assign(({ context, event }) => {
      const cause = reportedFailure(context, event).message;
      const text =
        context.mode === 'socket'
          ? `The app server failed ${MAX_FAILURES} times within a minute and is tried once a second: ${cause}`
          : `The app server exited ${MAX_FAILURES} times within a minute and is not restarted for now: ${cause}`;
      return decide(context, 'appServerBreaker', text);
    }),
    fallBack: assign(({ context, event }) => {
      const { reason, message } = reportedFailure(context, event);
      const modeReason = `it cannot be shared, so each client gets its own until the engine starts again: ${message}`;
      return {
        ...decide(context, reason === 'engineFault' ? reason : 'appServerNotListening', modeReason),
        mode: 'perClient' as const,
        modeReason,
      };
    }),
    countFailure: assign(({ context, event }) => ({
      recent: context.recent + 1,
      failures: context.failures + 1,
      exits: context.exits + (isExit(event) ? 1 : 0),
    })),
    clearFailures: assign({ recent: 0 }),
    /** A socket that answers has recovered; children that die one after the other have not. */
    forgiveSocket: assign(({ context }) => (context.mode === 'socket' ? { recent: 0 } : {})),
    startWindow,
    restartWindow,
    startInitializeTimer,
    stopInitializeTimer,
    /** Answers the client whose `initialize` is overdue, ends its connection and reports FAILED. */
    giveUp: notProvided('giveUp'),
    /** The waiting clients may connect. */
    admitWaiting: notProvided('admitWaiting'),
    /** The waiting clients get the decision as an error. */
    refuseWaiting: notProvided('refuseWaiting'),
    /** Sends CLIENT.WAITS again when clients wait: the mode has changed. */
    askAgain: notProvided('askAgain'),
    /** New clients do not get the current shared child; it ends with its last client. */
    retireChild: notProvided('retireChild'),
    /** Reports SOCKET.GONE when the socket file of the shared child no longer exists. */
    checkSocket: notProvided('checkSocket'),
    /** Ends all children and connections; their clients get the cause. */
    endAll: notProvided('endAll'),
  },
  guards: {
    isShared: ({ context }) => context.mode === 'shared',
    isSocket: ({ context }) => context.mode === 'socket',
    tooManyFailures: ({ context }) => context.recent + 1 >= MAX_FAILURES,
    othersServed: ({ event }) => 'served' in event && event.served > 0,
    nobodyServed: ({ event }) => 'served' in event && event.served === 0,
    listens: ({ event }) => launchOutcome(event)?.kind === 'listening',
    starved: ({ event }) => launchOutcome(event)?.kind === 'starved',
  },
  delays: {
    listenTimeout: ({ context }) => context.timing.appServerListen,
    exitTimeout: ({ context }) => context.timing.appServerExit,
    socketCheckInterval: ({ context }) => context.timing.appServerCheck,
    probeInterval: ({ context }) => context.timing.appServerProbe,
    restartPause: ({ context }) =>
      backoffPause(context.env, context.timing, Math.max(context.recent - 1, 0)).ms,
  },
});

type AnEvent = { readonly type: string };

function launchOutcome(event: AnEvent): LaunchOutcome | undefined {
  return 'output' in event ? (event.output as LaunchOutcome | undefined) : undefined;
}

/** The failure that an event reports. A delay that ended is one too. */
function reportedFailure(context: AppServerContext, event: AnEvent): Failure {
  if ('failure' in event) return event.failure as Failure;
  const got = launchOutcome(event);
  if (got !== undefined && 'failure' in got) return got.failure;
  if ('error' in event) return actorFailure(context, event, 'The app server could not be started');
  const seconds = context.timing.appServerListen / 1_000;
  const text = `The app server did not listen on its socket within ${seconds} s.`;
  return failure('appServerNotListening', text, context.env.now());
}

function isExit(event: AnEvent): boolean {
  if (event.type === 'FAILED') return 'exited' in event && event.exited === true;
  return event.type === 'CHILD.EXITED' || launchOutcome(event)?.kind === 'exited';
}
