/** Model of the chart `pairing`. */
import type { pairingMachine } from '../../../machines/pairing.js';
import type { TokenRenewalOutput } from '../../../machines/token-renewal.js';
import type { PairOutcome } from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { EPOCH, failure, SimulatedEnv, type Variant } from './model.js';

const ENSURED: readonly TokenRenewalOutput[] = [
  { kind: 'ready' },
  { kind: 'identityLost', failure: failure('backendNotFound') },
  { kind: 'notReady', failure: failure('backendUnavailable') },
];

export function pairingModel(): Variant<typeof pairingMachine>[] {
  const env = new SimulatedEnv();
  const requested: readonly PairOutcome[] = [
    {
      kind: 'granted',
      code: {
        pairingCode: new Secret('code'),
        manualPairingCode: null,
        environmentId: 'E1',
        expiresAt: EPOCH + 600_000,
      },
    },
    { kind: 'unauthorized', failure: failure('backendUnauthorized') },
    { kind: 'notFound', byBackend: true, failure: failure('backendNotFound') },
    { kind: 'notFound', byBackend: false, failure: failure('backendNotFound') },
    { kind: 'transient', failure: failure('backendUnavailable') },
  ];
  return [
    {
      name: 'no code',
      options: {
        input: { env, timing: DEFAULT_TIMING },
        setTime: env.setTime,
        // No guard reads the context.
        key: ({ context }) => `${context.manual}`,
        events: [
          { type: 'START', manual: false },
          { type: 'CLAIMED' },
          { type: 'RESET' },
          { type: 'IDENTITY.REPLACED' },
        ],
        outcomes: {
          ensureToken: ENSURED,
          renewToken: ENSURED,
          requestCode: requested,
          requestCodeAgain: requested,
        },
      },
    },
  ];
}
