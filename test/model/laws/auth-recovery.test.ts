import type { Decision } from '../../../src/protocol/decision.js';
import type { Failure } from '../../../src/protocol/outcomes.js';
import { lawsOf, tagLaws } from './walks.js';

interface Context {
  readonly outcome: { readonly kind: string; readonly failure?: Failure } | null;
  readonly decision: Decision;
}

const BUSY = ['managed.reloading', 'managed.refreshing', 'external.requesting'];

lawsOf<Context>('authRecovery', [
  ...tagLaws({ busy: BUSY }),
  {
    title: 'ACC-64: while a step runs there is no outcome of an earlier one',
    when: ({ to }) => BUSY.some((state) => to.includes(state)),
    holds: ({ is }) => is.outcome === null,
  },
  {
    title: 'ACC-64: each step ends with an outcome',
    when: ({ from, to }) => BUSY.some((state) => from.includes(state) && !to.includes(state)),
    holds: ({ is }) => is.outcome !== null,
  },
  {
    title: 'ACC-64: the outcome is the one of the step, and of an error of the adapter a temporary one',
    when: ({ from, to, actor }) =>
      actor !== null && BUSY.some((state) => from.includes(state) && !to.includes(state)),
    holds: ({ event, is }) =>
      'output' in event
        ? is.outcome === event.output &&
          is.decision.reason ===
            (is.outcome?.kind === 'recovered' ? 'authRecovered' : is.outcome?.failure?.reason)
        : is.outcome?.kind === 'transient' && is.decision.reason === 'engineFault',
  },
  {
    title: 'ACC-64: the caller of a step gets its outcome once, when the step ends',
    holds: ({ event, from, to, effects }) => {
      const answered = effects.filter(({ kind, name }) => kind === 'emit' && name === 'STEP').length;
      const ended =
        BUSY.some((state) => from.includes(state) && !to.includes(state)) ||
        (event.type === 'NEXT' && to.includes('exhausted'));
      return answered === (ended ? 1 : 0);
    },
  },
  {
    title: 'a step that is being taken is finished, also when nobody needs another one',
    when: ({ event, from }) => event.type === 'STOP' && BUSY.some((state) => from.includes(state)),
    holds: ({ from, to, effects }) => from.join() === to.join() && effects.length === 0,
  },
  {
    title: 'ACC-64: once no step is left, another refusal is exhausted for good',
    when: ({ event, from }) => event.type === 'NEXT' && from.includes('exhausted'),
    holds: ({ is, to }) => to.includes('exhausted') && is.outcome?.kind === 'exhausted',
  },
]);
