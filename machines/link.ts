import { assign, fromCallback, sendParent, sendTo, setup } from 'xstate';
import type { SocketHandle } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

/** How a link ended. */
export interface LinkOutput {
  readonly kind: 'closedByPeer' | 'lost' | 'silent' | 'closedByUs';
  readonly reason: Reason;
  /** Close code of the peer, when it sent one. */
  readonly code: number | null;
  readonly proven: boolean;
}

export interface LinkInput {
  readonly socket: SocketHandle;
  readonly timing: Timing;
}

export type LinkEvent =
  | { readonly type: 'PONG' }
  /** Frames were delivered since the last sign of life (at most one event a second). */
  | { readonly type: 'FRAMES' }
  | { readonly type: 'SOCKET.CLOSED'; readonly clean: boolean; readonly code: number | null }
  /** The machine woke up: is the link still there? RC-25a */
  | { readonly type: 'PROBE' }
  | { readonly type: 'CLOSE' };

/** What the chart asks of the socket's actor. */
export type SocketCommand = { readonly type: 'PING' } | { readonly type: 'CLOSE' };

/** Exported for the declarations of the charts that use this one. */
export interface LinkContext extends LinkInput {
  readonly end: Omit<LinkOutput, 'proven'>;
  readonly proven: boolean;
}

const link = setup({
  types: {
    context: {} as LinkContext,
    events: {} as LinkEvent,
    input: {} as LinkInput,
    output: {} as LinkOutput,
    tags: {} as 'open' | 'suspect',
  },
  actors: {
    /** Owns the open socket: forwards pongs and its end, takes PING and CLOSE, destroys it when stopped. */
    socket: fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(notProvided('socket')),
  },
  actions: {
    ping: sendTo('socket', { type: 'PING' }),
    close: sendTo('socket', { type: 'CLOSE' }),
    tellProven: sendParent({ type: 'LINK.PROVEN' }),
    noteProven: assign({ proven: true }),
    noteEnd: assign((_, end: Omit<LinkOutput, 'proven'>) => ({ end })),
  },
  guards: {
    cleanly: ({ event }) => event.type === 'SOCKET.CLOSED' && event.clean,
  },
  delays: {
    pingInterval: ({ context }) => context.timing.pingInterval,
    pongPatience: ({ context }) => context.timing.pingInterval,
    // `open` and `probing` have already waited one interval each since the last pong.
    silenceLimit: ({ context }) => Math.max(context.timing.pongTimeout - 2 * context.timing.pingInterval, 1),
    wakeProbeTimeout: ({ context }) => context.timing.wakeProbeTimeout,
    provenLife: ({ context }) => context.timing.provenLife,
    closeTimeout: ({ context }) => context.timing.closeTimeout,
  },
});

const endOf = (kind: LinkOutput['kind'], reason: Reason, code: number | null = null) => ({
  kind,
  reason,
  code,
});

/**
 * One open backend socket, from the moment the handshake is done. It watches over the socket's life (RC-41) and
 * tells its parent once the life is proven (RC-25). Frames do not pass here.
 */
export const linkMachine = link.createMachine({
  id: 'link',
  description: 'One open socket to the backend: pings, silence, proof of life, and its end.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ ...input, proven: false, end: endOf('lost', 'linkLost') }),
  output: ({ context }) => ({ ...context.end, proven: context.proven }),
  initial: 'up',
  invoke: {
    id: 'socket',
    src: 'socket',
    input: ({ context }) => ({ socket: context.socket, timing: context.timing }),
    onError: {
      target: '.closed',
      description: 'The socket adapter failed: the socket is gone with it.',
      actions: { type: 'noteEnd', params: endOf('lost', 'linkLost') },
    },
  },
  states: {
    up: {
      description: 'The socket is open.',
      tags: ['open'],
      type: 'parallel',
      on: {
        'SOCKET.CLOSED': [
          {
            guard: 'cleanly',
            target: 'closed',
            description: 'The peer closed in good order (a deploy, a hand-over).',
            actions: {
              type: 'noteEnd',
              params: ({ event }) => endOf('closedByPeer', 'linkClosed', event.code),
            },
          },
          {
            target: 'closed',
            description: 'The connection broke.',
            actions: { type: 'noteEnd', params: ({ event }) => endOf('lost', 'linkLost', event.code) },
          },
        ],
        CLOSE: {
          target: 'closing',
          actions: { type: 'noteEnd', params: endOf('closedByUs', 'disabled') },
        },
      },
      states: {
        liveness: {
          description:
            'Does the peer answer? A ping every interval; given up a while after the last pong. RC-41',
          initial: 'open',
          on: { PROBE: { target: '.wakeProbe', description: 'Asked to make sure, after a wake-up.' } },
          states: {
            open: {
              description: 'The peer answered lately.',
              after: { pingInterval: { target: 'probing' } },
              on: { PONG: { target: 'open', reenter: true } },
            },
            probing: {
              description: 'A ping is on its way.',
              entry: 'ping',
              on: { PONG: 'open' },
              after: { pongPatience: { target: 'silent', description: 'The pong is overdue.' } },
            },
            silent: {
              description: 'Pongs are overdue; pings go on until the limit.',
              tags: ['suspect'],
              initial: 'pinging',
              on: { PONG: { target: 'open', description: 'It was only slow.' } },
              after: {
                silenceLimit: {
                  target: '#link.closing',
                  description: 'No pong for the whole limit.',
                  actions: { type: 'noteEnd', params: endOf('silent', 'pongTimeout') },
                },
              },
              states: {
                pinging: {
                  description: 'One more ping each interval.',
                  entry: 'ping',
                  after: { pingInterval: { target: 'pinging', reenter: true } },
                },
              },
            },
            wakeProbe: {
              description: 'After a wake-up: one ping with a short limit. RC-25a',
              tags: ['suspect'],
              entry: 'ping',
              on: { PONG: 'open', PROBE: {} },
              after: {
                wakeProbeTimeout: {
                  target: '#link.closing',
                  description: 'The link did not survive the sleep.',
                  actions: { type: 'noteEnd', params: endOf('silent', 'wakeProbeFailed') },
                },
              },
            },
          },
        },
        life: {
          description: 'Has the link lived long enough for the reconnect ladder to start over? RC-25',
          initial: 'young',
          states: {
            young: {
              description: 'Not old enough.',
              after: { provenLife: { target: 'oldEnough' } },
            },
            oldEnough: {
              description: 'Old enough; the next sign of life proves it.',
              on: { PONG: { target: 'proven' }, FRAMES: { target: 'proven' } },
            },
            proven: {
              description: 'Proven life.',
              entry: ['noteProven', 'tellProven'],
            },
          },
        },
      },
    },
    closing: {
      description: 'A close frame is on its way; the socket is destroyed when the peer does not answer it.',
      entry: 'close',
      on: { 'SOCKET.CLOSED': 'closed' },
      after: { closeTimeout: 'closed' },
    },
    closed: { type: 'final', description: 'The socket is gone.' },
  },
});
