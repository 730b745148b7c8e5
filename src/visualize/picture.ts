/** What a picture of a chart shows, before it has a place: boxes with lines of text, arrows with labels. */
import { distinct, type Ink, type Line, type Span, wrap } from './lines.js';
import { anywhereMark, initialMark, plainArrow } from './marks.js';
import { type Link, selectLinks } from './selection.js';
import type { Chart, ChartEdge, ChartState, Trigger } from './walk.js';
import { edgeWords, elseEdges, shortId, triggerWords } from './words.js';

export interface Box {
  readonly id: string;
  /** Null for what stands outside of everything. */
  readonly parent: string | null;
  /**
   * `state`; `initial` is the dot that points to the first state; `anywhere` stands for all states of the box
   * around it; `elsewhere` is a state that this picture only mentions.
   */
  readonly kind: 'state' | 'initial' | 'anywhere' | 'elsewhere';
  readonly title: string;
  readonly state: ChartState | null;
  /** It has an inside that another picture shows. */
  readonly folded: boolean;
  /** One of the parts of a parallel state. */
  readonly region: boolean;
  readonly lines: readonly Line[];
  readonly tooltip: string;
}

export interface Arrow {
  readonly id: string;
  readonly source: string;
  readonly target: string;
  readonly ink: Ink;
  readonly lines: readonly Line[];
  /** The chart's edges that it stands for. */
  readonly edges: readonly string[];
  readonly tooltip: string;
}

export interface Picture {
  /** Of the file: `remoteControl`, or `remoteControl.active.backingOff` for the inside of a state. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  /** Boxes before what is in them. */
  readonly boxes: readonly Box[];
  readonly arrows: readonly Arrow[];
  /** The same with fewer arrows and more text, for when this one is too wide or too tangled; null: it is the last. */
  readonly plainer: (() => Picture) | null;
}

const ROW_LIMIT = 215;
/** In a box with an inside there is more room. */
const ROW_LIMIT_OF_GROUP = 345;
const LABEL_LIMIT = 150;
const LABEL_LIMIT_OF_OVERVIEW = 112;
const MOST_LINES = 12;

export interface DrawingOptions {
  /** Of the picture; default: that of `top`. */
  readonly name?: string;
  /** It names states and triggers, and leaves out what they do. */
  readonly overview?: boolean;
}

/** Draws one picture: what is in `top`, with the inside of the states in `open`. */
export class Drawing {
  readonly #chart: Chart;
  readonly #top: ChartState;
  readonly #states: readonly ChartState[];
  readonly #boxOf = new Map<string, string>();
  readonly #byId: ReadonlyMap<string, ChartState>;
  readonly #open: ReadonlySet<string>;
  readonly #else: ReadonlySet<ChartEdge>;

  readonly #pictureName: string;
  readonly #overview: boolean;

