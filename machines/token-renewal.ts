import { assign, fromCallback, fromPromise, setup } from 'xstate';
import type { Decision } from '../src/protocol/decision.js';
import {
  type Account,
  type Enrollment,
  type Failure,
  failure,
  type RecoveryOutcome,
  type RefreshOutcome,
} from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import type { Env, Timing } from '../src/protocol/timing.js';
import { requestsTake } from './shared/deadlines.js';
import { actorFailure, decide, decideFailure, notProvided, setReason } from './shared/decision.js';
import { failureOf, notFound, outcome, outcomeOf } from './shared/outcome.js';
import { spine } from './shared/spine.js';

/** What the `tokenRenewal` chart starts with. */
export interface TokenRenewalInput {
  readonly env: Env;
  readonly timing: Pick<Timing, 'identityWait' | 'refreshRequired' | 'requestTimeout'>;
  /**
   * `use`: a token that is valid long enough is enough. `replace`: the backend refused the token, so another one is
   * needed. `renew`: a person asks for a new token, whatever the state of the link is. RC-24, RC-47
   */
  readonly purpose: 'use' | 'replace' | 'renew';
}

/** What `tokenRenewal` knows of remote control. */
export interface LinkFacts {
  /** `resting`: remote control waits for a sign-in or a pause. `working`: it is on the way to a link. */
  readonly phase: 'off' | 'working' | 'resting' | 'connected';
  readonly enrollment: Enrollment | null;
  readonly account: Account | null;
  /** Wall-clock ms; null: there is no token. */
  readonly tokenExpiresAt: number | null;
  /** Why there is no link, for the caller. */
  readonly cause: string;
}

/** What the `tokenRenewal` chart knows. */
export interface TokenRenewalContext extends TokenRenewalInput {
  readonly facts: LinkFacts;
  /** The identity of the current request: its outcome is about this one, even if there is another one meanwhile. RC-22 */
  readonly enrollment: Enrollment | null;
  readonly result: TokenRenewalOutput;
  readonly decision: Decision;
}

/** The event of the `tokenRenewal` chart: the state of remote control, at the start and after each change. */
export interface TokenRenewalEvent {
  readonly type: 'LINK.CHANGED';
  readonly facts: LinkFacts;
}

/** The result of the `tokenRenewal` chart. */
export type TokenRenewalOutput =
  /** The token that `remoteControl` has now can be used. */
  | { readonly kind: 'ready' }
  /** The backend does not know the identity, which `remoteControl` replaces. */
  | { readonly kind: 'identityLost'; readonly failure: Failure }
  | { readonly kind: 'notReady'; readonly failure: Failure };

interface Args {
  readonly context: TokenRenewalContext;
  readonly event: TokenRenewalEvent;
}

const NO_FACTS: LinkFacts = {
  phase: 'working',
  enrollment: null,
  account: null,
  tokenExpiresAt: null,
  cause: 'starting',
};

/** The newest facts: those of the event, if it has some. */
const factsOf = ({ context, event }: Pick<Args, 'context'> & { readonly event: object }): LinkFacts =>
  'facts' in event ? (event as TokenRenewalEvent).facts : context.facts;

const fail = (context: TokenRenewalContext, failed: Failure) => ({
  ...decide(context, failed.reason, failed.message),
  result: { kind: 'notReady' as const, failure: failed },
});

