/**
 * Leaves out what a chart repeats: a check each second, a ping each ten seconds. Without this a night without a sign-in would
 * fill the ring. Two rounds are recorded, the next ones are counted.
 */

/** Steps of one round at most. */
const MAX_PERIOD = 4;
/** Rounds after which the count is written, although they continue. */
const REPORT_AFTER = 600;

/** Rounds that were left out. */
export interface Repetition {
  /** Ids of the first and the last step that was left out. */
  readonly first: string;
  readonly id: string;
  readonly rounds: number;
  /** Steps in a round. */
  readonly steps: number;
}

/** What has to be written now, in this order. */
export interface Written {
  readonly repetition: Repetition | undefined;
  readonly lines: readonly string[];
}

const NOTHING: Written = { repetition: undefined, lines: [] };
/** Wall-clock times in ms. Two rounds differ in them only. */
const TIMES = /\b1\d{12}(?:\.\d+)?\b/g;

/** The steps of one chart. */
export class Repetitions {
  /** The last steps without their times, the newest one last. */
  readonly #recent: string[] = [];
  /** The round that is repeated; empty: none. */
  #round: readonly string[] = [];
  #place = 0;
  #rounds = 0;
  /** Ids of the first and the last step of the rounds that were counted. */
  #first = '';
  #last = '';
  /** Steps of the round that is not complete. */
  #pending: { readonly id: string; readonly line: string }[] = [];

  /** @param content what makes two steps the same, without id and time. @param line the line to write */
  add(content: string, line: string, id: string): Written {
    const plain = content.replace(TIMES, '');
    if (this.#round.length > 0) {
      if (plain === this.#round[this.#place]) return this.#repeated(line, id);
      const { repetition, lines } = this.end();
      this.#remember(plain);
      return { repetition, lines: [...lines, line] };
    }
    this.#remember(plain);
    return { repetition: undefined, lines: [line] };
  }

  /** Nothing more is repeated. */
  end(): Written {
    if (this.#round.length === 0) return NOTHING;
    const written = { repetition: this.#repetition(), lines: this.#pending.map(({ line }) => line) };
    this.#round = [];
    this.#place = 0;
    this.#rounds = 0;
    this.#pending = [];
    this.#recent.length = 0;
    return written;
  }

  #repeated(line: string, id: string): Written {
    this.#pending.push({ id, line });
    this.#place += 1;
    if (this.#place < this.#round.length) return NOTHING;
    this.#place = 0;
    if (this.#rounds === 0) this.#first = this.#pending[0]?.id ?? id;
    this.#last = id;
    this.#rounds += 1;
    this.#pending = [];
    if (this.#rounds < REPORT_AFTER) return NOTHING;
    const repetition = this.#repetition();
    this.#rounds = 0;
    return { repetition, lines: [] };
  }

  #repetition(): Repetition | undefined {
    if (this.#rounds === 0) return undefined;
    return { first: this.#first, id: this.#last, rounds: this.#rounds, steps: this.#round.length };
  }

  #remember(plain: string): void {
    const recent = this.#recent;
    recent.push(plain);
    if (recent.length > 2 * MAX_PERIOD) recent.shift();
    for (let period = 1; period <= MAX_PERIOD && 2 * period <= recent.length; period += 1) {
      const last = recent.slice(-period);
      const before = recent.slice(-2 * period, -period);
      if (last.every((one, index) => one === before[index])) {
        this.#round = last;
        return;
      }
    }
  }
}