  constructor(chart: Chart, top: ChartState, open: ReadonlySet<string>, options: DrawingOptions = {}) {
    const { name = top.id, overview = false } = options;
    this.#overview = overview;
    this.#pictureName = name;
    this.#chart = chart;
    this.#top = top;
    this.#open = open;
    this.#else = elseEdges(chart);
    this.#byId = new Map(chart.states.map((state) => [state.id, state]));
    this.#states = chart.states.filter(
      ({ id, parent }) => id === top.id || (parent !== null && open.has(parent)),
    );
    for (const { id } of this.#states) this.#boxOf.set(id, id);
    for (const { id, parent } of chart.states) {
      const box = parent === null ? undefined : this.#boxOf.get(parent);
      if (!this.#boxOf.has(id) && box !== undefined && !open.has(box)) this.#boxOf.set(id, box);
    }
  }

  /** @param level Of what is drawn, 0 the most. */
  picture(level = 0): Picture {
    const links = this.#links();
    const { drawn, written, hubs, isPlainest } = selectLinks(links, level, {
      states: this.#states,
      isInside: (id, outer) => this.#isInside(id, outer),
    });
    const arrows: Arrow[] = [];
    const marks: Box[] = [];
    for (const group of grouped(drawn, ({ source, target }) => `${source} ${target}`)) {
      const [{ source, target } = { source: '', target: '' }] = group;
      if (target === null) continue;
      const inside = this.#isInside(target, source);
      if (inside) marks.push(anywhereMark(source, target, this.#name(source)));
      const from = inside ? `${source} any ${target}` : source;
      arrows.push(this.#arrow(from, target, group));
    }
    for (const state of this.#states) {
      const first = state.initial === null ? undefined : this.#boxOf.get(state.initial);
      if (!this.#open.has(state.id) || first === undefined) continue;
      marks.push(initialMark(state.id));
      arrows.push(plainArrow(`${state.id} initial`, first));
    }
    const elsewhere = [...new Set(drawn.flatMap(({ target }) => target ?? []))].filter(
      (id) => !this.#boxOf.has(id),
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
      plainer: isPlainest ? null : () => this.picture(level + 1),
    };
  }

  #links(): Link[] {
    return this.#chart.edges.flatMap((edge): Link[] => {
      const source = this.#boxOf.get(edge.source);
      if (source === undefined) return [];
      if (edge.targets.length === 0) return edge.source === source ? [{ edge, source, target: null }] : [];
      return edge.targets.flatMap((id) => {
        const target = this.#boxOf.get(id) ?? id;
        // What happens within a folded box is in its own picture.
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

  #arrow(source: string, target: string, group: readonly Link[]): Arrow {
    const limit = this.#overview ? LABEL_LIMIT_OF_OVERVIEW : LABEL_LIMIT;
    const lines = distinct(
      group.map(({ edge }) => {
        const head = wrap(this.#triggerSpans(edge), limit);
        // The actions of an edge that begins within a folded box are in that box's own picture.
        const brief = this.#overview || this.#boxOf.get(edge.source) !== edge.source;
        const does = withoutReasons(edge.actions);
        return brief || does.length === 0
          ? head
          : [...head, ...wrap([{ text: `/\u00a0${does.join(', ')}`, ink: 'faint' }], limit)];
      }),
    ).flat();
    const shown = lines.length > MOST_LINES ? lines.slice(0, MOST_LINES - 1) : lines;
    const more = lines.length - shown.length;
    return {
      id: `${source} > ${target}`,
      source,
      target,
      ink: inkOf(group[0]?.edge.trigger),
      lines: more > 0 ? [...shown, ...wrap([{ text: `… ${more} more`, ink: 'faint' }], limit)] : shown,
      edges: group.map(({ edge }) => edge.id),
      tooltip: group.map(({ edge }) => this.#edgeTooltip(edge)).join('\n'),
    };
  }

  #edgeTooltip(edge: ChartEdge): string {
    return edgeWords(this.#chart, edge) + (edge.description === '' ? '' : ` – ${edge.description}`);
  }

  #triggerSpans(edge: ChartEdge): Span[] {
    const ink = inkOf(edge.trigger);
    const guard = edge.guard ?? (this.#else.has(edge) ? 'else' : null);
    const spans: Span[] = [{ text: triggerWords(edge.trigger), ink }];
    if (guard !== null) spans.push({ text: ` [${guard}]`, ink: edge.guard === null ? 'faint' : ink });
    return spans;
  }

  #box(state: ChartState, written: readonly Link[], links: readonly Link[], hubs: ReadonlySet<string>): Box {
    const folded = !this.#open.has(state.id) && (state.kind === 'compound' || state.kind === 'parallel');
    const limit = this.#limitOf(state.id);
    const say = (what: string, names: readonly string[]): Line[] =>
      names.length === 0 || (this.#overview && what !== 'invoke')
        ? []
        : wrap(
            [
              { text: `${what} / `, ink: 'faint' },
              { text: names.join(', '), ink: 'plain' },
            ],
            limit,
          );
    const from = hubs.has(state.id) ? this.#comesFrom(state.id, links) : [];
    const outside = state.id !== this.#top.id || state.parent === null ? [] : this.#entriesFromOutside();
    const invoked = state.invokes.flatMap(({ id, src }) =>
      say('invoke', [id === src ? src : `${src} as ${id}`]),
    );
    return {
      id: state.id,
      parent: state.id === this.#top.id ? null : state.parent,
      kind: 'state',
      title: state.id === this.#top.id && state.parent !== null ? shortId(this.#chart, state.id) : state.key,
      state,
      folded,
      region: state.parent !== null && this.#byId.get(state.parent)?.kind === 'parallel',
      lines: [
        ...say('entry', state.entry),
        ...say('exit', state.exit),
        ...invoked,
        ...this.#rows(written.filter(({ source }) => source === state.id)),
        ...from,
        ...outside,
        ...(state.tags.length === 0 || this.#overview
          ? []
          : wrap([{ text: state.tags.map((tag) => `#${tag}`).join(' '), ink: 'tag' }], limit)),
      ],
      tooltip: `${state.id}${state.description === '' ? '' : ` – ${state.description}`}${
        folded ? ' (its inside has its own picture)' : ''
      }`,
    };
  }

  #limitOf(box: string): number {
    return this.#open.has(box) ? ROW_LIMIT_OF_GROUP : ROW_LIMIT;
  }

  #rows(links: readonly Link[]): Line[] {
    if (!this.#overview) return distinct(links.map((link) => this.#row(link))).flat();
    const targets = new Set(links.flatMap(({ source, target }) => (target === source ? [] : (target ?? []))));
    return [...targets].flatMap((target) => {
      const ink = inkOf(links.find((link) => link.target === target)?.edge.trigger);
      return wrap(
        [
          { text: '→ ', ink },
          { text: this.#name(target), ink },
        ],
        ROW_LIMIT,
      );
    });
  }

  /** A transition that is written into the box of its source. */
  #row({ edge, source, target }: Link): Line[] {
    const spans = this.#triggerSpans(edge);
    if (target === source) spans.push({ text: edge.reenter ? ' ↻' : ' → itself', ink: 'plain' });
    else if (target !== null) {
      const exact = edge.targets[0] ?? target;
      spans.push({ text: ' → ', ink: 'plain' }, { text: this.#nearName(exact, source), ink: 'name' });
    }
    if (target === null && edge.actions.length === 0) spans.push({ text: ' – ignored', ink: 'faint' });
    // What stays where it is must do something: if only a reason is noted, then that.
    const noted = withoutReasons(edge.actions);
    const does = noted.length === 0 && target === null ? edge.actions : noted;
    if (does.length > 0 && edge.source === source) {
      spans.push({ text: ` /\u00a0${does.join(', ')}`, ink: 'faint' });
    }
    return wrap(spans, this.#limitOf(source));
  }

  /** As short as it can be said from there: the common ancestors are left out. */
  #nearName(id: string, from: string): string {
    const path = id.split('.');
    const base = from.split('.');
    let common = 0;
    while (common < path.length - 1 && path[common] === base[common]) common += 1;
    return path.slice(common).join('.');
  }

  #comesFrom(id: string, links: readonly Link[]): Line[] {
    const names = new Set(
      links
        .filter(({ source, target }) => target === id && source !== id)
        .map(({ source }) => this.#name(source)),
    );
    return wrap([{ text: `from ${[...names].join(', ')}`, ink: 'faint' }], this.#limitOf(id));
  }

  /** For a part of a chart: which of the other states lead here. */
  #entriesFromOutside(): Line[] {
    const names = new Set<string>();
    for (const { source, targets } of this.#chart.edges) {
      if (this.#boxOf.has(source) || !targets.some((id) => this.#boxOf.has(id))) continue;
      names.add(this.#nearName(source, this.#top.id));
    }
    if (names.size === 0) return [];
    return wrap([{ text: `entered from ${[...names].join(', ')}`, ink: 'faint' }], ROW_LIMIT_OF_GROUP);
  }

  #elsewhereBox(id: string): Box {
    const state = this.#byId.get(id);
    return {
      id,
      parent: null,
      kind: 'elsewhere',
      title: this.#nearName(id, this.#top.id),
      state: state ?? null,
      folded: false,
      region: false,
      lines: [],
      tooltip: `${id}${state === undefined || state.description === '' ? '' : ` – ${state.description}`} (in another picture)`,
    };
  }
}

/** Actions that only note why are left to the tooltips. */
function withoutReasons(actions: readonly string[]): string[] {
  return actions.filter((name) => !name.startsWith('because'));
}

function grouped<T>(items: readonly T[], key: (item: T) => string): T[][] {
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
