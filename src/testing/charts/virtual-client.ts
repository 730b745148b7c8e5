import type { virtualClientMachine } from '../../../machines/virtual-client.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

export function virtualClientModel(): Variant<typeof virtualClientMachine>[] {
  const env = new SimulatedEnv();
  return [
    {
      name: 'initialize came',
      options: {
        input: { env, timing: DEFAULT_TIMING, clientId: 'c', streamId: 's' },
        setTime: env.setTime,
        key: ({ context }) => context.decision.reason,
        events: [
          { type: 'CLOSE', reason: 'clientClosed' },
          { type: 'IDLE' },
          { type: 'STALLED' },
          { type: 'APP_SERVER.CLOSED', failure: null },
          { type: 'APP_SERVER.CLOSED', failure: failure('appServerFailed') },
        ],
      },
    },
  ];
}
