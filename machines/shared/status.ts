import type { SnapshotFrom } from 'xstate';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import type { remoteControlMachine } from '../remote-control/machine.js';
import { enrollmentOf } from '../remote-control/setup.js';

/** The public status. RC-42 */
export type RemoteControlStatus = 'disabled' | 'connecting' | 'connected' | 'errored';

/** What the chart says of itself, with its proof. The one projection that everything shown is made from. RC-42a */
export interface StatusReport {
  readonly status: RemoteControlStatus;
  /** Path of the active state, as `active.connecting`. */
  readonly state: string;
  readonly reason: Reason;
  readonly detail: string | null;
  readonly serverName: string;
  /** Null while disabled or not enrolled. */
  readonly environmentId: string | null;
  readonly serverId: string | null;
  readonly accountId: string | null;
  /** Wall-clock ms; the token itself is never shown. */
  readonly tokenExpiresAt: number | null;
  readonly lastFailure: Failure | null;
  /** Wall-clock ms of the next attempt, while one is waited for. */
  readonly nextAttemptAt: number | null;
  readonly openedAt: number | null;
}

type Snapshot = SnapshotFrom<typeof remoteControlMachine>;

export function statusOf(snapshot: Snapshot): StatusReport {
  const { context } = snapshot;
  const status =
    (['connected', 'errored', 'connecting'] as const).find((tag) => snapshot.hasTag(tag)) ?? 'disabled';
  const enrollment = status === 'disabled' ? null : enrollmentOf(context);
  const pausing = snapshot.hasTag('waiting') || snapshot.hasTag('pausing');
  return {
    status,
    state: statePath(snapshot.value),
    reason: context.decision.reason,
    detail: context.decision.detail,
    serverName: context.serverName,
    environmentId: enrollment?.environmentId ?? null,
    serverId: enrollment?.serverId ?? null,
    accountId: context.account?.accountId ?? null,
    tokenExpiresAt: context.token?.expiresAt ?? null,
    lastFailure: context.lastFailure,
    nextAttemptAt: pausing && context.pause.until > context.env.now() ? context.pause.until : null,
    openedAt: status === 'connected' ? context.openedAt : null,
  };
}
