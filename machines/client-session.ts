import { setup } from 'xstate';
import type { Reason } from '../src/protocol/reasons.js';
import type { Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';
import { spine } from './shared/spine.js';

/** What the `clientSession` chart starts with. */
export interface ClientSessionInput {
  /**
   * How the client is connected, because its limits depend on it. `socket`: a connection of the listener or the control
   * socket. `relay`: one of `rc-engine connect`, whose conversation is with the environment. `stdio`: the parent process,
   * which may take its time. `stream`: a stream of remote control; streams share one socket, so none may block it.
   */
  readonly transport: 'socket' | 'relay' | 'stdio' | 'stream';
  readonly timing: Pick<Timing, 'appServerOpen' | 'initializeTimeout' | 'sendStall' | 'clientStall'>;
}

/** The events of the `clientSession` chart. */
export type ClientSessionEvent =
  /** The app-server connection is open. */
  | { readonly type: 'OPENED' }
  /** No app-server connection is opened before a valid `initialize` arrives. WSA-35 */
  | { readonly type: 'DEFERRED' }
  /** The app-server connection is being opened, at once or for a valid `initialize`. */
  | { readonly type: 'OPENING' }
  /** There is no place for an app-server connection; the client may try again. */
  | { readonly type: 'REFUSED' }
  /** `initialize` was passed on to the app server. */
  | { readonly type: 'INITIALIZE.SENT' }
  /** The app server accepted it. */
  | { readonly type: 'INITIALIZE.ACCEPTED' }
  /** The app server answered it with an error. ACC-4 */
  | { readonly type: 'INITIALIZE.FAILED' }
  /** The client needs no `initialize`. WSA-44 */
  | { readonly type: 'SERVED' }
  /** The app server accepts no messages for now. */
  | { readonly type: 'BLOCKED' }
  /** It accepts messages again. */
  | { readonly type: 'UNBLOCKED' }
  /** The client reads slowly. WSA-18 */
  | { readonly type: 'CLIENT.SLOW' }
  /** It has read a part of what waits. WSA-18 */
  | { readonly type: 'CLIENT.PROGRESS' }
  /** It has read what waited. */
  | { readonly type: 'CLIENT.READS' }
  /** Too much waits for the app server. WSA-24 */
  | { readonly type: 'QUEUE.LARGE' }
  /** Nothing waits for the app server. */
  | { readonly type: 'QUEUE.EMPTY' }
  /** The client has sent everything. RC-77 */
  | { readonly type: 'INPUT.ENDED' }
  /** The client, the app server or the engine ended the session. */
  | { readonly type: 'CLOSE' };

/** What the states of `clientSession` mean for a message. */
export type ClientSessionTag =
  | 'opening'
  | 'awaitingInitialize'
  | 'initializing'
  /** Messages pass: after `initialize`, or without it. */
  | 'initialized'
  /** `initialize` may still come. */
  | 'takesInitialize'
  | 'blocked'
  | 'slow'
  | 'inputEnded';

const clientSession = setup({
  types: {
    context: {} as ClientSessionInput,
    events: {} as ClientSessionEvent,
    input: {} as ClientSessionInput,
    tags: {} as ClientSessionTag,
  },
  actions: {
    /** The client is served from now on. Once for each session. */
    announce: notProvided('announce'),
    /** The app server of this client is not read for now. */
    pauseAppServer: notProvided('pauseAppServer'),
    resumeAppServer: notProvided('resumeAppServer'),
    /** Nothing more is read from the client for now. */
    pauseClient: notProvided('pauseClient'),
    resumeClient: notProvided('resumeClient'),
    /** Each open request gets an error with this reason; then the session and its connection are closed. */
    endClient: (_, _params: { readonly reason: Reason }) => notProvided('endClient')(),
  },
  guards: {
    mustInitialize: ({ context }) => context.transport === 'socket',
    mustRead: ({ context }) => context.transport === 'socket' || context.transport === 'relay',
    sharesSocket: ({ context }) => context.transport === 'stream',
  },
  delays: {
    appServerOpenTimeout: ({ context }) => context.timing.appServerOpen,
    initializeTimeout: ({ context }) => context.timing.initializeTimeout,
    clientStallTimeout: ({ context }) => context.timing.sendStall,
    appServerStallTimeout: ({ context }) => context.timing.clientStall,
  },
});

const ending = (reason: Reason) => ({
  target: '#clientSession.ending',
  actions: { type: 'endClient', params: { reason } } as const,
});

const serve = {
  target: 'served',
  description: 'The client needs no initialize, and may still send one. WSA-44',
  actions: 'announce',
} as const;

/**
 * The conversation of one client with its app server, over any transport. The chart has no data of the client, so that
 * thousands of sessions share its states and each costs a pointer. Messages do not pass through the chart.
 */
export const clientSessionMachine = clientSession.createMachine({
  id: 'clientSession',
  description: 'One client: initialize, which side is too slow, and the end.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ transport: input.transport, timing: input.timing }),
  initial: 'open',
  states: {
    open: {
      description: 'The client is connected.',
      type: 'parallel',
      on: { CLOSE: { target: 'closed', description: 'One of the sides ended the session.' } },
      states: {
        conversation: {
          description: 'What the client may say. WSA-22',
          initial: 'arrived',
          states: {
            arrived: {
              description: 'It has connected. Its kind decides what opens the app-server connection.',
              tags: ['opening'],
              on: {
                OPENED: {
                  target: 'awaitingInitialize',
                  description: 'One that costs nothing is there at once.',
                  ...spine,
                },
                DEFERRED: {
                  target: 'awaitingInitialize',
                  description: 'The first valid initialize opens the app-server connection. WSA-35',
                },
                OPENING: {
                  target: 'opening',
                  description: 'A stream begins with its initialize; some agents speak first. RC-30, WSA-44',
                },
              },
            },
            opening: {
              description: 'The app-server connection is being opened. Messages wait.',
              tags: ['opening'],
              on: {
                OPENED: 'awaitingInitialize',
                REFUSED: {
                  target: 'awaitingInitialize',
                  description:
                    'There is no place for an app-server connection; the client may try again. WSA-37',
                },
              },
              after: {
                appServerOpenTimeout: {
                  ...ending('appServerFailed'),
                  description: 'The app-server connection did not open in time.',
                },
              },
            },
            awaitingInitialize: {
              description: 'Only initialize is accepted, or what needs none. WSA-22, WSA-44',
              tags: ['awaitingInitialize'],
              on: {
                OPENING: {
                  target: 'opening',
                  description: 'It arrived, and the app-server connection is opened for it.',
                },
                'INITIALIZE.SENT': { target: 'initializing', ...spine },
                SERVED: serve,
              },
              after: {
                initializeTimeout: {
                  guard: 'mustInitialize',
                  ...ending('initializeMissing'),
                  description: 'The client sent no valid initialize in time. WSA-36',
                },
              },
            },
            initializing: {
              description: 'The app server has the initialize. Messages wait for its response.',
              tags: ['initializing'],
              on: {
                'INITIALIZE.ACCEPTED': { target: 'initialized', actions: 'announce', ...spine },
                'INITIALIZE.FAILED': {
                  target: 'awaitingInitialize',
                  description: 'After a failed initialize the client may try again. ACC-4',
                },
                SERVED: serve,
              },
            },
            initialized: {
              description: 'Messages pass in both directions.',
              tags: ['initialized'],
            },
            served: {
              description: 'Messages pass in both directions, without an initialize so far. WSA-44',
              tags: ['initialized', 'takesInitialize'],
              on: { 'INITIALIZE.SENT': 'initializingLate' },
            },
            initializingLate: {
              description: 'A client that was served before sent initialize. Messages wait for its response.',
              tags: ['initializing', 'takesInitialize'],
              on: {
                'INITIALIZE.ACCEPTED': 'initialized',
                'INITIALIZE.FAILED': 'served',
                SERVED: 'served',
              },
            },
          },
        },
        appServer: {
          description: 'Whether the app server accepts messages.',
          initial: 'ready',
          states: {
            ready: {
              description: 'It accepts messages.',
              on: { BLOCKED: 'blocked' },
            },
            blocked: {
              description: 'It accepts no messages for now; they wait. RC-41',
              tags: ['blocked'],
              on: { UNBLOCKED: 'ready' },
              after: {
                appServerStallTimeout: {
                  guard: 'sharesSocket',
                  ...ending('clientStalled'),
                  description: 'A stream may block its own traffic for a limited time only. RC-41',
                },
              },
            },
          },
        },
        client: {
          description: 'Whether the client reads.',
          initial: 'reading',
          states: {
            reading: {
              description: 'It reads what is sent.',
              on: { 'CLIENT.SLOW': { target: 'slow', actions: 'pauseAppServer' } },
            },
            slow: {
              description: 'It reads slowly: its app server is not read, and its requests wait. WSA-18',
              tags: ['slow'],
              initial: 'waiting',
              on: { 'CLIENT.READS': { target: 'reading', actions: 'resumeAppServer' } },
              states: {
                waiting: {
                  description: 'It has read nothing for a while.',
                  on: {
                    'CLIENT.PROGRESS': {
                      target: 'waiting',
                      reenter: true,
                      description: 'The client reads, so the time starts again.',
                    },
                  },
                  after: {
                    clientStallTimeout: {
                      guard: 'mustRead',
                      ...ending('clientStalled'),
                      description: 'The client read nothing for too long. WSA-18',
                    },
                  },
                },
              },
            },
          },
        },
        intake: {
          description: 'Whether messages are read from the client.',
          initial: 'flowing',
          states: {
            flowing: {
              description: 'Messages are read.',
              on: { 'QUEUE.LARGE': 'paused', 'INPUT.ENDED': 'ended' },
            },
            paused: {
              description: 'Too much waits for the app server: nothing more is read. WSA-24',
              entry: 'pauseClient',
              exit: 'resumeClient',
              on: {
                'QUEUE.EMPTY': 'flowing',
                'INPUT.ENDED': { target: 'ended', description: 'The end was noticed all the same.' },
              },
            },
            ended: {
              description: 'The client has sent everything, so it can respond to nothing. RC-77',
              tags: ['inputEnded'],
            },
          },
        },
      },
    },
    ending: {
      description: 'The client is ended: its open requests get an error.',
      on: { CLOSE: 'closed' },
    },
    closed: { type: 'final', description: 'The session has ended.' },
  },
});
