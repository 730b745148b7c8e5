/** Differences from the reference client that are meant: what CHANGELOG.md and the protocol's requirements say. */
import type { Moment } from './driver.js';

interface Intended {
  readonly why: string;
  readonly is: (moment: Moment) => boolean;
}

const INTENDED: readonly Intended[] = [
  {
    why: 'an unclear 404 is verified before an identity is given up (RC-21)',
    is: ({ words, from }) =>
      from === 'active.connecting' && words === 'dial ambiguousNotFound, ambiguousNotFound',
  },
  {
    why: 'a refused server token is replaced at once, and that is no error yet (RC-19)',
    is: ({ from, to }) => from.startsWith('active.tokenInvalid') || to.startsWith('active.tokenInvalid'),
  },
  {
    why: 'who waits for a sign-in is on the way: connecting (RC-26)',
    is: ({ to, outcome }) => outcome === 'status' && to.startsWith('active.awaitingAuth'),
  },
  {
    why: 'a pause between two steps of a recovery is on the way: connecting (RC-28)',
    is: ({ from, to, outcome }) =>
      outcome === 'status' && [from, to].some((state) => /recoveringAuth|backingOff\.recovered/.test(state)),
  },
  {
    why: 'a first conflict may be a hand-over, and that is no error yet (RC-24)',
    is: ({ from, to, outcome }) => outcome === 'status' && [from, to].includes('active.backingOff.handover'),
  },
  {
    why: 'a new attempt is on the way: connecting, whatever the last one came to (RC-25)',
    is: ({ outcome, expected, seen }) =>
      outcome === 'status' && expected?.status === 'connecting' && seen?.status === 'errored',
  },
  {
    why: 'a Retry-After is kept, whoever asks (RC-25)',
    is: ({ from, words }) => from === 'active.backingOff.asTold' && words.startsWith('ENABLE'),
  },
  {
    why: 'a link that broke is a failure: errored (RC-25)',
    is: ({ words, outcome, expected }) =>
      outcome === 'status' && words === 'link lost' && expected?.status === 'errored',
  },
  {
    why: 'an identity that the backend does not know is forgotten before another one is asked for, and stays so (RC-20)',
    is: ({ from, to, seen }) =>
      from === 'idle' && to === 'active.enrolling.requesting' && seen?.asks === 'refresh',
  },
  {
    why: 'a token that is about to end is refreshed before it is used, also right after enroll (RC-13)',
    is: ({ words }) => words.endsWith('granted, for 10 s'),
  },
];

/** Why this difference is meant; null when nothing says so. */
export function intendedWhy(moment: Moment): string | null {
  return INTENDED.find(({ is }) => is(moment))?.why ?? null;
}
