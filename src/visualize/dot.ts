import type { Chart, ChartState } from './chart.js';
import { elseEdges, triggerText } from './edge-text.js';

/** A chart for Graphviz, with a cluster for each compound state. */
export function toDot(chart: Chart, hash: string): string {
  const [root] = chart.states;
  const lines = [
    `// chart ${hash}`,
    `digraph ${quote(chart.id)} {`,
    '  compound=true; rankdir=TB; fontname="Helvetica";',
    '  node [shape=box, style=rounded, fontname="Helvetica", fontsize=11];',
    '  edge [fontname="Helvetica", fontsize=10];',
    ...(root === undefined ? [] : childLines(chart, root, '  ')),
  ];
  const otherwise = elseEdges(chart);
  for (const edge of chart.edges) {
    const guard = edge.guard ?? (otherwise.has(edge) ? 'else' : null);
    const label = [
      triggerText(edge.trigger),
      guard === null ? '' : ` [${guard}]`,
      edge.actions.length === 0 ? '' : `\n/ ${edge.actions.join(', ')}`,
    ].join('');
    for (const target of edge.targets.length === 0 ? [edge.source] : edge.targets) {
      const ends = [
        hasChildren(chart, edge.source) ? `ltail=${cluster(edge.source)}` : '',
        hasChildren(chart, target) ? `lhead=${cluster(target)}` : '',
      ].filter((part) => part !== '');
      const style = edge.targets.length === 0 ? ['style=dotted'] : [];
      const attributes = [`label=${quote(label)}`, ...ends, ...style].join(', ');
      lines.push(
        `  ${quote(anchor(chart, edge.source))} -> ${quote(anchor(chart, target))} [${attributes}];`,
      );
    }
  }
  return `${[...lines, '}'].join('\n')}\n`;
}

function* childLines(chart: Chart, state: ChartState, indent: string): Generator<string> {
  if (state.initial !== null) {
    yield `${indent}${quote(`${state.id} initial`)} [shape=point, width=0.12];`;
    const head = hasChildren(chart, state.initial) ? ` [lhead=${cluster(state.initial)}]` : '';
    yield `${indent}${quote(`${state.id} initial`)} -> ${quote(anchor(chart, state.initial))}${head};`;
  }
  for (const child of chart.states.filter(({ parent }) => parent === state.id)) {
    const rows = [
      child.key,
      ...child.entry.map((name) => `entry / ${name}`),
      ...child.exit.map((name) => `exit / ${name}`),
      ...child.invokes.map(({ id, src }) => `invoke / ${id === src ? src : `${src} as ${id}`}`),
    ];
    const tooltip = `tooltip=${quote(child.description)}`;
    if (hasChildren(chart, child.id)) {
      yield `${indent}subgraph ${cluster(child.id)} {`;
      yield `${indent}  label=${quote(rows.join('\n'))}; ${tooltip}; style=${child.kind === 'parallel' ? 'dashed' : 'rounded'};`;
      yield* childLines(chart, child, `${indent}  `);
      yield `${indent}}`;
    } else {
      const ends = child.kind === 'final' ? ', peripheries=2' : '';
      yield `${indent}${quote(child.id)} [label=${quote(rows.join('\n'))}, ${tooltip}${ends}];`;
    }
  }
}

/** Graphviz draws edges only between nodes, so a node inside a cluster represents it. */
function anchor(chart: Chart, id: string): string {
  const child = chart.states.find(({ parent }) => parent === id);
  return child === undefined ? id : anchor(chart, child.id);
}

const hasChildren = (chart: Chart, id: string): boolean => chart.states.some(({ parent }) => parent === id);
const cluster = (id: string): string => quote(`cluster_${id}`);
const quote = (text: string): string => JSON.stringify(text);
