import { assign, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env } from '../src/protocol/timing.js';
import { decide, notProvided } from './shared/decision.js';

/** What the `virtualClient` chart starts with. */
export interface VirtualClientInput {
  readonly env: Env;
  readonly clientId: string;
  readonly streamId: string;
}

interface VirtualClientContext extends VirtualClientInput {
  readonly decision: Decision;
}

/** The events of the `virtualClient` chart. */
export type VirtualClientEvent =
  /** Its controller, the engine, or the chart `clientSession` ends it. */
  | { readonly type: 'CLOSE'; readonly reason: Reason; readonly detail?: string }
  /** No message and no ping for the idle limit; the sweep found it. RC-34 */
  | { readonly type: 'IDLE' }
  /** Its app-server connection ended or could not be opened; `failure` is null when it ended cleanly. */
  | { readonly type: 'APP_SERVER.CLOSED'; readonly failure: Failure | null };

/** The result of the `virtualClient` chart when it ends. */
export interface VirtualClientOutput {
  readonly reason: Reason;
}

const virtualClient = setup({
  types: {
    context: {} as VirtualClientContext,
    events: {} as VirtualClientEvent,
    input: {} as VirtualClientInput,
    output: {} as VirtualClientOutput,
    tags: {} as 'alive',
  },
  actions: {
    setReason: assign(({ context }, p: { reason: Reason }) => decide(context, p.reason)),
    setCloseReason: assign(({ context, event }) =>
      event.type === 'CLOSE' ? decide(context, event.reason, event.detail ?? null) : {},
    ),
    recordAppServerClosed: assign(({ context, event }) =>
      event.type === 'APP_SERVER.CLOSED'
        ? decide(context, event.failure?.reason ?? 'appServerClosed', event.failure?.message ?? null)
        : {},
    ),
    /** Ends the session and its app-server connection. */
    closeSession: notProvided('closeSession'),
  },
});

/**
 * One virtual client, identified by (client_id, stream_id). It outlives the backend socket (RC-35, RC-36). The chart
 * knows until when it lives, and why it ended; its conversation is in `clientSession`. There is one actor per stream, so
 * it stays small; messages do not pass through the chart.
 */
export const virtualClientMachine = virtualClient.createMachine({
  id: 'virtualClient',
  description:
    'One virtual client: it is open until it is closed or idle. Its conversation is in clientSession.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    decision: { reason: 'initialized', detail: null, at: input.env.now() },
  }),
  output: ({ context }) => ({ reason: context.decision.reason }),
  initial: 'open',
  states: {
    open: {
      description: 'Its initialize arrived. RC-30',
      tags: ['alive'],
      on: {
        CLOSE: {
          target: 'closing',
          description: 'The client, the backend or the engine closed it, or one side took too long.',
          actions: 'setCloseReason',
        },
        IDLE: {
          target: 'idleExpired',
          description: 'No message and no ping for the idle limit. RC-34',
          actions: { type: 'setReason', params: { reason: 'clientIdle' } },
        },
        'APP_SERVER.CLOSED': {
          target: 'closing',
          description: 'The app server closed its connection, or could not be reached.',
          actions: 'recordAppServerClosed',
        },
      },
    },
    idleExpired: {
      description: 'The client was idle for too long. RC-34',
      always: 'closing',
    },
    closing: {
      description: 'The session and its app-server connection are closed.',
      entry: 'closeSession',
      always: 'closed',
    },
    closed: {
      type: 'final',
      description: 'The client is gone; its outbound sequence number is remembered. RC-35',
    },
  },
});
