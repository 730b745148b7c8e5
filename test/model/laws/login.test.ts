import type { LoginContext } from '../../../machines/login/setup.js';
import { lawsOf, type Moment } from './walks.js';

type Context = LoginContext;

const sent = ({ effects }: Moment<Context>): string[] =>
  effects.flatMap(({ kind, name, event }) =>
    kind === 'send' && name === 'parent' && event !== undefined ? [event.type] : [],
  );
const all = (moment: Moment<Context>): string[] => [...moment.history, moment].flatMap(sent);
const ORDER = ['SIGN_IN.OPENED', 'SIGN_IN.APPROVED', 'SIGN_IN.SAVING', 'SIGN_IN.SAVED', 'SIGN_IN.COMPLETING'];

lawsOf<Context>('login', [
  {
    title: 'progress is reported once each, in order, without a gap',
    holds: (moment) => all(moment).every((type, index) => type === ORDER[index]),
  },
  {
    title: 'ACC-70, ACC-79: a sign-in is not opened exactly if it ends before it was opened',
    when: ({ to }) => to.includes('done'),
    holds: (moment) => (moment.is.outcome?.kind === 'notOpened') === !all(moment).includes('SIGN_IN.OPENED'),
  },
  {
    title: 'ACC-76: it succeeds only after the credentials are saved',
    when: ({ is }) => is.outcome?.kind === 'finished',
    holds: (moment) => all(moment).includes('SIGN_IN.SAVED'),
  },
  {
    title: 'a failure is shown in the browser, and is the decision',
    when: ({ is, was }) => is.outcome !== was.outcome && is.outcome?.kind === 'failed',
    holds: ({ did, is }) =>
      did.includes('showFailure') &&
      is.outcome?.kind === 'failed' &&
      is.decision.reason === is.outcome.failure.reason,
  },
  {
    title: 'ACC-70: a port is tried 11 times at most, and no port beyond the last',
    holds: ({ is }) => is.attempt <= 10 && is.port < is.loginPorts.length,
  },
  {
    title:
      'ACC-80, ACC-110: no pause outlasts the device code, and none is shorter than the interval unless cut',
    when: ({ from, to }) => to.includes('device.pausing') && !from.includes('device.pausing'),
    holds: ({ is, now }) => {
      const left = is.codeEnds - now;
      return is.pause <= left && (is.pause >= is.interval.now || is.pause === left);
    },
  },
  {
    title: 'ACC-110: the interval only grows, by 5 s for each slow_down',
    when: ({ from, actor }) => from.includes('device.polling') && actor === 'pollDevice',
    holds: ({ was, is, event, to }) => {
      const output = event.output as { readonly slowDown?: boolean } | undefined;
      const isSlower = output?.slowDown === true && to.includes('device.pausing');
      return is.interval.now === was.interval.now + (isSlower ? 5_000 : 0);
    },
  },
]);
