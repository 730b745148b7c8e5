import type { listenerConnectionMachine } from '../../../machines/listener-connection.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import type { Variant } from './model.js';

export function listenerConnectionModel(): Variant<typeof listenerConnectionMachine>[] {
  return [
    {
      name: 'an upgrade came',
      // Its context never changes, and no event carries data.
      options: { input: { timing: DEFAULT_TIMING }, key: () => '' },
    },
  ];
}
