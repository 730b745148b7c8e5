import type { Decision } from '../protocol/decision.js';
import type { Reason } from '../protocol/reasons.js';
import { decisionIdOf } from './decision-ids.js';

/** One decision of the engine, as `engine/audit/read` returns it. It contains no secret. */
export interface AuditRecord {
  /** RFC 3339. */
  readonly time: string;
  /** What was decided about: `remoteControl`, `account`, `pairing`, a client or a connection id. */
  readonly subject: string;
  /** The new state of the chart, or the outcome. */
  readonly decision: string;
  /** Authority mode, for connections. */
  readonly mode?: string;
  readonly reason: Reason | string;
  /** One more line for a person; null when there is none. */
  readonly detail: string | null;
  /** The id of the decision in history, log and status. Absent where no chart took a step. */
  readonly decisionId?: string;
}

export interface AuditSource {
  /** Oldest first. */
  read(): readonly AuditRecord[];
}

const byTime = (a: AuditRecord, b: AuditRecord): number => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0);

const DEFAULT_CAPACITY = 1_000;

/** The last decisions, oldest first. Above the capacity the oldest one is dropped. */
export class AuditRing {
  readonly #records: AuditRecord[] = [];
  readonly #capacity: number;
  #start = 0;
  #listeners = new Set<(record: AuditRecord) => void>();
  readonly #sources = new Set<AuditSource>();

  constructor(capacity = DEFAULT_CAPACITY) {
    this.#capacity = capacity;
  }

  add(record: AuditRecord): void {
    if (this.#records.length < this.#capacity) this.#records.push(record);
    else {
      this.#records[this.#start] = record;
      this.#start = (this.#start + 1) % this.#capacity;
    }
    for (const listener of this.#listeners) listener(record);
  }

  addDecision(subject: string, state: string, decision: Decision): void {
    const decisionId = decisionIdOf(decision);
    this.add({
      time: new Date(decision.at).toISOString(),
      subject,
      decision: state,
      reason: decision.reason,
      detail: decision.detail,
      ...(decisionId === undefined ? {} : { decisionId }),
    });
  }

  /** The newest `limit` records, oldest first. */
  read(limit = this.#capacity): readonly AuditRecord[] {
    const own = [...this.#records.slice(this.#start), ...this.#records.slice(0, this.#start)];
    const others = [...this.#sources].flatMap((source) => source.read());
    const all = others.length === 0 ? own : [...own, ...others].sort(byTime);
    return limit >= all.length ? all : all.slice(all.length - limit);
  }

  /** Adds records that are stored elsewhere, so that many of them do not displace the few that are stored here. */
  addSource(source: AuditSource): void {
    this.#sources.add(source);
  }

  onRecord(listener: (record: AuditRecord) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
