/** Diagrams of parts of a chart, each small enough to read. */
import type { AnyStateMachine } from 'xstate';
import { type Chart, type ChartEdge, type ChartState, toChart } from './chart.js';
import { edgeWords, shortId } from './edge-text.js';
import { DiagramIds } from './ids.js';
import { RESERVED, sanitized } from './mermaid-text.js';
import { Part, type Way } from './mermaid-ways.js';

/** A diagram of a part has no more arrows than this, as long as fewer are possible. */
export const MAX_PART_ARROWS = 24;
/** The picture of a README is read beside text that explains it. */
const MAX_OVERVIEW_ARROWS = 32;
/** A diagram with more boxes names in them only the targets of what has no arrow: the whole diagram has the labels. */
const MAX_DETAILED_BOXES = 8;
/** Characters of a line in a box. Mermaid does not break it, so that one long line makes the whole diagram small. */
const ROW_WIDTH = 40;
/** States that more states lead to than this are named in the boxes of those; the next number is tried when there are too many arrows. */
const MAX_SOURCES = [4, 3, 2, 1];

/** One diagram of a part. */
export interface MermaidPart {
  /** `remoteControl.outline`, `remoteControl.active.enrolling`. */
  readonly name: string;
  readonly text: string;
}

/**
 * One diagram for the outline of a chart and one for each state with states in it. Empty for a chart without nested states,
 * whose only diagram is small.
 */
export function mermaidParts(machine: AnyStateMachine): readonly MermaidPart[] {
  const chart = toChart(machine);
  const composite = chart.states.filter(isComposite);
  if (composite.length < 2) return [];
  const style = fully(chart);
  return composite.map((top) => {
    const part = new Part(chart, top);
    const isLarge = part.childrenOf(top.id).length > MAX_DETAILED_BOXES;
    return {
      name: partName(chart, top),
      text: diagramOf(part, isLarge ? { ...style, row: briefly.row } : style),
    };
  });
}

/** A diagram for a README: the states of the chart and of those in `open`, and labels that name the guard or the event. */
export function toOverview(machine: AnyStateMachine, { open }: { readonly open: readonly string[] }): string {
  const chart = toChart(machine);
  const [root] = chart.states;
  if (root === undefined) return '';
  const part = new Part(chart, root, new Set(open.map((path) => `${root.id}.${path}`)));
  return diagramOf(part, briefly, MAX_OVERVIEW_ARROWS);
}

/** How a diagram describes a transition. An empty description names only the target. */
interface Style {
  readonly arrow: (edge: ChartEdge) => string;
  readonly row: (edge: ChartEdge) => string;
}

/** `(1) enroll done [granted] · enrolled` */
function fully(chart: Chart): Style {
  const words = edgeWords(chart);
  const label = (edge: ChartEdge): string => {
    const { trigger, guard } = words(edge);
    return [
      sanitized(edge.trigger.kind === 'always' ? trigger.replace('always', '') : trigger),
      guard === null ? '' : `[${guard === 'else' ? 'otherwise' : sanitized(guard)}]`,
      edge.reasons.length === 0 ? '' : `· ${sanitized(edge.reasons.join(', '))}`,
    ]
      .filter((word) => word !== '')
      .join(' ');
  };
  return { arrow: label, row: label };
}

const briefly: Style = {
  arrow: ({ trigger, guard, guardNote }) => {
    if (guard !== null) return sanitized(guardNote ?? guard);
    if (trigger.kind === 'event') return sanitized(trigger.event.toLowerCase().replaceAll(/[_.]/g, ' '));
    return trigger.kind === 'after' ? sanitized(`after ${trigger.delay}`) : '';
  },
  row: () => '',
};

/** The diagram with as many arrows as stay readable. */
function diagramOf(part: Part, style: Style, maxArrows = MAX_PART_ARROWS): string {
  const diagrams = MAX_SOURCES.map((maxSources) => new PartDiagram(part, style, maxSources));
  const found = diagrams.find(({ arrowCount }) => arrowCount <= maxArrows) ?? diagrams.at(-1);
  return `${['stateDiagram-v2', ...(found?.lines() ?? [])].join('\n')}\n`;
}

