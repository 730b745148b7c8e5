import { describe, expect, it } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';
import { toChart } from '../../src/visualize/chart.js';
import { chartDiff } from '../../src/visualize/diff.js';

// biome-ignore lint/suspicious/noExplicitAny: a definition that each test changes differently
type Config = any;

const BASE = {
  id: 'm',
  initial: 'connecting',
  states: {
    connecting: {
      entry: 'note',
      tags: ['busy'],
      invoke: {
        id: 'dial',
        src: 'dial',
        onDone: [
          { guard: 'open', target: 'connected', actions: 'assignSocket' },
          { guard: 'refused', target: 'waiting' },
          { target: 'waiting', actions: 'count' },
        ],
      },
    },
    connected: { on: { CLOSE: 'waiting' } },
    waiting: { after: { pause: 'connecting' } },
  },
};

function diff(change: (config: Config) => void): string[] {
  const changed = structuredClone(BASE);
  change(changed);
  const chart = (config: unknown) => toChart(createMachine(config as never) as AnyStateMachine);
  return chartDiff(chart(BASE), chart(changed));
}

describe('chartDiff', () => {
  it('reports nothing when only descriptions changed', () => {
    expect(diff((m) => (m.states.waiting.description = 'another text'))).toEqual([]);
  });

  it.each<[string, (m: Config) => void, string[]]>([
    [
      'a new edge',
      (m) =>
        m.states.connecting.invoke.onDone.splice(2, 0, { guard: 'ambiguousNotFound', target: 'connected' }),
      ['new edge connecting → connected on dial done [ambiguousNotFound]'],
    ],
    [
      'a removed edge',
      (m) => m.states.connecting.invoke.onDone.splice(1, 1),
      ['removed edge connecting → waiting on dial done [refused]'],
    ],
    [
      'the last edge of an event',
      (m) => delete m.states.connected.on.CLOSE,
      ['removed edge connected → waiting on CLOSE'],
    ],
    [
      'another target',
      (m) => (m.states.connecting.invoke.onDone[1].target = 'connected'),
      ['connecting on dial done [refused]: goes to connected instead of waiting'],
    ],
    [
      'another guard',
      (m) => (m.states.connecting.invoke.onDone[0].guard = 'opened'),
      ['connecting → connected on dial done: guard is [opened] instead of [open]'],
    ],
    [
      'a removed guard',
      (m) => delete m.states.connecting.invoke.onDone[0].guard,
      ['connecting → connected on dial done: guard is none instead of [open]'],
    ],
    [
      'another action',
      (m) => (m.states.connecting.invoke.onDone[0].actions = ['assignSocket', 'cheer']),
      ['connecting → connected on dial done: actions now also cheer'],
    ],
    [
      'another order of guards',
      (m) => m.states.connecting.invoke.onDone.unshift(m.states.connecting.invoke.onDone.splice(1, 1)[0]),
      ['connecting on dial done: order of guards is now [refused], [open], none'],
    ],
    [
      'a new state with an edge',
      (m) => {
        m.states.verifying = { invoke: { src: 'verify', id: 'verify' } };
        m.states.connected.on.ASK = 'verifying';
      },
      ['new state verifying, which invokes verify', 'new edge connected → verifying on ASK'],
    ],
    [
      'a removed state',
      (m) => {
        delete m.states.connected;
        m.states.connecting.invoke.onDone.shift();
      },
      [
        'state connected removed',
        'removed edge connecting → connected on dial done [open]',
        'removed edge connected → waiting on CLOSE',
      ],
    ],
    [
      'another initial state',
      (m) => (m.initial = 'waiting'),
      ['state m starts in waiting instead of connecting'],
    ],
    [
      'another tag',
      (m) => (m.states.connecting.tags = ['online']),
      ['state connecting: tags now also online; no longer busy'],
    ],
    ['another entry', (m) => delete m.states.connecting.entry, ['state connecting: on entry no longer note']],
    [
      'another delay',
      (m) => (m.states.waiting.after = { longPause: 'connecting' }),
      [
        'new edge waiting → connecting on after longPause',
        'removed edge waiting → connecting on after pause',
      ],
    ],
    [
      're-entering',
      (m) => (m.states.connected.on.CLOSE = { target: 'waiting', reenter: true }),
      ['connected → waiting on CLOSE: now re-enters the state'],
    ],
  ])('reports %s', (_, change, expected) => {
    expect(diff(change)).toEqual(expected);
  });
});
