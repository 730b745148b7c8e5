/**
 * Which charts of the engine answer each other, and how. This repeats what src/account/service.ts, src/account/recovery.ts,
 * src/account/refresh.ts and src/engine/engine.ts arrange, without their files and requests.
 */
import type { AnyMachineSnapshot, SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../../machines/account/machine.js';
import type { authRecoveryMachine, RecoveryMode } from '../../../machines/auth-recovery.js';
import type { Account, AuthOutcome, RecoveryOutcome } from '../../protocol/outcomes.js';
import type { Env } from '../../protocol/timing.js';
import type { Op, View, Wiring } from '../wiring.js';
import { failure } from './model.js';

type AccountSnapshot = SnapshotFrom<typeof accountMachine>;
type RecoverySnapshot = SnapshotFrom<typeof authRecoveryMachine>;

const accountOf = (view: View): AccountSnapshot | undefined =>
  view.snapshot('account') as AccountSnapshot | undefined;

/** What remote control gets when it asks for the account: `Credentials.outcome` without the file. */
export function authOutcomeOf(snapshot: AnyMachineSnapshot): AuthOutcome {
  const { external, stored } = (snapshot as AccountSnapshot).context;
  const account = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
  if (account !== null) {
    const { accountId, generation } = account;
    const refused = external === null && stored.kind === 'chatgpt' ? stored.ineligible : null;
    if (accountId !== null && refused === null) return { kind: 'usable', account: { accountId, generation } };
    return { kind: 'ineligible', failure: refused ?? failure('authNoAccountId') };
  }
  if (stored.kind === 'none' || stored.kind === 'incomplete') {
    return { kind: 'ineligible', failure: stored.failure };
  }
  return { kind: 'ineligible', failure: failure('authApiKeyOnly') };
}

function usableAccount(view: View): Account | null {
  const snapshot = accountOf(view);
  const outcome = snapshot === undefined ? undefined : authOutcomeOf(snapshot);
  return outcome?.kind === 'usable' ? outcome.account : null;
}

const STOP_RECOVERY: Op = { kind: 'stop', chart: 'authRecovery' };

/** Remote control hears of another account, and the next recovery starts from its first step. */
export const notifyChanged = (view: View): readonly Op[] => [
  STOP_RECOVERY,
  {
    kind: 'send',
    chart: 'remoteControl',
    event: { type: 'AUTH.CHANGED', account: usableAccount(view) } as never,
  },
];

const kindOf = (output: unknown): string | undefined =>
  typeof output === 'object' && output !== null && 'kind' in output ? String(output.kind) : undefined;

/** A request with these tokens succeeded. */
const confirmTokens = (output: unknown): readonly Op[] =>
  kindOf(output) === 'granted' ? [STOP_RECOVERY] : [];

function recoveryMode(view: View): RecoveryMode {
  const context = accountOf(view)?.context;
  if (context === undefined || usableAccount(view) === null) return 'none';
  if (context.external !== null) return 'external';
  return context.stored.kind === 'chatgpt' && context.stored.source === 'file' ? 'managed' : 'none';
}

/** The response of the account to a refresh, as an outcome of the recovery. */
function refreshed(view: View): RecoveryOutcome | undefined {
  const snapshot = accountOf(view);
  if (snapshot === undefined || snapshot.hasTag('refreshing')) return undefined;
  const { response, expired } = snapshot.context;
  if (response?.kind === 'failed') {
    const isPermanent = expired !== null || response.failure.reason === 'parentGone';
    return { kind: isPermanent ? 'exhausted' : 'transient', failure: response.failure };
  }
  const outcome = authOutcomeOf(snapshot);
  return outcome.kind === 'usable'
    ? { kind: 'recovered', account: outcome.account }
    : { kind: 'exhausted', failure: outcome.failure };
}

/** @param env The clock of a new `authRecovery`. */
export function engineWiring(env: () => Env): Wiring {
  return {
    'remoteControl.loadAuth': {
      needs: ['account'],
      begin: ({ input }) =>
        (input as { readonly reload?: boolean } | undefined)?.reload === true ? [STOP_RECOVERY] : [],
      answer: (_, view) => {
        const snapshot = accountOf(view);
        return snapshot === undefined ? undefined : authOutcomeOf(snapshot);
      },
    },
    'remoteControl.recoverAuth': {
      needs: ['account'],
      begin: (_, view) => [
        ...(view.snapshot('authRecovery') === undefined
          ? [
              {
                kind: 'start' as const,
                chart: 'authRecovery',
                input: {
                  env: env(),
                  mode: recoveryMode(view),
                  accountId: usableAccount(view)?.accountId ?? null,
                },
              },
            ]
          : []),
        {
          kind: 'send',
          chart: 'authRecovery',
          event: { type: 'NEXT', renewedTokenRejected: false } as never,
        },
      ],
      answer: (_, view) => {
        const recovery = view.snapshot('authRecovery') as RecoverySnapshot | undefined;
        // Somebody stopped it, for example another sign-in: the step counts as not taken.
        if (recovery === undefined) return { kind: 'transient', failure: failure('authRecoveryFailed') };
        return recovery.hasTag('busy') ? undefined : (recovery.context.outcome ?? undefined);
      },
      ended: (output) => (kindOf(output) === 'exhausted' ? [STOP_RECOVERY] : []),
    },
    'remoteControl.enroll': { needs: [], ended: confirmTokens },
    'remoteControl.refresh': { needs: [], ended: confirmTokens },
    'authRecovery.refresh': {
      needs: ['account'],
      begin: () => [
        {
          kind: 'send',
          chart: 'account',
          event: { type: 'REFRESH', ticket: 1, reason: 'unauthorized_recovery' } as never,
        },
      ],
      answer: (_, view) => refreshed(view),
    },
    'authRecovery.requestExternalTokens': {
      needs: ['account'],
      begin: () => [
        { kind: 'send', chart: 'account', event: { type: 'REFRESH.EXTERNAL', ticket: 1 } as never },
      ],
      answer: (_, view) => refreshed(view),
    },
    'account.signOut': {
      needs: [],
      ended: (output, view) => (kindOf(output) === 'stored' ? notifyChanged(view) : []),
    },
    'account.completeSignIn': {
      needs: [],
      begin: (_, view) => notifyChanged(view),
      answer: () => ({ kind: 'finished' }),
    },
  };
}