class PartDiagram {
  readonly #part: Part;
  readonly #style: Style;
  readonly #ids: DiagramIds;
  readonly #anyIds = new Map<string, string>();
  readonly #rows = new Map<string, Set<string>>();
  /** Targets that a box names without a label. */
  readonly #names = new Map<string, Set<string>>();
  readonly #arrows = new Map<string, Set<string>>();
  readonly #outside = new Set<string>();

  constructor(part: Part, style: Style, maxSources: number) {
    this.#part = part;
    this.#style = style;
    this.#ids = new DiagramIds(part.chart, RESERVED);
    const ways = part.ways();
    const drawn = drawnWays(part, ways, maxSources);
    for (const way of ways) this.#show(way, drawn);
    for (const [node, names] of this.#names) addTo(this.#rows, node, `→ ${[...names].join(', ')}`);
    this.#showSources(ways, drawn);
  }

  get arrowCount(): number {
    return this.#arrows.size;
  }

  /** Draws a way as an arrow, or writes it into the box that it leaves. */
  #show({ edge, from, to }: Way, drawn: ReadonlySet<string>): void {
    const { top } = this.#part;
    const isFromOutside = !this.#part.isInside(from, top.id);
    if (isFromOutside && !drawn.has(pairOf({ from, to }))) return;
    if (isFromOutside) this.#outside.add(from);
    const source = this.#sourceNode(from);
    const target = to === top.id ? (top.initial ?? to) : to;
    if (target === top.id || !drawn.has(pairOf({ from, to }))) {
      const label = this.#style.row(edge);
      const name = target === top.id ? top.key : this.#nameOf(to);
      if (label === '') addTo(this.#names, source, name);
      else addTo(this.#rows, source, `${label} → ${name}`);
      return;
    }
    if (!this.#part.isInside(target, top.id)) this.#outside.add(target);
    const key = `${source} --> ${this.#ids.of(target)}`;
    addTo(this.#arrows, key, this.#style.arrow(edge));
  }

  /** Writes into a box what leads to it without an arrow. */
  #showSources(ways: readonly Way[], drawn: ReadonlySet<string>): void {
    const { top } = this.#part;
    const sources = new Map<string, Set<string>>();
    for (const { from, to } of ways) {
      if (drawn.has(pairOf({ from, to }))) continue;
      const box = to === top.id ? (top.initial ?? to) : to;
      if (!this.#part.isInside(box, top.id)) continue;
      const name =
        from === top.id
          ? 'any state here'
          : this.#part.isInside(top.id, from)
            ? `all of ${sanitized(shortId(this.#part.chart, from))}`
            : this.#nameOf(from);
      addTo(sources, box, name);
    }
    for (const [box, names] of sources)
      addTo(this.#rows, this.#sourceNode(box), `from ${[...names].join(', ')}`);
  }

  /** The name of a box: its key here, its path when it lies outside. */
  #nameOf(id: string): string {
    const { chart, top } = this.#part;
    return this.#part.isInside(id, top.id) ? sanitized(keyOf(chart, id)) : sanitized(shortId(chart, id));
  }

  /** The node that an arrow starts at. A state whose inside is shown has a node "in any state". */
  #sourceNode(id: string): string {
    return this.#part.isOpen(id) ? this.#anyNode(id) : this.#ids.of(id);
  }

  #anyNode(id: string): string {
    const known = this.#anyIds.get(id);
    if (known !== undefined) return known;
    const path = this.#part.chart.states.find((state) => state.id === id)?.path ?? [];
    const made = this.#ids.next([...path, 'any']);
    this.#anyIds.set(id, made);
    return made;
  }

  *lines(): Generator<string> {
    yield '  classDef any stroke-dasharray: 4 4';
    yield '  classDef outside stroke-dasharray: 2 4';
    yield '  classDef folded stroke-width: 3px';
    yield* this.#inside(this.#part.top, '  ');
    for (const id of this.#outside) {
      yield `  state "${sanitized(shortId(this.#part.chart, id))}" as ${this.#ids.of(id)}`;
      yield `  class ${this.#ids.of(id)} outside`;
    }
    for (const [arrow, labels] of this.#arrows) {
      const text = [...labels].filter((label) => label !== '').join('<br/>');
      yield text === '' ? `  ${arrow}` : `  ${arrow} : ${text}`;
    }
  }

  *#inside(state: ChartState, indent: string): Generator<string> {
    if (state.initial !== null) yield `${indent}[*] --> ${this.#ids.of(state.initial)}`;
    const any = this.#anyIds.get(state.id);
    if (any !== undefined) {
      yield `${indent}state "in any state" as ${any}`;
      yield* this.#rowLines(any, indent);
      yield `${indent}class ${any} any`;
    }
    for (const child of this.#part.childrenOf(state.id)) yield* this.#stateLines(child, indent);
  }

  *#stateLines(state: ChartState, indent: string): Generator<string> {
    const id = this.#ids.of(state.id);
    const title = `${sanitized(state.key)}${state.kind === 'parallel' ? ' (all at once)' : ''}`;
    if (this.#part.isOpen(state.id)) {
      yield `${indent}state "${title}" as ${id} {`;
      yield* this.#inside(state, `${indent}  `);
      yield `${indent}}`;
      return;
    }
    yield `${indent}state "${title}" as ${id}`;
    yield* this.#rowLines(id, indent);
    if (isComposite(state)) yield `${indent}class ${id} folded`;
    if (state.kind === 'final') yield `${indent}${id} --> [*]`;
  }

  *#rowLines(node: string, indent: string): Generator<string> {
    for (const row of this.#rows.get(node) ?? [])
      for (const line of brokenAtSpaces(row)) yield `${indent}${node} : ${line}`;
  }
}

/**
 * The pairs of boxes with an arrow between them: those of the main way, and those to a state that no more than so many states
 * lead to. A box without an arrow gets its first way in and its first way out.
 */
function drawnWays(part: Part, ways: readonly Way[], maxSources: number): ReadonlySet<string> {
  const { top } = part;
  const isHere = (id: string) => part.isInside(id, top.id);
  const within = ways.filter(({ from }) => isHere(from));
  const sources = new Map<string, Set<string>>();
  for (const { from, to } of within) if (from !== to) addTo(sources, to, from);
  const isHub = (id: string) => (sources.get(id)?.size ?? 0) > maxSources;
  const drawn = within.filter(({ edge, to }) => edge.spine || !isHub(to));
  const others = ways.filter(({ from, to }) => from !== to && to !== top.id);
  for (const end of ['from', 'to'] as const) {
    for (const box of new Set(others.map((way) => way[end]).filter(isHere))) {
      if (box === top.id || (end === 'to' && box === top.initial)) continue;
      if (drawn.some((way) => way[end] === box && way.from !== way.to)) continue;
      const candidates = others.filter((way) => way[end] === box);
      const first = candidates.find(({ from }) => isHere(from)) ?? candidates[0];
      if (first !== undefined) drawn.push(first);
    }
  }
  return new Set(drawn.map(pairOf));
}

const pairOf = ({ from, to }: Pick<Way, 'from' | 'to'>): string => `${from} --> ${to}`;

function partName(chart: Chart, { path }: ChartState): string {
  if (path.length > 0) return [chart.id, ...path].join('.');
  // A state of this name would have a diagram of the same name.
  const hasState = chart.states.some((state) => state.path.length === 1 && state.key === 'outline');
  return `${chart.id}.${hasState ? 'outline_' : 'outline'}`;
}

function brokenAtSpaces(text: string): readonly string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= ROW_WIDTH)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

const keyOf = ({ states }: Chart, id: string): string => states.find((state) => state.id === id)?.key ?? id;

const isComposite = ({ kind }: ChartState): boolean => kind === 'compound' || kind === 'parallel';

function addTo(sets: Map<string, Set<string>>, key: string, item: string): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([item]));
  else set.add(item);
}
