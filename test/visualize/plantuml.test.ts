import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { toPlantUml } from '../../src/visualize/plantuml.js';
import { FOREIGN } from './foreign.js';
import { specimen } from './specimen.js';

const charts: readonly (readonly [string, AnyStateMachine])[] = Object.entries({
  ...CHARTS,
  ...FOREIGN,
  specimen,
});

interface Read {
  /** Title and the id of the state around it, by id. */
  readonly states: Map<string, { title: string; parent: string | null; stereotype: string }>;
  readonly arrows: string[];
  readonly rows: string[];
}

/** Reads a diagram, and throws at a line that it does not know. */
function read(text: string): Read {
  const lines = text.trimEnd().split('\n');
  expect([lines[0], lines.at(-1)]).toEqual(['@startuml', '@enduml']);
  const found: Read = { states: new Map(), arrows: [], rows: [] };
  const open: string[] = [];
  for (const line of lines.slice(1, -1).map((one) => one.trim())) {
    const state = /^state "([^"]*)" as (\w+)(?: <<([\w*]+)>>)?( \{)?$/.exec(line);
    const arrow = /^(\[\*\]|\w+) --> (\[\*\]|\w+)(?: : (.+))?$/.exec(line);
    const row = /^(\w+) : (.+)$/.exec(line);
    if (state !== null) {
      const [, title = '', id = '', stereotype = '', opens] = state;
      found.states.set(id, { title, stereotype, parent: open.at(-1) ?? null });
      if (opens !== undefined) open.push(id);
    } else if (arrow !== null) found.arrows.push(`${arrow[1]} ${arrow[2]}`);
    else if (row !== null) found.rows.push(`${row[1]} : ${row[2]}`);
    else if (line === '}') open.pop();
    else if (!line.startsWith("' chart") && line !== 'hide empty description')
      throw new Error(`unknown line: ${line}`);
  }
  expect(open).toEqual([]);
  return found;
}

describe.each(charts)('PlantUML of %s', (_, machine) => {
  const chart = toChart(machine);
  const { states, arrows, rows } = read(toPlantUml(chart, 'abc'));
  const idOf = new Map(chart.states.map(({ id }, index) => [id, [...states.keys()][index] ?? '']));

  it('has each state in its parent, with an id of its own', () => {
    expect(states.size).toBe(chart.states.length);
    for (const { id, parent } of chart.states) {
      expect(states.get(idOf.get(id) ?? '')?.parent).toBe(parent === null ? null : idOf.get(parent));
    }
  });

  it('has each transition as an arrow, or as a row where it has no target', () => {
    const named = (id: string) => idOf.get(id) ?? id;
    const wanted = [
      `[*] ${named(chart.id)}`,
      ...chart.states.flatMap(({ id, initial, kind, history }) => [
        ...(initial === null ? [] : [`[*] ${named(initial)}`]),
        ...(kind === 'final' ? [`${named(id)} [*]`] : []),
        ...(history?.targets.map((target) => `${named(id)} ${named(target)}`) ?? []),
      ]),
      ...chart.edges.flatMap(({ source, targets }) =>
        targets.map((target) => `${named(source)} ${named(target)}`),
      ),
    ];
    expect(arrows.toSorted()).toEqual(wanted.toSorted());
    for (const { source, targets } of chart.edges) {
      if (targets.length === 0) expect(rows.some((row) => row.startsWith(`${named(source)} : `))).toBe(true);
    }
  });
});

describe('toPlantUml', () => {
  it('numbers the guards of an event, and names histories, regions and parallel states', () => {
    const text = toPlantUml(toChart(FOREIGN.everything), 'abc');
    expect(text).toContain('left_idle --> left_deciding : (1) GO [and(ready, not(busy))] / raise(TICK)\n');
    expect(text).toContain('left_idle --> left_working : (2) GO [or(isCode(404), ');
    expect(text).toContain('left_idle --> left_end : GO [else]\n');
    expect(text).toContain('state "hist" as left_hist <<history*>>');
    expect(text).toContain('state "back" as right_two_back <<history>>');
    expect(text).toContain('state "left" as left <<region>> {');
    expect(text).toContain('state "everything" as everything <<parallel>> {');
  });

  it('writes no markup from names: quotes, backslashes, tags, and doubled marks', () => {
    const text = toPlantUml(toChart(FOREIGN.names), 'abc');
    const labels = text.split('\n').flatMap((line) => line.split(' : ').slice(1));
    for (const label of labels) expect(label).not.toMatch(/["\\~%]|\*\*|\/\/|__|--|<(?!U\+[0-9A-F]{4,6}>)/);
    expect(text).toContain('go > there [is > 3 && <U+003C>ready>]');
  });
});
