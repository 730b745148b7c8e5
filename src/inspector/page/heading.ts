/** The text above the picture: state, duration, reason, failure, and the path to the state. */
import { type ActorState, ATTACHED_EVENT, type Entry } from '../timeline.js';
import { clock, duration, eventText, failureText, shortId } from '../words.js';
import { byId, el } from './dom.js';
import type { ChartData, Model, PageData } from './model.js';

export function showHeading(
  model: Model,
  { reasons }: PageData,
  actorState: ActorState | undefined,
  step: Entry | undefined,
  data: ChartData | undefined,
): void {
  const heading = byId('heading');
  if (actorState === undefined) {
    const text = model.selected !== null ? 'This actor is not running at this time.' : 'Select an actor.';
    heading.replaceChildren(el('p', 'muted', text));
    return;
  }
  const { actor, last } = actorState;
  const parts: HTMLElement[] = [stateRow(model, actorState, data)];
  const reason = el('p', 'reason-row');
  if (last.reason !== null) {
    reason.append(el('span', 'reason', last.reason), ` ${reasons[last.reason] ?? ''} `);
  }
  const descriptions = last.active.flatMap((id) => data?.states[id]?.description || []);
  reason.append(el('span', 'muted', descriptions.join(' ')));
  parts.push(reason);
  const failure = model.failureOf(actorState);
  if (failure !== undefined) parts.push(el('p', 'failure', failureText(failure)));
  if (step !== undefined && (step.edges.length > 0 || step.kind === 'ignored')) {
    parts.push(pathRow(step, model, data));
  } else if (step !== undefined && step.actor !== actor.id) parts.push(workRow(step, model));
  heading.replaceChildren(...parts);
}

function stateRow(
  model: Model,
  { actor, last, since }: ActorState,
  data: ChartData | undefined,
): HTMLElement {
  const row = el('div', 'state-row');
  row.append(el('h2', '', actor.name));
  for (const id of last.active) row.append(el('span', 'state-pill', shortId(id)));
  if (last.active.length === 0 && last.kind !== 'ended') row.append(el('span', 'state-pill task', 'running'));
  const elapsed = duration(Math.max(0, model.time - since));
  const ended = last.kind === 'ended' ? `ended (${last.status}) at ${clock(since)}` : undefined;
  const began =
    last.event === ATTACHED_EVENT ? `for at least ${elapsed}` : `for ${elapsed}, since ${clock(since)}`;
  row.append(el('span', 'muted', ended ?? began), el('span', 'spacer'));
  if (actor.chart !== null) row.append(el('code', 'muted', `chart ${actor.chart} ${data?.hash ?? ''}`));
  return row;
}

/** The edges of a step, in order. */
function pathRow(step: Entry, model: Model, data: ChartData | undefined): HTMLElement {
  const row = el('p', 'path-row');
  const { edges, from } = step;
  row.append(el('span', 'muted', edges.length === 0 ? 'no transition for ' : 'by '));
  if (edges.length === 0) row.append(el('span', 'path-step', eventText(step, undefined)));
  for (const [index, edge] of edges.entries()) {
    const text = data?.edges[edge]?.text ?? edge;
    const part = el('span', 'path-step', text);
    part.title = data?.edges[edge]?.description ?? text;
    row.append(...(index === 0 ? [] : [el('span', 'muted', ' › ')]), part);
  }
  const sender = from === undefined ? undefined : model.nameOf(from);
  if (sender !== undefined) row.append(el('span', 'muted', ` from ${sender}`));
  return row;
}

/** The begin or the end of work that the chart has started. */
function workRow(step: Entry, model: Model): HTMLElement {
  const row = el('p', 'path-row');
  const actor = model.actorOf(step.actor);
  row.append(el('span', 'path-step', `${actor?.name ?? ''} ${eventText(step, actor)}`));
  return row;
}
