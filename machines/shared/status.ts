import type { SnapshotFrom } from 'xstate';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { wallTimeOf } from '../../src/protocol/timing.js';
import { enrollmentOf } from '../remote-control/context.js';
import type { remoteControlMachine } from '../remote-control/machine.js';
import type { ReplacedIdentity } from '../remote-control/types.js';

/** The public status. RC-42 */
export type RemoteControlStatus = 'disabled' | 'connecting' | 'connected' | 'errored';

/** The state of remote control and why. Everything that shows the status is made from this projection. RC-42a */
export interface StatusReport {
  readonly status: RemoteControlStatus;
  /** Path of the active state, for example `active.connecting`. */
  readonly state: string;
  readonly reason: Reason;
  readonly detail: string | null;
  readonly serverName: string;
  /** Null while disabled or not enrolled. */
  readonly environmentId: string | null;
  readonly serverId: string | null;
  readonly accountId: string | null;
  /** Wall-clock ms. The token itself is never shown. */
  readonly tokenExpiresAt: number | null;
  readonly lastFailure: Failure | null;
  /** The last identity that was replaced since the start: its controllers must be paired again. RC-20a */
  readonly replacedIdentity: ReplacedIdentity | null;
  /** Wall-clock ms of the next attempt; null when none is scheduled. */
  readonly nextAttemptAt: number | null;
  /** Wall-clock ms at which the current link opened; null while there is none. */
  readonly openedAt: number | null;
}

type Snapshot = SnapshotFrom<typeof remoteControlMachine>;

/** The public status of a snapshot of `remoteControl`. */
export function statusOf(snapshot: Snapshot): StatusReport {
  const { context } = snapshot;
  const phase =
    (['connected', 'errored', 'connecting'] as const).find((tag) => snapshot.hasTag(tag)) ?? 'disabled';
  // After a failure an attempt does not look like news: the status would flip at each one. RC-25
  const status = phase === 'connecting' && context.unresolved !== null ? 'errored' : phase;
  const enrollment = status === 'disabled' ? null : enrollmentOf(context);
  const { env } = context;
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
    replacedIdentity: context.replaced,
    nextAttemptAt:
      pausing && context.pause.until > env.monotonic() ? wallTimeOf(env, context.pause.until) : null,
    openedAt: status === 'connected' && context.openedAt !== null ? wallTimeOf(env, context.openedAt) : null,
  };
}
