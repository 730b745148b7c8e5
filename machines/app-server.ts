import { assign, enqueueActions, fromPromise, setup } from 'xstate';
import type { AppServerMode } from '../src/protocol/app-server.js';
import type { Decision } from '../src/protocol/decision.js';
import { type Failure, failure, type LaunchOutcome } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import { backoffPause } from './shared/backoff.js';
import { actorFailure, decide, notProvided, setReason } from './shared/decision.js';

/** What the `appServer` chart starts with. */
export interface AppServerInput {
  readonly env: Env;
  readonly timing: Timing;
  /** `shared` falls back to `perClient` when the first child does not listen. */
  readonly mode: Exclude<AppServerMode, 'builtin'>;
  /** Why this mode, for people. */
  readonly modeReason: string;
}

/** The data of the `appServer` chart. */
export interface AppServerContext extends AppServerInput {
  /** Failures within the window that began with the first of them. */
  readonly recent: number;
  /** Failures since the start. */
  readonly failures: number;
  /** Exits of children that the engine did not stop, since the start. */
  readonly exits: number;
  readonly decision: Decision;
}

/** The events of the `appServer` chart. `client` is a connection id, `served` counts the clients that have an answer. */
export type AppServerEvent =
  /** The engine starts. */
  | { readonly type: 'START' }
  /** A client wants a connection and waits for `admitWaiting` or `refuseWaiting`. */
  | { readonly type: 'CLIENT.WAITS' }
  /** The client's `initialize` was passed on. */
  | { readonly type: 'INITIALIZE.SENT'; readonly client: string }
  /** The app server did not answer it in time. The chart sends this event to itself. */
  | { readonly type: 'INITIALIZE.OVERDUE'; readonly client: string }
  /** The client got its first response. */
  | { readonly type: 'ANSWERED'; readonly client: string }
  /** A connection ended, and nothing failed. */
  | { readonly type: 'CLIENT.LEFT'; readonly client: string; readonly served: number }
  /** The connection of a client failed: its child died or could not be started, or nothing answered. */
  | {
      readonly type: 'FAILED';
      readonly client: string;
      readonly served: number;
      readonly failure: Failure;
      readonly exited: boolean;
    }
  /** The engine has no file descriptors for a connection; this says nothing about the app server. */
  | { readonly type: 'STARVED'; readonly client: string; readonly failure: Failure }
  /** The shared child died. */
  | { readonly type: 'CHILD.EXITED'; readonly failure: Failure }
  /** The shared child does not accept a connection. */
  | { readonly type: 'UNREACHABLE' }
  /** The socket file of the shared child was deleted. */
  | { readonly type: 'SOCKET.GONE' }
  /** A minute has passed since the first of the recent failures. The chart sends this event to itself. */
  | { readonly type: 'WINDOW.OVER' }
  /** The engine wants new children, for example because the account changed. */
  | { readonly type: 'RESTART'; readonly cause: string };

/** Failures within the window after which no client is let through. */
const MAX_FAILURES = 5;
const WINDOW = 'window';
const initializeTimer = (client: string) => `initialize:${client}`;

/** Makes an action that starts or stops timers. XState cannot infer these types inside `setup`. */
const timers = (collect: CollectTimers) =>
  enqueueActions<
    AppServerContext,
    AppServerEvent,
    undefined,
    AppServerEvent,
    never,
    never,
    never,
    never,
    never
  >(collect);

type CollectTimers = Parameters<
  typeof enqueueActions<
    AppServerContext,
    AppServerEvent,
    undefined,
    AppServerEvent,
    never,
    never,
    never,
    never,
    never
  >
>[0];

const restartWindow = timers(({ context, enqueue }) => {
  enqueue.cancel(WINDOW);
  enqueue.raise({ type: 'WINDOW.OVER' }, { id: WINDOW, delay: context.timing.appServerWindow });
});

/** The window begins with the first failure; later ones do not prolong it. */
const startWindow = timers(({ context, enqueue }) => {
  if (context.recent > 1) return;
  enqueue.cancel(WINDOW);
  enqueue.raise({ type: 'WINDOW.OVER' }, { id: WINDOW, delay: context.timing.appServerWindow });
});

