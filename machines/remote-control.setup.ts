import { assign, fromPromise, sendTo, setup } from 'xstate';
import type {
  Account,
  AuthOutcome,
  DialOutcome,
  Enrollment,
  EnrollmentKey,
  EnrollOutcome,
  Failure,
  LoadEnrollmentOutcome,
  Preference,
  RecoveryOutcome,
  RefreshOutcome,
  ServerToken,
  StoreOutcome,
} from '../src/protocol/outcomes.js';
import type { Reason } from '../src/protocol/reasons.js';
import { notProvided } from './decision.js';
import { linkMachine } from './link.js';
import { failureOf, outcome, outcomeOf } from './outcome.js';
import { backoffPause, between, MAX_PAUSE, retryAfterPause } from './pauses.js';
import {
  PROVEN,
  type RemoteControlContext,
  type RemoteControlEvent,
  type RemoteControlInput,
  type RemoteControlOutput,
} from './remote-control.types.js';

export const enrollmentOf = (context: RemoteControlContext): Enrollment | null =>
  typeof context.enrollment === 'string' ? null : context.enrollment;

/** The enrollment key of the account at hand. RC-5 */
export const keyOf = (context: RemoteControlContext): EnrollmentKey => ({
  socketUrl: context.target.ok ? context.target.socketUrl : '',
  accountId: context.account?.accountId ?? '',
  clientName: context.clientName ?? null,
});

const tokenEndsWithin = (context: RemoteControlContext, ms: number): boolean =>
  context.token === null || context.token.expiresAt - context.env.now() <= ms;

const countOne = (context: RemoteControlContext, what: keyof RemoteControlContext['sinceProof']) => ({
  sinceProof: { ...context.sinceProof, [what]: context.sinceProof[what] + 1 },
});

const endedYoung = (event: { readonly type: string }): boolean => {
  const got = outcomeOf(event);
  return got !== null && 'proven' in got && !got.proven;
};

const pauseOf = (context: RemoteControlContext, ms: number) => ({
  pause: { ms, until: context.env.now() + ms },
});

const decide = (context: RemoteControlContext, reason: Reason, detail: string | null = null) => ({
  decision: { reason, detail, at: context.env.now() },
});

const decideFailure = (context: RemoteControlContext, failure: Failure) => ({
  ...decide(context, failure.reason, failure.message),
  lastFailure: failure,
});

