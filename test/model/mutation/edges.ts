/** Mistakes in the edges of a chart: dropped, with another target, with its guard negated, in another order. */
import { not } from 'xstate';
import type { Chart, ChartEdge } from '../../../src/visualize/chart.js';
import { edgeText } from '../../../src/visualize/edge-text.js';
import { type Config, edgesAt } from './definition.js';
import type { Mutant } from './mutants.js';

type EdgeOperator = 'drop' | 'retarget' | 'negate' | 'swap';

/** `rivals` are the pairs whose guards have held together, as `EDGE before EDGE`: there the order decides. */
export function edgeMutants(chart: Chart, rivals: ReadonlySet<string>): Mutant[] {
  return chart.edges.flatMap((edge): Mutant[] => {
    const operators: EdgeOperator[] = ['drop'];
    if (otherTarget(chart, edge) !== undefined) operators.push('retarget');
    if (edge.guard !== null) operators.push('negate');
    const words = edgeText(chart, edge);
    const mistakes = operators.map((operator): Mutant => {
      return { id: `${operator} ${edge.id}`, operator, at: edge.id, words };
    });
    return [...mistakes, ...swaps(chart, edge, words, rivals)];
  });
}

function swaps(chart: Chart, edge: ChartEdge, words: string, rivals: ReadonlySet<string>): Mutant[] {
  const later = chart.edges.filter(
    (other) => groupOf(other) === groupOf(edge) && placeOf(other) > placeOf(edge) && other.guard !== null,
  );
  // The guards of edges without an event are checked in the middle of a step, so the next one may always be a rival.
  const isRival = (other: ChartEdge): boolean =>
    edge.trigger.kind === 'always'
      ? placeOf(other) === placeOf(edge) + 1 && edge.guard !== other.guard
      : rivals.has(`${edge.id} before ${other.id}`);
  return later.filter(isRival).map((other): Mutant => {
    const id = `swap ${edge.id} and ${placeOf(other)}`;
    const detail = String(placeOf(other));
    return { id, operator: 'swap', at: edge.id, detail, words: `${words}, after ${other.guard}` };
  });
}

/** Source and event: the edges of a group are tried one after the other. */
const groupOf = ({ id }: ChartEdge): string => id.slice(0, id.lastIndexOf(' '));

export function mutateEdge(config: Config, chart: Chart, { operator, at, detail }: Mutant): void {
  const edge = chart.edges.find(({ id }) => id === at);
  if (edge === undefined) throw new Error(`${chart.id} has no edge ${at}`);
  const place = placeOf(edge);
  const list = edgesAt(config, chart, edge);
  const transition = list[place];
  if (transition === undefined) throw new Error(`${at} was not found in the definition`);
  if (operator === 'drop') list.splice(place, 1);
  if (operator === 'retarget') transition.target = `#${otherTarget(chart, edge)}`;
  if (operator === 'negate') transition.guard = not(transition.guard as never);
  if (operator === 'swap') list.splice(place, 0, ...list.splice(Number(detail), 1));
}

export const placeOf = ({ id }: ChartEdge): number => Number(id.slice(id.lastIndexOf(' ') + 1));

/** A sibling of the target; preferably one in which the chart can wait. */
function otherTarget(chart: Chart, edge: ChartEdge): string | undefined {
  const [target] = edge.targets;
  if (target === undefined) return undefined;
  const parent = chart.states.find(({ id }) => id === target)?.parent ?? null;
  const transient = new Set(
    chart.edges.flatMap(({ trigger, source }) => (trigger.kind === 'always' ? [source] : [])),
  );
  const siblings = chart.states.filter(
    (state) => state.parent === parent && state.id !== target && state.kind !== 'history',
  );
  return (siblings.find(({ id }) => !transient.has(id)) ?? siblings[0])?.id;
}
