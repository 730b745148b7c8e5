import { setup } from 'xstate';
import { CLOSE_CODES } from '../src/protocol/close-codes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

/** What the `listenerConnection` chart starts with. */
export interface ListenerConnectionInput {
  readonly timing: Pick<Timing, 'localClose' | 'localPong'>;
}

/** The events of the `listenerConnection` chart. */
export type ListenerConnectionEvent =
  /** The upgrade ended as `established` or `degraded`. */
  | { readonly type: 'ADMITTED' }
  /** The upgrade ended as `rejected`. */
  | { readonly type: 'REFUSED' }
  /** No valid `initialize` arrived in time; the chart `clientSession` decided. WSA-36 */
  | { readonly type: 'INITIALIZE.OVERDUE' }
  /** The client read nothing for too long; the chart `clientSession` decided. WSA-18 */
  | { readonly type: 'STALLED' }
  /** Nothing was received for a while; a sweep found it. RC-86 */
  | { readonly type: 'SILENT' }
  /** Something was received, a pong or any other data, or the client has read something. */
  | { readonly type: 'ALIVE' }
  /** Unsent data exceeds the limit. WSA-18 */
  | { readonly type: 'OVERFLOW' }
  /** More messages of the client wait for its app server than the limit allows. WSA-24 */
  | { readonly type: 'FLOODED' }
  /** A client with the credential needs the place of this degraded one. WSA-61 */
  | { readonly type: 'REPLACED' }
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
    tags: {} as 'open',
  },
  actions: {
    /** Sends the close frame. Nothing is sent after it. */
    sendClose: (_, _params: CloseParams) => notProvided('sendClose')(),
    /** Sends a WebSocket ping. */
    sendPing: notProvided('sendPing'),
    /** The peer did not answer the close frame. */
    destroySocket: notProvided('destroySocket'),
    /** Ends the session and its app-server connection. Called twice, it does nothing the second time. */
    release: notProvided('release'),
  },
  delays: {
    pongTimeout: ({ context }) => context.timing.localPong,
    closeTimeout: ({ context }) => context.timing.localClose,
  },
});

const closing = (code: number, reason: Reason) => ({
  target: '#listenerConnection.closing',
  actions: { type: 'sendClose', params: { code, reason } } as const,
});

/**
 * One connection of the local listener. The chart has no data per connection, so that all connections in a state share
 * one frozen snapshot. Messages do not pass through the chart.
 */
export const listenerConnectionMachine = listenerConnection.createMachine({
  id: 'listenerConnection',
  description:
    'The connection of a local client: authorization, whether its peer is still there, and close. Its conversation is in clientSession.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ timing: input.timing }),
  initial: 'authorizing',
  on: {
    ENDED: { target: '.closed', description: 'The client closed the connection, or it broke.' },
    'INITIALIZE.OVERDUE': {
      ...closing(CLOSE_CODES.policyViolation, 'initializeMissing'),
      description: 'The client sent no valid initialize in time. WSA-36',
    },
    STALLED: {
      ...closing(CLOSE_CODES.tryAgainLater, 'clientStalled'),
      description: 'The client read nothing for too long. WSA-18',
    },
    OVERFLOW: {
      ...closing(CLOSE_CODES.tryAgainLater, 'clientOverloaded'),
      description: 'Unsent data for the client exceeds the limit. WSA-18',
    },
    FLOODED: {
      ...closing(CLOSE_CODES.tryAgainLater, 'clientOverloaded'),
      description: 'Too many messages of the client wait for its app server. WSA-24',
    },
    REPLACED: {
      ...closing(CLOSE_CODES.tryAgainLater, 'connectionReplaced'),
      description: 'The listener is full, and a client with the credential needs this place. WSA-61',
    },
    'APP_SERVER.CLOSED': {
      ...closing(CLOSE_CODES.internalError, 'appServerClosed'),
      description: 'The app server closed its connection.',
    },
    'TOKEN.EXPIRED': {
      ...closing(CLOSE_CODES.policyViolation, 'jwtRanOut'),
      description: 'The signed token expired, and the listener is configured to close then. WSA-20a',
    },
    STOP: { ...closing(CLOSE_CODES.serviceRestart, 'stopped'), description: 'The engine stops. WSA-20' },
  },
  states: {
    authorizing: {
      description: 'An upgrade request arrived; websocketAuth decides.',
      on: { ADMITTED: 'open', REFUSED: 'closed', STOP: 'closed' },
    },
    open: {
      description: 'The connection is open. The chart clientSession has the conversation.',
      tags: ['open'],
      on: { SILENT: 'probing' },
    },
    probing: {
      description: 'Nothing was received for a while: a ping was sent. RC-86',
      tags: ['open'],
      entry: 'sendPing',
      on: { ALIVE: 'open' },
      after: { pongTimeout: { target: 'silent', description: 'The pong did not arrive in time.' } },
    },
    silent: {
      description: 'A second ping was sent: the engine itself may have been stopped for a while. RC-86',
      tags: ['open'],
      entry: 'sendPing',
      on: { ALIVE: 'open' },
      after: {
        pongTimeout: {
          ...closing(CLOSE_CODES.policyViolation, 'clientVanished'),
          description: 'Two pings got no pong: the client is gone. RC-86',
        },
      },
    },
    closing: {
      description: 'A close frame was sent; the socket is destroyed when the client does not answer in time.',
      entry: 'release',
      on: {
        'INITIALIZE.OVERDUE': {},
        STALLED: {},
        OVERFLOW: {},
        FLOODED: {},
        REPLACED: {},
        'APP_SERVER.CLOSED': {},
        'TOKEN.EXPIRED': {},
        STOP: {},
      },
      after: { closeTimeout: { target: 'closed', actions: 'destroySocket' } },
    },
    closed: { type: 'final', description: 'The socket is gone.', entry: 'release' },
  },
});
