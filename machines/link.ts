import { assign, fromCallback, sendParent, sendTo, setup } from 'xstate';
import type { SocketHandle } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

/** How a link ended, reported to the parent. */
export interface LinkOutput {
  readonly kind: 'closedByPeer' | 'replaced' | 'lost' | 'silent' | 'closedByUs';
  readonly reason: Reason;
  /** Close code of the peer; null when it sent none. */
  readonly code: number | null;
  /** The link lived long enough to reset the failure counters. RC-25 */
  readonly stable: boolean;
}

/** What the `link` chart starts with. */
export interface LinkInput {
  readonly socket: SocketHandle;
  readonly timing: Timing;
}

/** The events of the `link` chart, from its socket and from `remoteControl`. */
export type LinkEvent =
  | { readonly type: 'PONG' }
  /** Frames arrived since the last event (at most one event a second). */
  | { readonly type: 'FRAMES' }
  | {
      readonly type: 'SOCKET.CLOSED';
      readonly clean: boolean;
      readonly code: number | null;
      /** The engine ended it because of what the backend sent. RC-40 */
      readonly fault: 'frameTooLarge' | 'frameInvalid' | null;
      /** The backend says that a newer connection of this identity took its place. RC-110 */
      readonly replaced?: boolean;
    }
  /** The machine woke up: check that the link is alive. RC-25a */
  | { readonly type: 'PROBE' }
  | { readonly type: 'CLOSE' };

/** Commands of the chart to the actor of the socket. */
export type SocketCommand = { readonly type: 'PING' } | { readonly type: 'CLOSE' };

/** Exported for the type declarations of charts that invoke this one. */
export interface LinkContext extends LinkInput {
  readonly end: Omit<LinkOutput, 'stable'>;
  readonly stable: boolean;
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
    /** Owns the open socket: reports pongs and its end, executes PING and CLOSE, destroys the socket when stopped. */
    socket: fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(notProvided('socket')),
  },
  actions: {
    sendPing: sendTo('socket', { type: 'PING' }),
    sendClose: sendTo('socket', { type: 'CLOSE' }),
    notifyStable: sendParent({ type: 'LINK.STABLE' }),
    markStable: assign({ stable: true }),
    recordEnd: assign((_, end: Omit<LinkOutput, 'stable'>) => ({ end })),
  },
  guards: {
    refusedFrame: ({ event }) => event.type === 'SOCKET.CLOSED' && event.fault !== null,
    replaced: ({ event }) => event.type === 'SOCKET.CLOSED' && event.clean && event.replaced === true,
    closedCleanly: ({ event }) => event.type === 'SOCKET.CLOSED' && event.clean,
  },
  delays: {
    pingInterval: ({ context }) => context.timing.pingInterval,
    pongWait: ({ context }) => context.timing.pingInterval,
    // Since the last pong, `open` and `probing` have each waited one interval.
    silenceTimeout: ({ context }) =>
      Math.max(context.timing.pongTimeout - 2 * context.timing.pingInterval, 1),
    wakeProbeTimeout: ({ context }) => context.timing.wakeProbeTimeout,
    stableAfter: ({ context }) => context.timing.stableAfter,
    closeTimeout: ({ context }) => context.timing.closeTimeout,
  },
});

const endOf = (kind: LinkOutput['kind'], reason: Reason, code: number | null = null) => ({
  kind,
  reason,
  code,
});

/**
 * One open backend socket, from the end of its handshake. The chart monitors liveness (RC-41) and notifies its parent
 * once the link is stable (RC-25). Frames do not pass through the chart.
 */
