import { lawsOf } from './walks.js';

interface Context {
  readonly rounds: number;
  readonly attempts: number;
  readonly lastFailure: { readonly reason: string } | null;
}

lawsOf<Context>('homeLock', [
  {
    title: 'RC-8: it is refused exactly if there is a failure',
    when: ({ to }) => to.includes('held') || to.includes('refused'),
    holds: ({ to, is }) => to.includes('refused') === (is.lastFailure !== null),
  },
  {
    title: 'RC-8: a lock that was taken and is not kept is given back first',
    when: ({ to, history }) =>
      to.includes('refused') && history.some(({ to: one }) => one.includes('checking')),
    holds: ({ from }) => from.includes('releasing'),
  },
  {
    title: 'RC-8: the home is held only with its lock and its name written',
    when: ({ to }) => to.includes('held'),
    holds: ({ history, actor }) =>
      actor === 'writeInfo' && history.some(({ actor: one }) => one === 'checkFormer'),
  },
  {
    title: 'RC-8: two rounds of eight attempts at most',
    holds: ({ is }) => is.rounds <= 2 && is.attempts <= 7,
  },
]);
