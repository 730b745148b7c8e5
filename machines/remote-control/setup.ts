import { assign, fromPromise, sendTo, setup } from 'xstate';
import {
  type Account,
  type AuthOutcome,
  type DialOutcome,
  type Enrollment,
  type EnrollmentKey,
  type EnrollOutcome,
  failure,
  type LoadEnrollmentOutcome,
  type Preference,
  type RecoveryOutcome,
  type RefreshOutcome,
  type ServerToken,
  type StoreOutcome,
} from '../../src/protocol/outcomes.js';
import { REASONS, type Reason } from '../../src/protocol/reasons.js';
import { linkMachine } from '../link.js';
import { backoffPause, between, MAX_PAUSE, pauseFor, retryAfterPause } from '../shared/backoff.js';
import {
  authorizedRequestTakes,
  CALL_LIMITS,
  handshakeTakes,
  type OverdueReason,
  overdueFailure,
} from '../shared/deadlines.js';
import { actorFailure, decide, decideFailure, notProvided } from '../shared/decision.js';
import { failureOf, outcomeOf } from '../shared/outcome.js';
import { accountIn, endedUnstable, enrollmentOf, isOther, isTakeover } from './context.js';
import { guards } from './guards.js';
import {
  type FailureCounters,
  NO_FAILURES,
  type RemoteControlContext,
  type RemoteControlEvent,
  type RemoteControlInput,
  type RemoteControlOutput,
} from './types.js';

/** What is not known of an account that has just been signed in or out. */
const NOTHING_KNOWN = {
  enrollment: 'unknown',
  persistedServerId: null,
  preference: 'unset',
  token: null,
  unresolved: null,
  conflictSince: null,
} as const;

const STORE_MISSING = 'Remote control needs an enrollment store and this engine has none.';
const ACCOUNT_CHANGED = 'remote control authentication changed';

const increment = (context: RemoteControlContext, counter: keyof FailureCounters) => ({
  failureCounters: { ...context.failureCounters, [counter]: context.failureCounters[counter] + 1 },
});

const pauseOf = ({ env }: RemoteControlContext, ms: number) => ({ pause: pauseFor(env, ms) });

