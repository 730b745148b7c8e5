import { assign, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import { type Failure, failure, type PairingCode, type PairOutcome } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env } from '../src/protocol/timing.js';
import { MAX_PAUSE } from './shared/backoff.js';
import { actorFailure, decide, decideFailure, notProvided, setReason } from './shared/decision.js';
import { failureOf, notFound, outcome, outcomeOf } from './shared/outcome.js';

/** The outcome of `ensureToken`: a server token is ready, or why it is not. */
export type EnsureTokenOutcome =
  | { readonly kind: 'ready' }
  | { readonly kind: 'notReady'; readonly failure: Failure };

/** What the `pairing` chart starts with. */
export interface PairingInput {
  readonly env: Env;
}

interface PairingContext extends PairingInput {
  readonly manual: boolean;
  readonly code: PairingCode | null;
  readonly decision: Decision;
  readonly lastFailure: Failure | null;
}

/** The events of the `pairing` chart. */
export type PairingEvent =
  | { readonly type: 'START'; readonly manual: boolean }
  /** A status request reported that a controller claimed the code. RC-48 */
  | { readonly type: 'CLAIMED' }
  /** Remote control was disabled or the identity changed, so the code is no longer valid. */
  | { readonly type: 'RESET' };

const IDENTITY_GONE =
  'Pairing is unavailable until enrollment completes: the identity of this machine is not in use any more.';

const pairing = setup({
  types: {
    context: {} as PairingContext,
    events: {} as PairingEvent,
    input: {} as PairingInput,
    tags: {} as 'busy',
  },
  actors: {
    /** Waits for an identity and a server token, and refreshes the token when needed; `fresh` always refreshes it. */
    ensureToken: fromPromise<EnsureTokenOutcome, { fresh: boolean }>(notProvided('ensureToken')),
    requestCode: fromPromise<PairOutcome, { manual: boolean }>(notProvided('requestCode')),
    /** Reports to remoteControl that the backend does not know the enrollment, so that it is replaced. */
    reportEnrollmentLost: fromPromise<void, { failure: Failure | null }>(notProvided('reportEnrollmentLost')),
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    recordFailure: assign(({ context, event }) => {
      const reported = failureOf(outcomeOf(event));
      return reported === null ? {} : decideFailure(context, reported);
    }),
    recordActorError: assign(({ context, event }) =>
      decideFailure(context, actorFailure(context, event, 'Pairing failed unexpectedly')),
    ),
    recordUnavailable: assign(({ context }) =>
      decideFailure(context, failure('pairingUnavailable', IDENTITY_GONE, context.env.now())),
    ),
    beginRequest: assign(({ event }) =>
      event.type === 'START' ? { manual: event.manual, code: null, lastFailure: null } : {},
    ),
    assignCode: assign(({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'granted' && 'code' in got ? { code: got.code } : {};
    }),
    clearCode: assign({ code: null }),
  },
  guards: {
    ready: ({ event }) =>
      'output' in event && (event.output as EnsureTokenOutcome | undefined)?.kind === 'ready',
    granted: outcome('granted'),
    unauthorized: outcome('unauthorized'),
    notFound,
  },
  delays: {
    codeLifetime: ({ context }) =>
      Math.min(Math.max((context.code?.expiresAt ?? 0) - context.env.now(), 0), MAX_PAUSE),
  },
});

/** Pairs a controller with this machine by a code that is shown here and entered there. RC-47, RC-48 */
export const pairingMachine = pairing.createMachine({
  id: 'pairing',
  description: 'Requests a pairing code, shows it, and waits until it is claimed or expires.',
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
    RESET: {
      target: '.unpaired',
      description: 'The identity is gone, and the code with it.',
      actions: ['clearCode', 'recordUnavailable'],
    },
  },
  states: {
    unpaired: {
      description: 'There is no code.',
      on: { START: { target: 'starting', actions: ['beginRequest', setReason('pairingStarted')] } },
    },
    starting: {
      description: 'A code is being requested from the backend.',
      tags: ['busy'],
      initial: 'ensuringToken',
      states: {
        ensuringToken: {
          description: 'Waits for an identity and a valid server token.',
          invoke: {
            id: 'ensureToken',
            src: 'ensureToken',
            input: { fresh: false },
            onDone: [
              { guard: 'ready', target: 'requesting' },
              { target: '#pairing.unpaired', actions: 'recordFailure' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'recordActorError' },
          },
        },
        requesting: {
          description: 'Sends POST pair.',
          invoke: {
            id: 'requestCode',
            src: 'requestCode',
            input: ({ context }) => ({ manual: context.manual }),
            onDone: [
              {
                guard: 'granted',
                target: '#pairing.codeShown',
                actions: ['assignCode', setReason('pairingCodeShown')],
              },
              { guard: 'unauthorized', target: 'renewingToken', actions: 'recordFailure' },
              { guard: 'notFound', target: 'losingIdentity', actions: 'recordFailure' },
              { target: '#pairing.unpaired', actions: 'recordFailure' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'recordActorError' },
          },
        },
        renewingToken: {
          description: 'The backend answered 401 or 403: refreshes the token once.',
          invoke: {
            id: 'renewToken',
            src: 'ensureToken',
            input: { fresh: true },
            onDone: [
              { guard: 'ready', target: 'requestingAgain' },
              { target: '#pairing.unpaired', actions: 'recordFailure' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'recordActorError' },
          },
        },
        requestingAgain: {
          description: 'Sends POST pair for the last time.',
          invoke: {
            id: 'requestCodeAgain',
            src: 'requestCode',
            input: ({ context }) => ({ manual: context.manual }),
            onDone: [
              {
                guard: 'granted',
                target: '#pairing.codeShown',
                actions: ['assignCode', setReason('pairingCodeShown')],
              },
              { guard: 'notFound', target: 'losingIdentity', actions: 'recordFailure' },
              { target: '#pairing.unpaired', actions: 'recordFailure' },
            ],
            onError: { target: '#pairing.unpaired', actions: 'recordActorError' },
          },
        },
        losingIdentity: {
          description: 'The backend answered 404: remoteControl requests a new identity.',
          invoke: {
            id: 'reportEnrollmentLost',
            src: 'reportEnrollmentLost',
            input: ({ context }) => ({ failure: context.lastFailure }),
            onDone: { target: '#pairing.unpaired', actions: 'recordUnavailable' },
            onError: { target: '#pairing.unpaired', actions: 'recordActorError' },
          },
        },
      },
    },
    codeShown: {
      description: 'The code is shown and waits to be entered on the other device.',
      on: {
        CLAIMED: { target: 'claimed', actions: setReason('pairingClaimed') },
        START: { target: 'starting', actions: ['beginRequest', setReason('pairingStarted')] },
      },
      after: {
        codeLifetime: { target: 'expired', actions: ['clearCode', setReason('pairingExpired')] },
      },
    },
    claimed: {
      description: 'A controller claimed the code.',
      entry: 'clearCode',
      on: { START: { target: 'starting', actions: ['beginRequest', setReason('pairingStarted')] } },
    },
    expired: {
      description: 'The code expired before a controller claimed it.',
      on: { START: { target: 'starting', actions: ['beginRequest', setReason('pairingStarted')] } },
    },
  },
});
