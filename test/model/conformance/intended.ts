/** Intended differences from Codex CLI, each with its requirement. */
import type { Moment } from './driver.js';

interface Intended {
  readonly why: string;
  readonly is: (moment: Moment) => boolean;
}

const INTENDED: readonly Intended[] = [
  {
    why: 'an ambiguous 404 is verified before the identity is cleared (RC-21)',
    is: ({ words, from }) =>
      from === 'active.connecting' && words === 'dial ambiguousNotFound, ambiguousNotFound',
  },
  {
    why: 'a refused server token is replaced at once, which is not an error yet (RC-19)',
    is: ({ from, to }) => from.startsWith('active.tokenInvalid') || to.startsWith('active.tokenInvalid'),
  },
  {
    why: 'the status is connecting while it waits for a sign-in (RC-26)',
    is: ({ to, outcome }) => outcome === 'status' && to.startsWith('active.awaitingAuth'),
  },
  {
    why: 'the status is connecting between two recovery steps (RC-28)',
    is: ({ from, to, outcome }) =>
      outcome === 'status' && [from, to].some((state) => /recoveringAuth|backingOff\.recovered/.test(state)),
  },
  {
    why: 'the first conflict may be a handover, which is not an error yet (RC-24)',
    is: ({ from, to, outcome }) => outcome === 'status' && [from, to].includes('active.backingOff.handover'),
  },
  {
    why: 'the status is connecting after a clean close, and when a client enables it again (RC-25)',
    is: ({ outcome, expected, seen }) =>
      outcome === 'status' && expected?.status === 'connecting' && seen?.status === 'errored',
  },
  {
    why: 'a request to enable does not shorten a Retry-After (RC-25)',
    is: ({ from, words }) => from === 'active.backingOff.retryAfter' && words.startsWith('ENABLE'),
  },
  {
    why: 'the status is errored after a lost link (RC-25)',
    is: ({ words, outcome, expected }) =>
      outcome === 'status' && words === 'link lost' && expected?.status === 'errored',
  },
  {
    why: 'an identity that the backend does not know is cleared before a new enrollment, and stays cleared (RC-20)',
    is: ({ from, to, seen }) =>
      from === 'idle' && to === 'active.enrolling.requesting' && seen?.requests === 'refresh',
  },
  {
    why: 'a token that is about to expire is refreshed before its use, also right after enrolling (RC-13)',
    is: ({ words }) => words.endsWith('granted, for 10 s'),
  },
];

/** Why this difference is intended; null when it is not explained. */
export function intendedWhy(moment: Moment): string | null {
  return INTENDED.find(({ is }) => is(moment))?.why ?? null;
}
