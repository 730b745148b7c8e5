import { assign, emit, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import { type Failure, failure, type PairingCode, type PairOutcome } from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import { MAX_PAUSE } from './shared/backoff.js';
import { requestsTake } from './shared/deadlines.js';
import { actorFailure, decide, decideFailure, notProvided, setReason } from './shared/decision.js';
import { failureOf, notFound, outcome, outcomeOf } from './shared/outcome.js';
import { spine } from './shared/spine.js';
import { tokenRenewalMachine } from './token-renewal.js';

/** What the `pairing` chart starts with. */
export interface PairingInput {
  readonly env: Env;
  readonly timing: Pick<Timing, 'identityWait' | 'refreshRequired' | 'requestTimeout'>;
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
  /** Remote control was disabled or the account changed, so the code is no longer valid. */
  | { readonly type: 'RESET' }
  /** Another identity took the place of the one in use: a code of the earlier one leads nowhere. RC-193 */
  | { readonly type: 'IDENTITY.REPLACED' };

/** The response to a START, emitted once for each. */
export type PairingResponse =
  | { readonly type: 'PAIRING.GRANTED'; readonly code: PairingCode }
  | { readonly type: 'PAIRING.REFUSED'; readonly failure: Failure };

const IDENTITY_UNKNOWN = 'Pairing is unavailable until enrollment completes.';
const IDENTITY_GONE =
  'Pairing is unavailable until enrollment completes: the identity of this machine is not in use any more.';

const refusal = ({ env, lastFailure }: PairingContext): PairingResponse => ({
  type: 'PAIRING.REFUSED',
  failure: lastFailure ?? failure('pairingUnavailable', IDENTITY_UNKNOWN, env.now()),
});

const pairing = setup({
  types: {
    context: {} as PairingContext,
    events: {} as PairingEvent,
    input: {} as PairingInput,
    emitted: {} as PairingResponse,
    tags: {} as 'busy',
  },
  actors: {
    /** Waits for an identity and a server token, and renews the token when needed. */
    tokenRenewal: tokenRenewalMachine,
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
    recordUnavailable: assign(({ context }, { message }: { message: string }) =>
      decideFailure(context, failure('pairingUnavailable', message, context.env.now())),
    ),
    recordOverdue: assign(({ context }) =>
      decideFailure(
        context,
        failure('backendTimeout', 'The backend sent no pairing code in time.', context.env.now()),
      ),
    ),
    respondGranted: emit(({ context }) =>
      context.code === null ? refusal(context) : { type: 'PAIRING.GRANTED' as const, code: context.code },
    ),
    respondRefused: emit(({ context }) => refusal(context)),
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
    ready: outcome('ready'),
    identityLost: outcome('identityLost'),
    granted: outcome('granted'),
    unauthorized: outcome('unauthorized'),
    notFound,
  },
  delays: {
    requestLimit: ({ context }) => requestsTake(context.timing, 1),
    codeLifetime: ({ context }) =>
      Math.min(Math.max((context.code?.expiresAt ?? 0) - context.env.now(), 0), MAX_PAUSE),
  },
});

const recordUnavailable = (message: string) => ({ type: 'recordUnavailable', params: { message } }) as const;

const begin = { target: 'starting', actions: ['beginRequest', setReason('pairingStarted')] } as const;
const refused = {
  target: '#pairing.unpaired',
  description: 'No code: the caller gets the failure, and may ask again.',
  actions: ['recordFailure', 'respondRefused'],
} as const;
const broken = { target: '#pairing.unpaired', actions: ['recordActorError', 'respondRefused'] } as const;
const overdue = {
  requestLimit: {
    target: '#pairing.unpaired',
    description: 'The request takes longer than its own limit allows. RC-112',
    actions: ['recordOverdue', 'respondRefused'],
  },
} as const;
const granted = {
  guard: 'granted',
  target: '#pairing.codeShown',
  actions: ['assignCode', setReason('pairingCodeShown'), 'respondGranted'],
  ...spine,
} as const;
/** The answer would be about the identity that is gone. RC-193 */
const replaced = {
  'IDENTITY.REPLACED': {
    target: 'ensuringToken',
    description: 'The request is for the earlier identity: requests a code for the new one. RC-193',
    actions: setReason('identityReplaced'),
  },
} as const;
const lost = { guard: 'notFound', target: 'losingIdentity', actions: 'recordFailure' } as const;
/** How getting a token can end without one. */
const noToken = [
  {
    guard: 'identityLost',
    target: '#pairing.unpaired',
    description: 'remoteControl knows it already and requests a new identity. RC-22',
    actions: [recordUnavailable(IDENTITY_UNKNOWN), 'respondRefused'],
  },
  refused,
] as const;

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
      actions: ['clearCode', recordUnavailable(IDENTITY_GONE)],
    },
  },
  states: {
    unpaired: {
      description: 'There is no code.',
      on: { START: { ...begin, ...spine } },
    },
    starting: {
      description: 'A code is being requested from the backend.',
      tags: ['busy'],
      initial: 'ensuringToken',
      on: {
        RESET: {
          target: 'unpaired',
          description: 'The identity is gone: the request is cancelled.',
          actions: ['clearCode', recordUnavailable(IDENTITY_GONE), 'respondRefused'],
        },
      },
      states: {
        ensuringToken: {
          description: 'Waits for an identity and a valid server token.',
          invoke: {
            id: 'ensureToken',
            src: 'tokenRenewal',
            input: ({ context: { env, timing } }) => ({ env, timing, purpose: 'use' }),
            onDone: [{ guard: 'ready', target: 'requesting', ...spine }, ...noToken],
            onError: broken,
          },
        },
        requesting: {
          description: 'Sends POST pair.',
          invoke: {
            id: 'requestCode',
            src: 'requestCode',
            input: ({ context }) => ({ manual: context.manual }),
            onDone: [
              granted,
              {
                guard: 'unauthorized',
                target: 'renewingToken',
                description: 'The backend answered 401 or 403: the server token is refused. RC-47',
                actions: 'recordFailure',
              },
              lost,
              refused,
            ],
            onError: broken,
          },
          on: replaced,
          after: overdue,
        },
        renewingToken: {
          description: 'The backend answered 401 or 403: refreshes the token once.',
          invoke: {
            id: 'renewToken',
            src: 'tokenRenewal',
            input: ({ context: { env, timing } }) => ({ env, timing, purpose: 'replace' }),
            onDone: [{ guard: 'ready', target: 'requestingAgain' }, ...noToken],
            onError: broken,
          },
        },
        requestingAgain: {
          description: 'Sends POST pair for the last time.',
          invoke: {
            id: 'requestCodeAgain',
            src: 'requestCode',
            input: ({ context }) => ({ manual: context.manual }),
            onDone: [granted, lost, refused],
            onError: broken,
          },
          on: replaced,
          after: overdue,
        },
        losingIdentity: {
          description: 'The backend answered 404: remoteControl requests a new identity.',
          invoke: {
            id: 'reportEnrollmentLost',
            src: 'reportEnrollmentLost',
            input: ({ context }) => ({ failure: context.lastFailure }),
            onDone: {
              target: '#pairing.unpaired',
              actions: [recordUnavailable(IDENTITY_GONE), 'respondRefused'],
            },
            onError: broken,
          },
          after: overdue,
        },
      },
    },
    codeShown: {
      description: 'The code is shown and waits to be entered on the other device.',
      on: {
        CLAIMED: { target: 'claimed', actions: setReason('pairingClaimed'), ...spine },
        START: begin,
        'IDENTITY.REPLACED': {
          target: 'unpaired',
          description: 'The code is of the earlier identity, which the backend does not know. RC-193',
          actions: ['clearCode', recordUnavailable(IDENTITY_GONE)],
        },
      },
      after: {
        codeLifetime: { target: 'expired', actions: ['clearCode', setReason('pairingExpired')] },
      },
    },
    claimed: {
      description: 'A controller claimed the code.',
      entry: 'clearCode',
      on: { START: begin },
    },
    expired: {
      description: 'The code expired before a controller claimed it.',
      on: { START: begin },
    },
  },
});
