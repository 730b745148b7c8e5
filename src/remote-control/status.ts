import type { ActorRefFrom } from 'xstate';
import type { remoteControlMachine } from '../../machines/remote-control/machine.js';
import { type RemoteControlStatus, type StatusReport, statusOf } from '../../machines/shared/status.js';
import { decisionIdOf } from '../observe/decision-ids.js';
import type { OutboundCounters } from '../protocol/outbound-streams.js';
import { type Env, wallTimeOf } from '../protocol/timing.js';

export type RemoteControlActor = ActorRefFrom<typeof remoteControlMachine>;

/** Where the chart comes to rest: connected, off, or waiting for something. */
export const isSettled = (snapshot: ReturnType<RemoteControlActor['getSnapshot']>): boolean =>
  snapshot.hasTag('connected') || snapshot.hasTag('disabled') || snapshot.hasTag('waiting');

/** Totals of remote control since the start. */
export interface LinkCounters {
  enrollRequests: number;
  refreshRequests: number;
  dials: number;
  linksOpened: number;
  authRecoveries: number;
}

/** Totals of the frames and the virtual clients since the start. */
export interface MuxCounters extends OutboundCounters {
  framesIn: number;
  bytesIn: number;
  framesSkipped: number;
  clientsOpened: number;
}

/** The result of `remoteControl/status/read` and the content of `remoteControl/status/changed`. RC-42 */
export interface PublicStatus {
  readonly status: RemoteControlStatus;
  /** The host name, as the backend shows it. */
  readonly serverName: string;
  readonly installationId: string;
  /** Null while disabled or not enrolled. */
  readonly environmentId: string | null;
}

/** The report of the chart, and when its state was entered. */
export interface TimedReport extends StatusReport {
  /** Wall-clock ms at which the current state was entered. */
  readonly since: number;
  /** The id of the decision in history, log and audit; null: its step was not followed. */
  readonly decisionId: string | null;
  /** The id of the decision that recorded the last failure. */
  readonly lastFailureId: string | null;
}

/**
 * The check for a missing account, every second. Reported as a state of its own it would fill the log, and `since` would
 * start over each time. RC-26
 */
const isAccountCheck = (before: StatusReport, now: StatusReport): boolean =>
  before.state.startsWith('active.awaitingAuth') && now.state === 'active.loadingAuth.reloading';

type Clocks = Pick<Env, 'now' | 'monotonic'>;

/** Follows the chart and reports changes. Every status that is shown comes from it. RC-42a */
export class StatusBoard {
  readonly #actor: RemoteControlActor;
  readonly #installationId: string;
  readonly #env: Clocks;
  #report: StatusReport;
  /** Times are converted when they are read, by the clock as it is set then. */
  #snapshot: ReturnType<RemoteControlActor['getSnapshot']>;
  /** Monotonic ms. */
  #since: number;
  #lastPublic: string;
  readonly #onReport = new Set<(report: TimedReport) => void>();
  readonly #onPublic = new Set<(status: PublicStatus) => void>();

  constructor(actor: RemoteControlActor, installationId: string, env: Clocks) {
    this.#actor = actor;
    this.#installationId = installationId;
    this.#env = env;
    this.#snapshot = actor.getSnapshot();
    this.#report = statusOf(this.#snapshot);
    this.#since = env.monotonic();
    this.#lastPublic = JSON.stringify(this.publicStatus);
  }

  /** Call on each snapshot of the actor. */
  refresh(): void {
    const snapshot = this.#actor.getSnapshot();
    const report = statusOf(snapshot);
    const before = this.#report;
    if (isAccountCheck(before, report)) return;
    if (report.state !== before.state) this.#since = this.#env.monotonic();
    this.#report = report;
    this.#snapshot = snapshot;
    if (report.state !== before.state || report.reason !== before.reason || report.status !== before.status) {
      for (const listener of this.#onReport) listener(this.report);
    }
    const shown = this.publicStatus;
    const text = JSON.stringify(shown);
    // A status equal to the last one is not sent again. RC-42
    if (text === this.#lastPublic) return;
    this.#lastPublic = text;
    for (const listener of this.#onPublic) listener(shown);
  }

  get report(): TimedReport {
    const { decision, lastFailure } = this.#snapshot.context;
    return {
      ...statusOf(this.#snapshot),
      since: wallTimeOf(this.#env, this.#since),
      decisionId: decisionIdOf(decision) ?? null,
      lastFailureId: decisionIdOf(lastFailure) ?? null,
    };
  }

  get publicStatus(): PublicStatus {
    const { status, serverName, environmentId } = this.#report;
    return { status, serverName, installationId: this.#installationId, environmentId };
  }

  onReport(listener: (report: TimedReport) => void): () => void {
    this.#onReport.add(listener);
    return () => this.#onReport.delete(listener);
  }

  onPublic(listener: (status: PublicStatus) => void): () => void {
    this.#onPublic.add(listener);
    return () => this.#onPublic.delete(listener);
  }
}
