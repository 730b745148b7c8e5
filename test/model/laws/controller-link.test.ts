import type { Decision } from '../../../src/protocol/decision.js';
import type { Failure } from '../../../src/protocol/outcomes.js';
import { lawsOf, tagLaws } from './walks.js';

interface Context {
  readonly attempt: number;
  readonly networkCut: number;
  readonly wasOpen: boolean;
  readonly pause: { readonly ms: number };
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
}

lawsOf<Context>('controllerLink', [
  ...tagLaws({ online: ['online'], refusesStreams: ['offline.patience.refusing', 'offline.patience.lost'] }),
  {
    title: 'an open link has no failure left, and says that it is connected',
    when: ({ from, to }) => to.includes('online') && !from.includes('online'),
    holds: ({ is }) => is.lastFailure === null && is.wasOpen && is.decision.reason === 'connected',
  },
  {
    title: 'RC-25: a stable link starts the pauses over',
    when: ({ event, from }) => event.type === 'LINK.STABLE' && from.includes('online'),
    holds: ({ is }) => is.attempt === 0 && is.networkCut === 0,
  },
  {
    title: 'attempts count up and fall only when the link is stable',
    when: ({ event }) => event.type !== 'LINK.STABLE',
    holds: ({ was, is }) => is.attempt === was.attempt || is.attempt === was.attempt + 1,
  },
  {
    title: 'RC-93: local connections are closed once they have waited too long, new ones first',
    when: ({ from, to }) =>
      ['offline.patience.refusing', 'offline.patience.lost'].some(
        (one) => to.includes(one) && !from.includes(one),
      ),
    holds: ({ to, did }) =>
      did.includes(to.includes('offline.patience.lost') ? 'closeStreams' : 'closeNewStreams'),
  },
  {
    title: 'RC-98: a refused controller ends its streams, and says why',
    when: ({ from, to }) => to.includes('refused') && !from.includes('refused'),
    holds: ({ is, did }) =>
      did.includes('endStreams') && ['controllerRevoked', 'backendNotFound'].includes(is.decision.reason),
  },
  {
    title:
      'after a failed attempt and after the loss of a link there is a pause, except after the first loss',
    when: ({ to, from }) =>
      to.includes('offline.attempts.backingOff') && !from.includes('offline.attempts.backingOff'),
    holds: ({ is, was }) => is.pause !== was.pause && is.pause.ms > 0,
  },
  {
    title: 'the first loss of a link is recorded, and counts as an attempt',
    when: ({ from, to }) => from.includes('online') && to.includes('offline.attempts.dialing'),
    holds: ({ event, was, is }) =>
      is.attempt === was.attempt + 1 &&
      is.decision.reason === (event.output as { readonly reason: string }).reason,
  },
  {
    title: 'an error of an adapter is recorded as one, and leads to a pause',
    when: ({ event }) => event.type.startsWith('xstate.error.actor.'),
    holds: ({ is, to }) => is.decision.reason === 'engineFault' && to.includes('offline.attempts.backingOff'),
  },
  {
    title: 'a failed attempt leaves its failure',
    when: ({ actor, from, to }) =>
      actor === 'dial' && from.includes('offline.attempts.dialing') && !to.includes('online'),
    holds: ({ is, was }) => is.lastFailure !== null && is.lastFailure !== was.lastFailure,
  },
  {
    title: 'RC-109: a change of the network cuts each pause once',
    when: ({ event, from }) =>
      event.type === 'NETWORK.CHANGED' && from.includes('offline.attempts.backingOff'),
    holds: ({ was, is, to }) =>
      to.includes('offline.attempts.dialing')
        ? is.networkCut === was.attempt + 1 && was.networkCut !== is.networkCut
        : is.networkCut === was.networkCut,
  },
  {
    title: 'closed by us is stopped',
    when: ({ event }) => (event.output as { readonly kind?: string } | undefined)?.kind === 'closedByUs',
    holds: ({ to, is }) => to.includes('stopped') && is.decision.reason === 'stopped',
  },
  {
    title: 'STOP ends it in every state',
    when: ({ event, to }) => event.type === 'STOP' && !to.includes('online'),
    holds: ({ to, is }) => to.includes('stopped') && is.decision.reason === 'stopped',
  },
]);