/** What the chart of `remote-control.ts` is made of: its actors, guards, actions and delays, by name. */
export const remoteControlSetup = setup({
  types: {
    context: {} as RemoteControlContext,
    events: {} as RemoteControlEvent,
    input: {} as RemoteControlInput,
    output: {} as RemoteControlOutput,
    /** The four public statuses (RC-42); and what other parts of the engine ask of the state. */
    tags: {} as 'disabled' | 'connecting' | 'connected' | 'errored' | 'beforeIdentity' | 'waiting',
  },
  actors: {
    /** The account in memory; with `reload`, read again from its source first. */
    loadAuth: fromPromise<AuthOutcome, { reload: boolean }>(notProvided('loadAuth')),
    /** One step of the account's recovery after a 401. RC-28 */
    recoverAuth: fromPromise<RecoveryOutcome>(notProvided('recoverAuth')),
    loadEnrollment: fromPromise<LoadEnrollmentOutcome, EnrollmentKey>(notProvided('loadEnrollment')),
    saveEnrollment: fromPromise<
      StoreOutcome,
      { key: EnrollmentKey; enrollment: Enrollment | null; preference: Preference }
    >(notProvided('saveEnrollment')),
    /** Removes the stored enrollment only if it is this one. RC-22 */
    clearEnrollment: fromPromise<StoreOutcome, { key: EnrollmentKey; enrollment: Enrollment | null }>(
      notProvided('clearEnrollment'),
    ),
    enroll: fromPromise<EnrollOutcome, { account: Account | null }>(notProvided('enroll')),
    refresh: fromPromise<RefreshOutcome, { account: Account | null; enrollment: Enrollment | null }>(
      notProvided('refresh'),
    ),
    dial: fromPromise<DialOutcome, { enrollment: Enrollment | null; token: ServerToken | null }>(
      notProvided('dial'),
    ),
    link: linkMachine,
    /** Closes local clients, waits for sockets to be gone, flushes the store. RC-46 */
    drain: fromPromise<void>(notProvided('drain')),
  },
  actions: {
    /** Names why, at every transition that a person could ask about. */
    because: assign(({ context }, p: { reason: Reason }) => decide(context, p.reason)),
    /** The same, with the failure that the adapter reported. */
    becauseItFailed: assign(({ context, event }) => {
      const failure = event.type === 'ENROLLMENT.LOST' ? event.failure : failureOf(outcomeOf(event));
      return failure === null ? {} : decideFailure(context, failure);
    }),
    /** An adapter rejected, which none of ours should: keep going, but say so. */
    becauseOfFault: assign(({ context, event }) => {
      const error = 'error' in event ? event.error : undefined;
      return decideFailure(context, {
        reason: 'engineFault',
        message: `An adapter failed unexpectedly: ${error instanceof Error ? error.message : 'no message'}`,
        at: context.env.now(),
      });
    }),
    becauseLinkEnded: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got === null || !('proven' in got)) return {};
      const code = got.code === null ? '' : ` (close code ${got.code})`;
      const lived = Math.round((context.env.now() - (context.openedAt ?? context.env.now())) / 1000);
      return decideFailure(context, {
        reason: got.reason,
        message: `The link ended after ${lived} s${code}.`,
        at: context.env.now(),
      });
    }),
    becauseTargetRefused: assign(({ context }) =>
      context.target.ok ? {} : decideFailure(context, context.target.failure),
    ),
    becauseStoreMissing: assign(({ context }) =>
      decideFailure(context, {
        reason: 'storeMissing',
        message: 'Remote control needs an enrollment store and this engine has none.',
        at: context.env.now(),
      }),
    ),

    // Who wants remote control
    noteEnable: assign(({ context, event }) =>
      event.type === 'ENABLE'
        ? {
            enabledBy: event.by === 'start' ? ('start' as const) : ('request on trial' as const),
            preference: event.durable ? ('on' as const) : context.preference,
          }
        : {},
    ),
    noteWish: assign(({ context, event }) =>
      event.type === 'ENABLE' && event.durable
        ? { preference: 'on' as const }
        : { preference: context.preference },
    ),
    noteStart: assign({ enabledBy: 'start' }),
    passTrial: assign(({ context }) =>
      context.enabledBy === 'request on trial' ? { enabledBy: 'request' as const } : {},
    ),
    noteClientName: assign(({ event }) => (event.type === 'CLIENT.NAMED' ? { clientName: event.name } : {})),
    startOver: assign({ sinceProof: PROVEN, refreshNotBefore: 0 }),

    // Account, identity, token
    keepAccount: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'usable' && got?.kind !== 'recovered') return {};
      // Another account has its own identity, under its own key. RC-7
      return context.account !== null && context.account.accountId !== got.account.accountId
        ? { account: got.account, enrollment: 'unknown' as const, token: null }
        : { account: got.account };
    }),
    dropAccount: assign({ account: null, enrollment: 'unknown', token: null }),
    noteRefused: assign(({ context }) => ({ refusedGeneration: context.account?.generation ?? 0 })),
    keepLoaded: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'found' && got?.kind !== 'none') return {};
      return {
        enrollment: got.kind === 'found' ? got.enrollment : ('none' as const),
        preference: context.preference === 'unset' ? got.preference : context.preference,
      };
    }),
    keepGrant: assign(({ event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'granted' || !('token' in got)) return {};
      return 'enrollment' in got ? { enrollment: got.enrollment, token: got.token } : { token: got.token };
    }),
    keepRenewal: assign(({ event }) =>
      event.type === 'TOKEN.RENEWED' ? { enrollment: event.enrollment, token: event.token } : {},
    ),
    useHostName: assign(({ context }) => {
      const enrollment = enrollmentOf(context);
      return enrollment ? { enrollment: { ...enrollment, serverName: context.serverName } } : {};
    }),
    forgetToken: assign({ token: null }),
    forgetIdentity: assign({ enrollment: 'none', token: null }),
    keepSocket: assign(({ context, event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'open' ? { socket: got.socket, openedAt: context.env.now() } : {};
    }),
    forgetSocket: assign({ socket: null, openedAt: null }),
    probeLink: sendTo('link', { type: 'PROBE' }),
    /**
     * Ends every virtual client and forgets the cursor; the host does it. On switching off (RC-43), and whenever
     * the identity or account changes: who was let in under the old one has no business with the new one.
     */
    dropRemoteClients: notProvided('dropRemoteClients'),

    // Counting since proven life
    forgetTroubles: assign({ sinceProof: PROVEN }),
    countTokenRejection: assign(({ context }) => countOne(context, 'tokenRejections')),
    countIdentityLoss: assign(({ context }) => countOne(context, 'identityLosses')),
    countConflict: assign(({ context }) => countOne(context, 'conflicts')),
    countRecovery: assign(({ context }) => countOne(context, 'recoveries')),
    countShortLife: assign(({ context, event }) =>
      endedYoung(event) ? countOne(context, 'shortLives') : {},
    ),
    deferRefresh: assign(({ context: { env, timing } }) => ({
      refreshNotBefore: env.now() + between(env, timing.refreshDeferralMin, timing.refreshDeferralMax),
    })),

    // How long the next pause is
    pauseOnLadder: assign(({ context }) => ({
      ...countOne(context, 'rung'),
      pause: backoffPause(context.env, context.timing, context.sinceProof.rung),
    })),
    pauseBriefly: assign(({ context }) =>
      pauseOf(context, between(context.env, context.timing.quickRetryMin, context.timing.quickRetryMax)),
    ),
    pauseForHandover: assign(({ context }) =>
      pauseOf(
        context,
        context.sinceProof.conflicts <= 1 ? context.timing.handoverFirst : context.timing.handoverSecond,
      ),
    ),
    pauseUntilDeferralEnds: assign(({ context }) =>
      pauseOf(context, Math.max(context.refreshNotBefore - context.env.now(), 0)),
    ),
    pauseAsTold: assign(({ context: { env, timing, lastFailure } }) => ({
      pause: retryAfterPause(env, timing, lastFailure?.retryAfterAt ?? env.now()),
    })),
  },
  guards: {
    // What the host has given
    targetRefused: ({ context }) => !context.target.ok,
    storeMissing: ({ context }) => context.store === 'missing',
    clientNameUnknown: ({ context }) => context.clientName === undefined,

    // What an actor reported
    usable: outcome('usable'),
    found: outcome('found'),
    none: outcome('none'),
    done: outcome('done'),
    granted: outcome('granted'),
    unauthorized: outcome('unauthorized'),
    notFound: outcome('notFound'),
    transient: outcome('transient'),
    open: outcome('open'),
    tokenRejected: outcome('tokenRejected'),
    serverGone: outcome('serverGone'),
    ambiguousNotFound: outcome('ambiguousNotFound'),
    conflict: outcome('conflict'),
    recovered: outcome('recovered'),
    exhausted: outcome('exhausted'),
    closedByPeer: outcome('closedByPeer'),
    toldToWait: ({ event }) => failureOf(outcomeOf(event))?.retryAfterAt !== undefined,
    preferenceOn: ({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'found' && got.preference === 'on';
    },
    preferenceOff: ({ event }) => {
      const got = outcomeOf(event);
      return (got?.kind === 'found' || got?.kind === 'none') && got.preference === 'off';
    },
    preferenceUnset: outcome('found', 'none'),
    /** The host has another name, or another wish was made, since the record was written. RC-8a, RC-44 */
    recordOutdated: ({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'found') return false;
      return (
        got.enrollment.serverName !== context.serverName ||
        (context.preference !== 'unset' && context.preference !== got.preference)
      );
    },
    usableAsOther: ({ context, event }) => {
      const got = outcomeOf(event);
      return (
        (got?.kind === 'usable' || got?.kind === 'recovered') &&
        context.account !== null &&
        context.account.accountId !== got.account.accountId
      );
    },

    // What an actor reported, in the circumstances
    transientWithValidToken: ({ context, event }) =>
      outcomeOf(event)?.kind === 'transient' && !tokenEndsWithin(context, context.timing.refreshRequired),
    handoverLikely: ({ context, event }) =>
      outcomeOf(event)?.kind === 'conflict' && context.sinceProof.conflicts < 2,
    conflictMeansReenroll: ({ context, event }) =>
      outcomeOf(event)?.kind === 'conflict' && context.onConflict === 'reenroll',
    conflictMeansExit: ({ context, event }) =>
      outcomeOf(event)?.kind === 'conflict' && context.onConflict === 'exit',
    refusedOnTrial: ({ context, event }) => {
      const kind = outcomeOf(event)?.kind;
      return (kind === 'exhausted' || kind === 'transient') && context.enabledBy === 'request on trial';
    },
    /** The account's tokens are the very ones that the backend refused for good. */
    refusedBefore: ({ context, event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'usable' && got.account.generation === context.refusedGeneration;
    },
    endedYoungAgain: ({ context, event }) => endedYoung(event) && context.sinceProof.shortLives > 0,
    closedYoungAgain: ({ context, event }) =>
      endedYoung(event) && outcomeOf(event)?.kind === 'closedByPeer' && context.sinceProof.shortLives > 0,
    identityLostBefore: ({ context }) => context.sinceProof.identityLosses > 1,
    firstTokenRejection: ({ context }) => context.sinceProof.tokenRejections <= 1,
    firstRecovery: ({ context }) => context.sinceProof.recoveries <= 1,
    onTrial: ({ context }) => context.enabledBy === 'request on trial',
    /** A start that needs a sign-in has not seen one. RC-27 */
    authMustBeReady: ({ context }) =>
      context.enabledBy === 'start' && context.authStartup === 'ready' && context.account === null,
    signedOut: ({ event }) => event.type === 'AUTH.CHANGED' && event.account === null,
    otherAccount: ({ context, event }) =>
      event.type === 'AUTH.CHANGED' &&
      event.account !== null &&
      event.account.accountId !== context.account?.accountId,
    sameIdentity: ({ context, event }) =>
      event.type === 'ENROLLMENT.LOST' && enrollmentOf(context)?.serverId === event.serverId,

    // What comes next
    accountUnknown: ({ context }) => context.account === null,
    enrollmentUnknown: ({ context }) => context.enrollment === 'unknown',
    notEnrolled: ({ context }) => context.enrollment === 'none',
    refreshNeeded: ({ context }) =>
      tokenEndsWithin(context, context.timing.refreshRequired) ||
      (tokenEndsWithin(context, context.timing.refreshProactive) &&
        context.env.now() >= context.refreshNotBefore),
  },
  delays: {
    pause: ({ context }) => Math.min(context.pause.ms, MAX_PAUSE),
    authPoll: ({ context }) => context.timing.authPoll,
    shutdownTimeout: ({ context }) => context.timing.shutdownTimeout,
  },
});
