import type { Decision } from '../../../src/protocol/decision.js';
import { lawsOf, tagLaws } from './walks.js';

interface Context {
  readonly decision: Decision;
}

lawsOf<Context>('appServerAccount', [
  ...tagLaws({
    preparing: ['connecting', 'handingOver', 'replacing'],
    ending: ['restarting'],
    holding: ['restarting', 'holding'],
  }),
  {
    title: 'ACC-103: an app server that keeps an earlier account of the engine is ended',
    when: ({ from, to }) => from.includes('replacing') && !to.includes('replacing'),
    holds: ({ to }) => ['following', 'restarting', 'idle'].some((state) => to.includes(state)),
  },
  {
    title: 'ACC-102: a sign-out ends the children, whatever happens at the time',
    when: ({ event }) => event.type === 'SIGNED_OUT',
    holds: ({ to, is, from }) =>
      to.includes('restarting') &&
      (from.includes('restarting') || is.decision.reason === 'appServerAccountSignedOut'),
  },
  {
    title: 'without an account of the engine there is no connection to the app server',
    when: ({ from, to }) => to.includes('idle') && !from.includes('idle'),
    holds: ({ did }) => did.includes('disconnect'),
  },
  {
    title: 'clients that were held are released once the wait is over',
    when: ({ from, to }) => from.includes('holding') && !to.includes('holding') && !to.includes('restarting'),
    holds: ({ did }) => did.includes('releaseClients'),
  },
]);