const tokenRenewal = setup({
  types: {
    context: {} as TokenRenewalContext,
    events: {} as TokenRenewalEvent,
    input: {} as TokenRenewalInput,
    output: {} as TokenRenewalOutput,
  },
  actors: {
    /** Reports the state of `remoteControl` at once and after each change. */
    watchLink: fromCallback<TokenRenewalEvent>(notProvided('watchLink')),
    /** One request for a new server token, after requests of `remoteControl` that are in progress. */
    refresh: fromPromise<RefreshOutcome, { account: Account | null; enrollment: Enrollment | null }>(
      notProvided('refresh'),
    ),
    /** One recovery step of the account. */
    recoverAuth: fromPromise<RecoveryOutcome>(notProvided('recoverAuth')),
  },
  actions: {
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    assignFacts: assign((args) => ({ facts: factsOf(args) })),
    beginRequest: assign(({ context }) => ({ enrollment: context.facts.enrollment })),
    recordFailure: assign(({ context, event }) => {
      const reported = failureOf(outcomeOf(event));
      return reported === null ? {} : fail(context, reported);
    }),
    recordActorError: assign(({ context, event }) => fail(context, actorFailure(context, event))),
    recordReady: assign(({ context }) => ({
      ...decide(context, 'tokenRefreshed'),
      result: { kind: 'ready' as const },
    })),
    recordOff: assign(({ context }, { message }: { message: string }) =>
      fail(context, failure('disabled', message, context.env.now())),
    ),
    recordNoIdentity: assign(({ context }) =>
      fail(
        context,
        failure('identityMissing', 'This machine has no identity at the backend yet.', context.env.now()),
      ),
    ),
    recordUnavailable: assign((args) => {
      const { context } = args;
      const message = `Pairing is unavailable until enrollment completes: ${factsOf(args).cause}`;
      return fail(context, failure('pairingUnavailable', message, context.env.now()));
    }),
    recordOverdue: assign(({ context }) =>
      fail(
        context,
        failure('backendTimeout', 'The backend sent no new server token in time.', context.env.now()),
      ),
    ),
    recordIdentityLost: assign(({ context, event }) => {
      const reported = failureOf(outcomeOf(event));
      return reported === null
        ? {}
        : {
            ...decideFailure(context, reported),
            result: { kind: 'identityLost' as const, failure: reported },
          };
    }),
    /** Passes the new token to `remoteControl`. The identity is that of `context`. RC-47 */
    reportRenewed: notProvided('reportRenewed'),
    /** Reports to `remoteControl` that the backend does not know the identity of `context`. RC-22, RC-47 */
    reportIdentityLost: notProvided('reportIdentityLost'),
  },
  guards: {
    off: (args: Args) => factsOf(args).phase === 'off',
    /** The token is valid for long enough, and the caller does not need another one. */
    tokenValid: (args: Args) => {
      const { env, timing, purpose } = args.context;
      const { enrollment, tokenExpiresAt } = factsOf(args);
      return (
        purpose === 'use' &&
        enrollment !== null &&
        tokenExpiresAt !== null &&
        tokenExpiresAt - env.now() > timing.refreshRequired
      );
    },
    /** Only a person may renew it while there is no link: else `remoteControl` is getting one. */
    mayRenew: (args: Args) => {
      const { phase, enrollment } = factsOf(args);
      return enrollment !== null && (phase === 'connected' || args.context.purpose === 'renew');
    },
    noIdentity: (args: Args) => args.context.purpose === 'renew' && factsOf(args).enrollment === null,
    resting: (args: Args) => factsOf(args).phase === 'resting',
    granted: outcome('granted'),
    unauthorized: outcome('unauthorized'),
    recovered: outcome('recovered'),
    notFound,
  },
  delays: {
    identityWait: ({ context }) => context.timing.identityWait,
    /** A request, a recovery step and the request again. */
    renewalLimit: ({ context }) => requestsTake(context.timing, 2),
  },
});

const recordOff = (message: string) => ({ type: 'recordOff', params: { message } }) as const;

const granted = {
  guard: 'granted',
  target: '#tokenRenewal.ready',
  description: 'The backend issued a token; remoteControl uses it, too. RC-47',
  actions: ['reportRenewed', 'recordReady'],
  ...spine,
} as const;
const identityLost = {
  guard: 'notFound',
  target: '#tokenRenewal.identityLost',
  description: 'The backend itself says that it does not know the identity: remoteControl replaces it. RC-22',
  actions: ['recordIdentityLost', 'reportIdentityLost'],
  ...spine,
} as const;
const failed = {
  target: '#tokenRenewal.notReady',
  description: 'No token: the caller gets the failure, and may ask again.',
  actions: 'recordFailure',
} as const;
const broken = { target: '#tokenRenewal.notReady', actions: 'recordActorError' } as const;

