/** Model of the chart `appServerAccount`. */
import type { AppServerAccountEvent, appServerAccountMachine } from '../../../machines/app-server-account.js';
import type { ConnectAccountOutcome, HandOverOutcome } from '../../protocol/app-server-account.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const changed = (shared: boolean, running: boolean, onDisk: boolean): AppServerAccountEvent => ({
  type: 'CHANGED',
  shared,
  running,
  onDisk,
});

export function appServerAccountModel(): Variant<typeof appServerAccountMachine>[] {
  const env = new SimulatedEnv();
  const connected: readonly ConnectAccountOutcome[] = [
    { kind: 'unclaimed' },
    { kind: 'keepsOwn' },
    { kind: 'failed', failure: failure('appServerAccountRefused') },
  ];
  const handedOver: readonly HandOverOutcome[] = [
    { kind: 'accepted' },
    { kind: 'failed', failure: failure('appServerAccountRefused') },
  ];
  return [
    {
      name: 'a command',
      options: {
        input: { env },
        setTime: env.setTime,
        // No guard reads the context.
        key: () => '',
        events: [
          { type: 'NEEDED' },
          changed(true, true, true),
          changed(false, true, true),
          changed(false, false, false),
          { type: 'RENEWED' },
          { type: 'SIGNED_OUT' },
          { type: 'ASKED' },
          { type: 'GONE' },
          { type: 'RELEASE' },
        ],
        outcomes: {
          connect: connected,
          handOver: handedOver,
          replace: handedOver,
          renew: [undefined],
          signOutAgent: [undefined],
          restart: [undefined],
        },
      },
    },
  ];
}
