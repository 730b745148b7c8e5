import { lawsOf, type Moment, tagLaws } from './walks.js';

interface Context {
  readonly transport: 'socket' | 'relay' | 'stdio' | 'stream';
}

const has = (states: readonly string[], name: string): boolean => states.includes(`open.${name}`);
const endsOf = ({ effects }: Moment<Context>): unknown[] =>
  effects.flatMap(({ name, value }) => (name === 'endClient' ? [value] : []));
const delayOf = ({ event }: Moment<Context>): string => /^xstate\.after\.(\w+)/.exec(event.type)?.[1] ?? '';

/** The reason with which each delay ends a client, and the transports that have this limit. */
const LIMITS: Readonly<Record<string, readonly [string, readonly Context['transport'][]]>> = {
  appServerOpenTimeout: ['appServerFailed', ['socket', 'relay', 'stdio', 'stream']],
  initializeTimeout: ['initializeMissing', ['socket']],
  clientStallTimeout: ['clientStalled', ['socket', 'relay']],
  appServerStallTimeout: ['clientStalled', ['stream']],
};

lawsOf<Context>('clientSession', [
  ...tagLaws({
    slow: ['open.client.slow'],
    blocked: ['open.appServer.blocked'],
    opening: ['open.conversation.arrived', 'open.conversation.opening'],
    initializing: ['open.conversation.initializing', 'open.conversation.initializingLate'],
    initialized: ['open.conversation.initialized', 'open.conversation.served'],
  }),
  {
    title:
      'WSA-18: the app server is paused exactly while the client reads too slowly, and is not read after the end',
    holds: ({ from, to, did }) => {
      const [was, is] = [has(from, 'client.slow'), has(to, 'client.slow')];
      const reads = has(to, 'client.reading');
      return (
        did.includes('pauseAppServer') === (!was && is) && did.includes('resumeAppServer') === (was && reads)
      );
    },
  },
  {
    title: 'WSA-24: the client is paused exactly while too much of it waits',
    holds: ({ from, to, did }) => {
      const [was, is] = [has(from, 'intake.paused'), has(to, 'intake.paused')];
      return did.includes('pauseClient') === (!was && is) && did.includes('resumeClient') === (was && !is);
    },
  },
  {
    title:
      'WSA-18, WSA-36, RC-41: each limit ends the client with its reason, on the transports that have it',
    when: (moment) => LIMITS[delayOf(moment)] !== undefined,
    holds: (moment) => {
      const [reason, transports] = LIMITS[delayOf(moment)] ?? ['', []];
      const expected = transports.includes(moment.is.transport) ? [{ reason }] : [];
      return (
        JSON.stringify(endsOf(moment)) === JSON.stringify(expected) &&
        moment.to.includes('ending') === expected.length > 0
      );
    },
  },
  {
    title: 'WSA-36: each wait for an initialize has its own time',
    when: ({ from, to }) =>
      has(to, 'conversation.awaitingInitialize') && !has(from, 'conversation.awaitingInitialize'),
    holds: ({ effects }) => effects.some(({ delay }) => delay === 15_000),
  },
  {
    title: 'WSA-18: a client that reads again has the whole time again',
    when: ({ event, from }) => event.type === 'CLIENT.PROGRESS' && has(from, 'client.slow'),
    holds: ({ from, to, effects }) =>
      from.join() === to.join() &&
      effects.some(({ kind }) => kind === 'cancel') &&
      effects.some(({ delay }) => delay === 30_000),
  },
  {
    title: 'WSA-44: a client is announced once',
    when: ({ did }) => did.includes('announce'),
    holds: ({ history }) => history.every(({ did }) => !did.includes('announce')),
  },
  {
    title: 'a client that is being ended gets nothing else',
    when: ({ from }) => from.includes('ending'),
    holds: ({ did }) => did.length === 0,
  },
]);
