import { fromPromise, setup } from 'xstate';
import { notProvided } from './shared/decision.js';
import { spine } from './shared/spine.js';

/** What the `hubNode` chart starts with. */
export interface HubNodeInput {
  /** Over how long the sockets are closed at the end, ms. */
  readonly drain: number;
}

/** The events of the `hubNode` chart. */
export type HubNodeEvent =
  /** The connection to the broker is lost. */
  | { readonly type: 'BROKER.LOST' }
  /** The broker can be reached again. */
  | { readonly type: 'BROKER.BACK' }
  /** The program ends; a second one ends it at once. */
  | { readonly type: 'STOP' };

/** How the start of a node of a hub ended. */
export interface HubNodeOpened {
  /** The broker can be reached. */
  readonly connected: boolean;
}

/** How long the broker and the HTTP server may take at the start, ms. */
const START = 20_000;
/** What the close of the sockets may take beyond `drain`, ms. */
const DRAIN_MARGIN = 5_000;
/** How long the last sockets and requests may take, ms. */
const END = 10_000;

const hubNode = setup({
  types: {
    context: {} as HubNodeInput,
    events: {} as HubNodeEvent,
    input: {} as HubNodeInput,
    tags: {} as 'started' | 'ready' | 'stopping',
  },
  actors: {
    /** Waits until other nodes can reach this one, and opens the HTTP server. */
    open: fromPromise<HubNodeOpened>(notProvided('open')),
    /** Closes the sockets one after the other. */
    drain: fromPromise<unknown>(notProvided('drain')),
    /** Closes the HTTP server and everything else. */
    end: fromPromise<unknown>(notProvided('end')),
  },
  actions: {
    /** Closes controllers that were revoked while the broker was away. */
    checkControllers: notProvided('checkControllers'),
  },
  guards: {
    // The types of `provide()` make the host report a `HubNodeOpened`.
    connected: ({ event }) => 'output' in event && (event.output as HubNodeOpened).connected,
  },
  delays: {
    startLimit: START,
    drainLimit: ({ context }) => context.drain + DRAIN_MARGIN,
    endLimit: END,
  },
});

/** The life of one node of a hub. Messages do not pass through the chart. HUB-30, HUB-33 */
export const hubNodeMachine = hubNode.createMachine({
  id: 'hubNode',
  description: 'One node of a hub: it starts, serves, and leaves without haste.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({ ...input }),
  initial: 'starting',
  states: {
    starting: {
      description: 'Waits for the broker and opens the HTTP server.',
      invoke: {
        id: 'open',
        src: 'open',
        onDone: [
          { guard: 'connected', target: 'serving', ...spine },
          { target: 'degraded', description: 'The broker was lost meanwhile.' },
        ],
        onError: { target: 'undoing', description: 'The broker or the address cannot be used.' },
      },
      on: { STOP: 'undoing' },
      after: { startLimit: { target: 'undoing', description: 'The broker does not answer.' } },
    },
    serving: {
      description: 'Takes engines and controllers, and relays between all nodes.',
      tags: ['started', 'ready'],
      on: { 'BROKER.LOST': 'degraded', STOP: { target: 'draining', ...spine } },
    },
    degraded: {
      description: 'Without the broker only streams with both ends at this node continue.',
      tags: ['started'],
      on: {
        'BROKER.BACK': {
          target: 'serving',
          description: 'A revocation may have been missed meanwhile.',
          actions: 'checkControllers',
        },
        STOP: 'draining',
      },
    },
    draining: {
      description: 'Refuses new sockets, and closes its own one after the other.',
      tags: ['started', 'stopping'],
      invoke: { id: 'drain', src: 'drain', onDone: { target: 'closing', ...spine }, onError: 'closing' },
      on: { STOP: { target: 'closing', description: 'A second signal: nobody waits for the others.' } },
      after: { drainLimit: { target: 'closing', description: 'The sockets do not close.' } },
    },
    closing: {
      description: 'Closes the HTTP server and what is left.',
      tags: ['started', 'stopping'],
      invoke: { id: 'end', src: 'end', onDone: { target: 'stopped', ...spine }, onError: 'stopped' },
      after: { endLimit: { target: 'stopped', description: 'The end of the process closes the rest.' } },
    },
    undoing: {
      description: 'The start failed: closes what it has opened.',
      tags: ['stopping'],
      invoke: { id: 'undo', src: 'end', onDone: 'failed', onError: 'failed' },
      after: { endLimit: { target: 'failed', description: 'The end of the process closes the rest.' } },
    },
    stopped: { type: 'final', description: 'The node has left the hub.' },
    failed: { type: 'final', description: 'The node did not start.' },
  },
});
