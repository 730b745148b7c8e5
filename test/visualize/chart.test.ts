import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { edgeIds, toChart } from '../../src/visualize/chart.js';
import { specimen } from './specimen.js';

describe('toChart', () => {
  const chart = toChart(specimen);

  it('lists the states in source order, parents first', () => {
    expect(chart.states.map(({ id, kind, initial }) => [id, kind, initial])).toEqual([
      ['specimen', 'compound', 'specimen.note'],
      ['specimen.note', 'atomic', null],
      ['specimen.both', 'parallel', null],
      ['specimen.both.left', 'compound', 'specimen.both.left.a'],
      ['specimen.both.left.a', 'atomic', null],
      ['specimen.both.left.b', 'final', null],
      ['specimen.both.right', 'compound', 'specimen.both.right.c'],
      ['specimen.both.right.c', 'atomic', null],
      ['specimen.both.right.d', 'final', null],
      ['specimen.end', 'final', null],
    ]);
  });

  it('lists the actions of a state without the timers that XState adds', () => {
    expect(chart.states[1]).toEqual({
      id: 'specimen.note',
      key: 'note',
      path: ['note'],
      kind: 'atomic',
      parent: 'specimen',
      initial: null,
      description: 'Its name is a keyword | with a bar.',
      tags: ['first'],
      entry: ['note'],
      exit: ['leave', 'note'],
      invokes: [{ id: 'load', src: 'fetch' }],
    });
  });

  it('lists every edge with its trigger, guard, actions and targets', () => {
    const lines = chart.edges.map(({ source, trigger, guard, actions, targets }) =>
      [source, ...Object.values(trigger), guard, actions.join('+'), targets.join('+')].join(' '),
    );
    expect(lines).toEqual([
      'specimen event GO  because(starting) specimen.note',
      'specimen.note event GO ready note specimen.both',
      'specimen.note event GO calm  specimen.end',
      'specimen.note event GO   specimen.both',
      'specimen.note event STAY  because(starting) ',
      'specimen.note event IGNORE   ',
      'specimen.note event odd:one;#1   specimen.both',
      'specimen.note event NOTE   specimen.note',
      'specimen.note actorDone load ready  specimen.both',
      'specimen.note actorFailed load   specimen.end',
      'specimen.note actorSnapshot load  note ',
      'specimen.note after 500  note specimen.both',
      'specimen.note after pause   specimen.end',
      'specimen.both event STAY   specimen.both.left.a',
      'specimen.both childrenDone   specimen.end',
      'specimen.both actorFailed watch   specimen.end',
      'specimen.both.left.a event GO   specimen.both.left.b',
      'specimen.both.right.c always calm  specimen.both.right.d',
    ]);
    expect(chart.edges.filter(({ reenter }) => reenter)).toHaveLength(1);
  });

  it('gives each edge a unique id, the same for a provided copy of the chart', () => {
    for (const machine of [specimen, ...Object.values(CHARTS)]) {
      const ids = toChart(machine).edges.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect([...edgeIds(machine.provide({})).values()]).toEqual(ids);
    }
  });

  it('edgeIds() names the transitions that a running actor takes', () => {
    const taken: (string | undefined)[] = [];
    const ids = edgeIds(specimen);
    const actor = createActor(specimen, {
      inspect: (event) => {
        if (event.type === '@xstate.microstep')
          taken.push(...event._transitions.map((edge) => ids.get(edge)));
      },
    });
    actor.start().send({ type: 'GO' });
    actor.stop();
    expect(taken.slice(-2)).toEqual(['specimen.note GO 0', 'specimen.both.right.c always 0']);
  });

  it('every state of every chart has a description', () => {
    for (const machine of Object.values(CHARTS)) {
      const undescribed = toChart(machine).states.filter(({ description }) => description === '');
      expect(undescribed.map(({ id }) => id)).toEqual([]);
    }
  });

  it('no chart has an action or guard without a name', () => {
    for (const machine of Object.values(CHARTS)) {
      const { states, edges } = toChart(machine);
      const names = [
        ...states.flatMap(({ entry, exit, invokes }) => [
          ...entry,
          ...exit,
          ...invokes.map(({ src }) => src),
        ]),
        ...edges.flatMap(({ actions, guard }) => [...actions, guard ?? '']),
      ];
      expect(names.filter((name) => /unnamed|^xstate\.|^inline/.test(name))).toEqual([]);
    }
  });
});
