/** Builds a picture from a chart. */

import type { Chart, ChartEdge, ChartState, Trigger } from './chart.js';
import { type EdgeWords, edgeText, edgeWords, shortId, withoutReasonActions } from './edge-text.js';
import { distinct, type Ink, type Line, type Span, wrap } from './lines.js';
import { type Arrow, anywhereMark, type Box, initialMark, type Picture, plainArrow } from './picture.js';
import { type Link, selectLinks } from './selection.js';

const ROW_WIDTH = 155;
/** A box with children has more room. */
const GROUP_ROW_WIDTH = 320;
const LABEL_WIDTH = 150;
const OVERVIEW_LABEL_WIDTH = 112;
/** A label gets this part of its width when the picture is too wide otherwise. */
const NARROW = 0.68;
const MAX_LABEL_LINES = 48;

interface PictureOptions {
  /** Name of the picture. Default: the id of `top`. */
  readonly name?: string;
  /** Show states and triggers, but not their actions. Default false. */
  readonly overview?: boolean;
}

/** Builds the picture of the state `top`. It shows the children of the states in `open`; other states are folded. */
export class PictureBuilder {
  readonly #chart: Chart;
  readonly #top: ChartState;
  readonly #states: readonly ChartState[];
  readonly #boxIds = new Map<string, string>();
  readonly #byId: ReadonlyMap<string, ChartState>;
  readonly #open: ReadonlySet<string>;
  readonly #words: (edge: ChartEdge) => EdgeWords;

  readonly #pictureName: string;
  readonly #overview: boolean;

