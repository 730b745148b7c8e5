import { lawsOf, tagLaws } from './walks.js';

const LEAVING = ['draining', 'closing', 'stopped'];

lawsOf('hubNode', [
  ...tagLaws({
    started: ['serving', 'degraded', 'draining', 'closing'],
    ready: ['serving'],
    stopping: ['draining', 'closing', 'undoing'],
  }),
  {
    title: 'HUB-22: revocations are looked for exactly when the broker is back',
    holds: ({ from, to, did }) =>
      did.includes('checkControllers') === (from.includes('degraded') && to.includes('serving')),
  },
  {
    title: 'HUB-33: a node that leaves never serves again',
    when: ({ from }) => LEAVING.some((state) => from.includes(state)),
    holds: ({ to }) => LEAVING.some((state) => to.includes(state)),
  },
  {
    title: 'HUB-33: STOP leads on in every state in which the node works',
    when: ({ event, from }) =>
      event.type === 'STOP' && !from.includes('closing') && !from.includes('undoing'),
    holds: ({ from, to }) => to.join() !== from.join() && !to.includes('serving'),
  },
  {
    title: 'HUB-33: sockets are closed one after the other before the server is closed',
    when: ({ event, from }) =>
      event.type === 'STOP' && (from.includes('serving') || from.includes('degraded')),
    holds: ({ to }) => to.includes('draining'),
  },
  {
    title: 'HUB-30: a node without the broker is not ready',
    when: ({ event, from }) => event.type === 'BROKER.LOST' && from.includes('serving'),
    holds: ({ to }) => to.includes('degraded'),
  },
  {
    title: 'a start that failed is undone before the node ends',
    when: ({ from, to }) => to.includes('failed') && !from.includes('failed'),
    holds: ({ from }) => from.includes('undoing'),
  },
]);
