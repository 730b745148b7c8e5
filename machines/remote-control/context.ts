/** What guards and actions of the chart `remoteControl` read from its context and events. */
import type { Account, Enrollment, EnrollmentKey } from '../../src/protocol/outcomes.js';
import { outcomeOf } from '../shared/outcome.js';
import type { RemoteControlContext, RemoteControlEvent } from './types.js';

type AnEvent = { readonly type: string } | RemoteControlEvent;

/** The current identity; null when it is unknown or there is none. */
export const enrollmentOf = (context: RemoteControlContext): Enrollment | null =>
  typeof context.enrollment === 'string' ? null : context.enrollment;

/** The enrollment key of the current account. RC-5 */
export const keyOf = (context: RemoteControlContext): EnrollmentKey => ({
  socketUrl: context.target.ok ? context.target.socketUrl : '',
  accountId: context.account?.accountId ?? '',
  clientName: context.clientName ?? null,
});

/** The valid account in an event; null when it has none. */
export const accountIn = (event: AnEvent): Account | null => {
  if (event.type === 'AUTH.CHANGED' && 'account' in event) return event.account;
  const got = outcomeOf(event);
  return got?.kind === 'usable' || got?.kind === 'recovered' ? got.account : null;
};

/** True when the account differs from the current one. */
export const isOther = (context: RemoteControlContext, account: Account): boolean =>
  context.account !== null && context.account.accountId !== account.accountId;

/** True when the event says that a link ended before it was stable. */
export const endedUnstable = (event: AnEvent): boolean => {
  const got = outcomeOf(event);
  return got !== null && 'stable' in got && !got.stable;
};

/** True when another connection took the place of ours: it replaced the link, or holds the connection that we had. RC-110 */
export const isTakeover = (context: RemoteControlContext, event: AnEvent): boolean => {
  const kind = outcomeOf(event)?.kind;
  if (kind === 'replaced') return true;
  return kind === 'conflict' && context.openedAt !== null && context.conflictSince === null;
};
