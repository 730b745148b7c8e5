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
} from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { linkMachine } from '../link.js';
import { backoffPause, between, MAX_PAUSE, retryAfterPause } from '../shared/backoff.js';
import { notProvided } from '../shared/decision.js';
import { failureOf, outcome, outcomeOf } from '../shared/outcome.js';
import {
  NO_FAILURES,
  type RemoteControlContext,
  type RemoteControlEvent,
  type RemoteControlInput,
  type RemoteControlOutput,
} from './types.js';

export const enrollmentOf = (context: RemoteControlContext): Enrollment | null =>
  typeof context.enrollment === 'string' ? null : context.enrollment;

/** The enrollment key of the account at hand. RC-5 */
export const keyOf = (context: RemoteControlContext): EnrollmentKey => ({
  socketUrl: context.target.ok ? context.target.socketUrl : '',
  accountId: context.account?.accountId ?? '',
  clientName: context.clientName ?? null,
});

/** What is known of an account that has just come, or is gone. */
const NOTHING_KNOWN = {
  enrollment: 'unknown',
  keptServerId: null,
  preference: 'unset',
  token: null,
} as const;

/** The usable account that an event brought. */
const accountIn = (event: { readonly type: string } | RemoteControlEvent): Account | null => {
  if (event.type === 'AUTH.CHANGED' && 'account' in event) return event.account;
  const got = outcomeOf(event);
  return got?.kind === 'usable' || got?.kind === 'recovered' ? got.account : null;
};

