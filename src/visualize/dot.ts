import type { Chart, ChartState } from './chart.js';
import { edgeWords } from './edge-text.js';

/** A chart for Graphviz, with a cluster for each compound state. */
export function toDot(chart: Chart, hash: string): string {
  const [root] = chart.states;
  const lines = [
    `// chart ${hash}`,
    `digraph ${quote(chart.id)} {`,
    '  compound=true; newrank=true; rankdir=TB; fontname="Helvetica";',
    '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
    '  edge [fontname="Helvetica", fontsize=10];',
    ...(root === undefined ? [] : stateLines(chart, root, '  ')),
  ];
  const words = edgeWords(chart);
  for (const edge of chart.edges) {
    const { trigger, guard } = words(edge);
    const label = [
      trigger,
      guard === null ? '' : ` [${guard}]`,
      edge.actions.length === 0 ? '' : `\n/ ${edge.actions.join(', ')}`,
    ].join('');
    for (const target of edge.targets.length === 0 ? [edge.source] : edge.targets) {
      const [tail, head] = [anchor(chart, edge.source), anchor(chart, target)];
      // An arrow to a place inside of a cluster cannot begin at the border of the cluster.
      const ends = [
        hasChildren(chart, edge.source) && !isWithin(chart, head, edge.source)
          ? `ltail=${cluster(edge.source)}`
          : '',
        hasChildren(chart, target) && !isWithin(chart, tail, target) ? `lhead=${cluster(target)}` : '',
      ].filter((part) => part !== '');
      const style = edge.targets.length === 0 ? ['style=dotted'] : [];
      const attributes = [`label=${quote(label)}`, ...ends, ...style].join(', ');
      lines.push(`  ${quote(tail)} -> ${quote(head)} [${attributes}];`);
    }
  }
  for (const { id, history } of chart.states) {
    for (const target of history?.targets ?? []) {
      const head =
        hasChildren(chart, target) && !isWithin(chart, id, target) ? `, lhead=${cluster(target)}` : '';
      lines.push(
        `  ${quote(id)} -> ${quote(anchor(chart, target))} [label="the first time", style=dashed${head}];`,
      );
    }
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

function* stateLines(chart: Chart, state: ChartState, indent: string): Generator<string> {
  const rows = [
    state.history === undefined ? state.key : `${state.key}\nhistory (${state.history.kind})`,
    ...state.entry.map((name) => `entry / ${name}`),
    ...state.exit.map((name) => `exit / ${name}`),
    ...state.invokes.map(({ id, src }) => `invoke / ${id === src ? src : `${src} as ${id}`}`),
  ];
  const label = `label=${quote(rows.join('\n'))}`;
  const tooltip = `tooltip=${quote(state.description)}`;
  if (!hasChildren(chart, state.id)) {
    const ends = state.kind === 'final' ? ', peripheries=2' : '';
    yield `${indent}${quote(state.id)} [${label}, ${tooltip}${ends}];`;
    return;
  }
  yield `${indent}subgraph ${cluster(state.id)} {`;
  yield `${indent}  ${label}; ${tooltip}; style=${state.kind === 'parallel' ? 'dashed' : 'rounded'};`;
  if (state.initial !== null) {
    yield `${indent}  ${quote(`${state.id} initial`)} [shape=point, width=0.12];`;
    const head = hasChildren(chart, state.initial) ? ` [lhead=${cluster(state.initial)}]` : '';
    yield `${indent}  ${quote(`${state.id} initial`)} -> ${quote(anchor(chart, state.initial))}${head};`;
  }
  for (const child of chart.states) {
    if (child.parent === state.id) yield* stateLines(chart, child, `${indent}  `);
  }
  yield `${indent}}`;
}

/** Graphviz draws edges only between nodes, so a node inside a cluster represents it. */
function anchor(chart: Chart, id: string): string {
  const child = chart.states.find(({ parent }) => parent === id);
  return child === undefined ? id : anchor(chart, child.id);
}

function isWithin(chart: Chart, id: string, outer: string): boolean {
  if (id === outer) return true;
  const parent = chart.states.find((state) => state.id === id)?.parent;
  return parent != null && isWithin(chart, parent, outer);
}

const hasChildren = (chart: Chart, id: string): boolean => chart.states.some(({ parent }) => parent === id);
const cluster = (id: string): string => quote(`cluster_${id}`);
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters to replace
const CONTROL = /[\u0000-\u0009\u000b-\u001f]/g;
/** Graphviz knows one escape of its own in a quoted text: the quote. In a label, a backslash starts an escape. */
const quote = (text: string): string =>
  `"${text.replace(CONTROL, '\ufffd').replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
