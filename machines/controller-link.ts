import { assign, fromPromise, sendTo, setup } from 'xstate';
import { CLOSE_CODES } from '../src/protocol/close-codes.js';
import type { Decision } from '../src/protocol/decision.js';
import type { DialOutcome, Failure, SocketHandle } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import { linkMachine } from './link.js';
import { backoffPause, type Pause, retryAfterPause } from './shared/backoff.js';
import { handshakeTakes, type OverdueReason, overdueFailure, recordOverdue } from './shared/deadlines.js';
import { actorFailure, decide, decideFailure, notProvided, setReason } from './shared/decision.js';
import { failureOf, outcome, outcomeOf } from './shared/outcome.js';

/** What the `controllerLink` chart starts with. */
export interface ControllerLinkInput {
  readonly env: Env;
  readonly timing: Timing;
  /** How long a new stream may wait for a link, ms. */
  readonly newStreamWait: number;
  /** How long the backend keeps the streams of a controller that is not connected, ms. */
  readonly streamHold: number;
}

/** Exported for the type declarations of the machine. */
export interface ControllerLinkContext extends ControllerLinkInput {
  readonly socket: SocketHandle;
  /** A link was open once, so the address and the token were right then. */
  readonly wasOpen: boolean;
  /** Attempts since the link was stable. */
  readonly attempt: number;
  /** The `attempt` whose pause a change of the network ended early, plus one; 0: none. RC-109 */
  readonly networkCut: number;
  readonly pause: Pause;
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
}

/** The events of the `controllerLink` chart. */
export type ControllerLinkEvent =
  /** The command ends. */
  | { readonly type: 'STOP' }
  /** The machine woke up. */
  | { readonly type: 'WAKE' }
  /** The network addresses of the machine changed. */
  | { readonly type: 'NETWORK.CHANGED' }
  /** The open link has lived long enough. */
  | { readonly type: 'LINK.STABLE' };

/** How the `controllerLink` chart ended. */
export interface ControllerLinkOutput {
  readonly reason: Reason;
  readonly failure: Failure | null;
}

