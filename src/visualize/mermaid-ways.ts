/** What one diagram shows of a chart: its boxes, and each way between them. */
import type { Chart, ChartEdge, ChartState } from './chart.js';

/** A transition, seen at the boxes of a diagram. */
export interface Way {
  readonly edge: ChartEdge;
  /** The box that it leaves: a state of the diagram, or one outside. */
  readonly from: string;
  readonly to: string;
}

/** The inside of one state: its children, and those of the states in it that are open. */
export class Part {
  readonly chart: Chart;
  readonly top: ChartState;
  readonly #open: ReadonlySet<string>;
  readonly #byId: ReadonlyMap<string, ChartState>;

  /** @param open Ids of the states whose children are shown. Every other state is one box. */
  constructor(chart: Chart, top: ChartState, open: ReadonlySet<string> = new Set()) {
    this.chart = chart;
    this.top = top;
    this.#open = new Set([top.id, ...open]);
    this.#byId = new Map(chart.states.map((state) => [state.id, state]));
  }

  childrenOf(id: string): readonly ChartState[] {
    return this.chart.states.filter(({ parent }) => parent === id);
  }

  isOpen(id: string): boolean {
    return this.#open.has(id);
  }

  isInside(id: string, outer: string): boolean {
    for (let at: string | null = id; at !== null; at = this.#byId.get(at)?.parent ?? null)
      if (at === outer) return true;
    return false;
  }

  /** Each way with at least one end in this part. What happens inside one box is not shown. */
  ways(): readonly Way[] {
    const top = this.top.id;
    return this.chart.edges.flatMap((edge) =>
      edge.targets.flatMap((target): Way[] => {
        const [from, to] = [this.#boxOf(edge.source), this.#boxOf(target)];
        const isHere = this.isInside(from, top) || this.isInside(to, top);
        const isSelf = from === to && (edge.source !== target || this.#isFolded(from));
        return isHere && !isSelf ? [{ edge, from, to }] : [];
      }),
    );
  }

  #isFolded(id: string): boolean {
    return !this.isOpen(id) && this.childrenOf(id).length > 0;
  }

  /** The box that stands for a state. Outside, it is the largest state without this part in it. */
  #boxOf(id: string): string {
    const { top } = this;
    const parentOf = (state: string) => this.#byId.get(state)?.parent ?? null;
    let box = id;
    if (this.isInside(id, top.id)) {
      for (let at: string | null = id; at !== null && at !== top.id; at = parentOf(at))
        if (!this.isOpen(at)) box = at;
      return box;
    }
    if (this.isInside(top.id, id)) return id;
    for (let at = parentOf(id); at !== null && !this.isInside(top.id, at); at = parentOf(at)) box = at;
    return box;
  }
}
