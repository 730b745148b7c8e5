import { describe, expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { toMermaid } from '../../src/visualize/mermaid.js';
import { expectGrammar } from './mermaid-grammar.js';
import { specimen } from './specimen.js';

const ALL = Object.entries(CHARTS);

describe('toMermaid', () => {
  it('draws every feature of a chart', () => {
    expect(toMermaid(specimen)).toBe(`stateDiagram-v2
  classDef any stroke-dasharray: 4 4
  [*] --> note_
  state "in any state" as any
  class any any
  state "note" as note_
  note_ : entry / note
  note_ : exit / leave, note
  note_ : runs / load (fetch)
  note_ : STAY / because(starting)
  note_ : IGNORE / nothing
  note_ : load changed / note
  state "both (all at once)" as both {
    state "in any state" as both_any
    both_any : runs / watch
    class both_any any
    state "left" as both_left {
      [*] --> both_left_a
      state "a" as both_left_a
      state "b" as both_left_b
      both_left_b --> [*]
    }
    state "right" as both_right {
      [*] --> both_right_c
      state "c" as both_right_c
      state "d" as both_right_d
      both_right_d --> [*]
    }
  }
  state "end" as end_
  end_ --> [*]
  any --> note_ : GO
  note_ --> both : (1) GO [ready] / note<br/>GO [otherwise]<br/>odd one  1<br/>load done [ready]<br/>after 500 ms / note
  note_ --> end_ : (2) GO [calm]<br/>load failed<br/>after pause (10 ms)
  note_ --> note_ : NOTE
  both_any --> both_left_a : STAY
  both --> end_ : done<br/>watch failed
  both_left_a --> both_left_b : GO
  both_right_c --> both_right_d : [calm]
`);
  });

  it.each(ALL)(
    '%s: Mermaid accepts each line, and each id is declared once, before it is used',
    (_, machine) => {
      expectGrammar(toMermaid(machine));
    },
  );

  it.each(ALL)('%s: every edge and every state is shown', (_, machine) => {
    const text = toMermaid(machine);
    const { states, edges } = toChart(machine);
    for (const { parent, key } of states) {
      if (parent !== null) expect(text).toMatch(new RegExp(`state "${key}( \\(all at once\\))?" as `));
    }
    const labels = text.match(/(?<=<br\/>| : |^)[^\n]/gm) ?? [];
    expect(labels.length).toBeGreaterThanOrEqual(
      edges.filter(({ trigger }) => trigger.kind !== 'always').length,
    );
  });

  it.each(ALL)('%s: is below the limits of GitHub, 50,000 characters and 500 arrows', (_, machine) => {
    const text = toMermaid(machine);
    expect(text.length).toBeLessThan(50_000);
    expect(text.match(/ --> /g)?.length ?? 0).toBeLessThan(500);
  });

  it.each(ALL)('%s: a provided copy of the chart gives the same text', (_, machine) => {
    expect(toMermaid(machine.provide({}))).toBe(toMermaid(machine));
  });
});