const controllerLink = setup({
  types: {
    context: {} as ControllerLinkContext,
    events: {} as ControllerLinkEvent,
    input: {} as ControllerLinkInput,
    output: {} as ControllerLinkOutput,
    tags: {} as 'online' | 'refusesStreams',
  },
  actors: {
    dial: fromPromise<DialOutcome>(notProvided('dial')),
    link: linkMachine,
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    assignSocket: assign(({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'open' ? { socket: got.socket, wasOpen: true, lastFailure: null } : {};
    }),
    recordFailure: assign(({ context, event }) => {
      const reported = failureOf(outcomeOf(event));
      return reported === null ? {} : decideFailure(context, reported);
    }),
    recordActorError: assign(({ context, event }) => decideFailure(context, actorFailure(context, event))),
    /** The actor did not answer within the deadline of its state. RC-112 */
    recordOverdue: assign(({ context }, { reason }: { reason: OverdueReason }) =>
      decideFailure(context, overdueFailure(context, reason)),
    ),
    recordLinkEnd: assign(({ context, event }) => {
      const got = outcomeOf(event);
      return got !== null && 'reason' in got ? decide(context, got.reason) : {};
    }),
    scheduleBackoff: assign(({ context }) => ({
      pause: backoffPause(context.env, context.timing, context.attempt),
      attempt: context.attempt + 1,
    })),
    honorRetryAfter: assign(({ context }) => ({
      pause: retryAfterPause(context.env, context.timing, context.lastFailure?.retryAfterAt ?? 0),
    })),
    countAttempt: assign(({ context }) => ({ attempt: context.attempt + 1 })),
    countNetworkCut: assign(({ context }) => ({ networkCut: context.attempt + 1 })),
    clearAttempts: assign({ attempt: 0, networkCut: 0 }),
    closeLink: sendTo('link', { type: 'CLOSE' }),
    probeLink: sendTo('link', { type: 'PROBE' }),
    /** Closes the local connections whose stream has received nothing yet. */
    closeNewStreams: notProvided('closeNewStreams'),
    /** Closes all local connections: there was no link for too long. */
    closeStreams: notProvided('closeStreams'),
    /** Closes all local connections: the backend refuses this controller. RC-98 */
    endStreams: notProvided('endStreams'),
  },
  guards: {
    opened: outcome('open'),
    tokenRejected: outcome('tokenRejected'),
    /** A 404 before any link was open: the address is wrong, or the backend has no such route. */
    neverThere: ({ context, event }) =>
      !context.wasOpen && outcome('serverGone', 'ambiguousNotFound')({ event }),
    hasRetryAfter: ({ context, event }) =>
      (failureOf(outcomeOf(event))?.retryAfterAt ?? 0) > context.env.now(),
    /** An HTTP response shows that the network works, so its pause stays; other pauses are cut once an attempt. RC-109 */
    networkInDoubt: ({ context: { lastFailure, decision, networkCut, attempt } }) =>
      !(lastFailure?.httpStatus !== undefined && lastFailure.reason === decision.reason) &&
      networkCut !== attempt + 1,
    firstLoss: ({ context }) => context.attempt === 0,
    closedByUs: outcome('closedByUs'),
    revoked: ({ event }) => {
      const got = outcomeOf(event);
      return got !== null && 'code' in got && got.code === CLOSE_CODES.controllerRevoked;
    },
  },
  delays: {
    handshakeLimit: ({ context }) => handshakeTakes(context.timing),
    pause: ({ context }) => Math.max(context.pause.until - context.env.monotonic(), 0),
    newStreamWait: ({ context }) => context.newStreamWait,
    streamHold: ({ context }) => context.streamHold,
  },
});

/**
 * The link of `rc-engine connect` to the backend, which carries the streams of all local connections. It opens again
 * after each loss, until the command ends or the backend refuses the controller. Messages do not pass through the
 * chart. RC-93, RC-94
 */
export const controllerLinkMachine = controllerLink.createMachine({
  id: 'controllerLink',
  description: 'The link of rc-engine connect to the backend: attempts, pauses, and who waits how long.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    socket: 0,
    wasOpen: false,
    attempt: 0,
    networkCut: 0,
    pause: { ms: 0, until: 0 },
    decision: { reason: 'starting', detail: null, at: input.env.now() },
    lastFailure: null,
  }),
  output: ({ context }) => ({ reason: context.decision.reason, failure: context.lastFailure }),
  initial: 'offline',
  states: {
    offline: {
      description: 'There is no link. Local connections wait, but not for ever.',
      type: 'parallel',
      on: { STOP: { target: 'stopped', actions: setReason('stopped') } },
      states: {
        attempts: {
          description: 'Tries to open the link, with growing pauses between the attempts.',
          initial: 'dialing',
          states: {
            dialing: {
              description: 'Opens the socket to the backend.',
              invoke: {
                id: 'dial',
                src: 'dial',
                onDone: [
                  { guard: 'opened', target: '#controllerLink.online', actions: 'assignSocket' },
                  {
                    guard: 'tokenRejected',
                    target: '#controllerLink.refused',
                    description: 'The backend does not know this controller any more: it was revoked.',
                    actions: ['recordFailure', setReason('controllerRevoked')],
                  },
                  {
                    guard: 'neverThere',
                    target: '#controllerLink.refused',
                    description: 'The backend has no route for controllers.',
                    actions: ['recordFailure', setReason('backendNotFound')],
                  },
                  {
                    guard: 'hasRetryAfter',
                    target: 'backingOff',
                    actions: ['recordFailure', 'honorRetryAfter'],
                  },
                  { target: 'backingOff', actions: ['recordFailure', 'scheduleBackoff'] },
                ],
                onError: { target: 'backingOff', actions: ['recordActorError', 'scheduleBackoff'] },
              },
              after: {
                handshakeLimit: {
                  target: 'backingOff',
                  description: 'The attempt did not end within the limit of the chart. RC-112',
                  actions: [recordOverdue('handshakeTimeout'), 'scheduleBackoff'],
                },
              },
            },
            backingOff: {
              description: 'Waits before the next attempt. RC-25',
              on: {
                WAKE: { target: 'dialing', description: 'The machine woke up. RC-25a' },
                'NETWORK.CHANGED': {
                  guard: 'networkInDoubt',
                  target: 'dialing',
                  description: 'No response has shown that the network works: it may be back. RC-109',
                  actions: 'countNetworkCut',
                },
              },
              after: { pause: { target: 'dialing' } },
            },
          },
        },
        patience: {
          description: 'How long local connections wait for the link.',
          initial: 'holding',
          states: {
            holding: {
              description: 'All local connections wait.',
              after: {
                newStreamWait: {
                  target: 'refusing',
                  description: 'A client that has just connected must learn that nobody answers.',
                },
              },
            },
            refusing: {
              description: 'New connections are closed; those that were served before still wait.',
              tags: ['refusesStreams'],
              entry: 'closeNewStreams',
              after: { streamHold: { target: 'lost' } },
            },
            lost: {
              description: 'The backend has closed the streams of this controller by now.',
              tags: ['refusesStreams'],
              entry: 'closeStreams',
            },
          },
        },
      },
    },
    online: {
      description: 'The link is open and carries the streams.',
      tags: ['online'],
      entry: setReason('connected'),
      invoke: {
        id: 'link',
        src: 'link',
        input: ({ context }) => ({ socket: context.socket, timing: context.timing }),
        onDone: [
          { guard: 'closedByUs', target: 'stopped', actions: setReason('stopped') },
          {
            guard: 'revoked',
            target: 'refused',
            description: 'Somebody revoked this controller.',
            actions: setReason('controllerRevoked'),
          },
          {
            guard: 'firstLoss',
            target: 'offline',
            description: 'The first loss since the link was stable: it is opened again at once.',
            actions: ['recordLinkEnd', 'countAttempt'],
          },
          {
            target: '#controllerLink.offline.attempts.backingOff',
            description: 'The link broke again, or the backend closed it.',
            actions: ['recordLinkEnd', 'scheduleBackoff'],
          },
        ],
        onError: {
          target: '#controllerLink.offline.attempts.backingOff',
          actions: ['recordActorError', 'scheduleBackoff'],
        },
      },
      on: {
        'LINK.STABLE': { actions: 'clearAttempts' },
        WAKE: { actions: 'probeLink', description: 'Checks that the link has survived. RC-25a' },
        'NETWORK.CHANGED': {
          actions: 'probeLink',
          description: 'Checks that the link has survived with the new addresses. RC-25a',
        },
        STOP: { actions: 'closeLink', description: 'The link is closed in good order.' },
      },
    },
    stopped: { type: 'final', description: 'The command ended.' },
    refused: {
      type: 'final',
      description: 'The backend refuses this controller; only a new pairing helps. RC-94',
      entry: 'endStreams',
    },
  },
});