  constructor(chart: Chart, top: ChartState, open: ReadonlySet<string>, options: PictureOptions = {}) {
    const { name = top.id, overview = false } = options;
    this.#overview = overview;
    this.#pictureName = name;
    this.#chart = chart;
    this.#top = top;
    this.#open = open;
    this.#words = edgeWords(chart);
    this.#byId = new Map(chart.states.map((state) => [state.id, state]));
    this.#states = chart.states.filter(
      ({ id, parent }) => id === top.id || (parent !== null && open.has(parent)),
    );
    for (const { id } of this.#states) this.#boxIds.set(id, id);
    for (const { id, parent } of chart.states) {
      const box = parent === null ? undefined : this.#boxIds.get(parent);
      if (!this.#boxIds.has(id) && box !== undefined && !open.has(box)) this.#boxIds.set(id, box);
    }
  }

  /**
   * @param level How much is drawn as arrows; 0 is the most.
   * @param narrow Labels get less width.
   */
  build(level = 0, narrow = false): Picture {
    const links = this.#links();
    const { drawn, written, hubs, isSimplest } = selectLinks(links, level, {
      states: this.#states,
      isInside: (id, outer) => this.#isInside(id, outer),
    });
    const arrows: Arrow[] = [];
    const marks: Box[] = [];
    for (const group of groupBy(drawn, ({ source, target }) => `${source} ${target}`)) {
      const [{ source, target } = { source: '', target: '' }] = group;
      if (target === null) continue;
      const isInner = this.#isInside(target, source);
      if (isInner) marks.push(anywhereMark(source, target, this.#name(source)));
      const from = isInner ? `${source} any ${target}` : source;
      arrows.push(this.#arrow(from, target, group, narrow));
    }
    for (const state of this.#states) {
      const first = state.initial === null ? undefined : this.#boxIds.get(state.initial);
      if (!this.#open.has(state.id) || first === undefined) continue;
      marks.push(initialMark(state.id));
      arrows.push(plainArrow(`${state.id} initial`, first));
    }
    const elsewhere = [...new Set(drawn.flatMap(({ target }) => target ?? []))].filter(
      (id) => !this.#boxIds.has(id),
    );
    return {
      name: this.#pictureName,
      title: this.#top.id,
      description: this.#top.description,
      boxes: [
        ...this.#states.map((state) => this.#box(state, written, links, hubs)),
        ...marks,
        ...elsewhere.map((id) => this.#elsewhereBox(id)),
      ],
      arrows,
      simpler: isSimplest ? (narrow ? null : () => this.build(level, true)) : () => this.build(level + 1),
    };
  }

  #links(): Link[] {
    return this.#chart.edges.flatMap((edge): Link[] => {
      const source = this.#boxIds.get(edge.source);
      if (source === undefined) return [];
      if (edge.targets.length === 0) return edge.source === source ? [{ edge, source, target: null }] : [];
      return edge.targets.flatMap((id) => {
        const target = this.#boxIds.get(id) ?? id;
        // An edge inside a folded box belongs to the picture of that box.
        return target === source && edge.source !== source ? [] : [{ edge, source, target }];
      });
    });
  }

  #isInside(id: string, outer: string): boolean {
    const parent = this.#byId.get(id)?.parent ?? null;
    return parent !== null && (parent === outer || this.#isInside(parent, outer));
  }

  #name(id: string): string {
    return this.#byId.get(id)?.key ?? id;
  }

  #arrow(source: string, target: string, group: readonly Link[], narrow: boolean): Arrow {
    const width = this.#overview ? OVERVIEW_LABEL_WIDTH : LABEL_WIDTH;
    const limit = narrow ? width * NARROW : width;
    const lines = distinct(
      group.map(({ edge }) => {
        const triggerLines = wrap(this.#triggerSpans(edge), limit);
        // The actions of an edge that starts inside a folded box are in the picture of that box.
        const brief = this.#overview || this.#boxIds.get(edge.source) !== edge.source;
        const actions = withoutReasonActions(edge.actions);
        return brief || actions.length === 0
          ? triggerLines
          : [...triggerLines, ...wrap([{ text: `/\u00a0${actions.join(', ')}`, ink: 'faint' }], limit)];
      }),
    ).flat();
    const shown = lines.length > MAX_LABEL_LINES ? lines.slice(0, MAX_LABEL_LINES - 1) : lines;
    const more = lines.length - shown.length;
    return {
      id: `${source} > ${target}`,
      source,
      target,
      ink: inkOf(group[0]?.edge.trigger),
      lines: more > 0 ? [...shown, ...wrap([{ text: `… ${more} more`, ink: 'faint' }], limit)] : shown,
      edges: group.map(({ edge }) => edge.id),
      spine: group.some(({ edge }) => edge.spine),
      tooltip: group.map(({ edge }) => this.#edgeTooltip(edge)).join('\n'),
    };
  }

  #edgeTooltip(edge: ChartEdge): string {
    return edgeText(this.#chart, edge) + (edge.description === '' ? '' : ` – ${edge.description}`);
  }

  #triggerSpans(edge: ChartEdge): Span[] {
    const ink = inkOf(edge.trigger);
    const { trigger, guard } = this.#words(edge);
    // An overview leaves out some of the guards, so their order would have gaps.
    const shown = this.#overview ? trigger.replace(/^\(\d+\) /, '') : trigger;
    const spans: Span[] = [{ text: shown.replace(/ (m?s|min)\)$/, '\u00a0$1)'), ink }];
    if (guard !== null) spans.push({ text: ` [${guard}]`, ink: edge.guard === null ? 'faint' : ink });
    // The actions of an edge name its reasons only in the picture that shows its source.
    if (!this.#overview && this.#boxIds.get(edge.source) === edge.source) {
      for (const reason of edge.reasons) spans.push({ text: ` · ${reason}`, ink: 'plain' });
    }
    return spans;
  }

  #box(state: ChartState, written: readonly Link[], links: readonly Link[], hubs: ReadonlySet<string>): Box {
    const folded = !this.#open.has(state.id) && (state.kind === 'compound' || state.kind === 'parallel');
    const limit = this.#rowWidth(state.id);
    const row = (label: string, names: readonly string[]): Line[] =>
      names.length === 0 || (this.#overview && label !== 'invoke')
        ? []
        : wrap(
            [
              { text: `${label} / `, ink: 'faint' },
              { text: names.join(', '), ink: 'plain' },
            ],
            limit,
          );
    const sources = hubs.has(state.id) ? this.#sourceLines(state.id, links) : [];
    const outsideSources = this.#top.parent === null ? [] : this.#outsideSourceLines(state.id);
    const invoked = state.invokes.flatMap(({ id, src }) =>
      row('invoke', [id === src ? src : `${src} as ${id}`]),
    );
    return {
      id: state.id,
      parent: state.id === this.#top.id ? null : state.parent,
      kind: 'state',
      title: state.id === this.#top.id && state.parent !== null ? shortId(this.#chart, state.id) : state.key,
      state,
      folded,
      region: state.parent !== null && this.#byId.get(state.parent)?.kind === 'parallel',
      choice: this.#isChoice(state),
      lines: [
        ...row('entry', state.entry),
        ...row('exit', state.exit),
        ...invoked,
        ...this.#transitionRows(written.filter(({ source }) => source === state.id)),
        ...(this.#overview &&
        folded &&
        !links.some(({ source, target }) => source === state.id && target !== null && target !== source)
          ? this.#innerRow(state.id)
          : []),
        ...this.#historyRow(state),
        ...sources,
        ...outsideSources,
        ...(state.tags.length === 0 || this.#overview
          ? []
          : wrap([{ text: state.tags.map((tag) => `#${tag}`).join(' '), ink: 'tag' }], limit)),
      ],
      tooltip: `${state.id}${state.description === '' ? '' : ` – ${state.description}`}${
        folded ? ' (its inside has its own picture)' : ''
      }`,
    };
  }

  #isChoice({ id, kind, entry, exit, invokes }: ChartState): boolean {
    if (kind !== 'atomic' || entry.length + exit.length + invokes.length > 0) return false;
    const own = this.#chart.edges.filter(({ source }) => source === id);
    return own.length > 0 && own.every(({ trigger }) => trigger.kind === 'always');
  }

