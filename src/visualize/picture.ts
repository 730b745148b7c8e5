/** What a picture of a chart shows before layout: boxes with lines of text, arrows with labels. */

import type { ChartState } from './chart.js';
import type { Ink, Line } from './lines.js';

export interface Box {
  readonly id: string;
  /** Id of the box around it; null for a box at the top level. */
  readonly parent: string | null;
  /**
   * `initial` is the dot that points to the initial state. `anywhere` is the star that stands for every state of the
   * box around it. `elsewhere` is a state that another picture shows.
   */
  readonly kind: 'state' | 'initial' | 'anywhere' | 'elsewhere';
  readonly title: string;
  readonly state: ChartState | null;
  /** It has children that another picture shows. */
  readonly folded: boolean;
  /** It is a region of a parallel state. */
  readonly region: boolean;
  /** It only decides: all that it has are transitions without an event. */
  readonly choice: boolean;
  readonly lines: readonly Line[];
  readonly tooltip: string;
}

export interface Arrow {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly ink: Ink;
  readonly lines: readonly Line[];
  /** Ids of the edges that it stands for. */
  readonly edges: readonly string[];
  /** One of them is part of the main way through the chart. */
  readonly spine: boolean;
  readonly tooltip: string;
}

export interface Picture {
  /** Name of the file: `remoteControl`, or `remoteControl.active.backingOff` for the children of a state. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Boxes before their children. */
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  /** The same picture with fewer arrows and more text, for when this one is too wide or too complex; null when there is none. */
  readonly simpler: (() => Picture) | null;
}

const MARK = { title: '', state: null, folded: false, region: false, choice: false, lines: [] } as const;

export function initialMark(parent: string): Box {
  return { ...MARK, id: `${parent} initial`, parent, kind: 'initial', tooltip: 'begins here' };
}

export function anywhereMark(parent: string, target: string, name: string): Box {
  const tooltip = `from any state in ${name}`;
  return { ...MARK, id: `${parent} any ${target}`, parent, kind: 'anywhere', tooltip };
}

export function plainArrow(source: string, target: string): Arrow {
  return {
    id: `${source} > ${target}`,
    source,
    target,
    ink: 'plain',
    lines: [],
    edges: [],
    spine: false,
    tooltip: '',
  };
}
