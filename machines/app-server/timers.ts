/** The timers of the chart `appServer` that are no delay of a state: they outlive states, or there is one per client. */
import { enqueueActions } from 'xstate';
import type { AppServerContext, AppServerEvent } from './types.js';

const WINDOW = 'window';
const initializeTimer = (client: string) => `initialize:${client}`;

/** Makes an action that starts or stops timers. XState cannot infer these types inside `setup`. */
const timers = (collect: CollectTimers) =>
  enqueueActions<
    AppServerContext,
    AppServerEvent,
    undefined,
    AppServerEvent,
    never,
    never,
    never,
    never,
    never
  >(collect);

type CollectTimers = Parameters<
  typeof enqueueActions<
    AppServerContext,
    AppServerEvent,
    undefined,
    AppServerEvent,
    never,
    never,
    never,
    never,
    never
  >
>[0];

export const restartWindow = timers(({ context, enqueue }) => {
  enqueue.cancel(WINDOW);
  enqueue.raise({ type: 'WINDOW.OVER' }, { id: WINDOW, delay: context.timing.appServerWindow });
});

/** The window begins with the first failure; later ones do not prolong it. */
export const startWindow = timers(({ context, enqueue }) => {
  if (context.recent > 1) return;
  enqueue.cancel(WINDOW);
  enqueue.raise({ type: 'WINDOW.OVER' }, { id: WINDOW, delay: context.timing.appServerWindow });
});

export const startInitializeTimer = timers(({ context, event, enqueue }) => {
  if (event.type !== 'INITIALIZE.SENT') return;
  const { client } = event;
  const id = initializeTimer(client);
  enqueue.cancel(id);
  enqueue.raise({ type: 'INITIALIZE.OVERDUE', client }, { id, delay: context.timing.appServerInitialize });
});

export const stopInitializeTimer = timers(({ event, enqueue }) => {
  if ('client' in event) enqueue.cancel(initializeTimer(event.client));
});
