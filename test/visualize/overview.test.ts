import { expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { toOverview } from '../../src/visualize/overview.js';

const machine = createMachine({
  id: 'm',
  initial: 'off',
  states: {
    off: { on: { ON: 'busy' } },
    busy: {
      initial: 'asking',
      states: {
        asking: { on: { DONE: 'answering', FAIL: 'pausing' } },
        answering: { on: { FAIL: 'pausing' } },
        pausing: { on: { AGAIN: 'asking' } },
      },
    },
  },
});

it('a state that is left out still gives the others a way in and a way out', () => {
  expect(toOverview(machine, { open: ['busy'], without: ['off', 'busy.pausing'] })).toBe(
    [
      'stateDiagram-v2',
      '  [*] --> off',
      '  asking --> answering: done',
      '  off --> asking: on',
      '  answering --> pausing: fail',
      '  pausing --> asking: again',
      '',
    ].join('\n'),
  );
});
