interface Frame<Item> {
  /** Who is in this step. */
  readonly owner: object;
  readonly began: number;
  /** What was reported since it began, in order. */
  readonly effects: Item[];
}

/**
 * Puts causes before their effects. XState reports a step when it is over, and so after the steps that it caused in
 * other actors. Here what is reported within a step waits until the step itself is reported.
 */
export class CausalOrder<Item> {
  readonly #emit: (item: Item) => void;
  readonly #now: () => number;
  #frames: Frame<Item>[] = [];
  #scheduled = false;

  constructor(emit: (item: Item) => void, now: () => number) {
    this.#emit = emit;
    this.#now = now;
  }

  /** A step begins. */
  begin(owner: object): void {
    this.#frames.push({ owner, began: this.#now(), effects: [] });
    if (this.#scheduled) return;
    this.#scheduled = true;
    // All steps of a turn are over at its end. One that XState did not report holds nothing back.
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#release(0, undefined);
    });
  }

  isIn(owner: object): boolean {
    return this.#frames.some((frame) => frame.owner === owner);
  }

  /** When its step began; now when it is in none. */
  timeOf(owner: object): number {
    return this.#frames.findLast((frame) => frame.owner === owner)?.began ?? this.#now();
  }

  /** Something happened that ends no step. */
  add(item: Item): void {
    const within = this.#frames.at(-1);
    if (within === undefined) this.#emit(item);
    else within.effects.push(item);
  }

  /** The step of this owner is over. @param item what it was; undefined: nothing to record */
  end(owner: object, item: Item | undefined): void {
    const index = this.#frames.findLastIndex((frame) => frame.owner === owner);
    if (index !== -1) this.#release(index, item);
    else if (item !== undefined) this.add(item);
  }

  #release(index: number, cause: Item | undefined): void {
    const over = this.#frames.splice(index);
    if (cause !== undefined) this.add(cause);
    for (const { effects } of over) for (const effect of effects) this.add(effect);
  }
}
