/** A statechart as plain data: its states and edges in the order they are written. Every exporter reads this. */
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';

export type StateKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history';

export interface ChartState {
  /** Unique in the chart, as `remoteControl.active.connecting`. */
  readonly id: string;
  readonly key: string;
  /** Keys from the chart's child down to this one; empty for the chart itself. */
  readonly path: readonly string[];
  readonly kind: StateKind;
  /** Null for the chart itself. */
  readonly parent: string | null;
  /** Id of the child that is entered first; null where there is none, or all are. */
  readonly initial: string | null;
  readonly description: string;
  readonly tags: readonly string[];
  /** Names of the actions, without the timers that XState adds. */
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invokes: readonly { readonly id: string; readonly src: string }[];
}

export type Trigger =
  | { readonly kind: 'event'; readonly event: string }
  /** A delay by its name, or in ms. */
  | { readonly kind: 'after'; readonly delay: string }
  | { readonly kind: 'actorDone'; readonly actor: string }
  | { readonly kind: 'actorFailed'; readonly actor: string }
  | { readonly kind: 'actorSnapshot'; readonly actor: string }
  /** All children of the source have come to their end. */
  | { readonly kind: 'childrenDone' }
  /** At once, whenever the guard holds. */
  | { readonly kind: 'always' };

export interface ChartEdge {
  /** Unique in the chart and stable while the chart is: source, event, place among the edges of that event. */
  readonly id: string;
  readonly source: string;
  /** Empty: the state stays as it is. */
  readonly targets: readonly string[];
  readonly trigger: Trigger;
  readonly guard: string | null;
  readonly actions: readonly string[];
  readonly reenter: boolean;
  readonly description: string;
}

export interface Chart {
  readonly id: string;
  readonly description: string;
  /** Parents before their children; the first is the chart itself. */
  readonly states: readonly ChartState[];
  readonly edges: readonly ChartEdge[];
}

export function walk(machine: AnyStateMachine): Chart {
  const nodes = nodesOf(machine.root);
  return {
    id: machine.id,
    description: machine.root.description ?? '',
    states: nodes.map(stateOf),
    edges: nodes.flatMap((node) => numbered(node).map(([id, transition]) => edgeOf(id, node, transition))),
  };
}

/** The edge that each transition of this machine is, for whoever watches it run. */
export function edgeIds(machine: AnyStateMachine): ReadonlyMap<AnyTransitionDefinition, string> {
  return new Map(nodesOf(machine.root).flatMap((node) => numbered(node).map(([id, edge]) => [edge, id])));
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

function numbered(node: AnyStateNode): [string, AnyTransitionDefinition][] {
  const groups: [string, readonly AnyTransitionDefinition[]][] = [...node.transitions];
  if (node.always !== undefined && node.always.length > 0) groups.push(['always', node.always]);
  return groups.flatMap(([event, edges]) =>
    edges.map((edge, place): [string, AnyTransitionDefinition] => [`${node.id} ${event} ${place}`, edge]),
  );
}

function stateOf(node: AnyStateNode): ChartState {
  return {
    id: node.id,
    key: node.key,
    path: node.path,
    kind: node.type,
    parent: node.parent?.id ?? null,
    initial: node.type === 'compound' ? (node.initial.target[0]?.id ?? null) : null,
    description: node.description ?? '',
    tags: node.tags,
    // Not `node.entry`: that one also holds the timers of `after`.
    entry: namesOf(node.config.entry),
    exit: namesOf(node.config.exit),
    invokes: node.invoke.map(({ id, src }) => ({ id, src: nameOf(src) })),
  };
}

function edgeOf(id: string, node: AnyStateNode, transition: AnyTransitionDefinition): ChartEdge {
  return {
    id,
    source: node.id,
    targets: (transition.target ?? []).map((target) => target.id),
    trigger: triggerOf(transition.eventType, node.id),
    guard: transition.guard === undefined ? null : nameOf(transition.guard),
    actions: namesOf(transition.actions),
    reenter: transition.reenter,
    description: transition.description ?? '',
  };
}

const PREFIXES = [
  ['xstate.done.actor.', (actor: string): Trigger => ({ kind: 'actorDone', actor })],
  ['xstate.error.actor.', (actor: string): Trigger => ({ kind: 'actorFailed', actor })],
  ['xstate.snapshot.', (actor: string): Trigger => ({ kind: 'actorSnapshot', actor })],
  ['xstate.done.state.', (): Trigger => ({ kind: 'childrenDone' })],
] as const;

function triggerOf(event: string, source: string): Trigger {
  if (event === '') return { kind: 'always' };
  if (event.startsWith('xstate.after.')) {
    return { kind: 'after', delay: event.slice('xstate.after.'.length, -source.length - 1) };
  }
  for (const [prefix, make] of PREFIXES)
    if (event.startsWith(prefix)) return make(event.slice(prefix.length));
  return { kind: 'event', event };
}

function namesOf(actions: unknown): string[] {
  if (actions === undefined) return [];
  return (Array.isArray(actions) ? actions : [actions]).map(nameOf);
}

/** The name of an action, guard or actor, with what it is given where that is fixed: `because(enrolled)`. */
export function nameOf(thing: unknown): string {
  if (typeof thing === 'string') return thing;
  if (typeof thing === 'function') return thing.name === '' ? 'unnamed' : thing.name;
  if (typeof thing !== 'object' || thing === null || !('type' in thing)) return 'unnamed';
  const name = String(thing.type);
  if (!('params' in thing) || typeof thing.params !== 'object' || thing.params === null) return name;
  return `${name}(${Object.values(thing.params).filter(isWord).join(', ')})`;
}

function isWord(value: unknown): value is string {
  return typeof value === 'string';
}
