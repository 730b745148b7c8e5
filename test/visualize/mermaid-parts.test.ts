import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { type Chart, toChart } from '../../src/visualize/chart.js';
import { toMermaid } from '../../src/visualize/mermaid.js';
import { MAX_PART_ARROWS, mermaidParts, toOverview } from '../../src/visualize/mermaid-parts.js';
import { type Diagram, expectGrammar } from './mermaid-grammar.js';

const MAX_BOXES = 20;
const MAX_CHARACTERS = 6_000;
/** The picture of the README has an inside and an outside. */
const README = { arrows: 36, boxes: 24 };

const within = (id: string, outer: string) => id === outer || id.startsWith(`${outer}.`);
const isComposite = ({ states }: Chart, id: string) => states.some(({ parent }) => parent === id);
const boxesOf = ({ nodes }: Diagram) =>
  [...nodes.values()].filter((title) => title !== 'in any state').length;

/**
 * The ways of a chart between the boxes of a diagram that shows the inside of `open`, whose first member is the state that the
 * diagram is of: `enrolling → backingOff`.
 */
function expectedWays(chart: Chart, open: readonly string[]): ReadonlySet<string> {
  const [top = chart.id] = open;
  const box = (id: string): string => {
    if (within(top, id)) return id;
    const candidates = chart.states
      .map((state) => state.id)
      .filter((one) => within(id, one) && !within(top, one) && !(open.includes(one) && one !== id));
    // Inside, the box is the child of the innermost open state; outside, the largest state that does not contain the top.
    const parentIsOpen = (one: string) =>
      open.includes(chart.states.find((state) => state.id === one)?.parent ?? '');
    return (within(id, top) ? candidates.find(parentIsOpen) : candidates[0]) ?? id;
  };
  const initialOf = (id: string) =>
    id === top ? (chart.states.find((state) => state.id === top)?.initial ?? id) : id;
  return new Set(
    chart.edges.flatMap(({ source, targets }) =>
      targets.flatMap((target) => {
        const [from, to] = [box(source), box(target)];
        if (!within(from, top) && !within(to, top)) return [];
        const isInsideOneBox =
          from === to && (source !== target || (!open.includes(from) && isComposite(chart, from)));
        return isInsideOneBox ? [] : [`${from} → ${initialOf(to)}`];
      }),
    ),
  );
}

/** Fails unless the diagram shows each way as an arrow, or as a line in the box that it leaves and in the one that it reaches. */
function expectWays(chart: Chart, open: readonly string[], diagram: Diagram): void {
  const [top = chart.id] = open;
  const idOf = (node: string): string => {
    const around = diagram.parents.get(node);
    if (diagram.nodes.get(node) === 'in any state') return around === undefined ? top : idOf(around);
    return (
      chart.states.find(({ path }) => path.length > 0 && path.join('_') === node.replace(/_$/, ''))?.id ??
      node
    );
  };
  const arrows = new Set(
    diagram.arrows
      .filter(({ from, to }) => from !== '[*]' && to !== '[*]')
      .map(({ from, to }) => `${idOf(from)} → ${idOf(to)}`),
  );
  const texts = new Map<string, string>();
  for (const [node, text] of diagram.texts) texts.set(idOf(node), text);
  const names = (id: string, word: '→' | 'from'): string[] =>
    [
      ...(texts.get(id) ?? '').matchAll(
        new RegExp(`${word} ((?:all of |any state )?[\\w.]+(?:, (?:all of |any state )?[\\w.]+)*)`, 'g'),
      ),
    ].flatMap(([, list]) => list?.split(', ') ?? []);
  const nameOf = (id: string) =>
    within(id, top) ? (id.split('.').at(-1) ?? id) : id.slice(chart.id.length + 1) || id;
  const expected = expectedWays(chart, open);
  const missing = [...expected].filter((way) => {
    const [from = '', to = ''] = way.split(' → ');
    if (arrows.has(way)) return false;
    // A state outside has a box only for its arrows.
    const isNamedAtStart = !within(from, top) || names(from, '→').includes(nameOf(to));
    const source =
      from === top ? 'any state here' : within(top, from) ? `all of ${nameOf(from)}` : nameOf(from);
    const isNamedAtEnd = !within(to, top) || names(to, 'from').includes(source);
    return !(isNamedAtStart && isNamedAtEnd);
  });
  expect(missing).toEqual([]);
  expect([...arrows].filter((way) => !expected.has(way))).toEqual([]);
}

