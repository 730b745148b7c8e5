/** Guards of the chart `remoteControl`. A guard with the name of an outcome holds when the actor reported that outcome. */
import { failureOf, notFound, outcome, outcomeOf } from '../shared/outcome.js';
import { accountIn, endedUnstable, enrollmentOf, isOther, isTakeover } from './context.js';
import type { RemoteControlContext, RemoteControlEvent } from './types.js';

interface Args {
  readonly context: RemoteControlContext;
  readonly event: RemoteControlEvent;
}

const tokenEndsWithin = (context: RemoteControlContext, ms: number): boolean =>
  context.token === null || context.token.expiresAt - context.env.now() <= ms;

const isLimited = ({ retryAfter, env }: RemoteControlContext): boolean => retryAfter.until > env.monotonic();

function isSameIdentity(context: RemoteControlContext, event: RemoteControlEvent): boolean {
  const current = enrollmentOf(context)?.serverId;
  if (event.type === 'ENROLLMENT.LOST') return event.serverId === current;
  return event.type === 'TOKEN.RENEWED' && event.enrollment.serverId === current;
}

/** So many takeovers since the last stable link are no handover: two engines take turns. RC-110 */
const TAKEOVERS_OF_TWO = 3;

/**
 * Another engine uses this identity: it took the connection several times since the link was stable, or holds it for
 * longer than a dead connection can. RC-110
 */
function isDuplicate(context: RemoteControlContext, event: RemoteControlEvent): boolean {
  const kind = outcomeOf(event)?.kind;
  if (kind !== 'replaced' && kind !== 'conflict') return false;
  const { conflictSince, env, timing } = context;
  const takeovers = context.failureCounters.takeovers + (isTakeover(context, event) ? 1 : 0);
  if (takeovers >= TAKEOVERS_OF_TWO) return true;
  return (
    kind === 'conflict' &&
    conflictSince !== null &&
    env.monotonic() - conflictSince >= timing.conflictPersists
  );
}

/** After the quick retries of a conflict, or when another engine takes turns with this one. */
const isLastingConflict = (context: RemoteControlContext, event: RemoteControlEvent): boolean => {
  const kind = outcomeOf(event)?.kind;
  return kind === 'conflict' || (kind === 'replaced' && isDuplicate(context, event));
};