const startInitializeTimer = timers(({ context, event, enqueue }) => {
  if (event.type !== 'INITIALIZE.SENT') return;
  const { client } = event;
  const id = initializeTimer(client);
  enqueue.cancel(id);
  enqueue.raise({ type: 'INITIALIZE.OVERDUE', client }, { id, delay: context.timing.appServerInitialize });
});

const stopInitializeTimer = timers(({ event, enqueue }) => {
  if ('client' in event) enqueue.cancel(initializeTimer(event.client));
});

const appServer = setup({
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
      const modeReason = `it cannot be shared, so each client gets its own: ${message}`;
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

const FAILURE_ACTIONS = ['stopInitializeTimer', 'recordFailure', 'countFailure', 'startWindow'] as const;
const BREAKER_ACTIONS = ['stopInitializeTimer', 'recordBreaker', 'countFailure', 'startWindow'] as const;

/** The shared child failed: a pause, or after too many failures none for now. */
const afterSharedFailure = (description: string, ...more: 'retireChild'[]) =>
  [
    {
      guard: 'tooManyFailures',
      target: '#appServer.down',
      description: `${description} It is the fifth failure within a minute.`,
      actions: [...BREAKER_ACTIONS, ...more],
    },
    { target: '#appServer.backingOff', description, actions: [...FAILURE_ACTIONS, ...more] },
  ] as const;

/** The connection of one client failed, and no other client is served. */
const afterClientFailure = (description: string) =>
  [
    {
      guard: 'tooManyFailures',
      target: '#appServer.down',
      description: `${description} It is the fifth failure within a minute.`,
      actions: [...BREAKER_ACTIONS],
    },
    { target: '#appServer.failing', description, actions: [...FAILURE_ACTIONS] },
  ] as const;

const starved = {
  target: '#appServer.failing',
  description: 'The engine has no file descriptors; the failure does not count.',
  actions: ['recordFailure', 'startWindow'],
} as const;

const answered = {
  target: '#appServer.serving.perClient',
  description: 'A client got an answer.',
  actions: ['stopInitializeTimer', 'setServing'],
} as const;

const admit = { description: 'One more client connects.', actions: 'admitWaiting' } as const;

const socketGone = {
  target: '#appServer.starting.relaunching',
  description: 'The old child serves its clients until the last one leaves; new clients get a new child.',
  actions: ['recordSocketGone', 'retireChild'],
} as const;

const unreachable = {
  target: '#appServer.starting.confirming',
  description: 'A client could not connect: the child is about to exit, or its socket file is gone.',
} as const;

const checkSocket = {
  socketCheckInterval: {
    target: undefined,
    reenter: true,
    description: 'Checks whether the socket file still exists.',
    actions: 'checkSocket',
  },
} as const;

/**
 * The app server behind the engine: whether it can serve, and what happens when it cannot. Messages do not pass through
 * the chart, and there is one actor per engine, not per client.
 */
export const appServerMachine = appServer.createMachine({
  id: 'appServer',
  description:
    'The app server behind the engine: starts, listens, serves, fails, waits, and is given up for a time.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    recent: 0,
    failures: 0,
    exits: 0,
    decision: { reason: 'appServerNotStarted', detail: null, at: input.env.now() },
  }),
  initial: 'idle',
  on: {
    'INITIALIZE.SENT': { description: 'The deadline of its answer begins.', actions: 'startInitializeTimer' },
    'INITIALIZE.OVERDUE': {
      description: 'The app server is mute: the client gets an error.',
      actions: 'giveUp',
    },
    ANSWERED: { description: 'A child that was retired still answers.', actions: 'stopInitializeTimer' },
    'CLIENT.LEFT': { description: 'A connection ended in good order.', actions: 'stopInitializeTimer' },
    FAILED: { description: 'A connection failed.', actions: [...FAILURE_ACTIONS] },
    'WINDOW.OVER': {
      description: 'The failures are a minute old and no longer count.',
      actions: 'clearFailures',
    },
    RESTART: [
      {
        guard: 'isShared',
        target: '.starting.relaunching',
        description: 'The child is replaced.',
        actions: ['recordRestart', 'endAll'],
      },
      {
        target: '.idle',
        description: 'The children or connections are ended; the next client gets a new one.',
        actions: ['recordRestart', 'endAll'],
      },
    ],
  },
  states: {
    idle: {
      description: 'Nothing runs, or nothing that has answered a client.',
      on: {
        START: {
          guard: 'isShared',
          target: 'starting.launching',
          description: 'A shared child starts with the engine.',
          actions: setReason('appServerStarting'),
        },
        'CLIENT.WAITS': [
          { guard: 'isShared', target: 'starting.launching', actions: setReason('appServerStarting') },
          { target: 'starting.connecting', actions: [setReason('appServerStarting'), 'admitWaiting'] },
        ],
        ANSWERED: answered,
        FAILED: afterClientFailure('The connection of a client failed.'),
        STARVED: starved,
      },
    },
    starting: {
      description: 'Something is being started, and nothing has been proven.',
      initial: 'launching',
      states: {
        launching: {
          description: 'The first shared child starts; whether it can listen is not known.',
          invoke: {
            id: 'launch',
            src: 'launch',
            onDone: [
              { guard: 'listens', target: '#appServer.listening', actions: setReason('appServerListening') },
              {
                guard: 'starved',
                target: 'waiting',
                description: 'The engine has no file descriptors; the failure does not count.',
                actions: ['recordFailure', 'refuseWaiting'],
              },
              {
                target: '#appServer.idle',
                description: 'It exited before it listened: each client gets its own child.',
                actions: ['fallBack', 'askAgain'],
              },
            ],
            onError: { target: '#appServer.idle', actions: ['fallBack', 'askAgain'] },
          },
          after: {
            listenTimeout: {
              target: '#appServer.idle',
              description: 'It did not listen in time: each client gets its own child.',
              actions: ['fallBack', 'askAgain'],
            },
          },
          on: {
            RESTART: {
              target: 'launching',
              reenter: true,
              description: 'The child is replaced.',
              actions: 'endAll',
            },
          },
        },
        waiting: {
          description: 'The engine had no file descriptors for the first child.',
          tags: ['unavailable'],
          after: { restartPause: { target: 'launching' } },
          on: {
            'CLIENT.WAITS': { target: 'launching', description: 'A client needs it now.' },
            RESTART: { target: 'launching', description: 'The child is replaced.', actions: 'endAll' },
          },
        },
        relaunching: {
          description: 'A shared child that has listened before is being replaced.',
          invoke: {
            id: 'relaunch',
            src: 'launch',
            onDone: [
              { guard: 'listens', target: '#appServer.listening', actions: setReason('appServerListening') },
              {
                guard: 'starved',
                target: '#appServer.backingOff',
                description: 'The engine has no file descriptors; the failure does not count.',
                actions: 'recordFailure',
              },
              ...afterSharedFailure('It exited before it listened.'),
            ],
            onError: { target: '#appServer.backingOff', actions: [...FAILURE_ACTIONS] },
          },
          after: { listenTimeout: [...afterSharedFailure('It did not listen in time.')] },
          on: {
            RESTART: {
              target: 'relaunching',
              reenter: true,
              description: 'The child is replaced.',
              actions: ['recordRestart', 'endAll'],
            },
          },
        },
        confirming: {
          description:
            'The shared child does not accept a connection. Its exit is reported a moment later, or never.',
          after: { exitTimeout: socketGone },
          on: {
            'CHILD.EXITED': [...afterSharedFailure('The child exited.')],
            'SOCKET.GONE': socketGone,
          },
        },
        connecting: {
          description: 'The first client gets its child or its connection; nothing has answered yet.',
          on: {
            'CLIENT.WAITS': admit,
            ANSWERED: answered,
            'CLIENT.LEFT': {
              target: '#appServer.idle',
              description: 'It left before it got an answer.',
              actions: ['stopInitializeTimer', setReason('appServerIdle')],
            },
            FAILED: afterClientFailure('The connection of a client failed.'),
            STARVED: starved,
          },
        },
      },
    },
    listening: {
      description: 'The shared child listens; no client has got an answer from it.',
      entry: 'admitWaiting',
      after: checkSocket,
      on: {
        'CLIENT.WAITS': admit,
        ANSWERED: { ...answered, target: 'serving.shared' },
        FAILED: [...afterSharedFailure('The child does not answer.', 'retireChild')],
        STARVED: { description: 'The engine has no file descriptors.', actions: 'recordFailure' },
        'CHILD.EXITED': [...afterSharedFailure('The child exited.')],
        UNREACHABLE: unreachable,
        'SOCKET.GONE': socketGone,
      },
    },
    serving: {
      description: 'Clients get answers.',
      on: {
        'CLIENT.WAITS': admit,
        ANSWERED: {
          description: 'One more client got an answer.',
          actions: ['stopInitializeTimer', 'setServing'],
        },
        STARVED: { description: 'The engine has no file descriptors.', actions: 'recordFailure' },
      },
      initial: 'perClient',
      states: {
        perClient: {
          description: 'At least one client with a child or a connection of its own has got an answer.',
          entry: 'forgiveSocket',
          on: {
            'CLIENT.LEFT': [
              {
                guard: 'nobodyServed',
                target: '#appServer.idle',
                description: 'The last client that was served has left.',
                actions: ['stopInitializeTimer', setReason('appServerIdle')],
              },
              { description: 'Other clients are served.', actions: 'stopInitializeTimer' },
            ],
            FAILED: [
              ...afterClientFailure('The connection of a client failed.').slice(0, 1),
              {
                guard: 'othersServed',
                description: 'One child died; other clients are served.',
                actions: [...FAILURE_ACTIONS],
              },
              ...afterClientFailure('The connection of the last client failed.').slice(1),
            ],
          },
        },
        shared: {
          description: 'The shared child serves its clients, and goes on when all have left.',
          after: checkSocket,
          on: {
            FAILED: [
              {
                guard: 'othersServed',
                description: 'One client got no answer; others are served.',
                actions: [...FAILURE_ACTIONS],
              },
              ...afterSharedFailure('The child does not answer.', 'retireChild'),
            ],
            'CHILD.EXITED': [...afterSharedFailure('The child exited.')],
            UNREACHABLE: unreachable,
            'SOCKET.GONE': socketGone,
          },
        },
      },
    },
    failing: {
      description: 'The last attempt failed; the next client is another attempt.',
      initial: 'recent',
      on: {
        'CLIENT.WAITS': admit,
        ANSWERED: answered,
        FAILED: afterClientFailure('The connection of a client failed again.'),
        STARVED: starved,
      },
      states: {
        recent: {
          description: 'The failure is less than a minute old.',
          tags: ['unavailable'],
          on: {
            'WINDOW.OVER': {
              target: 'old',
              description: 'It may work again; only a client can find out.',
              actions: 'clearFailures',
            },
          },
        },
        old: { description: 'Nobody has tried for a minute.' },
      },
    },
    backingOff: {
      description: 'The shared child failed; it is started again after a pause, or by the next client.',
      tags: ['unavailable'],
      entry: 'refuseWaiting',
      after: { restartPause: { target: 'starting.relaunching' } },
      on: { 'CLIENT.WAITS': { target: 'starting.relaunching', description: 'A client needs it now.' } },
    },
    down: {
      description: 'Five failures within a minute: clients get an error with the cause.',
      tags: ['unavailable'],
      entry: 'refuseWaiting',
      initial: 'refusing',
      on: {
        'CLIENT.WAITS': { description: 'The client gets the cause.', actions: 'refuseWaiting' },
        ANSWERED: answered,
        FAILED: {
          description: 'One more child died; it had been started before.',
          actions: ['stopInitializeTimer', 'countFailure'],
        },
        'WINDOW.OVER': [
          {
            guard: 'isShared',
            target: 'starting.relaunching',
            description: 'A minute has passed since the first failure.',
            actions: 'clearFailures',
          },
          {
            target: 'failing.old',
            description: 'A minute has passed: the next client is another attempt.',
            actions: 'clearFailures',
          },
        ],
      },
      states: {
        refusing: {
          description: 'No attempt for now.',
          after: { probeInterval: { guard: 'isSocket', target: 'probing' } },
        },
        probing: {
          description: 'The next client is let through as a probe of the socket.',
          on: {
            'CLIENT.WAITS': {
              target: 'trying',
              description: 'One client, not more.',
              actions: 'admitWaiting',
            },
          },
        },
        trying: {
          description: 'The probe is under way; other clients are refused.',
          on: {
            FAILED: {
              target: 'refusing',
              actions: ['stopInitializeTimer', 'recordBreaker', 'countFailure', 'restartWindow'],
            },
            STARVED: { target: 'refusing', actions: 'recordFailure' },
            'CLIENT.LEFT': {
              target: 'probing',
              description: 'It left too early.',
              actions: 'stopInitializeTimer',
            },
          },
        },
      },
    },
  },
});
