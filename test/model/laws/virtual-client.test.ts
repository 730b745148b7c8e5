import type { VirtualClientInput } from '../../../machines/virtual-client.js';
import type { Decision } from '../../../src/protocol/decision.js';
import { lawsOf, tagLaws } from './walks.js';

interface Context extends VirtualClientInput {
  readonly decision: Decision;
}

lawsOf<Context>('virtualClient', [
  ...tagLaws({ alive: ['open'] }),
  {
    title: 'RC-30: whatever ends it, its session is closed once',
    when: ({ from, to }) => to.includes('closed') && !from.includes('closed'),
    holds: ({ did }) => did.join() === 'closeSession',
  },
  {
    title: 'RC-34, RC-41: its end has the reason of the event that ended it',
    when: ({ event }) => ['CLOSE', 'IDLE'].includes(event.type),
    holds: ({ event, to, was, is }) => {
      const reasons: Record<string, unknown> = {
        CLOSE: event.reason,
        IDLE: 'clientIdle',
      };
      return is.decision.reason === (to.includes('closed') ? reasons[event.type] : was.decision.reason);
    },
  },
]);