const PARTS = Object.entries(CHARTS).flatMap(([name, machine]): [string, AnyStateMachine, string, string][] =>
  mermaidParts(machine).map((part) => [
    part.name,
    machine,
    part.name === `${name}.outline` ? machine.id : part.name,
    part.text,
  ]),
);

describe('the diagrams of parts', () => {
  it.each(PARTS)('%s shows each way in and out of each state in it', (_, machine, top, text) => {
    expectWays(toChart(machine), [top], expectGrammar(text));
  });

  it.each(PARTS)('%s is small enough to read', (_, __, ___, text) => {
    const diagram = expectGrammar(text);
    expect(
      diagram.arrows.filter(({ from, to }) => from !== '[*]' && to !== '[*]').length,
    ).toBeLessThanOrEqual(MAX_PART_ARROWS);
    expect(boxesOf(diagram)).toBeLessThanOrEqual(MAX_BOXES);
    expect(text.length).toBeLessThan(MAX_CHARACTERS);
  });

  it.each(Object.entries(CHARTS))(
    '%s has one for each state with states in it, or is small as a whole',
    (name, machine) => {
      const chart = toChart(machine);
      const composite = chart.states.filter(({ id }) => isComposite(chart, id));
      const names = mermaidParts(machine).map((part) => part.name);
      if (composite.length > 1) {
        expect(names).toEqual(composite.map(({ id }) => (id === machine.id ? `${name}.outline` : id)));
        return;
      }
      expect(names).toEqual([]);
      expect(boxesOf(expectGrammar(toMermaid(machine)))).toBeLessThanOrEqual(MAX_BOXES);
    },
  );

  it('a state called outline keeps its diagram', () => {
    const machine = createMachine({
      id: 'm',
      initial: 'outline',
      states: { outline: { initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } } },
    });
    expect(mermaidParts(machine).map(({ name }) => name)).toEqual(['m.outline_', 'm.outline']);
  });

  it('a way that nothing is drawn for is named at both of its ends, and each box has an arrow', () => {
    const pausing = { FAIL: 'pausing' };
    const machine = createMachine({
      id: 'm',
      initial: 'a',
      states: {
        a: { on: { ...pausing, NEXT: 'b' } },
        b: { on: { ...pausing, NEXT: 'c' } },
        c: { on: { ...pausing, NEXT: 'd' } },
        d: { on: { ...pausing, NEXT: 'e' } },
        e: { on: pausing },
        pausing: { initial: 'short', states: { short: {}, long: {} }, after: { 10: 'a' } },
      },
    });
    const [outline] = mermaidParts(machine);
    expect(outline?.text).toBe(
      [
        'stateDiagram-v2',
        '  classDef any stroke-dasharray: 4 4',
        '  classDef outside stroke-dasharray: 2 4',
        '  classDef folded stroke-width: 3px',
        '  [*] --> a',
        '  state "a" as a',
        '  a : FAIL → pausing',
        '  state "b" as b',
        '  b : FAIL → pausing',
        '  state "c" as c',
        '  c : FAIL → pausing',
        '  state "d" as d',
        '  d : FAIL → pausing',
        '  state "e" as e',
        '  state "pausing" as pausing',
        '  pausing : from a, b, c, d',
        '  class pausing folded',
        '  a --> b : NEXT',
        '  b --> c : NEXT',
        '  c --> d : NEXT',
        '  d --> e : NEXT',
        '  e --> pausing : FAIL',
        '  pausing --> a : after 10 ms',
        '',
      ].join('\n'),
    );
  });
});

describe('the diagram of the README', () => {
  const text = toOverview(CHARTS.remoteControl, { open: ['active'] });
  const diagram = expectGrammar(text);

  it('is the one of the chart', async () => {
    const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const block = /<!-- chart:remoteControl -->\n\n```mermaid\n([\s\S]*?)```/.exec(readme)?.[1];
    expect(block).toBe(text);
  });

  it('shows each way in and out of each state in it', () => {
    expectWays(toChart(CHARTS.remoteControl), ['remoteControl', 'remoteControl.active'], diagram);
  });

  it('is small enough to read', () => {
    expect(
      diagram.arrows.filter(({ from, to }) => from !== '[*]' && to !== '[*]').length,
    ).toBeLessThanOrEqual(README.arrows);
    expect(boxesOf(diagram)).toBeLessThanOrEqual(README.boxes);
  });
});
