import { setup } from 'xstate';
import { CLOSE_CODES } from '../src/protocol/close-codes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

export interface ListenerConnectionInput {
  readonly timing: Pick<Timing, 'sendStall' | 'localClose'>;
}

export type ListenerConnectionEvent =
  /** The upgrade ended as `established` or `degraded`. */
  | { readonly type: 'ADMITTED' }
  /** The upgrade ended as `rejected`. */
  | { readonly type: 'REFUSED' }
  /** The app server has answered `initialize`. WSA-22 */
  | { readonly type: 'INITIALIZED' }
  /** Data waits for the client: over the high-water mark, or for a while. WSA-18 */
  | { readonly type: 'SLOW' }
  /** Nothing waits any more. */
  | { readonly type: 'DRAINED' }
  /** More data waits than may. WSA-18 */
  | { readonly type: 'OVERFLOW' }
  /** The client sent more than may wait for its app server. */
  | { readonly type: 'FLOODED' }
  | { readonly type: 'APP_SERVER.CLOSED' }
  /** The signed token of an open connection expired. WSA-20a */
  | { readonly type: 'TOKEN.EXPIRED' }
  /** The engine stops. WSA-20 */
  | { readonly type: 'STOP' }
  /** The socket is gone. */
  | { readonly type: 'ENDED' };

interface CloseParams {
  readonly code: number;
  readonly reason: Reason;
}

const listenerConnection = setup({
  types: {
    context: {} as ListenerConnectionInput,
    events: {} as ListenerConnectionEvent,
    input: {} as ListenerConnectionInput,
    tags: {} as 'open' | 'slow',
  },
  actions: {
    pauseAppServer: notProvided('pauseAppServer'),
    resumeAppServer: notProvided('resumeAppServer'),
    /** Sends the close frame; nothing else goes out after it. */
    sendClose: (_, _params: CloseParams) => notProvided('sendClose')(),
    /** The peer did not answer the close frame. */
    destroySocket: notProvided('destroySocket'),
    /** Ends the session and its app-server connection. */
    letGo: notProvided('letGo'),
  },
  delays: {
    sendStall: ({ context }) => context.timing.sendStall,
    localClose: ({ context }) => context.timing.localClose,
  },
});

const closing = (code: number, reason: Reason) => ({
  target: '#listenerConnection.closing',
  actions: { type: 'sendClose', params: { code, reason } } as const,
});

/**
 * One connection of the local listener. It holds no data of its own, so that one frozen snapshot of each state
 * serves every connection that is in it; messages do not pass here.
 */
export const listenerConnectionMachine = listenerConnection.createMachine({
  id: 'listenerConnection',
  description: 'A local client: authorized, initialized, held up when it reads slowly, and gone.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ timing: input.timing }),
  initial: 'authorizing',
  on: {
    ENDED: { target: '.closed', description: 'The client closed, or the connection broke.' },
    OVERFLOW: {
      ...closing(CLOSE_CODES.tryAgainLater, 'clientOverloaded'),
      description: 'More than the limit of unsent data waits for the client. WSA-18',
    },
    FLOODED: {
      ...closing(CLOSE_CODES.tryAgainLater, 'clientOverloaded'),
      description: 'Too many messages of the client wait for its app server. WSA-24',
    },
    'APP_SERVER.CLOSED': closing(CLOSE_CODES.internalError, 'appServerClosed'),
    'TOKEN.EXPIRED': {
      ...closing(CLOSE_CODES.policyViolation, 'jwtRanOut'),
      description: 'The signed token expired, and the listener closes such connections. WSA-20a',
    },
    STOP: { ...closing(CLOSE_CODES.serviceRestart, 'stopped'), description: 'The engine stops. WSA-20' },
  },
  states: {
    authorizing: {
      description: 'The upgrade came; websocketAuth decides.',
      on: { ADMITTED: 'awaitingInitialize', REFUSED: 'closed', STOP: 'closed' },
    },
    awaitingInitialize: {
      description: 'Open; any request but initialize is refused. WSA-22',
      tags: ['open'],
      on: { INITIALIZED: 'initialized', SLOW: 'paused.awaitingInitialize' },
    },
    initialized: {
      description: 'Messages flow both ways.',
      tags: ['open'],
      on: { SLOW: 'paused.initialized' },
    },
    paused: {
      description: 'The client reads slowly: its own app-server connection is held back, nobody else. WSA-18',
      tags: ['open', 'slow'],
      entry: 'pauseAppServer',
      exit: 'resumeAppServer',
      initial: 'awaitingInitialize',
      after: {
        sendStall: {
          ...closing(CLOSE_CODES.tryAgainLater, 'clientStalled'),
          description: 'Data has waited for it too long. WSA-18',
        },
      },
      states: {
        awaitingInitialize: {
          description: 'Held back before initialize was answered.',
          on: { INITIALIZED: 'initialized', DRAINED: '#listenerConnection.awaitingInitialize' },
        },
        initialized: {
          description: 'Held back in the middle of its work.',
          on: { DRAINED: '#listenerConnection.initialized' },
        },
      },
    },
    closing: {
      description: 'A close frame is on its way; the socket is destroyed when the peer does not answer it.',
      entry: 'letGo',
      on: { OVERFLOW: {}, FLOODED: {}, 'APP_SERVER.CLOSED': {}, 'TOKEN.EXPIRED': {}, STOP: {} },
      after: { localClose: { target: 'closed', actions: 'destroySocket' } },
    },
    closed: { type: 'final', description: 'The socket is gone.', entry: 'letGo' },
  },
});