export const linkMachine = link.createMachine({
  id: 'link',
  description: 'One open socket to the backend: pings, timeouts, stability and close.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ ...input, stable: false, end: endOf('lost', 'linkLost') }),
  output: ({ context }) => ({ ...context.end, stable: context.stable }),
  initial: 'up',
  invoke: {
    id: 'socket',
    src: 'socket',
    input: ({ context }) => ({ socket: context.socket, timing: context.timing }),
    onError: {
      target: '.closed',
      description: 'The socket adapter failed, so the socket is gone.',
      actions: { type: 'recordEnd', params: endOf('lost', 'linkLost') },
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
            guard: 'refusedFrame',
            target: 'closed',
            description: 'The engine ended it: a frame of the backend was too large or invalid. RC-40',
            actions: { type: 'recordEnd', params: ({ event }) => endOf('lost', event.fault ?? 'linkLost') },
          },
          {
            guard: 'replaced',
            target: 'closed',
            description: 'A newer connection of this identity took its place. RC-110',
            actions: {
              type: 'recordEnd',
              params: ({ event }) => endOf('replaced', 'linkReplaced', event.code),
            },
          },
          {
            guard: 'closedCleanly',
            target: 'closed',
            description: 'The peer closed cleanly, for example for a deploy or a handover.',
            actions: {
              type: 'recordEnd',
              params: ({ event }) => endOf('closedByPeer', 'linkClosed', event.code),
            },
          },
          {
            target: 'closed',
            description: 'The connection broke.',
            actions: { type: 'recordEnd', params: ({ event }) => endOf('lost', 'linkLost', event.code) },
          },
        ],
        CLOSE: {
          target: 'closing',
          description: 'The parent closes the link.',
          actions: { type: 'recordEnd', params: endOf('closedByUs', 'disabled') },
        },
      },
      states: {
        liveness: {
          description:
            'Pings the peer at an interval and closes the link when pongs stay away too long. RC-41',
          initial: 'open',
          on: {
            PROBE: { target: '.wakeProbe', description: 'The machine woke up: check the link now. RC-25a' },
          },
          states: {
            open: {
              description: 'The last ping was answered in time.',
              after: { pingInterval: { target: 'probing' } },
              on: { PONG: { target: 'open', reenter: true } },
            },
            probing: {
              description: 'A ping was sent; its pong is awaited.',
              entry: 'sendPing',
              on: { PONG: 'open' },
              after: { pongWait: { target: 'silent', description: 'The pong did not arrive in time.' } },
            },
            silent: {
              description: 'The pong is overdue; pings continue until the limit.',
              tags: ['suspect'],
              initial: 'pinging',
              on: { PONG: { target: 'open', description: 'The peer answered late.' } },
              after: {
                silenceTimeout: {
                  target: '#link.closing',
                  description: 'No pong within the limit. RC-41',
                  actions: { type: 'recordEnd', params: endOf('silent', 'pongTimeout') },
                },
              },
              states: {
                pinging: {
                  description: 'Sends another ping at each interval.',
                  entry: 'sendPing',
                  after: { pingInterval: { target: 'pinging', reenter: true } },
                },
              },
            },
            wakeProbe: {
              description: 'After a wake-up: one ping with a short timeout. RC-25a',
              tags: ['suspect'],
              entry: 'sendPing',
              on: { PONG: 'open', PROBE: {} },
              after: {
                wakeProbeTimeout: {
                  target: '#link.closing',
                  description: 'The link did not survive the sleep.',
                  actions: { type: 'recordEnd', params: endOf('silent', 'wakeProbeFailed') },
                },
              },
            },
          },
        },
        life: {
          description: 'Decides when the link is stable, so that the backoff starts over. RC-25',
          initial: 'young',
          states: {
            young: {
              description: 'The link is not old enough.',
              after: { stableAfter: { target: 'oldEnough' } },
            },
            oldEnough: {
              description: 'The link is old enough; the next pong or frame makes it stable.',
              on: { PONG: { target: 'stable' }, FRAMES: { target: 'stable' } },
            },
            stable: {
              description: 'The link is stable.',
              entry: ['markStable', 'notifyStable'],
            },
          },
        },
      },
    },
    closing: {
      description: 'A close frame was sent; the socket is destroyed when the peer does not answer in time.',
      entry: 'sendClose',
      on: { 'SOCKET.CLOSED': 'closed' },
      after: { closeTimeout: 'closed' },
    },
    closed: { type: 'final', description: 'The socket is gone.' },
  },
});
