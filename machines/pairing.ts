import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import type { Failure, PairingCode, PairOutcome } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env } from '../src/protocol/timing.js';
import { MAX_PAUSE } from './shared/backoff.js';
import { notProvided, setReason } from './shared/decision.js';
import { failureOf, outcome, outcomeOf } from './shared/outcome.js';

/** What `ensureToken` reports: a token to pair with is in place, or why not. */
export type EnsureTokenOutcome =
  | { readonly kind: 'ready' }
  | { readonly kind: 'notReady'; readonly failure: Failure };

export interface PairingInput {
  readonly env: Env;
}

interface PairingContext extends PairingInput {
  readonly manual: boolean;
  readonly code: PairingCode | null;
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
}

export type PairingEvent =
  | { readonly type: 'START'; readonly manual: boolean }
  /** A status request learned that the code was claimed. RC-48 */
  | { readonly type: 'CLAIMED' }
  /** Remote control went off, or the identity changed: the code is worth nothing any more. */
  | { readonly type: 'RESET' };

const pairing = setup({
  types: {
    context: {} as PairingContext,
    events: {} as PairingEvent,
    input: {} as PairingInput,
    tags: {} as 'busy',
  },
  actors: {
    /** Under the lock shared with connecting: enrolls or refreshes when needed; `fresh` asks for a new token. */
    ensureToken: fromPromise<EnsureTokenOutcome, { fresh: boolean }>(notProvided('ensureToken')),
    requestCode: fromPromise<PairOutcome, { manual: boolean }>(notProvided('requestCode')),
    /** Clears the enrollment that the backend does not know, and tells remoteControl. */
    loseIdentity: fromPromise<void, { failure: Failure | null }>(notProvided('loseIdentity')),
  },
  actions: {
    because: assign(({ context }, p: { reason: Reason }) => ({
      decision: { reason: p.reason, detail: null, at: context.env.now() },
    })),
    becauseItFailed: assign(({ context, event }) => {
      const failure = failureOf(outcomeOf(event));
      return failure === null
        ? {}
        : {
            decision: { reason: failure.reason, detail: failure.message, at: context.env.now() },
            lastFailure: failure,
          };
    }),
    becauseOfFault: assign(({ context, event }) => {
      const error = 'error' in event ? event.error : undefined;
      const message = `Pairing failed unexpectedly: ${error instanceof Error ? error.message : 'no message'}`;
      const at = context.env.now();
      return {
        decision: { reason: 'engineFault' as const, detail: message, at },
        lastFailure: { reason: 'engineFault' as const, message, at },
      };
    }),
    becauseUnavailable: assign(({ context }) => {
      const at = context.env.now();
      const message =
        'Pairing is unavailable until enrollment completes: the identity of this machine is not in use any more.';
      return {
        decision: { reason: 'pairingUnavailable' as const, detail: message, at },
        lastFailure: { reason: 'pairingUnavailable' as const, message, at },
      };
    }),
    noteStart: assign(({ event }) =>
      event.type === 'START' ? { manual: event.manual, code: null, lastFailure: null } : {},
    ),
    keepCode: assign(({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'granted' && 'code' in got ? { code: got.code } : {};
    }),
    forgetCode: assign({ code: null }),
  },
  guards: {
    ready: ({ event }) =>
      'output' in event && (event.output as EnsureTokenOutcome | undefined)?.kind === 'ready',
    granted: outcome('granted'),
    unauthorized: outcome('unauthorized'),
    notFound: outcome('notFound'),
  },
  delays: {
    codeLife: ({ context }) =>
      Math.min(Math.max((context.code?.expiresAt ?? 0) - context.env.now(), 0), MAX_PAUSE),
  },
});

/** How a controller gets to know this machine: a code that is shown here and entered there. RC-47, RC-48 */
export const pairingMachine = pairing.createMachine({
  id: 'pairing',
  description: 'A pairing code is asked for, shown, and claimed or not.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    manual: false,
    code: null,
    lastFailure: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  initial: 'unpaired',
  on: {
    RESET: { target: '.unpaired', actions: ['forgetCode', 'becauseUnavailable'] },
  },
  states: {
    unpaired: {
      description: 'No code is out.',
      on: { START: { target: 'starting', actions: ['noteStart', setReason('pairingStarted')] } },
    },
    starting: {
      description: 'The backend is asked for a code.',
      tags: ['busy'],
      initial: 'ensuringToken',
      states: {
        ensuringToken: {
          description: 'An identity and a usable server token come first.',
          invoke: {
            id: 'ensureToken',
            src: 'ensureToken',
            input: { fresh: false },
            onDone: [
              { guard: 'ready', target: 'requesting' },
              { target: '#pairing.unpaired', actions: 'becauseItFailed' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'becauseOfFault' },
          },
        },
        requesting: {
          description: 'POST pair.',
          invoke: {
            id: 'requestCode',
            src: 'requestCode',
            input: ({ context }) => ({ manual: context.manual }),
            onDone: [
              {
                guard: 'granted',
                target: '#pairing.codeShown',
                actions: ['keepCode', setReason('pairingCodeShown')],
              },
              { guard: 'unauthorized', target: 'renewingToken', actions: 'becauseItFailed' },
              { guard: 'notFound', target: 'losingIdentity', actions: 'becauseItFailed' },
              { target: '#pairing.unpaired', actions: 'becauseItFailed' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'becauseOfFault' },
          },
        },
        renewingToken: {
          description: '401 or 403: once more with a fresh token.',
          invoke: {
            id: 'renewToken',
            src: 'ensureToken',
            input: { fresh: true },
            onDone: [
              { guard: 'ready', target: 'requestingAgain' },
              { target: '#pairing.unpaired', actions: 'becauseItFailed' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'becauseOfFault' },
          },
        },
        requestingAgain: {
          description: 'POST pair, for the last time.',
          invoke: {
            id: 'requestCodeAgain',
            src: 'requestCode',
            input: ({ context }) => ({ manual: context.manual }),
            onDone: [
              {
                guard: 'granted',
                target: '#pairing.codeShown',
                actions: ['keepCode', setReason('pairingCodeShown')],
              },
              { guard: 'notFound', target: 'losingIdentity', actions: 'becauseItFailed' },
              { target: '#pairing.unpaired', actions: 'becauseItFailed' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'becauseOfFault' },
          },
        },
        losingIdentity: {
          description: '404: the identity is gone; it is cleared and enrolled anew by remoteControl.',
          invoke: {
            id: 'loseIdentity',
            src: 'loseIdentity',
            input: ({ context }) => ({ failure: context.lastFailure }),
            onDone: { target: '#pairing.unpaired', actions: 'becauseUnavailable' },
            onError: { target: '#pairing.unpaired', actions: 'becauseOfFault' },
          },
        },
      },
    },
    codeShown: {
      description: 'The code waits to be entered on the other device.',
      on: {
        CLAIMED: { target: 'claimed', actions: setReason('pairingClaimed') },
        START: { target: 'starting', actions: ['noteStart', setReason('pairingStarted')] },
      },
      after: {
        codeLife: { target: 'expired', actions: ['forgetCode', setReason('pairingExpired')] },
      },
    },
    claimed: {
      description: 'A controller has it.',
      entry: 'forgetCode',
      on: { START: { target: 'starting', actions: ['noteStart', setReason('pairingStarted')] } },
    },
    expired: {
      description: 'Nobody claimed it in time.',
      on: { START: { target: 'starting', actions: ['noteStart', setReason('pairingStarted')] } },
    },
  },
});
