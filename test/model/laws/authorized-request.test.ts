import { lawsOf, type Moment } from './walks.js';

interface Context {
  readonly repeats: 'newToken' | 'eachStep';
  readonly failure: unknown;
}

const REQUESTS = ['requesting', 'requestingAgain'];
const outputOf = ({ event }: Moment<Context>): { kind?: string; newToken?: boolean } =>
  'output' in event && event.output instanceof Object ? event.output : {};

lawsOf<Context>('authorizedRequest', [
  {
    title: 'a response that is accepted ends it, and nothing is recovered',
    when: (moment) => outputOf(moment).kind === 'answered',
    holds: ({ to, is }) => to.includes('answered') && is.failure === null,
  },
  {
    title:
      'RC-49, ACC-60: a refusal leads to recovery; of a repeated request only where each step is followed by one',
    when: (moment) => outputOf(moment).kind === 'refused',
    holds: ({ from, to, is }) =>
      to.includes('recovering') === (from.includes('requesting') || is.repeats === 'eachStep'),
  },
  {
    title: 'RC-49: the same token is not sent again where a new one is needed',
    when: ({ to }) => to.includes('requestingAgain'),
    holds: (moment) => moment.is.repeats === 'eachStep' || outputOf(moment).newToken === true,
  },
  {
    title: 'what ends without a response has a failure',
    when: ({ to }) => to.includes('failed'),
    holds: ({ is }) => is.failure !== null,
  },
  {
    title: 'it rests nowhere: each state sends something or is the end',
    holds: ({ to }) => [...REQUESTS, 'recovering', 'answered', 'failed'].some((state) => to.includes(state)),
  },
]);
