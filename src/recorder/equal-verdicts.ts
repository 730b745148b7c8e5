import type { VerdictRecord } from './format.js';

/** Equal verdicts within this time become one line, ms. */
const WINDOW = 1_000;
/** Kinds of verdicts that are counted at the same time; others are written at once. */
const MAX_KINDS = 64;

interface Counted {
  readonly first: string;
  last: VerdictRecord;
  times: number;
}

/**
 * Counts equal verdicts on upgrades: somebody who tries one token after the other must not fill the history. The first one is
 * written at once; those that follow within a second are one line with their number.
 */
export class EqualVerdicts {
  readonly #write: (record: VerdictRecord) => void;
  /** Undefined: the first one of the window was written, nothing followed yet. */
  readonly #counted = new Map<string, Counted | undefined>();
  #timer: NodeJS.Timeout | undefined;

  constructor(write: (record: VerdictRecord) => void) {
    this.#write = write;
  }

  add(record: VerdictRecord): void {
    const { outcome, reason, facts } = record;
    const kind = JSON.stringify([outcome, reason, facts]);
    const counted = this.#counted.get(kind);
    if (counted !== undefined) {
      counted.last = record;
      counted.times += 1;
    } else if (this.#counted.has(kind)) {
      this.#counted.set(kind, { first: record.id, last: record, times: 1 });
    } else {
      if (this.#counted.size < MAX_KINDS) this.#counted.set(kind, undefined);
      this.#write(record);
    }
    // A history does not keep a process alive.
    this.#timer ??= setTimeout(() => this.flush(), WINDOW).unref();
  }

  /** Writes what was counted. Call it at the end too, so that no count is lost. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const counted = [...this.#counted.values()];
    this.#counted.clear();
    for (const one of counted) {
      if (one !== undefined)
        this.#write(one.times === 1 ? one.last : { ...one.last, first: one.first, times: one.times });
    }
  }
}