/**
 * Gets a server token for one caller: a pairing, or a person with `rc-engine repair`. While `remoteControl` is getting one
 * itself, it waits for that one. `remoteControl` has its own steps for its own requests, because it pauses between them
 * and does not give up; both use the same adapter, which sends one request at a time. RC-47
 */
export const tokenRenewalMachine = tokenRenewal.createMachine({
  id: 'tokenRenewal',
  description: 'Gets a server token for a pairing or a repair: waits for the link, requests, recovers once.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    facts: NO_FACTS,
    enrollment: null,
    result: { kind: 'ready' },
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  output: ({ context }) => context.result,
  initial: 'settling',
  invoke: {
    id: 'watchLink',
    src: 'watchLink',
    onError: { target: '.notReady', actions: 'recordActorError' },
  },
  states: {
    settling: {
      description: 'Waits until remote control is connected or at rest, because it may be getting a token.',
      on: {
        'LINK.CHANGED': [
          {
            guard: 'off',
            target: 'notReady',
            description: 'Without remote control nobody may be let in. RC-103',
            actions: recordOff('Remote control is switched off.'),
          },
          { guard: 'tokenValid', target: 'ready', description: 'The token in use is valid for long enough.' },
          {
            guard: 'noIdentity',
            target: 'notReady',
            description: 'There is nothing to renew. RC-24',
            actions: 'recordNoIdentity',
          },
          { guard: 'mayRenew', target: 'renewing', actions: 'assignFacts', ...spine },
          {
            guard: 'resting',
            target: 'notReady',
            description: 'Remote control waits for a person or a pause; the caller gets its cause.',
            actions: 'recordUnavailable',
          },
          { description: 'Remote control is on the way to a link.', actions: 'assignFacts' },
        ],
      },
      after: {
        identityWait: {
          target: 'notReady',
          description: 'Remote control still has no link.',
          actions: 'recordUnavailable',
        },
      },
    },
    renewing: {
      description: 'Requests a new server token for the identity in use. RC-10',
      initial: 'requesting',
      on: {
        'LINK.CHANGED': [
          {
            guard: 'off',
            target: 'notReady',
            description: 'Remote control was switched off: the request is cancelled. RC-43',
            actions: recordOff('Remote control was switched off meanwhile.'),
          },
          { description: 'The identity or the account may have changed.', actions: 'assignFacts' },
        ],
      },
      after: {
        renewalLimit: {
          target: 'notReady',
          description: 'The steps take longer than their own limits allow.',
          actions: 'recordOverdue',
        },
      },
      states: {
        requesting: {
          description: 'Sends POST refresh.',
          entry: 'beginRequest',
          invoke: {
            id: 'refresh',
            src: 'refresh',
            input: ({ context }) => ({ account: context.facts.account, enrollment: context.enrollment }),
            onDone: [
              granted,
              identityLost,
              {
                guard: 'unauthorized',
                target: 'recovering',
                description: 'The backend answered 401 or 403: the account token is refused. RC-28',
                actions: 'recordFailure',
                ...spine,
              },
              failed,
            ],
            onError: broken,
          },
        },
        recovering: {
          description: 'The account takes one recovery step. RC-28',
          invoke: {
            id: 'recoverAuth',
            src: 'recoverAuth',
            onDone: [
              {
                guard: 'recovered',
                target: 'requestingAgain',
                actions: setReason('authRecovered'),
                ...spine,
              },
              failed,
            ],
            onError: broken,
          },
        },
        requestingAgain: {
          description: 'Sends POST refresh for the last time.',
          entry: 'beginRequest',
          invoke: {
            id: 'refreshAgain',
            src: 'refresh',
            input: ({ context }) => ({ account: context.facts.account, enrollment: context.enrollment }),
            onDone: [granted, identityLost, failed],
            onError: broken,
          },
        },
      },
    },
    ready: { type: 'final', description: 'remoteControl has a token that can be used.' },
    identityLost: { type: 'final', description: 'remoteControl requests a new identity.' },
    notReady: { type: 'final', description: 'There is no token, and the caller knows why.' },
  },
});
