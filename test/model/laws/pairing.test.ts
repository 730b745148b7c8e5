import type { Decision } from '../../../src/protocol/decision.js';
import type { Failure } from '../../../src/protocol/outcomes.js';
import { lawsOf, type Moment, tagLaws } from './walks.js';

interface Context {
  readonly code: unknown;
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
}

const responses = ({ effects }: Moment<Context>): string[] =>
  effects.flatMap(({ kind, name }) => (kind === 'emit' ? [name] : []));

lawsOf<Context>('pairing', [
  ...tagLaws({ busy: ['starting'] }),
  {
    title: 'RC-47: each START gets one response, when the request ends, and nothing else gets one',
    holds: (moment) => {
      const ends = moment.from.includes('starting') && !moment.to.includes('starting');
      return responses(moment).length === (ends ? 1 : 0);
    },
  },
  {
    title: 'RC-47: the response grants exactly what is shown',
    when: (moment) => responses(moment).length > 0,
    holds: (moment) =>
      responses(moment)[0] === (moment.to.includes('codeShown') ? 'PAIRING.GRANTED' : 'PAIRING.REFUSED'),
  },
  {
    title: 'RC-48: there is a code exactly while it is shown',
    holds: ({ to, is }) => (is.code !== null) === to.includes('codeShown'),
  },
  {
    title: 'a refusal has the failure that caused it, and not one of an earlier request',
    when: (moment) => responses(moment).includes('PAIRING.REFUSED'),
    holds: ({ is }) => is.lastFailure !== null && is.lastFailure.reason === is.decision.reason,
  },
  {
    title: 'a new request begins without the failure and the code of the last one',
    when: ({ event, from, to }) =>
      event.type === 'START' && to.includes('starting') && !from.includes('starting'),
    holds: ({ is }) => is.lastFailure === null && is.code === null && is.decision.reason === 'pairingStarted',
  },
]);
