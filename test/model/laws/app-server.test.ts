import type { AppServerContext } from '../../../machines/app-server/types.js';
import { lawsOf, type Moment, tagLaws } from './walks.js';

const fails = ({ event }: Moment<AppServerContext>): boolean => event.type === 'FAILED';
const timers = ({ effects }: Moment<AppServerContext>, kind: 'raise' | 'cancel', of: string): number =>
  effects.filter((effect) => effect.kind === kind && effect.name.includes(of)).length;

lawsOf<AppServerContext>('appServer', [
  ...tagLaws({ unavailable: ['starting.waiting', 'failing.recent', 'backingOff', 'down'] }),
  {
    title: 'a minute after the first failure, none counts any more',
    // Another delay that ends at the same time may be a failure.
    when: ({ event, words }) => event.type === 'WINDOW.OVER' && !words.includes(' and '),
    holds: ({ is }) => is.recent === 0,
  },
  {
    title: 'each failure of a connection counts once',
    when: fails,
    holds: ({ was, is }) => is.recent <= was.recent + 1 && is.failures === was.failures + 1,
  },
  {
    title: 'counters of failures only grow, except the recent ones',
    holds: ({ was, is }) => is.failures >= was.failures && is.exits >= was.exits,
  },
  {
    title: 'recent failures are forgotten only after a minute, or when a socket serves again',
    when: ({ was, is }) => is.recent < was.recent,
    holds: ({ event, to, is }) =>
      event.type === 'WINDOW.OVER' || (is.mode === 'socket' && to.includes('serving.perClient')),
  },
  {
    title: 'a socket that serves again has no recent failures',
    when: ({ from, to, is }) =>
      is.mode === 'socket' && to.includes('serving.perClient') && !from.includes('serving.perClient'),
    holds: ({ is }) => is.recent === 0,
  },
  {
    title: 'the deadline of an initialize begins when it is sent',
    when: ({ event }) => event.type === 'INITIALIZE.SENT',
    holds: (moment) => timers(moment, 'raise', 'INITIALIZE.OVERDUE') === 1,
  },
  {
    title: 'the deadline of an initialize ends with its answer, a failure, or the client',
    when: ({ event }) => ['ANSWERED', 'FAILED', 'CLIENT.LEFT'].includes(event.type),
    holds: (moment) => timers(moment, 'cancel', '') >= 1,
  },
  {
    title: 'a client that waits is admitted, refused, or waits for a start: nobody is forgotten',
    when: ({ event }) => event.type === 'CLIENT.WAITS',
    holds: ({ did, to }) =>
      ['admitWaiting', 'refuseWaiting'].some((name) => did.includes(name)) ||
      to.some((state) => state.startsWith('starting')),
  },
  {
    title: 'a restart ends all children, and says so unless the engine is only starting them',
    when: ({ event }) => event.type === 'RESTART',
    holds: ({ did, is, from }) =>
      did.includes('endAll') && (from.includes('starting') || is.decision.reason === 'appServerRestarted'),
  },
]);
