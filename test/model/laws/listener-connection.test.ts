import { lawsOf, type Moment, tagLaws } from './walks.js';

/** The close code and reason of each event that ends an open connection. */
const CLOSES: Readonly<Record<string, readonly [number, string]>> = {
  'INITIALIZE.OVERDUE': [1008, 'initializeMissing'],
  STALLED: [1013, 'clientStalled'],
  OVERFLOW: [1013, 'clientOverloaded'],
  FLOODED: [1013, 'clientOverloaded'],
  REPLACED: [1013, 'connectionReplaced'],
  'APP_SERVER.CLOSED': [1011, 'appServerClosed'],
  'TOKEN.EXPIRED': [1008, 'jwtRanOut'],
  STOP: [1012, 'stopped'],
};
const OPEN = ['open', 'probing', 'silent'];
const isOpen = (states: readonly string[]): boolean => OPEN.some((state) => states.includes(state));
const closesOf = ({ effects }: Moment<unknown>): unknown[] =>
  effects.flatMap(({ name, value }) => (name === 'sendClose' ? [value] : []));

lawsOf('listenerConnection', [
  ...tagLaws({ open: OPEN }),
  {
    title:
      'WSA-18, WSA-20, WSA-24, WSA-36, WSA-61: whatever ends an open connection closes it at once, with its own code and reason',
    when: ({ event, from }) => CLOSES[event.type] !== undefined && isOpen(from),
    holds: (moment) => {
      const [code, reason] = CLOSES[moment.event.type] ?? [];
      return (
        moment.to.includes('closing') &&
        JSON.stringify(closesOf(moment)) === JSON.stringify([{ code, reason }])
      );
    },
  },
  {
    title: 'one close frame is sent, and nothing after it',
    when: (moment) => closesOf(moment).length > 0,
    holds: ({ history }) => history.every((before) => closesOf(before).length === 0),
  },
  {
    title: 'RC-86: each probe sends a ping',
    when: ({ from, to }) =>
      ['probing', 'silent'].some((state) => to.includes(state) && !from.includes(state)),
    holds: ({ did }) => did.includes('sendPing'),
  },
  {
    title: 'a connection that closes or is closed releases its session',
    when: ({ from, to }) =>
      ['closing', 'closed'].some((state) => to.includes(state) && !from.includes(state)),
    holds: ({ did }) => did.includes('release'),
  },
]);
