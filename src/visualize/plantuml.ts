import type { Chart, ChartEdge, ChartState } from './chart.js';
import { edgeWords } from './edge-text.js';
import { DiagramIds } from './ids.js';

/** Keywords of PlantUML that are not valid as ids. */
const RESERVED = ['as', 'end', 'hide', 'note', 'scale', 'skinparam', 'state', 'title'];
/** What PlantUML reads as markup or ends a text with: quotes, escapes, tags, variables, and doubled marks. */
const MARKUP = /["\\<~%]|(?<=([*/_'-]))\1|(?<=\/)'/gu;

/**
 * A state diagram for PlantUML. Regions of a parallel state are neighbours with the stereotype `region`, because PlantUML
 * draws no arrow across its separator of regions.
 */
export function toPlantUml(chart: Chart, hash: string): string {
  return `${['@startuml', `' chart ${hash}`, 'hide empty description', ...linesOf(chart), '@enduml'].join('\n')}\n`;
}

function* linesOf(chart: Chart): Generator<string> {
  const ids = new DiagramIds(chart, RESERVED);
  const [root] = chart.states;
  if (root === undefined) return;
  const label = labels(chart);
  yield `[*] --> ${ids.of(root.id)}`;
  yield* stateLines({ chart, ids, label }, root, '');
  for (const edge of chart.edges) {
    for (const target of edge.targets) {
      yield `${ids.of(edge.source)} --> ${ids.of(target)} : ${label(edge)}`;
    }
  }
  for (const { id, history } of chart.states) {
    for (const target of history?.targets ?? []) yield `${ids.of(id)} --> ${ids.of(target)} : the first time`;
  }
}

interface Diagram {
  readonly chart: Chart;
  readonly ids: DiagramIds;
  readonly label: (edge: ChartEdge) => string;
}

function* stateLines(diagram: Diagram, state: ChartState, indent: string): Generator<string> {
  const { chart, ids } = diagram;
  const id = ids.of(state.id);
  const children = chart.states.filter(({ parent }) => parent === state.id);
  const head = `${indent}state "${plain(state.key)}" as ${id}${stereotype(chart, state)}`;
  yield children.length === 0 ? head : `${head} {`;
  if (state.initial !== null) yield `${indent}  [*] --> ${ids.of(state.initial)}`;
  for (const child of children) yield* stateLines(diagram, child, `${indent}  `);
  if (children.length > 0) yield `${indent}}`;
  if (state.kind === 'final') yield `${indent}${id} --> [*]`;
  for (const row of rowsOf(diagram, state)) yield `${indent}${id} : ${row}`;
}

function stereotype(chart: Chart, { kind, history, parent }: ChartState): string {
  if (history !== undefined) return history.kind === 'deep' ? ' <<history*>>' : ' <<history>>';
  if (kind === 'parallel') return ' <<parallel>>';
  return chart.states.find(({ id }) => id === parent)?.kind === 'parallel' ? ' <<region>>' : '';
}

/** Actions and actors of a state, and its transitions that do not leave it. */
function rowsOf({ chart, label }: Diagram, state: ChartState): string[] {
  const named = (mark: string, names: readonly string[]) =>
    names.length === 0 ? [] : [plain(`${mark} / ${names.join(', ')}`)];
  return [
    ...named('entry', state.entry),
    ...named('exit', state.exit),
    ...state.invokes.flatMap(({ id, src }) => named('invoke', [id === src ? src : `${src} as ${id}`])),
    ...chart.edges.flatMap((edge) =>
      edge.source === state.id && edge.targets.length === 0 ? [label(edge)] : [],
    ),
    ...named('tags', state.tags),
  ];
}

/** `(1) dial done [open] / assignSocket` */
function labels(chart: Chart): (edge: ChartEdge) => string {
  const words = edgeWords(chart);
  return (edge) => {
    const { trigger, guard } = words(edge);
    const actions = edge.actions.length === 0 ? '' : ` / ${edge.actions.join(', ')}`;
    const again = edge.reenter ? ' (enters it again)' : '';
    return plain(`${trigger}${guard === null ? '' : ` [${guard}]`}${actions}${again}`);
  };
}

/** Text without markup of PlantUML, on one line. */
function plain(text: string): string {
  return text
    .replace(/\s+/gu, ' ')
    .replace(
      MARKUP,
      (mark) => `<U+${(mark.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}>`,
    );
}
