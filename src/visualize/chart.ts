/** A statechart as plain data: its states and edges in source order. Every exporter reads it. */
import { createHash } from 'node:crypto';
import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from 'xstate';
import { bodiesOf } from './bodies.js';
import { delayValue, guardNote } from './facts.js';
import { nameOf, referenceOf } from './reference.js';

export { nameOf };

/** The kind of a state. */
export type StateKind = 'atomic' | 'compound' | 'parallel' | 'final' | 'history';

/** A state of a chart. */
export interface ChartState {
  /** Unique in the chart, for example `remoteControl.active.connecting`. */
  readonly id: string;
  readonly key: string;
  /** Keys from the child of the chart to this state; empty for the chart itself. */
  readonly path: readonly string[];
  readonly kind: StateKind;
  /** Null for the chart itself. */
  readonly parent: string | null;
  /** Id of the initial child; null when there is none, or when all children are entered. */
  readonly initial: string | null;
  readonly description: string;
  readonly tags: readonly string[];
  /** Names of the actions, without the timers that XState adds. */
  readonly entry: readonly string[];
  readonly exit: readonly string[];
  readonly invokes: readonly ChartInvoke[];
  /** Of a history state alone: which states it restores, and where it leads the first time. */
  readonly history?: { readonly kind: 'shallow' | 'deep'; readonly targets: readonly string[] };
}

/** An actor that a state invokes. */
export interface ChartInvoke {
  readonly id: string;
  /** The name of its logic. */
  readonly src: string;
}

/** What a transition answers. */
export type Trigger =
  | { readonly kind: 'event'; readonly event: string }
  /** The delay: its name, or a number of milliseconds. */
  | { readonly kind: 'after'; readonly delay: string }
  | { readonly kind: 'actorDone'; readonly actor: string }
  | { readonly kind: 'actorFailed'; readonly actor: string }
  | { readonly kind: 'actorSnapshot'; readonly actor: string }
  /** All children of the source are in a final state. */
  | { readonly kind: 'childrenDone' }
  /** Without an event, as soon as the guard is true. */
  | { readonly kind: 'always' };

/** A transition of a chart. */
export interface ChartEdge {
  /** Unique in the chart: source, event, and index among the edges of that event. */
  readonly id: string;
  readonly source: string;
  /** Empty when the state does not change. */
  readonly targets: readonly string[];
  readonly trigger: Trigger;
  readonly guard: string | null;
  /** What the guard stands for, for example `409`, where that is known. */
  readonly guardNote?: string;
  /** The value of a named delay, for example `10 s`, where that is known. */
  readonly wait?: string;
  readonly actions: readonly string[];
  readonly reenter: boolean;
  readonly description: string;
  /** The fixed `reason` in the params of its actions, for example `tokenRefreshed`. */
  readonly reasons: readonly string[];
  /** It is part of the main way through the chart: `meta: { spine: true }`. */
  readonly spine: boolean;
}

/** A machine as plain data. */
export interface Chart {
  readonly id: string;
  readonly description: string;
  /** Parents before their children; the first is the chart itself. */
  readonly states: readonly ChartState[];
  readonly edges: readonly ChartEdge[];
}

/** Reads the definition of a machine. */
export function toChart(machine: AnyStateMachine): Chart {
  const nodes = nodesOf(machine.root);
  return {
    id: machine.id,
    description: machine.root.description ?? '',
    states: nodes.map(stateOf),
    edges: nodes.flatMap((node) =>
      transitionsOf(node).map(([id, transition]) => ({
        ...edgeOf(id, node, transition),
        ...factsOf(machine, node, transition),
      })),
    ),
  };
}

/** The edge id of each transition of a machine, to name the transitions of a running actor. */
export function edgeIds(machine: AnyStateMachine): ReadonlyMap<AnyTransitionDefinition, string> {
  return new Map(
    nodesOf(machine.root).flatMap((node) => transitionsOf(node).map(([id, edge]) => [edge, id])),
  );
}

/**
 * The hash of a chart: the first 12 hex digits of the SHA-256 of its definition and of the bodies of its guards, actions,
 * delays and inputs. Descriptions do not count, so a better wording keeps the hash. Actors count by their names.
 *
 * A chart of this package has the same hash in each build, because it is made from the sources. For any other chart, the text
 * of the functions counts as it runs: compare hashes of the same build.
 *
 * @example chartHash(machine) // '3f0a91c2b7de'
 */
