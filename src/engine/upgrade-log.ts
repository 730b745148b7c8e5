import type { Verdict } from '../protocol/authority.js';
import type { AuditRecord, AuditSource } from './audit.js';

const CAPACITY = 1_000;

/**
 * The last verdicts of the listener, kept so that one more costs no new object: thousands a second may come, and
 * whatever stays alive for a while is copied by the collector.
 */
export class UpgradeLog implements AuditSource {
  readonly #times = new Float64Array(CAPACITY);
  readonly #verdicts: (Verdict | undefined)[] = new Array<undefined>(CAPACITY).fill(undefined);
  /** A connection's id, or where a rejected one came from and what was wrong with it. */
  readonly #subjects: string[] = new Array<string>(CAPACITY).fill('');
  readonly #details: (string | null)[] = new Array<null>(CAPACITY).fill(null);
  #count = 0;

  add(at: number, verdict: Verdict, subject: string, detail: string | null): void {
    const place = this.#count % CAPACITY;
    this.#times[place] = at;
    this.#verdicts[place] = verdict;
    this.#subjects[place] = subject;
    this.#details[place] = detail;
    this.#count += 1;
  }

  /** Oldest first. */
  read(): readonly AuditRecord[] {
    const found: AuditRecord[] = [];
    for (let i = Math.max(0, this.#count - CAPACITY); i < this.#count; i += 1) {
      const place = i % CAPACITY;
      const verdict = this.#verdicts[place];
      if (verdict === undefined) continue;
      found.push({
        time: new Date(this.#times[place] ?? 0).toISOString(),
        subject: this.#subjects[place] ?? '',
        decision: verdict.outcome,
        mode: verdict.mode,
        reason: verdict.reason,
        detail: this.#details[place] ?? null,
      });
    }
    return found;
  }

  /** The newest rejections, the newest last. */
  lastRejections(limit: number): readonly AuditRecord[] {
    return this.read()
      .filter(({ decision }) => decision === 'rejected')
      .slice(-limit);
  }
}
