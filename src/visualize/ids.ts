import type { Chart } from './chart.js';

/**
 * An id of letters, digits and underscores for each state, by its id in the chart: the keys of its path, joined with
 * underscores. `next` makes further ids that are not used yet.
 */
export class DiagramIds {
  readonly #used = new Set<string>();
  readonly #reserved: ReadonlySet<string>;
  readonly #ids: ReadonlyMap<string, string>;

  /** @param reserved Keywords of the diagram language, in any case. */
  constructor({ states, id: root }: Chart, reserved: readonly string[]) {
    this.#reserved = new Set(reserved.map((word) => word.toLowerCase()));
    this.#ids = new Map(
      states.map(({ id, path }) => [id, this.next(path.length === 0 ? [root] : path)] as const),
    );
  }

  of(id: string): string {
    return this.#ids.get(id) ?? id;
  }

  next(path: readonly string[]): string {
    let id = path.join('_').replace(/\W/g, '_');
    while (this.#used.has(id) || this.#reserved.has(id.toLowerCase())) id = `${id}_`;
    this.#used.add(id);
    return id;
  }
}
