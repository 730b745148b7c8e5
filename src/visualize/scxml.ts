import type { AnyStateMachine, AnyStateNode } from 'xstate';
import {
  type Chart,
  type ChartEdge,
  type ChartState,
  nodesOf,
  type Trigger,
  toChart,
  transitionsOf,
} from './chart.js';
import { COMPUTED, type Reference, referenceOf } from './reference.js';
import { escapeMarkup } from './svg.js';

const NAMESPACE = 'urn:rc-engine:chart';

/**
 * A machine as SCXML with the null data model. SCXML has no functions, so guards, delays and actions are their names:
 * `cond="ready"`, `delayexpr="pause"`, `<chart:action name="assignGrant"/>`. Characters that an id or an event must not have
 * are escaped as `_x0020_`. Events with a prefix in common (`link`, `link.up`) match in SCXML, but not in XState.
 */
export function toScxml(machine: AnyStateMachine, hash: string): string {
  const writer = new ScxmlWriter(machine);
  const root = xmlId(machine.root.id);
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- chart ${hash} -->`,
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:chart="${NAMESPACE}" version="1.0" datamodel="null" name="${root}" initial="${root}">`,
    ...writer.node(machine.root, '  '),
    '</scxml>',
    '',
  ].join('\n');
}

class ScxmlWriter {
  readonly #chart: Chart;
  readonly #states: ReadonlyMap<string, ChartState>;
  readonly #edges: ReadonlyMap<string, ChartEdge>;
  /** The definitions of the transitions, by edge id. */
  readonly #definitions: ReadonlyMap<
    string,
    { readonly guard?: unknown; readonly actions: readonly unknown[] }
  >;

  constructor(machine: AnyStateMachine) {
    this.#chart = toChart(machine);
    this.#states = new Map(this.#chart.states.map((state) => [state.id, state]));
    this.#edges = new Map(this.#chart.edges.map((edge) => [edge.id, edge]));
    this.#definitions = new Map(nodesOf(machine.root).flatMap(transitionsOf));
  }

  *node(node: AnyStateNode, indent: string): Generator<string> {
    const state = this.#states.get(node.id);
    if (state === undefined) return;
    const inner = `${indent}  `;
    const name = ELEMENTS[state.kind];
    const description = attribute('chart:description', state.description);
    const tags = attribute('chart:tags', state.tags.join(' '));
    if (state.history !== undefined) {
      yield `${indent}<history id="${xmlId(state.id)}" type="${state.history.kind}"${description}${tags}>`;
      yield `${inner}<transition target="${xmlIds(state.history.targets)}"/>`;
      yield `${indent}</history>`;
      return;
    }
    yield `${indent}<${name} id="${xmlId(state.id)}"${description}${tags}>`;
    if (state.initial !== null) yield* this.#initial(node, state.initial, inner);
    yield* this.#entryAndExit(node, inner);
    const edges = transitionsOf(node).flatMap(([id]) => this.#edges.get(id) ?? []);
    // In SCXML the first transition that matches is taken, in XState the one whose event is closest.
    for (const edge of edges.toSorted((a, b) => closeness(b.trigger) - closeness(a.trigger))) {
      if (state.kind !== 'final') yield* this.#transition(edge, inner);
      else yield `${inner}<!-- SCXML has no transition of a final state: ${edge.id.replaceAll('-', '_')} -->`;
    }
    for (const { id, src } of state.invokes) {
      yield `${inner}<invoke id="${xmlId(id)}" src="${escapeMarkup(src)}"/>`;
    }
    for (const child of Object.values(node.states)) yield* this.node(child, inner);
    yield `${indent}</${name}>`;
  }

  *#initial(node: AnyStateNode, target: string, indent: string): Generator<string> {
    yield `${indent}<initial>`;
    yield* this.#element(
      'transition',
      `target="${xmlId(target)}"`,
      actionLines(node.initial.actions),
      `${indent}  `,
    );
    yield `${indent}</initial>`;
  }

  *#entryAndExit(node: AnyStateNode, indent: string): Generator<string> {
    const delays = new Set(
      this.#chart.edges.flatMap(({ source, trigger }) =>
        source === node.id && trigger.kind === 'after' ? [trigger.delay] : [],
      ),
    );
    const sends = [...delays].map((delay) => {
      const event = eventOf({ kind: 'after', delay }, node.id);
      return `<send event="${event}" id="${event}" ${delayAttribute(delay)}/>`;
    });
    const cancels = [...delays].map(
      (delay) => `<cancel sendid="${eventOf({ kind: 'after', delay }, node.id)}"/>`,
    );
    const entry = [...sends, ...actionLines(node.config.entry)];
    const exit = [...cancels, ...actionLines(node.config.exit)];
    if (entry.length > 0) yield* this.#element('onentry', '', entry, indent);
    if (exit.length > 0) yield* this.#element('onexit', '', exit, indent);
  }

  *#transition(edge: ChartEdge, indent: string): Generator<string> {
    const definition = this.#definitions.get(edge.id);
    const event = eventOf(edge.trigger, edge.source);
    const guard = definition?.guard;
    const attributes = [
      event === '' ? '' : `event="${event}"`,
      guard === undefined ? '' : `cond="${escapeMarkup(condition(guard))}"`,
      edge.targets.length === 0 ? '' : `target="${xmlIds(edge.targets)}"`,
      edge.targets.length === 0 ? '' : `type="${edge.reenter ? 'external' : 'internal'}"`,
      attribute('chart:description', edge.description).trim(),
    ];
    yield* this.#element(
      'transition',
      attributes.filter((part) => part !== '').join(' '),
      actionLines(definition?.actions),
      indent,
    );
  }

  *#element(name: string, attributes: string, content: readonly string[], indent: string): Generator<string> {
    const start = attributes === '' ? name : `${name} ${attributes}`;
    if (content.length === 0) {
      yield `${indent}<${start}/>`;
      return;
    }
    yield `${indent}<${start}>`;
    for (const line of content) yield `${indent}  ${line}`;
    yield `${indent}</${name}>`;
  }
}

