import type { AccountTokensContext } from '../../../machines/account-tokens/setup.js';
import { lawsOf, type Moment } from './walks.js';

type Context = AccountTokensContext;

const started = ({ effects }: Moment<Context>, actor: string): boolean =>
  effects.some(({ kind, name }) => kind === 'start' && name === actor);
const before = ({ history }: Moment<Context>, actor: string): readonly Moment<Context>[] =>
  history.filter((one) => started(one, actor));
const outputIn = ({ event }: Moment<Context>): { readonly kind?: string } =>
  (event.output ?? {}) as { readonly kind?: string };
const answered = ({ history }: Moment<Context>, actor: string, kind: string): boolean =>
  history.some((one) => one.actor === actor && outputIn(one).kind === kind);

lawsOf<Context>('accountTokens', [
  {
    title: 'ACC-48: a refresh token is redeemed once at most',
    when: (moment) => started(moment, 'redeem'),
    holds: (moment) => before(moment, 'redeem').length === 0,
  },
  {
    title: 'ACC-48, ACC-59: it is redeemed only with the lock, and after the file was read with it',
    when: (moment) => started(moment, 'redeem'),
    holds: (moment) => answered(moment, 'tryLock', 'locked') && answered(moment, 'reloadLocked', 'same'),
  },
  {
    title: 'ACC-113: it is redeemed only after the write was proven possible',
    when: (moment) => started(moment, 'redeem'),
    holds: ({ actor, event }) =>
      actor === 'prepare' && (event.output as { readonly kind: string }).kind === 'prepared',
  },
  {
    title: 'ACC-54: credentials that were refused for good are never redeemed',
    when: ({ was }) => was.task.kind === 'refresh' && was.task.expired !== null,
    holds: (moment) => !started(moment, 'redeem') && !started(moment, 'tryLock'),
  },
  {
    title: 'ACC-113: once tokens are issued, the change is a success whatever follows',
    when: ({ to, is }) => to.includes('done') && is.issued !== null,
    holds: ({ is }) => is.outcome?.kind === 'refreshed',
  },
  {
    title: 'ACC-59: nothing is written or deleted without the lock',
    when: (moment) => started(moment, 'write') || started(moment, 'remove') || started(moment, 'save'),
    holds: (moment) =>
      (moment.actor === 'tryLock' && outputIn(moment).kind === 'locked') ||
      answered(moment, 'tryLock', 'locked'),
  },
  {
    title: 'ACC-59: what has tried the lock gives it back before it ends',
    when: ({ to, from }) => to.includes('done') && !from.includes('reloading'),
    holds: ({ from }) => from.includes('releasing'),
  },
  {
    title: 'each end has an outcome, and its reason is the decision',
    when: ({ to }) => to.includes('done'),
    holds: ({ is }) =>
      is.outcome !== null && (!('failure' in is.outcome) || is.decision.reason === is.outcome.failure.reason),
  },
  {
    title: 'ACC-55: only a sign-out revokes and deletes, and it revokes once',
    when: (moment) => started(moment, 'remove') || started(moment, 'adopt'),
    holds: ({ is, history }) =>
      is.task.kind === 'signOut' && history.filter(({ actor }) => actor === 'revoke').length <= 1,
  },
]);
