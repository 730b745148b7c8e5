/** Model of the chart `tokenRenewal`. */
import type { LinkFacts, TokenRenewalInput, tokenRenewalMachine } from '../../../machines/token-renewal.js';
import type { RecoveryOutcome, RefreshOutcome } from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { EPOCH, failure, SimulatedEnv, type Variant } from './model.js';

const HOUR = 3_600_000;

const FACTS: LinkFacts = {
  phase: 'connected',
  enrollment: { serverId: 'S1', environmentId: 'E1', serverName: 'host' },
  account: { accountId: 'anna', generation: 1 },
  tokenExpiresAt: null,
  cause: 'the cause',
};

const REFRESHED: readonly RefreshOutcome[] = [
  { kind: 'granted', token: { secret: new Secret('token'), expiresAt: EPOCH + HOUR } },
  { kind: 'unauthorized', failure: failure('backendUnauthorized') },
  { kind: 'notFound', byBackend: true, failure: failure('backendNotFound') },
  { kind: 'notFound', byBackend: false, failure: failure('backendNotFound') },
  { kind: 'conflict', failure: failure('backendConflict') },
  { kind: 'transient', failure: failure('backendUnavailable') },
];
const RECOVERED: readonly RecoveryOutcome[] = [
  { kind: 'recovered', account: { accountId: 'anna', generation: 2 } },
  { kind: 'exhausted', failure: failure('authRejected') },
];

export function tokenRenewalModel(): Variant<typeof tokenRenewalMachine>[] {
  return (['use', 'replace', 'renew'] as const).map(variant);
}

function variant(purpose: TokenRenewalInput['purpose']): Variant<typeof tokenRenewalMachine> {
  const env = new SimulatedEnv();
  const changed = (facts: Partial<LinkFacts>) =>
    ({ type: 'LINK.CHANGED', facts: { ...FACTS, ...facts } }) as const;
  return {
    name: purpose,
    options: {
      input: { env, timing: DEFAULT_TIMING, purpose },
      setTime: env.setTime,
      // Guards read the facts in the event.
      key: ({ context }) => context.facts.phase,
      events: [
        changed({ phase: 'working' }),
        changed({ phase: 'off' }),
        changed({ phase: 'resting' }),
        changed({ phase: 'working', enrollment: null }),
        changed({ tokenExpiresAt: EPOCH + HOUR }),
        changed({ tokenExpiresAt: EPOCH + 1_000 }),
        changed({}),
      ],
      outcomes: { refresh: REFRESHED, refreshAgain: REFRESHED, recoverAuth: RECOVERED },
    },
  };
}