const ELEMENTS = {
  atomic: 'state',
  compound: 'state',
  parallel: 'parallel',
  final: 'final',
  history: 'history',
} as const;

/** Exact events first, then wildcards, the longest first. */
function closeness(trigger: Trigger): number {
  if (trigger.kind !== 'event' || !trigger.event.endsWith('*')) return Number.MAX_SAFE_INTEGER;
  return trigger.event.length;
}

function eventOf(trigger: Trigger, source: string): string {
  switch (trigger.kind) {
    case 'event':
      return eventName(trigger.event);
    case 'after':
      return eventName(`after.${trigger.delay}.${source}`);
    case 'actorDone':
      return `done.invoke.${eventName(trigger.actor)}`;
    case 'actorFailed':
      return `error.platform.${eventName(trigger.actor)}`;
    case 'actorSnapshot':
      return `snapshot.${eventName(trigger.actor)}`;
    case 'childrenDone':
      return `done.state.${xmlId(source)}`;
    case 'always':
      return '';
  }
}

const delayAttribute = (delay: string): string =>
  /^\d+$/.test(delay) ? `delay="${delay}ms"` : `delayexpr="${escapeMarkup(delay)}"`;

/** `ready && !(busy)`, `In('link.up')`. A name that is no identifier is written in quotes. */
function condition(guard: unknown): string {
  const { type, params } = referenceOf(guard);
  if (params !== undefined && params !== COMPUTED) {
    const guards = Array.isArray(params.guards) ? params.guards.map(condition) : [];
    if (type === 'and') return guards.map(bracketed).join(' && ');
    if (type === 'or') return guards.map(bracketed).join(' || ');
    if (type === 'not') return `!${bracketed(guards[0] ?? '')}`;
    if (type === 'stateIn') return inState(params.stateValue);
  }
  const name = /^[\p{L}_$][\p{L}\p{N}_$.]*$/u.test(type) ? type : JSON.stringify(type);
  return params === undefined ? name : `${name}(${params === COMPUTED ? '' : JSON.stringify(params)})`;
}

const bracketed = (text: string): string => (/[&|]/.test(text) ? `(${text})` : text);

/** Each innermost state of a state value: `In('a.b') && In('c')`. A name with `#` is an id. */
function inState(value: unknown, path: readonly string[] = []): string {
  if (typeof value !== 'object' || value === null) {
    return `In('${[...path, String(value).replace(/^#/, '')].join('.').replaceAll("'", "\\'")}')`;
  }
  const parts = Object.entries(value).map(([key, inner]) =>
    typeof inner === 'object' && inner !== null && Object.keys(inner).length === 0
      ? inState(key, path)
      : inState(inner, [...path, key]),
  );
  return parts.join(' && ');
}