export const guards = {
  // Configuration
  targetRefused: ({ context }: Args) => !context.target.ok,
  storeMissing: ({ context }: Args) => context.store === 'missing',
  clientNameUnknown: ({ context }: Args) => context.clientName === undefined,

  // The outcome of an actor
  usable: outcome('usable'),
  found: outcome('found'),
  none: outcome('none'),
  done: outcome('done'),
  granted: outcome('granted'),
  unauthorized: outcome('unauthorized'),
  /** Enrolling has no 404 of its own, so any 404 there means that the route is missing. RC-20 */
  routeMissing: outcome('notFound'),
  /** The backend's own 404. One of a proxy or a gateway proves nothing. RC-20 */
  notFound,
  transient: outcome('transient'),
  open: outcome('open'),
  tokenRejected: outcome('tokenRejected'),
  serverGone: outcome('serverGone'),
  ambiguousNotFound: outcome('ambiguousNotFound'),
  recovered: outcome('recovered'),
  exhausted: outcome('exhausted'),
  closedByPeer: outcome('closedByPeer'),
  replaced: outcome('replaced'),
  /** A Retry-After in the past does not count. RC-12 */
  hasRetryAfter: ({ context, event }: Args) =>
    (failureOf(outcomeOf(event))?.retryAfterAt ?? 0) > context.env.now(),
  preferenceOn: ({ event }: Args) => {
    const got = outcomeOf(event);
    return got?.kind === 'found' && got.preference === 'on';
  },
  preferenceOff: ({ event }: Args) => {
    const got = outcomeOf(event);
    return (got?.kind === 'found' || got?.kind === 'none') && got.preference === 'off';
  },
  preferenceUnset: outcome('found', 'none'),
  /** The host name or the preference changed since the record was written. RC-8a, RC-44 */
  recordOutdated: ({ context, event }: Args) => {
    const got = outcomeOf(event);
    if (got?.kind !== 'found') return false;
    return (
      got.enrollment.serverName !== context.serverName ||
      (context.preference !== 'unset' && context.preference !== got.preference)
    );
  },
  otherAccountWhilePending: ({ context, event }: Args) => {
    const account = accountIn(event);
    return account !== null && isOther(context, account) && context.activation === 'request';
  },
  otherAccountAgain: ({ context, event }: Args) => {
    const account = accountIn(event);
    return account !== null && isOther(context, account) && context.failureCounters.recoveries > 0;
  },
  otherAccountUsable: ({ context, event }: Args) => {
    const account = accountIn(event);
    return account !== null && isOther(context, account);
  },

  // The outcome of an actor together with the context
  /** The backend did not reject the identity, and the current token is still valid. RC-14 */
  refreshCanWait: ({ context, event }: Args) => {
    const got = outcomeOf(event);
    const unreachable = got?.kind === 'other' && got.failure.httpStatus === undefined;
    const ambiguous = got?.kind === 'notFound';
    return (
      (got?.kind === 'transient' || unreachable || ambiguous) &&
      !tokenEndsWithin(context, context.timing.refreshRequired)
    );
  },
  handoverLikely: ({ context, event }: Args) =>
    outcomeOf(event)?.kind === 'conflict' &&
    context.failureCounters.conflicts < 2 &&
    !isDuplicate(context, event),
  reenrollOnConflict: ({ context, event }: Args) =>
    isLastingConflict(context, event) && context.onConflict === 'reenroll',
  exitOnConflict: ({ context, event }: Args) =>
    isLastingConflict(context, event) && context.onConflict === 'exit',
  duplicateLikely: ({ context, event }: Args) => isDuplicate(context, event),
  recoveryFailedWhilePending: ({ context, event }: Args) => {
    const kind = outcomeOf(event)?.kind;
    return (kind === 'exhausted' || kind === 'transient') && context.activation === 'request';
  },
  /** These tokens stay refused after recovery. A client's request is sent to the backend all the same. RC-28 */
  refusedBefore: ({ context, event }: Args) => {
    const got = outcomeOf(event);
    return (
      got?.kind === 'usable' &&
      got.account.generation === context.refusedGeneration &&
      context.activation !== 'request'
    );
  },
  /** A link that timed out does not count, because it has its own reason. */
  lostUnstableAgain: ({ context, event }: Args) =>
    endedUnstable(event) && outcomeOf(event)?.kind === 'lost' && context.failureCounters.unstableLinks > 0,
  closedUnstableAgain: ({ context, event }: Args) =>
    endedUnstable(event) &&
    outcomeOf(event)?.kind === 'closedByPeer' &&
    context.failureCounters.unstableLinks > 0,
  identityLostBefore: ({ context }: Args) => context.failureCounters.identityLosses > 1,
  firstTokenRejection: ({ context }: Args) => context.failureCounters.tokenRejections <= 1,
  firstRecovery: ({ context }: Args) => context.failureCounters.recoveries <= 1,
  requestPending: ({ context }: Args) => context.activation === 'request',
  /** The start requires a sign-in and no account is known yet. RC-27 */
  signInRequired: ({ context }: Args) => context.activation === 'start' && context.authStartup === 'ready',
  signedOut: ({ event }: Args) => event.type === 'AUTH.CHANGED' && event.account === null,
  sameAccount: ({ context, event }: Args) =>
    event.type === 'AUTH.CHANGED' &&
    event.account !== null &&
    event.account.accountId === context.account?.accountId,
  otherAccount: ({ context, event }: Args) =>
    event.type === 'AUTH.CHANGED' &&
    event.account !== null &&
    event.account.accountId !== context.account?.accountId,
  /** Pairing reports the current identity; reports about an earlier one are outdated. */
  sameIdentity: ({ context, event }: Args) => isSameIdentity(context, event),
  sameIdentityInRetryAfter: ({ context, event }: Args) =>
    isSameIdentity(context, event) && isLimited(context),

  /**
   * A response of the backend shows that the network works, so its pause stays; other pauses are cut once an attempt.
   * RC-109
   */
  networkInDoubt: ({ context: { decision, lastFailure, failureCounters } }: Args) =>
    !(lastFailure?.httpStatus !== undefined && lastFailure.reason === decision.reason) &&
    failureCounters.networkCut !== failureCounters.attempt + 1,

  // The next step
  retryAfterActive: ({ context }: Args) => isLimited(context),
  enrollmentUnknown: ({ context }: Args) => context.enrollment === 'unknown',
  notEnrolled: ({ context }: Args) => context.enrollment === 'none',
  identityLost: ({ context }: Args) =>
    context.lostServerId !== null && enrollmentOf(context)?.serverId === context.lostServerId,
  notPersisted: ({ context }: Args) => enrollmentOf(context)?.serverId !== context.persistedServerId,
  refreshNeeded: ({ context }: Args) =>
    tokenEndsWithin(context, context.timing.refreshRequired) ||
    (tokenEndsWithin(context, context.timing.refreshProactive) &&
      context.env.monotonic() >= context.refreshNotBefore),
};
