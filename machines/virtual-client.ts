import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import { decide, notProvided } from './shared/decision.js';

/** What the `virtualClient` chart starts with. */
export interface VirtualClientInput {
  readonly env: Env;
  readonly timing: Timing;
  readonly clientId: string;
  readonly streamId: string;
}

interface VirtualClientContext extends VirtualClientInput {
  readonly decision: Decision;
}

/** The events of the `virtualClient` chart. */
export type VirtualClientEvent =
  | { readonly type: 'CLOSE'; readonly reason: Reason }
  /** No message and no ping for the idle limit; the sweep found it. RC-34 */
  | { readonly type: 'IDLE' }
  /** Its app server accepted no messages for too long. RC-41 */
  | { readonly type: 'STALLED' }
  /** Its app-server connection ended; `failure` is null when it ended cleanly. */
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
  actors: {
    /** Opens the app-server connection of this stream; rejects with an error whose message says why it failed. */
    openAppServer: fromPromise<void, { clientId: string; streamId: string }>(notProvided('openAppServer')),
  },
  actions: {
    setReason: assign(({ context }, p: { reason: Reason; detail?: string | null }) =>
      decide(context, p.reason, p.detail ?? null),
    ),
    setCloseReason: assign(({ context, event }) =>
      event.type === 'CLOSE' ? decide(context, event.reason) : {},
    ),
    recordAppServerClosed: assign(({ context, event }) =>
      event.type === 'APP_SERVER.CLOSED'
        ? decide(context, event.failure?.reason ?? 'appServerClosed', event.failure?.message ?? null)
        : {},
    ),
    recordOpenError: assign(({ context, event }) => {
      const error = 'error' in event ? event.error : undefined;
      return decide(context, 'appServerFailed', error instanceof Error ? error.message : null);
    }),
    /** Closes the app-server connection, if it was opened. */
    closeAppServer: notProvided('closeAppServer'),
  },
  delays: {
    appServerOpenTimeout: ({ context }) => context.timing.appServerOpen,
  },
});

/**
 * One virtual client, identified by (client_id, stream_id), with its own app-server connection. It outlives the backend
 * socket (RC-35, RC-36). There is one actor per stream, so it stays small; messages do not pass through the chart.
 */
export const virtualClientMachine = virtualClient.createMachine({
  id: 'virtualClient',
  description: 'One virtual client: its app-server connection opens, serves and closes.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    decision: { reason: 'initialized', detail: null, at: input.env.now() },
  }),
  output: ({ context }) => ({ reason: context.decision.reason }),
  initial: 'opening',
  on: {
    CLOSE: {
      target: '.closing',
      description: 'The client, the backend or the engine closed it.',
      actions: 'setCloseReason',
    },
    STALLED: {
      target: '.closing',
      description: 'Its app server accepted no messages for too long. RC-41',
      actions: { type: 'setReason', params: { reason: 'clientStalled' } },
    },
    'APP_SERVER.CLOSED': {
      target: '.closing',
      description: 'The app server closed its connection.',
      actions: 'recordAppServerClosed',
    },
  },
  states: {
    opening: {
      description: 'initialize arrived; the app-server connection is being opened. RC-30',
      tags: ['alive'],
      invoke: {
        id: 'openAppServer',
        src: 'openAppServer',
        input: ({ context }) => ({ clientId: context.clientId, streamId: context.streamId }),
        onDone: 'active',
        onError: {
          target: 'closing',
          description: 'The app-server connection could not be opened.',
          actions: 'recordOpenError',
        },
      },
      after: {
        appServerOpenTimeout: {
          target: 'closing',
          description: 'The app-server connection did not open in time.',
          actions: { type: 'setReason', params: { reason: 'appServerFailed', detail: 'no answer in time' } },
        },
      },
    },
    active: {
      description: 'Messages pass in both directions.',
      tags: ['alive'],
      on: {
        IDLE: {
          target: 'idleExpired',
          description: 'No message and no ping for the idle limit. RC-34',
          actions: { type: 'setReason', params: { reason: 'clientIdle' } },
        },
      },
    },
    idleExpired: {
      description: 'The client was idle for too long. RC-34',
      always: 'closing',
    },
    closing: {
      description: 'The app-server connection is closed.',
      entry: 'closeAppServer',
      always: 'closed',
    },
    closed: {
      type: 'final',
      description: 'The client is gone; its outbound sequence number is remembered. RC-35',
    },
  },
});