function actionLines(actions: unknown): string[] {
  if (actions === undefined) return [];
  return (Array.isArray(actions) ? actions : [actions]).flatMap((action) => actionLine(referenceOf(action)));
}

function actionLine({ type, params }: Reference): string[] {
  const fixed = params === undefined || params === COMPUTED ? {} : params;
  const event = typeOf(fixed.event);
  if (type === 'xstate.raise' && event !== undefined && fixed.delay === undefined) {
    return [`<raise event="${eventName(event)}"/>`];
  }
  if (type === 'xstate.cancel' && typeof fixed.sendId === 'string' && fixed.sendId !== COMPUTED) {
    return [`<cancel sendid="${xmlId(fixed.sendId)}"/>`];
  }
  if ((type === 'xstate.raise' || type === 'xstate.sendTo') && event !== undefined) {
    const to = type === 'xstate.raise' ? undefined : String(fixed.to ?? COMPUTED);
    const attributes = [
      ` event="${eventName(event)}"`,
      to === undefined
        ? ''
        : to === COMPUTED
          ? ' targetexpr="computed"'
          : ` target="${to.startsWith('#_') ? escapeMarkup(to) : `#_${xmlId(to)}`}"`,
      typeof fixed.id === 'string' && fixed.id !== COMPUTED ? ` id="${xmlId(fixed.id)}"` : '',
      fixed.delay === undefined ? '' : ` ${delayAttribute(String(fixed.delay))}`,
    ];
    return [`<send${attributes.join('')}/>`];
  }
  const name = attribute('name', type.replace(/^xstate\./, ''));
  if (params === COMPUTED) return [`<chart:action${name} params="computed"/>`];
  const entries = Object.entries(fixed).filter(([, value]) => value !== undefined);
  if (entries.length === 0) return [`<chart:action${name}/>`];
  return [
    `<chart:action${name}>`,
    ...entries.map(
      ([key, value]) =>
        `  <chart:param${attribute('name', key)}>${escapeMarkup(JSON.stringify(value) ?? '')}</chart:param>`,
    ),
    '</chart:action>',
  ];
}

/** The type of an event with a fixed type. */
function typeOf(event: unknown): string | undefined {
  const type: unknown = typeof event === 'object' && event !== null && 'type' in event ? event.type : event;
  return typeof type === 'string' && type !== COMPUTED ? type : undefined;
}

function attribute(name: string, value: string): string {
  return value === ''
    ? ''
    : ` ${name}="${escapeMarkup(value).replace(/[\n\t\r]/g, (c) => `&#${c.charCodeAt(0)};`)}"`;
}

/** Letters of XML names. Not every letter of Unicode is one. */
const LETTER =
  'A-Za-z_\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u02ff\\u0370-\\u037d\\u037f-\\u1fff\\u2070-\\u218f\\u2c00-\\u2fef\\u3001-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufffd\\u{10000}-\\u{effff}';
const _NOT_IN_A_NAME = new RegExp(`^[^${LETTER}]|[^${LETTER}0-9.-]`, 'gu');
const NOT_IN_AN_EVENT = new RegExp(`[^${LETTER}0-9.:-]`, 'gu');

const xmlIds = (ids: readonly string[]): string => ids.map(xmlId).join(' ');

/** An id as an XML name: `a b` is `a_x0020_b`. Two ids never become the same name. */
export function xmlId(id: string): string {
  return id.replace(/_(?=x[0-9A-F]{4,6}_)/g, '_x005F_').replace(/^[^\p{L}_]|[^\p{L}\p{N}._-]/gu, escaped);
}

/** An event as SCXML has them: words between dots. A wildcard stays as it is. */
function eventName(event: string): string {
  if (event === '*') return '*';
  const wild = event.endsWith('.*');
  const words = (wild ? event.slice(0, -2) : event).replace(/_(?=x[0-9A-F]{4,6}_)/g, '_x005F_');
  return words.replace(NOT_IN_AN_EVENT, escaped) + (wild ? '.*' : '');
}

const escaped = (character: string): string =>
  `_x${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}_`;
