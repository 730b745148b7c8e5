import type { AuditRecord, AuditSource } from '../observe/audit.js';
import type { Origin } from '../protocol/app-server.js';
import type { Verdict } from '../protocol/authority.js';

const CAPACITY = 1_000;

/** How the log, the audit and status call a connection. */
export const connectionIdOf = (origin: string, number: number): string => `${origin}-${number}`;

/**
 * The last verdicts of the listener, kept so that one more costs no new object: thousands a second may come, and
 * whatever stays alive for a while is copied by the collector.
 */
export class UpgradeLog implements AuditSource {
  readonly #times = new Float64Array(CAPACITY);
  readonly #verdicts: (Verdict | undefined)[] = new Array<undefined>(CAPACITY).fill(undefined);
  /** What an accepted one came over, or where a rejected one came from and what was wrong with it. */
  readonly #subjects: string[] = new Array<string>(CAPACITY).fill('');
  /** The number of an accepted one; NaN: it was rejected. */
  readonly #numbers = new Float64Array(CAPACITY);
  readonly #details: (string | null)[] = new Array<null>(CAPACITY).fill(null);
  #count = 0;

  addAccepted(at: number, verdict: Verdict, origin: Origin, number: number): void {
    this.#add(at, verdict, origin, number, null);
  }

  addRejected(at: number, verdict: Verdict, peer: string, detail: string | null): void {
    this.#add(at, verdict, peer, Number.NaN, detail);
  }

  #add(at: number, verdict: Verdict, subject: string, number: number, detail: string | null): void {
    const place = this.#count % CAPACITY;
    this.#times[place] = at;
    this.#verdicts[place] = verdict;
    this.#subjects[place] = subject;
    this.#numbers[place] = number;
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
        subject: this.#subjectAt(place),
        decision: verdict.outcome,
        mode: verdict.mode,
        reason: verdict.reason,
        detail: this.#details[place] ?? null,
      });
    }
    return found;
  }

  #subjectAt(place: number): string {
    const [subject, number] = [this.#subjects[place] ?? '', this.#numbers[place] ?? Number.NaN];
    return Number.isNaN(number) ? subject : connectionIdOf(subject, number);
  }

  /** The newest rejections, the newest last. */
  lastRejections(limit: number): readonly AuditRecord[] {
    return this.read()
      .filter(({ decision }) => decision === 'rejected')
      .slice(-limit);
  }
}
