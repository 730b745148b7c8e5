import type { authRecoveryMachine, RecoveryMode } from '../../../machines/auth-recovery.js';
import type { RecoveryOutcome } from '../../protocol/outcomes.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

/** Paths through the recovery of each kind of sign-in. ACC-64 to ACC-67 */
export function authRecoveryModel(): Variant<typeof authRecoveryMachine>[] {
  const outcomes: readonly RecoveryOutcome[] = [
    { kind: 'recovered', account: { accountId: 'anna', generation: 2 } },
    { kind: 'transient', failure: failure('authRecoveryFailed') },
    { kind: 'exhausted', failure: failure('authRejected') },
  ];
  return (['managed', 'external', 'none'] as const satisfies readonly RecoveryMode[]).map((mode) => {
    const env = new SimulatedEnv();
    return {
      name: mode,
      options: {
        input: { env, mode, accountId: mode === 'none' ? null : 'anna' },
        setTime: env.setTime,
        key: ({ context }) => `${context.outcome?.kind}`,
        events: [false, true].map((renewedTokenRejected) => ({
          type: 'NEXT' as const,
          renewedTokenRejected,
        })),
        outcomes: { reload: outcomes, refresh: outcomes, requestExternalTokens: outcomes },
      },
    };
  });
}