  #rowWidth(box: string): number {
    return this.#open.has(box) ? GROUP_ROW_WIDTH : ROW_WIDTH;
  }

  #historyRow({ id, history }: ChartState): Line[] {
    if (history === undefined) return [];
    const first = history.targets.map((target) => this.#relativeName(target, id)).join(', ');
    const text = `${history.kind} history; the first time → ${first}`;
    return wrap([{ text, ink: 'plain' }], this.#rowWidth(id));
  }

  #transitionRows(links: readonly Link[]): Line[] {
    if (!this.#overview) return distinct(links.map((link) => this.#transitionLines(link))).flat();
    const targets = new Set(links.flatMap(({ source, target }) => (target === source ? [] : (target ?? []))));
    return [...targets].flatMap((target) => {
      const all = links.filter((link) => link.target === target);
      // What a guard stands for is worth a row of its own.
      const noted = all.filter(({ edge }) => edge.guardNote !== undefined);
      const others = all.filter((link) => !noted.includes(link));
      return [...noted.flatMap((link) => this.#briefRow([link])), ...this.#briefRow(others)];
    });
  }

  /** In an overview: the first of several transitions, and how many more there are. */
  #briefRow([first, ...others]: readonly Link[]): Line[] {
    if (first === undefined) return [];
    const { edge, source, target } = first;
    const to = this.#relativeName(edge.targets[0] ?? target ?? edge.source, source);
    return wrap(
      [
        ...this.#triggerSpans(edge),
        { text: ' → ', ink: 'plain' },
        { text: to, ink: 'name' },
        ...(others.length === 0 ? [] : [{ text: ` and ${others.length} more`, ink: 'faint' } as const]),
      ],
      this.#rowWidth(source),
    );
  }

  /** In an overview: what happens inside a box whose children another picture shows. */
  #innerRow(box: string): Line[] {
    const inner = this.#chart.edges.flatMap((edge): Link[] =>
      edge.targets.length > 0 && this.#boxIds.get(edge.source) === box
        ? [{ edge, source: box, target: box }]
        : [],
    );
    return this.#briefRow(inner);
  }

  /** A transition as text in the box of its source. */
  #transitionLines({ edge, source, target }: Link): Line[] {
    const spans = this.#triggerSpans(edge);
    if (target === source) spans.push({ text: edge.reenter ? ' ↻' : ' → itself', ink: 'plain' });
    else if (target !== null) {
      const exact = edge.targets[0] ?? target;
      spans.push({ text: ' → ', ink: 'plain' }, { text: this.#relativeName(exact, source), ink: 'name' });
    }
    if (target === null && edge.actions.length === 0) spans.push({ text: ' – ignored', ink: 'faint' });
    // A transition without a target shows at least its reason, because it would be empty otherwise.
    const visible = withoutReasonActions(edge.actions);
    const actions = visible.length === 0 && target === null ? edge.actions : visible;
    if (actions.length > 0 && edge.source === source) {
      spans.push({ text: ` /\u00a0${actions.join(', ')}`, ink: 'faint' });
    }
    return wrap(spans, this.#rowWidth(source));
  }

  /** The id of a state as seen from another one, without their common ancestors. */
  #relativeName(id: string, from: string): string {
    const path = id.split('.');
    const base = from.split('.');
    let common = 0;
    while (common < path.length - 1 && path[common] === base[common]) common += 1;
    return path.slice(common).join('.');
  }

  #sourceLines(id: string, links: readonly Link[]): Line[] {
    const names = new Set(
      links
        .filter(({ source, target }) => target === id && source !== id)
        .map(({ source }) => this.#name(source)),
    );
    return wrap([{ text: `from ${[...names].join(', ')}`, ink: 'faint' }], this.#rowWidth(id));
  }

  /** In a picture of a part of the chart: the states of other pictures that lead to this one. */
  #outsideSourceLines(box: string): Line[] {
    const names = new Set<string>();
    for (const { source, targets } of this.#chart.edges) {
      if (this.#boxIds.has(source) || !targets.some((id) => this.#boxIds.get(id) === box)) continue;
      names.add(this.#relativeName(source, this.#top.id));
    }
    if (names.size === 0) return [];
    return wrap([{ text: `entered from ${[...names].join(', ')}`, ink: 'faint' }], this.#rowWidth(box));
  }

  #elsewhereBox(id: string): Box {
    const state = this.#byId.get(id);
    return {
      id,
      parent: null,
      kind: 'elsewhere',
      title: this.#relativeName(id, this.#top.id),
      state: state ?? null,
      folded: false,
      region: false,
      choice: false,
      lines: [],
      tooltip: `${id}${state === undefined || state.description === '' ? '' : ` – ${state.description}`} (in another picture)`,
    };
  }
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item]);
  return [...groups.values()];
}

function inkOf(trigger: Trigger | undefined): Ink {
  switch (trigger?.kind) {
    case 'after':
      return 'after';
    case 'actorDone':
    case 'childrenDone':
    case 'actorSnapshot':
      return 'done';
    case 'actorFailed':
      return 'failed';
    case 'always':
      return 'always';
    default:
      return 'event';
  }
}