/** Actors, guards, actions and delays of the chart `remoteControl`, by name. */
export const remoteControlSetup = setup({
  types: {
    context: {} as RemoteControlContext,
    events: {} as RemoteControlEvent,
    input: {} as RemoteControlInput,
    output: {} as RemoteControlOutput,
    /**
     * The four public statuses (RC-42). `beforeIdentity`: pairing has to wait. `waiting`: for a sign-in or a pause, which
     * may be long. `pausing`: for a short pause. `undecided`: the start of the engine waits.
     */
    tags: {} as
      | 'disabled'
      | 'connecting'
      | 'connected'
      | 'errored'
      | 'beforeIdentity'
      | 'waiting'
      | 'pausing'
      | 'undecided',
  },
  actors: {
    /** Reads the account in memory; `reload` reads it from its source first. */
    loadAuth: fromPromise<AuthOutcome, { reload: boolean }>(notProvided('loadAuth')),
    /** Takes one recovery step after a 401. `requested`: a client waits for the result. RC-28 */
    recoverAuth: fromPromise<RecoveryOutcome, { readonly requested: boolean }>(notProvided('recoverAuth')),
    loadEnrollment: fromPromise<LoadEnrollmentOutcome, EnrollmentKey>(notProvided('loadEnrollment')),
    saveEnrollment: fromPromise<
      StoreOutcome,
      { key: EnrollmentKey; enrollment: Enrollment | null; preference: Preference }
    >(notProvided('saveEnrollment')),
    enroll: fromPromise<EnrollOutcome, { account: Account | null }>(notProvided('enroll')),
    refresh: fromPromise<RefreshOutcome, { account: Account | null; enrollment: Enrollment | null }>(
      notProvided('refresh'),
    ),
    dial: fromPromise<DialOutcome, { enrollment: Enrollment | null; token: ServerToken | null }>(
      notProvided('dial'),
    ),
    link: linkMachine,
    /** Closes local clients, waits until all sockets are closed, flushes the store. RC-46 */
    drain: fromPromise<void>(notProvided('drain')),
  },
  actions: {
    /** Records why, at each transition that a user may ask about. */
    setReason: assign(({ context }, { reason }: { reason: Reason }) => decide(context, reason)),
    /** Records the failure that the actor reported. */
    recordFailure: assign(({ context, event }) => {
      const reported = event.type === 'ENROLLMENT.LOST' ? event.failure : failureOf(outcomeOf(event));
      return reported === null ? {} : decideFailure(context, reported);
    }),
    /** An actor rejected, which only a bug can cause: the chart continues and records it. */
    recordActorError: assign(({ context, event }) => decideFailure(context, actorFailure(context, event))),
    /** An adapter did not answer within the deadline of its state. RC-112 */
    recordOverdue: assign(({ context }, { reason }: { reason: OverdueReason }) =>
      decideFailure(context, overdueFailure(context, reason)),
    ),
    recordLinkEnd: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got === null || !('stable' in got)) return {};
      const code = got.code === null ? '' : ` (close code ${got.code})`;
      const lived = Math.round(
        (context.env.monotonic() - (context.openedAt ?? context.env.monotonic())) / 1000,
      );
      const isOurs = got.reason === 'frameTooLarge' || got.reason === 'frameInvalid';
      const message = isOurs
        ? `The engine ended the link after ${lived} s: ${REASONS[got.reason].means}`
        : `The link ended after ${lived} s${code}.`;
      return decideFailure(context, failure(got.reason, message, context.env.now()));
    }),
    /** Two engines with one identity: which facts show it. RC-110 */
    recordDuplicate: assign(({ context, event }) => {
      const { env, conflictSince, failureCounters } = context;
      const reported = failureOf(outcomeOf(event));
      const held = Math.round((env.monotonic() - (conflictSince ?? env.monotonic())) / 1_000);
      const seen =
        failureCounters.takeovers > 1
          ? `took the connection ${failureCounters.takeovers} times`
          : `has held the connection for ${held} s`;
      const message = `Another engine with the installation id of this one ${seen} since the last stable link.`;
      return decideFailure(context, {
        ...(reported ?? failure('duplicateInstallation', message, env.now())),
        reason: 'duplicateInstallation',
        message: reported === null ? message : `${message} (${reported.message})`,
      });
    }),
    recordTargetRefused: assign(({ context }) =>
      context.target.ok ? {} : decideFailure(context, context.target.failure),
    ),
    recordStoreMissing: assign(({ context }) =>
      decideFailure(context, failure('storeMissing', STORE_MISSING, context.env.now())),
    ),

    // Activation
    /** A durable request fails without a sign-in, and its client is waiting; an ephemeral one waits for a sign-in. ACC-69 */
    assignActivation: assign(({ event }) => {
      if (event.type !== 'ENABLE') return {};
      return { activation: event.by === 'request' && !event.durable ? ('confirmed' as const) : event.by };
    }),
    /** The host updates an existing record; a record that is written later must have the same preference. RC-44 */
    assignPreference: assign(({ event }) => {
      if (event.type !== 'ENABLE' && event.type !== 'DISABLE') return {};
      if (!event.durable) return {};
      return { preference: event.type === 'ENABLE' ? ('on' as const) : ('off' as const) };
    }),
    beginStartup: assign({ activation: 'start' }),
    confirmActivation: assign(({ context }) =>
      context.activation === 'request' ? { activation: 'confirmed' as const } : {},
    ),
    assignClientName: assign(({ event }) =>
      event.type === 'CLIENT.NAMED' ? { clientName: event.name } : {},
    ),
    resetRetryState: assign({ failureCounters: NO_FAILURES, refreshNotBefore: 0, conflictSince: null }),

    // Account, identity, token
    assignAccount: assign(({ context, event }) => {
      const account = accountIn(event);
      if (account === null) return {};
      return {
        account,
        activation: context.activation === 'start' ? ('confirmed' as const) : context.activation,
        // Another account has its own identity and preference, under its own key. RC-7
        ...(isOther(context, account) ? NOTHING_KNOWN : {}),
      };
    }),
    clearAccount: assign(({ context }) =>
      context.account === null ? {} : { account: null, ...NOTHING_KNOWN },
    ),
    recordRefusal: assign(({ context, event }) => ({
      refusedGeneration: context.account?.generation ?? null,
      refusal: failureOf(outcomeOf(event)),
    })),
    /** The failure that ended recovery is more specific than that the tokens were refused. */
    recordStillRefused: assign(({ context }) => {
      const { refusal } = context;
      return refusal === null ? decide(context, 'authRejected') : decideFailure(context, refusal);
    }),
    /** The request to enable was for the earlier account. ACC-46 */
    recordAccountChanged: assign(({ context }) =>
      decideFailure(context, failure('authChanged', ACCOUNT_CHANGED, context.env.now())),
    ),
    assignEnrollment: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'found' && got?.kind !== 'none') return {};
      return {
        enrollment: got.kind === 'found' ? got.enrollment : ('none' as const),
        persistedServerId: got.kind === 'found' ? got.enrollment.serverId : null,
        preference: context.preference === 'unset' ? got.preference : context.preference,
      };
    }),
    assignGrant: assign(({ event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'granted' || !('token' in got)) return {};
      return 'enrollment' in got ? { enrollment: got.enrollment, token: got.token } : { token: got.token };
    }),
    /** Controllers are paired with an environment, so a person must hear which one replaced which. RC-20a */
    recordReplacement: assign(({ context, event }) => {
      const got = outcomeOf(event);
      const old = enrollmentOf(context);
      if (got?.kind !== 'granted' || !('enrollment' in got) || old === null) return {};
      const { environmentId: to } = got.enrollment;
      const { environmentId: from } = old;
      const noConflict = {
        conflictSince: null,
        failureCounters: { ...context.failureCounters, takeovers: 0 },
      };
      if (from === to) return { ...decide(context, 'enrolled'), ...noConflict };
      const detail = `Environment ${to} replaced ${from}. Each controller must be paired again.`;
      return {
        ...decide(context, 'identityReplaced', detail),
        ...noConflict,
        replaced: { from, to, at: context.env.now() },
      };
    }),
    /** A backend that does not know the identity would still enroll, so it is not the backend that answers. RC-20 */
    recordRouteMissing: assign(({ context, event }) => {
      const reported = failureOf(outcomeOf(event));
      if (reported === null) return {};
      return {
        ...decideFailure(context, { ...reported, reason: 'backendRoutesMissing' }),
        lostServerId: null,
      };
    }),
    markPersisted: assign(({ context }) => ({ persistedServerId: enrollmentOf(context)?.serverId ?? null })),
    /** The backend granted a token, so it knows the identity. */
    assignRenewedToken: assign(({ event }) =>
      event.type === 'TOKEN.RENEWED' ? { token: event.token, lostServerId: null } : {},
    ),
    markIdentityLost: assign(({ context }) => ({ lostServerId: enrollmentOf(context)?.serverId ?? null })),
    updateServerName: assign(({ context }) => {
      const enrollment = enrollmentOf(context);
      return enrollment ? { enrollment: { ...enrollment, serverName: context.serverName } } : {};
    }),
    clearToken: assign({ token: null }),
    assignSocket: assign(({ context, event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'open'
        ? { socket: got.socket, openedAt: context.env.monotonic(), conflictSince: null }
        : {};
    }),
    clearSocket: assign({ socket: null }),
    probeLink: sendTo('link', { type: 'PROBE' }),
    /**
     * Closes all virtual clients and clears the cursor, when remote control is disabled (RC-43) or the identity or account
     * changes: clients of the old one have no rights under the new one. The host reports the decision to them, so the
     * reason must be set before.
     */
    closeVirtualClients: notProvided('closeVirtualClients'),

    // Failures since the last stable link
    resetFailureCounters: assign({ failureCounters: NO_FAILURES }),
    /** The public status stays errored until an attempt succeeds, so that it does not flip at each one. RC-25 */
    markUnresolved: assign(({ context }) => ({ unresolved: context.decision })),
    clearUnresolved: assign({ unresolved: null }),
    countTokenRejection: assign(({ context }) => increment(context, 'tokenRejections')),
    countIdentityLoss: assign(({ context }) => increment(context, 'identityLosses')),
    countConflict: assign(({ context, event }) => {
      const { failureCounters, conflictSince, env } = context;
      const { conflicts, takeovers } = failureCounters;
      return {
        failureCounters: {
          ...failureCounters,
          conflicts: conflicts + 1,
          takeovers: takeovers + (isTakeover(context, event) ? 1 : 0),
        },
        conflictSince: conflictSince ?? env.monotonic(),
      };
    }),
    countTakeover: assign(({ context }) => increment(context, 'takeovers')),
    countRecovery: assign(({ context }) => increment(context, 'recoveries')),
    countUnstableLink: assign(({ context, event }) =>
      endedUnstable(event) ? increment(context, 'unstableLinks') : {},
    ),
    countNetworkCut: assign(({ context: { failureCounters } }) => ({
      failureCounters: { ...failureCounters, networkCut: failureCounters.attempt + 1 },
    })),
    deferRefresh: assign(({ context: { env, timing } }) => ({
      refreshNotBefore: env.monotonic() + between(env, timing.refreshDeferralMin, timing.refreshDeferralMax),
    })),

    // The next pause
    scheduleBackoff: assign(({ context }) => ({
      ...increment(context, 'attempt'),
      pause: backoffPause(context.env, context.timing, context.failureCounters.attempt),
    })),
    scheduleQuickRetry: assign(({ context }) =>
      pauseOf(context, between(context.env, context.timing.quickRetryMin, context.timing.quickRetryMax)),
    ),
    scheduleHandoverRetry: assign(({ context }) =>
      pauseOf(
        context,
        context.failureCounters.conflicts <= 1 ? context.timing.handoverFirst : context.timing.handoverSecond,
      ),
    ),
    scheduleAfterDeferral: assign(({ context }) =>
      pauseOf(context, Math.max(context.refreshNotBefore - context.env.monotonic(), 0)),
    ),
    scheduleAuthPoll: assign(({ context }) => pauseOf(context, context.timing.authPoll)),
    assignRetryAfter: assign(({ context: { env, timing }, event }) => {
      const at = failureOf(outcomeOf(event))?.retryAfterAt;
      return at === undefined ? {} : { retryAfter: retryAfterPause(env, timing, at) };
    }),
    /** The rest of the Retry-After. RC-25 */
    honorRetryAfter: assign(({ context: { env, retryAfter } }) => ({
      pause: pauseFor(env, Math.max(retryAfter.until - env.monotonic(), 0)),
    })),
    /** The whole pause has passed. */
    clearRetryAfter: assign({ retryAfter: { ms: 0, until: 0 } }),
  },
  guards,
  delays: {
    pause: ({ context }) => Math.min(context.pause.ms, MAX_PAUSE),
    authPoll: ({ context }) => context.timing.authPoll,
    requestLimit: ({ context }) => authorizedRequestTakes(context.timing),
    handshakeLimit: ({ context }) => handshakeTakes(context.timing),
    accountLimit: CALL_LIMITS.account,
    recoveryLimit: CALL_LIMITS.recovery,
    storeLimit: CALL_LIMITS.store,
    shutdownTimeout: ({ context }) => context.timing.shutdownTimeout,
  },
});
