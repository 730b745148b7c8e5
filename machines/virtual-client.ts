import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import { notProvided } from './shared/decision.js';

export interface VirtualClientInput {
  readonly env: Env;
  readonly timing: Timing;
  readonly clientId: string;
  readonly streamId: string;
}

interface VirtualClientContext extends VirtualClientInput {
  readonly decision: Decision;
}

export type VirtualClientEvent =
  | { readonly type: 'CLOSE'; readonly reason: Reason }
  /** Neither message nor ping for the whole idle time; found by the sweep. RC-34 */
  | { readonly type: 'IDLE' }
  /** It held up its own traffic for too long. RC-41 */
  | { readonly type: 'STALLED' }
  /** Its app-server connection ended by itself. */
  | { readonly type: 'APP_SERVER.CLOSED'; readonly failure: Failure | null };

export interface VirtualClientOutput {
  readonly reason: Reason;
}

const decide = (context: VirtualClientContext, reason: Reason, detail: string | null = null) => ({
  decision: { reason, detail, at: context.env.now() },
});

const virtualClient = setup({
  types: {
    context: {} as VirtualClientContext,
    events: {} as VirtualClientEvent,
    input: {} as VirtualClientInput,
    output: {} as VirtualClientOutput,
    tags: {} as 'alive',
  },
  actors: {
    /** Opens the app-server connection of this stream; rejects with an error whose message says why not. */
    openAppServer: fromPromise<void, { clientId: string; streamId: string }>(notProvided('openAppServer')),
  },
  actions: {
    because: assign(({ context }, p: { reason: Reason; detail?: string | null }) =>
      decide(context, p.reason, p.detail ?? null),
    ),
    becauseAsked: assign(({ context, event }) =>
      event.type === 'CLOSE' ? decide(context, event.reason) : {},
    ),
    becauseAppServerClosed: assign(({ context, event }) =>
      event.type === 'APP_SERVER.CLOSED'
        ? decide(context, event.failure?.reason ?? 'appServerClosed', event.failure?.message ?? null)
        : {},
    ),
    becauseNotOpened: assign(({ context, event }) => {
      const error = 'error' in event ? event.error : undefined;
      return decide(context, 'appServerFailed', error instanceof Error ? error.message : null);
    }),
    /** Ends the app-server connection, if there is one; the host does it. */
    closeAppServer: notProvided('closeAppServer'),
  },
  delays: {
    appServerOpen: ({ context }) => context.timing.appServerOpen,
  },
});

/**
 * One (client_id, stream_id): a client far away that has an app-server connection of its own here. It outlives
 * the backend socket (RC-35, RC-36). One exists per stream, so it stays small; messages do not pass here.
 */
export const virtualClientMachine = virtualClient.createMachine({
  id: 'virtualClient',
  description: 'One remote client: its app-server connection opens, serves and ends.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    decision: { reason: 'initialized', detail: null, at: input.env.now() },
  }),
  output: ({ context }) => ({ reason: context.decision.reason }),
  initial: 'opening',
  on: {
    CLOSE: { target: '.closing', actions: 'becauseAsked' },
    STALLED: {
      target: '.closing',
      description: 'Its app server accepted no messages for too long. RC-41',
      actions: { type: 'because', params: { reason: 'clientStalled' } },
    },
    'APP_SERVER.CLOSED': { target: '.closing', actions: 'becauseAppServerClosed' },
  },
  states: {
    opening: {
      description: 'initialize came; the app-server connection is being opened. RC-30',
      tags: ['alive'],
      invoke: {
        id: 'openAppServer',
        src: 'openAppServer',
        input: ({ context }) => ({ clientId: context.clientId, streamId: context.streamId }),
        onDone: 'active',
        onError: { target: 'closing', actions: 'becauseNotOpened' },
      },
      after: {
        appServerOpen: {
          target: 'closing',
          description: 'The app server did not answer in time.',
          actions: { type: 'because', params: { reason: 'appServerFailed', detail: 'no answer in time' } },
        },
      },
    },
    active: {
      description: 'Messages flow both ways.',
      tags: ['alive'],
      on: {
        IDLE: {
          target: 'idleExpired',
          description: 'No message and no ping for the idle limit. RC-34',
          actions: { type: 'because', params: { reason: 'clientIdle' } },
        },
      },
    },
    idleExpired: {
      description: 'Silent for too long: nobody is there any more. RC-34',
      always: 'closing',
    },
    closing: {
      description: 'The app-server connection is let go.',
      entry: 'closeAppServer',
      always: 'closed',
    },
    closed: { type: 'final', description: 'Gone; its outbound numbering is remembered. RC-35' },
  },
});
