import { lawsOf, tagLaws } from './walks.js';

interface Context {
  readonly lastFailure: { readonly reason: string } | null;
  readonly attempt: number;
  readonly decision: { readonly reason: string };
}

lawsOf<Context>('tokenSaving', [
  ...tagLaws({ unsaved: ['unsaved', 'closing'] }),
  {
    title: 'ACC-113: nothing is left of a failure once the tokens are saved',
    when: ({ to }) => to.includes('saved'),
    holds: ({ is }) => is.lastFailure === null && is.attempt === 0,
  },
  {
    title: 'ACC-113: where something could not be written, there is a failure',
    when: ({ to }) => to.includes('refused') || to.includes('unsaved'),
    holds: ({ is }) => is.lastFailure !== null,
  },
  {
    title: 'ACC-113: the failure is the last one that was reported, and the decision says the same',
    when: ({ event, to }) => 'failure' in event && (to.includes('refused') || to.includes('unsaved')),
    holds: ({ event, is }) =>
      is.lastFailure === event.failure && is.decision.reason === is.lastFailure?.reason,
  },
  {
    title: 'ACC-113: an attempt that fails says why',
    when: ({ from, to, actor }) =>
      actor !== null && from.includes('unsaved.saving') && to.includes('unsaved.waiting'),
    holds: ({ event, was, is }) => {
      const output = event.output as { readonly failure: { readonly reason: string } } | undefined;
      return (
        is.attempt === was.attempt + 1 && is.decision.reason === (output?.failure.reason ?? 'engineFault')
      );
    },
  },
  {
    title: 'ACC-113: an attempt counts exactly when it fails',
    when: ({ to }) => !to.includes('saved'),
    holds: ({ from, to, was, is }) => {
      const failed = from.includes('unsaved.saving') && to.includes('unsaved.waiting');
      return failed || is.attempt === was.attempt;
    },
  },
  {
    title: 'ACC-113: the way back to saved says so',
    when: ({ from, to }) => to.includes('saved') && !from.includes('saved'),
    holds: ({ is }) => is.decision.reason === 'tokensSaved',
  },
]);
