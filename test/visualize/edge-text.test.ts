import { describe, expect, it } from 'vitest';
import { setup } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { type Chart, toChart } from '../../src/visualize/chart.js';
import { edgeWords } from '../../src/visualize/edge-text.js';
import { picturesOf } from '../../src/visualize/pictures.js';

const wordsOf = (chart: Chart) => {
  const words = edgeWords(chart);
  return chart.edges.map((edge) => {
    const { trigger, guard } = words(edge);
    return `${edge.source.split('.').at(-1)}: ${trigger}${guard === null ? '' : ` [${guard}]`}`;
  });
};

const deciding = setup({
  types: { events: {} as { type: 'GO' } | { type: 'STOP' }, context: {} as { readonly wait: number } },
  guards: { first: () => true, second: () => true },
  delays: { short: 800, long: 600_000, half: 1_500, computed: ({ context }) => context.wait },
}).createMachine({
  id: 'deciding',
  context: { wait: 5 },
  initial: 'idle',
  states: {
    idle: {
      on: {
        GO: [{ guard: 'first', target: 'choice' }, { guard: 'second', target: 'end' }, {}],
        STOP: { guard: 'first' },
      },
      after: { short: 'end', long: 'end', half: 'end', computed: 'end', 20: 'end' },
    },
    choice: { always: [{ guard: 'first', target: 'idle' }, { target: 'end' }] },
    busy: { entry: () => undefined, always: 'end' },
    end: { type: 'final' },
  },
});

describe('the words of an edge', () => {
  it('number guards of the same event, and give delays their value where it is fixed', () => {
    expect(wordsOf(toChart(deciding))).toEqual([
      'idle: (1) GO [first]',
      'idle: (2) GO [second]',
      'idle: GO [else]',
      'idle: STOP [first]',
      'idle: after 20 ms',
      'idle: after short (800 ms)',
      'idle: after long (10 min)',
      'idle: after half (1.5 s)',
      'idle: after computed',
      'choice: always [first]',
      'choice: always [else]',
      'busy: always',
    ]);
  });

  it('name the HTTP status behind a guard of remote control, and the delays of the engine', () => {
    const words = wordsOf(toChart(CHARTS.remoteControl)).join('\n');
    expect(words).toMatch(/connecting: \(\d\) dial done \[tokenRejected = 401\/403\]/);
    expect(words).toMatch(/connecting: \(\d\) dial done \[serverGone = clear 404\]/);
    expect(words).toMatch(/connecting: \(\d\) dial done \[handoverLikely = 409\]/);
    expect(words).toContain('missing: after authPoll (1 s)');
    expect(wordsOf(toChart(CHARTS.link))).toContain('silent: after silenceTimeout (40 s)');
  });
});

it('a state with nothing but transitions without an event is a choice', () => {
  const boxes = picturesOf(toChart(deciding)).flatMap((picture) => picture.boxes);
  expect(boxes.flatMap(({ id, choice }) => (choice ? [id] : []))).toEqual(['deciding.choice']);
});
