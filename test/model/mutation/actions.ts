/** Mistakes in what a chart does: an action, entry, exit, message or tag is missing, or a reason is another one. */
import { type Chart, type ChartEdge, nameOf } from '../../../src/visualize/chart.js';
import { edgeText } from '../../../src/visualize/edge-text.js';
import { type Config, edgesAt, listIn, stateIn } from './definition.js';
import { placeOf } from './edges.js';
import type { Mutant } from './mutants.js';

/** `isMessage` says which actions send, raise or emit an event. */
export function actionMutants(
  chart: Chart,
  config: Config,
  isMessage: (action: unknown) => boolean,
): Mutant[] {
  const ofEdges = chart.edges.flatMap((edge) => {
    const words = edgeText(chart, edge);
    return listIn({ ...transitionOf(config, chart, edge) }, 'actions').flatMap((action, index): Mutant[] =>
      mistakes(isMessage(action) ? 'send' : 'action', edge.id, index, action, words),
    );
  });
  const ofStates = chart.states.flatMap(({ id, tags }): Mutant[] => {
    const state = stateIn(config, chart, id);
    const hooks = (['entry', 'exit'] as const).flatMap((hook) =>
      listIn({ ...state }, hook).flatMap((action, index) =>
        mistakes(hook, id, index, action, `${hook} of ${id}`),
      ),
    );
    const lost = tags.map((tag): Mutant => {
      return {
        id: `tag ${id} ${tag}`,
        operator: 'tag',
        at: id,
        detail: tag,
        words: `${id} without the tag ${tag}`,
      };
    });
    return [...hooks, ...lost];
  });
  return [...ofEdges, ...ofStates];
}

function mistakes(
  operator: 'action' | 'send' | 'entry' | 'exit',
  at: string,
  index: number,
  action: unknown,
  words: string,
): Mutant[] {
  const name = nameOf(action);
  const place = operator === 'entry' || operator === 'exit' ? `${operator} ${index}` : `actions ${index}`;
  const dropped: Mutant = {
    id: `${operator} ${at} ${index} ${name}`,
    operator,
    at,
    detail: place,
    words: `${words}, without ${name}`,
  };
  const reason = reasonOf(action);
  if (reason === undefined) return [dropped];
  const other = otherReason(reason);
  return [
    dropped,
    {
      id: `reason ${at} ${place} ${reason}`,
      operator: 'reason',
      at,
      detail: place,
      words: `${words}, with the reason ${other} instead of ${reason}`,
    },
  ];
}

export function mutateAction(config: Config, chart: Chart, { operator, at, detail = '' }: Mutant): void {
  if (operator === 'tag') {
    const state = stateIn(config, chart, at);
    state.tags = listIn(state, 'tags').filter((tag) => tag !== detail);
    return;
  }
  const [member = '', index] = detail.split(' ');
  const edge = chart.edges.find(({ id }) => id === at);
  const holder = edge === undefined ? stateIn(config, chart, at) : transitionOf(config, chart, edge);
  const list = listIn(holder, member);
  const action = list[Number(index)];
  if (action === undefined) throw new Error(`${at} has no ${detail}`);
  if (operator !== 'reason') list.splice(Number(index), 1);
  else list[Number(index)] = withReason(action, otherReason(reasonOf(action) ?? ''));
}

function transitionOf(config: Config, chart: Chart, edge: ChartEdge): object {
  const transition = edgesAt(config, chart, edge)[placeOf(edge)];
  if (transition === undefined) throw new Error(`${edge.id} was not found in the definition`);
  return transition;
}

interface WithParams {
  readonly params: Readonly<Record<string, unknown>>;
}

function reasonOf(action: unknown): string | undefined {
  const reason = hasParams(action) ? action.params.reason : undefined;
  return typeof reason === 'string' ? reason : undefined;
}

function withReason(action: unknown, reason: string): unknown {
  return hasParams(action) ? { ...action, params: { ...action.params, reason } } : action;
}

function hasParams(action: unknown): action is WithParams {
  if (typeof action !== 'object' || action === null || !('params' in action)) return false;
  return typeof action.params === 'object' && action.params !== null;
}

export const otherReason = (reason: string): string =>
  reason === 'engineFault' ? 'starting' : 'engineFault';