export function chartHash(machine: AnyStateMachine): string {
  const { id, states, edges } = toChart(machine);
  const bodies = bodiesOf(machine);
  return createHash('sha256').update(canonicalJson({ id, states, edges, bodies })).digest('hex').slice(0, 12);
}

/** JSON without descriptions, with the members of every object in alphabetical order. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (key, inner: unknown) => {
    // How pictures show it is no part of what it does. The actions name the reasons, too.
    if (
      key === 'description' ||
      key === 'spine' ||
      key === 'reasons' ||
      key === 'guardNote' ||
      key === 'wait'
    )
      return undefined;
    if (typeof inner !== 'object' || inner === null || Array.isArray(inner)) return inner;
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** The node and all nodes in it, parents before their children. */
export function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}

/** The transitions of a node in the order of its definition, each with its edge id. */
export function transitionsOf(node: AnyStateNode): [string, AnyTransitionDefinition][] {
  const groups: [string, readonly AnyTransitionDefinition[]][] = [...node.transitions];
  if (node.always !== undefined && node.always.length > 0) groups.push(['always', node.always]);
  return groups.flatMap(([event, edges]) =>
    edges.map((edge, index): [string, AnyTransitionDefinition] => [`${node.id} ${event} ${index}`, edge]),
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
    // `node.entry` would also hold the timers of `after`.
    entry: namesOf(node.config.entry),
    exit: namesOf(node.config.exit),
    invokes: node.invoke.map(({ id, src }) => ({ id, src: nameOf(src) })),
    ...(node.type === 'history' ? { history: historyOf(node) } : {}),
  };
}

function historyOf(node: AnyStateNode): ChartState['history'] & object {
  const { target } = node.config as { readonly target?: unknown };
  const given = target === undefined ? [] : Array.isArray(target) ? target : [target];
  const first = node.parent?.initial.target[0]?.id;
  return {
    kind: node.history === 'deep' ? 'deep' : 'shallow',
    targets:
      given.length > 0 ? given.map((one) => resolved(node, String(one))) : first === undefined ? [] : [first],
  };
}

/** The id of a target as it is written in a definition: `#id`, `.child`, or a key beside the node. */
function resolved(node: AnyStateNode, target: string): string {
  if (target.startsWith('#')) return node.machine.getStateNodeById(target).id;
  const keys = target.replace(/^\./, '').split(/(?<!\\)\./);
  const found = keys.reduce<AnyStateNode | undefined>(
    (at, key) => at?.states[key.replaceAll('\\.', '.')],
    node.parent,
  );
  return found?.id ?? target;
}

/** What is known of a transition beyond the definition of the machine. */
function factsOf(
  machine: AnyStateMachine,
  node: AnyStateNode,
  { eventType, guard }: AnyTransitionDefinition,
): Pick<ChartEdge, 'guardNote' | 'wait'> {
  const trigger = triggerOf(eventType, node.id);
  const wait = trigger.kind === 'after' ? delayValue(machine, node.path, trigger.delay) : undefined;
  const note = guard === undefined ? undefined : guardNote(machine, referenceOf(guard).type);
  return {
    ...(note === undefined ? {} : { guardNote: note }),
    ...(wait === undefined ? {} : { wait }),
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
    reasons: reasonsOf(transition.actions),
    spine: (transition.meta as { readonly spine?: unknown } | undefined)?.spine === true,
  };
}

function reasonsOf(actions: readonly unknown[]): string[] {
  return actions.flatMap((action) => {
    const params: unknown =
      typeof action === 'object' && action !== null && 'params' in action ? action.params : undefined;
    const reason: unknown =
      typeof params === 'object' && params !== null && 'reason' in params ? params.reason : undefined;
    return typeof reason === 'string' ? [reason] : [];
  });
}

const TRIGGERS_BY_PREFIX = [
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
  for (const [prefix, toTrigger] of TRIGGERS_BY_PREFIX)
    if (event.startsWith(prefix)) return toTrigger(event.slice(prefix.length));
  return { kind: 'event', event };
}

function namesOf(actions: unknown): string[] {
  if (actions === undefined) return [];
  return (Array.isArray(actions) ? actions : [actions]).map(nameOf);
}
