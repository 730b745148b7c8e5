import { type RemoteControlStatus, type StatusReport, statusOf } from '../../machines/shared/status.js';
import type { RemoteControlActor } from './service.js';

/** What `remoteControl/status/read` answers and `remoteControl/status/changed` carries. RC-42 */
export interface PublicStatus {
  readonly status: RemoteControlStatus;
  readonly serverName: string;
  readonly installationId: string;
  readonly environmentId: string | null;
}

/** The chart's report and when its state was entered. */
export interface TimedReport extends StatusReport {
  /** Wall-clock ms at which the present state was entered. */
  readonly since: number;
}

/**
 * The look for a missing account, each second: told as a state of its own it would fill every log, and "since
 * when" would start over each time. RC-26
 */
const isLook = (before: StatusReport, now: StatusReport): boolean =>
  before.state.startsWith('active.awaitingAuth') && now.state === 'active.loadingAuth.reloading';

/** Watches the chart and tells what changed: the one place that status is read from. RC-42a */
export class StatusBoard {
  readonly #actor: RemoteControlActor;
  readonly #installationId: string;
  readonly #now: () => number;
  #report: StatusReport;
  #since: number;
  #lastPublic: string;
  readonly #onReport = new Set<(report: TimedReport) => void>();
  readonly #onPublic = new Set<(status: PublicStatus) => void>();

  constructor(actor: RemoteControlActor, installationId: string, now: () => number) {
    this.#actor = actor;
    this.#installationId = installationId;
    this.#now = now;
    this.#report = statusOf(actor.getSnapshot());
    this.#since = now();
    this.#lastPublic = JSON.stringify(this.publicStatus);
  }

  /** Call on each snapshot of the actor. */
  refresh(): void {
    const report = statusOf(this.#actor.getSnapshot());
    const before = this.#report;
    if (isLook(before, report)) return;
    if (report.state !== before.state) this.#since = this.#now();
    this.#report = report;
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
    return { ...this.#report, since: this.#since };
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
