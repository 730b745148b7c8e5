/** Model of the chart `hubNode`. */
import type { hubNodeMachine } from '../../../machines/hub-node.js';
import type { Variant } from './model.js';

export function hubNodeModel(): Variant<typeof hubNodeMachine>[] {
  return [
    {
      name: 'one of several nodes',
      options: {
        input: { drain: 10_000 },
        key: () => '',
        events: [{ type: 'BROKER.LOST' }, { type: 'BROKER.BACK' }, { type: 'STOP' }],
        outcomes: { open: [{ connected: true }, { connected: false }], drain: [undefined], end: [undefined] },
      },
    },
  ];
}
