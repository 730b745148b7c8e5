import type { AnyStateMachine } from 'xstate';
import { type Chart, type ChartEdge, type ChartState, toChart } from './chart.js';
import { type EdgeWords, edgeWords, withoutReasonActions } from './edge-text.js';
import { DiagramIds } from './ids.js';
import { RESERVED, sanitized } from './mermaid-text.js';

/**
 * A `stateDiagram-v2` that GitHub renders. An edge from a composite state to a state inside it starts at its node
 * "in any state", which also shows what the composite state does without leaving. Parallel regions are drawn as
 * neighbouring states, because edges cannot cross the separator that Mermaid has for regions.
 */
export function toMermaid(machine: AnyStateMachine): string {
  return `${['stateDiagram-v2', ...new Diagram(toChart(machine)).lines()].join('\n')}\n`;
}

class Diagram {
  readonly #chart: Chart;
  readonly #parents: ReadonlyMap<string, string | null>;
  readonly #ids: DiagramIds;
  /** Ids of the nodes "in any state", by composite state. */
  readonly #anyIds = new Map<string, string>();
  /** Lines of text inside a state. */
  readonly #rows = new Map<string, string[]>();
  /** Labels of the edges between two nodes of the picture, in order. */
  readonly #arrows = new Map<string, string[]>();

  constructor(chart: Chart) {
    this.#chart = chart;
    this.#ids = new DiagramIds(chart, RESERVED);
    this.#parents = new Map(chart.states.map(({ id, parent }) => [id, parent]));
    for (const state of chart.states) {
      const rows = stateRows(state);
      if (rows.length > 0) this.#rows.set(state.id, rows);
    }
    const words = edgeWords(chart);
    const labelled = chart.edges.map((edge) => ({ edge, label: edgeLabel(edge, words(edge)) }));
    for (const { edge, label } of labelled)
      if (edge.targets.length === 0) appendTo(this.#rows, edge.source, label);
    for (const { id, history } of chart.states) {
      for (const target of history?.targets ?? []) {
        appendTo(this.#arrows, `${this.#ids.of(id)} --> ${this.#ids.of(target)}`, 'the first time');
      }
    }
    this.#nameMarks();
    for (const { edge, label } of labelled) {
      for (const target of edge.targets) {
        const from =
          (this.#isWithin(target, edge.source) && this.#anyIds.get(edge.source)) || this.#ids.of(edge.source);
        appendTo(this.#arrows, `${from} --> ${this.#ids.of(target)}`, label);
      }
    }
  }

  /** Names the nodes "in any state". */
  #nameMarks(): void {
    const { states, edges } = this.#chart;
    for (const state of states) {
      const hasInnerTarget = edges.some(
        ({ source, targets }) =>
          source === state.id && targets.some((target) => this.#isWithin(target, source)),
      );
      if (isComposite(state) && (hasInnerTarget || this.#rows.has(state.id))) {
        this.#anyIds.set(state.id, this.#ids.next([...state.path, 'any']));
      }
    }
  }

  #isWithin(state: string, ancestor: string): boolean {
    for (let id: string | null = state; id !== null; id = this.#parents.get(id) ?? null) {
      if (id === ancestor) return true;
    }
    return false;
  }

  *lines(): Generator<string> {
    yield '  classDef any stroke-dasharray: 4 4';
    for (const state of this.#chart.states) {
      if (state.parent !== null) continue;
      // A machine without states is one itself.
      if (isComposite(state)) yield* this.#childLines(state, '  ');
      else yield* this.#stateLines(state, '  ');
    }
    for (const [arrow, labels] of this.#arrows) {
      const text = labels.filter((label) => label !== '').join('<br/>');
      yield text === '' ? `  ${arrow}` : `  ${arrow} : ${text}`;
    }
  }

  *#childLines(state: ChartState, indent: string): Generator<string> {
    if (state.initial !== null) yield `${indent}[*] --> ${this.#ids.of(state.initial)}`;
    const any = this.#anyIds.get(state.id);
    if (any !== undefined) {
      yield `${indent}state "in any state" as ${any}`;
      for (const row of this.#rows.get(state.id) ?? []) yield `${indent}${any} : ${row}`;
      yield `${indent}class ${any} any`;
    }
    for (const child of this.#chart.states)
      if (child.parent === state.id) yield* this.#stateLines(child, indent);
  }

  *#stateLines(state: ChartState, indent: string): Generator<string> {
    const id = this.#ids.of(state.id);
    const title = `${sanitized(state.key)}${state.kind === 'parallel' ? ' (all at once)' : ''}`;
    if (isComposite(state)) {
      yield `${indent}state "${title}" as ${id} {`;
      yield* this.#childLines(state, `${indent}  `);
      yield `${indent}}`;
      return;
    }
    yield `${indent}state "${title}" as ${id}`;
    for (const row of this.#rows.get(state.id) ?? []) yield `${indent}${id} : ${row}`;
    if (state.kind === 'final') yield `${indent}${id} --> [*]`;
  }
}

/** `(1) enroll done [granted] / assignGrant` */
function edgeLabel(edge: ChartEdge, { trigger, guard }: EdgeWords): string {
  // A transition without a target shows at least its reason, because it would be empty otherwise.
  const stays = edge.targets.length === 0;
  const actions = actionNames(edge.actions) || (stays ? sanitized(edge.actions.join(', ')) || 'nothing' : '');
  return [
    sanitized(edge.trigger.kind === 'always' ? trigger.replace('always', '') : trigger),
    guard === null ? '' : `[${edge.guard === null ? 'otherwise' : sanitized(guard)}]`,
    actions === '' ? '' : `/ ${actions}`,
  ]
    .filter((part) => part !== '')
    .join(' ');
}

/** The actions of a state, and the actors that run while it is active. */
function stateRows(state: ChartState): string[] {
  const actors = state.invokes.map(({ id, src }) => sanitized(id === src ? id : `${id} (${src})`)).join(', ');
  const rows: [string, string][] = [
    ['history', state.history?.kind ?? ''],
    ['entry', actionNames(state.entry)],
    ['exit', actionNames(state.exit)],
    ['runs', actors],
  ];
  return rows.flatMap(([label, names]) => (names === '' ? [] : [`${label} / ${names}`]));
}

function actionNames(actions: readonly string[]): string {
  return sanitized(withoutReasonActions(actions).join(', '));
}

const isComposite = ({ kind }: ChartState): boolean => kind === 'compound' || kind === 'parallel';

function appendTo(lists: Map<string, string[]>, key: string, item: string): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [item]);
  else list.push(item);
}