const isOther = (context: RemoteControlContext, account: Account): boolean =>
  context.account !== null && context.account.accountId !== account.accountId;

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
    /** The account in memory; with `reload`, read again from its source first. */
    loadAuth: fromPromise<AuthOutcome, { reload: boolean }>(notProvided('loadAuth')),
    /** One step of the account's recovery after a 401. RC-28 */
    recoverAuth: fromPromise<RecoveryOutcome, { readonly asked: boolean }>(notProvided('recoverAuth')),
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
    /** A wish for good is tried while somebody waits for the answer; one for now is like a start: it goes on from there. */
    noteEnable: assign(({ event }) => {
      if (event.type !== 'ENABLE') return {};
      return { trial: event.by === 'request' && !event.durable ? ('passed' as const) : event.by };
    }),
    /** The host writes it where a record exists; a record that is written later must not undo it. RC-44 */
    noteWish: assign(({ event }) => {
      if (event.type !== 'ENABLE' && event.type !== 'DISABLE') return {};
      if (!event.durable) return {};
      return { preference: event.type === 'ENABLE' ? ('on' as const) : ('off' as const) };
    }),
    noteStart: assign({ trial: 'start' }),
    passTrial: assign(({ context }) => (context.trial === 'request' ? { trial: 'passed' as const } : {})),
    noteClientName: assign(({ event }) => (event.type === 'CLIENT.NAMED' ? { clientName: event.name } : {})),
    startOver: assign({ sinceProof: NO_FAILURES, refreshNotBefore: 0 }),

    // Account, identity, token
    keepAccount: assign(({ context, event }) => {
      const account = accountIn(event);
      if (account === null) return {};
      return {
        account,
        trial: context.trial === 'start' ? ('passed' as const) : context.trial,
        // Another account has its own identity and its own wish, under its own key. RC-7
        ...(isOther(context, account) ? NOTHING_KNOWN : {}),
      };
    }),
    dropAccount: assign(({ context }) =>
      context.account === null ? {} : { account: null, ...NOTHING_KNOWN },
    ),
    noteRefused: assign(({ context, event }) => ({
      refusedGeneration: context.account?.generation ?? null,
      refusedBecause: failureOf(outcomeOf(event)),
    })),
    /** What ended recovery says more than that the tokens were refused. */
    becauseStillRefused: assign(({ context }) => {
      const failure = context.refusedBecause;
      return failure === null ? decide(context, 'authRejected') : decideFailure(context, failure);
    }),
    /** Whoever asked to enable meant the account before. ACC-46 */
    becauseAccountChanged: assign(({ context }) =>
      decideFailure(context, {
        reason: 'authChanged',
        message: 'remote control authentication changed',
        at: context.env.now(),
      }),
    ),
    keepLoaded: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'found' && got?.kind !== 'none') return {};
      return {
        enrollment: got.kind === 'found' ? got.enrollment : ('none' as const),
        keptServerId: got.kind === 'found' ? got.enrollment.serverId : null,
        preference: context.preference === 'unset' ? got.preference : context.preference,
      };
    }),
    keepGrant: assign(({ event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'granted' || !('token' in got)) return {};
      return 'enrollment' in got ? { enrollment: got.enrollment, token: got.token } : { token: got.token };
    }),
    noteKept: assign(({ context }) => ({ keptServerId: enrollmentOf(context)?.serverId ?? null })),
    keepRenewal: assign(({ event }) => (event.type === 'TOKEN.RENEWED' ? { token: event.token } : {})),
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
    forgetSocket: assign({ socket: null }),
    probeLink: sendTo('link', { type: 'PROBE' }),
    /**
     * Ends every virtual client and forgets the cursor; the host does it. On switching off (RC-43), and whenever
     * the identity or account changes: who was let in under the old one has no business with the new one. The
     * decision says why, so it is made before.
     */
    dropRemoteClients: notProvided('dropRemoteClients'),

    // Counting since proven life
    forgetTroubles: assign({ sinceProof: NO_FAILURES }),
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
    pauseUntilNextLook: assign(({ context }) => pauseOf(context, context.timing.authPoll)),
    noteRetryAfter: assign(({ context: { env, timing }, event }) => {
      const at = failureOf(outcomeOf(event))?.retryAfterAt;
      return at === undefined ? {} : { quiet: retryAfterPause(env, timing, at) };
    }),
    /** What is left of it; a wall clock that was set back does not make it longer than it was. */
    pauseAsTold: assign(({ context: { env, quiet } }) => {
      const ms = Math.min(Math.max(quiet.until - env.now(), 0), quiet.ms);
      return { pause: { ms, until: env.now() + ms } };
    }),
    /** The whole pause was waited for, whatever became of the wall clock. */
    forgetRetryAfter: assign({ quiet: { ms: 0, until: 0 } }),
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
    recovered: outcome('recovered'),
    exhausted: outcome('exhausted'),
    closedByPeer: outcome('closedByPeer'),
    /** A Retry-After that has passed already is none. RC-12 */
    toldToWait: ({ context, event }) => (failureOf(outcomeOf(event))?.retryAfterAt ?? 0) > context.env.now(),
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
    usableAsOtherOnTrial: ({ context, event }) => {
      const account = accountIn(event);
      return account !== null && isOther(context, account) && context.trial === 'request';
    },
    usableAsOther: ({ context, event }) => {
      const account = accountIn(event);
      return account !== null && isOther(context, account);
    },

    // What an actor reported, in the circumstances
    /** Nothing was said against the identity, and the token at hand will do. */
    refreshCanWait: ({ context, event }) => {
      const got = outcomeOf(event);
      const unanswered = got?.kind === 'other' && got.failure.httpStatus === undefined;
      return (
        (got?.kind === 'transient' || unanswered) && !tokenEndsWithin(context, context.timing.refreshRequired)
      );
    },
    handoverLikely: ({ context, event }) =>
      outcomeOf(event)?.kind === 'conflict' && context.sinceProof.conflicts < 2,
    conflictMeansReenroll: ({ context, event }) =>
      outcomeOf(event)?.kind === 'conflict' && context.onConflict === 'reenroll',
    conflictMeansExit: ({ context, event }) =>
      outcomeOf(event)?.kind === 'conflict' && context.onConflict === 'exit',
    refusedOnTrial: ({ context, event }) => {
      const kind = outcomeOf(event)?.kind;
      return (kind === 'exhausted' || kind === 'transient') && context.trial === 'request';
    },
    /** The account's tokens are the very ones that the backend refused for good. Who asks is told by the backend. */
    refusedBefore: ({ context, event }) => {
      const got = outcomeOf(event);
      return (
        got?.kind === 'usable' &&
        got.account.generation === context.refusedGeneration &&
        context.trial !== 'request'
      );
    },
    /** Silence is no drop: it keeps its own reason. */
    lostYoungAgain: ({ context, event }) =>
      endedYoung(event) && outcomeOf(event)?.kind === 'lost' && context.sinceProof.shortLives > 0,
    closedYoungAgain: ({ context, event }) =>
      endedYoung(event) && outcomeOf(event)?.kind === 'closedByPeer' && context.sinceProof.shortLives > 0,
    identityLostBefore: ({ context }) => context.sinceProof.identityLosses > 1,
    firstTokenRejection: ({ context }) => context.sinceProof.tokenRejections <= 1,
    firstRecovery: ({ context }) => context.sinceProof.recoveries <= 1,
    onTrial: ({ context }) => context.trial === 'request',
    /** A start that needs a sign-in has not seen one yet. RC-27 */
    authMustBeReady: ({ context }) => context.trial === 'start' && context.authStartup === 'ready',
    signedOut: ({ event }) => event.type === 'AUTH.CHANGED' && event.account === null,
    sameAccount: ({ context, event }) =>
      event.type === 'AUTH.CHANGED' &&
      event.account !== null &&
      event.account.accountId === context.account?.accountId,
    otherAccount: ({ context, event }) =>
      event.type === 'AUTH.CHANGED' &&
      event.account !== null &&
      event.account.accountId !== context.account?.accountId,
    /** Pairing speaks of the identity in use; news about any other comes too late. */
    sameIdentity: ({ context, event }) => {
      const current = enrollmentOf(context)?.serverId;
      if (event.type === 'ENROLLMENT.LOST') return event.serverId === current;
      return event.type === 'TOKEN.RENEWED' && event.enrollment.serverId === current;
    },

    // What comes next
    toldToBeQuiet: ({ context }) => context.quiet.until > context.env.now(),
    enrollmentUnknown: ({ context }) => context.enrollment === 'unknown',
    notEnrolled: ({ context }) => context.enrollment === 'none',
    notKept: ({ context }) => enrollmentOf(context)?.serverId !== context.keptServerId,
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
