import type { AuditRecord, AuditSource } from '../observe/audit.js';
import type { Origin } from '../protocol/app-server.js';
import type { Verdict } from '../protocol/authority.js';

const CAPACITY = 1_000;

/** The name of a connection in the log, the audit and the status. */
export const connectionIdOf = (origin: string, number: number): string => `${origin}-${number}`;

/**
 * The last verdicts of the listener, as a ring of arrays. Adding one creates no object, because there may be thousands a
 * second and the garbage collector copies each object that lives for a while.
 */
export class UpgradeLog implements AuditSource {
  readonly #times = new Float64Array(CAPACITY);
  readonly #verdicts: (Verdict | undefined)[] = new Array<undefined>(CAPACITY).fill(undefined);
  /** The origin of an accepted connection, or the peer of a rejected one. */
  readonly #subjects: string[] = new Array<string>(CAPACITY).fill('');
  /** The number of an accepted connection; NaN for a rejected one. */
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
    const slot = this.#count % CAPACITY;
    this.#times[slot] = at;
    this.#verdicts[slot] = verdict;
    this.#subjects[slot] = subject;
    this.#numbers[slot] = number;
    this.#details[slot] = detail;
    this.#count += 1;
  }

  /** Oldest first. */
  read(): readonly AuditRecord[] {
    const found: AuditRecord[] = [];
    for (let i = Math.max(0, this.#count - CAPACITY); i < this.#count; i += 1) {
      const slot = i % CAPACITY;
      const verdict = this.#verdicts[slot];
      if (verdict === undefined) continue;
      found.push({
        time: new Date(this.#times[slot] ?? 0).toISOString(),
        subject: this.#subjectAt(slot),
        decision: verdict.outcome,
        mode: verdict.mode,
        reason: verdict.reason,
        detail: this.#details[slot] ?? null,
      });
    }
    return found;
  }

  #subjectAt(slot: number): string {
    const [subject, number] = [this.#subjects[slot] ?? '', this.#numbers[slot] ?? Number.NaN];
    return Number.isNaN(number) ? subject : connectionIdOf(subject, number);
  }

  /** The last rejections, the newest last. */
  lastRejections(limit: number): readonly AuditRecord[] {
    return this.read()
      .filter(({ decision }) => decision === 'rejected')
      .slice(-limit);
  }
}
