import { lawsOf, tagLaws } from './walks.js';

interface Context {
  readonly stable: boolean;
  readonly end: { readonly kind: string; readonly reason: string } | null;
}

lawsOf<Context>('link', [
  ...tagLaws({ open: ['up'], suspect: ['up.liveness.silent', 'up.liveness.wakeProbe'] }),
  {
    title: 'every end has a kind and a reason, also when the socket fails',
    when: ({ to }) => to.includes('closed'),
    holds: ({ is }) => is.end !== null && is.end.kind !== '' && is.end.reason !== '',
  },
  {
    title: 'RC-25: a link that the socket ends with an error is lost',
    when: ({ words, to }) => words === 'socket failed' && to.includes('closed'),
    holds: ({ from, is }) => !from.includes('up') || is.end?.kind === 'lost',
  },
  {
    title: 'RC-25: the parent learns once that the link is stable',
    when: ({ effects }) => effects.some(({ event }) => event?.type === 'LINK.STABLE'),
    holds: ({ to, history }) =>
      to.includes('up.life.stable') &&
      !history.flatMap(({ effects }) => effects).some(({ event }) => event?.type === 'LINK.STABLE'),
  },
]);
