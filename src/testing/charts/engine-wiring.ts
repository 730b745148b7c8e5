/**
 * Which charts of the engine answer each other, and how. This repeats what src/account/service.ts, src/account/recovery.ts,
 * src/account/refresh.ts and src/engine/engine.ts arrange, without their files and requests.
 */
import type { AnyMachineSnapshot, SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../../machines/account/machine.js';
import type { authRecoveryMachine, RecoveryMode } from '../../../machines/auth-recovery.js';
import { enrollmentOf } from '../../../machines/remote-control/context.js';
import type { remoteControlMachine } from '../../../machines/remote-control/machine.js';
import { statusOf } from '../../../machines/shared/status.js';
import type { LinkFacts, TokenRenewalContext } from '../../../machines/token-renewal.js';
import type {
  Account,
  AuthOutcome,
  Failure,
  RecoveryOutcome,
  RefreshOutcome,
} from '../../protocol/outcomes.js';
import { DEFAULT_TIMING, type Env } from '../../protocol/timing.js';
import type { Follower, Op, View, Wire, Wiring } from '../wiring.js';
import { failure } from './model.js';

type AccountSnapshot = SnapshotFrom<typeof accountMachine>;
type RemoteControlSnapshot = SnapshotFrom<typeof remoteControlMachine>;
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

const textOfFacts = (facts: LinkFacts): string =>
  JSON.stringify([facts.phase, facts.enrollment?.serverId, facts.account, facts.tokenExpiresAt]);

/** What `tokenRenewal` gets of remote control: `factsOf` of src/remote-control/token-renewal.ts. */
function linkFacts(view: View): LinkFacts | undefined {
  const snapshot = view.snapshot('remoteControl') as RemoteControlSnapshot | undefined;
  if (snapshot === undefined) return undefined;
  const { account, token, decision } = snapshot.context;
  const isSettled = snapshot.hasTag('waiting');
  return {
    phase: snapshot.hasTag('disabled')
      ? 'off'
      : snapshot.hasTag('connected')
        ? 'connected'
        : isSettled
          ? 'resting'
          : 'working',
    enrollment: enrollmentOf(snapshot.context),
    account,
    tokenExpiresAt: token?.expiresAt ?? null,
    cause: decision.reason,
  };
}

const isRunning = (view: View, chart: string): boolean => view.snapshot(chart)?.status === 'active';

/** The environment id of the public status. RC-42 */
function environmentOf(view: View): string | undefined {
  const snapshot = view.snapshot('remoteControl') as RemoteControlSnapshot | undefined;
  if (snapshot === undefined) return undefined;
  return statusOf(snapshot).environmentId ?? 'none';
}

const followers: readonly Follower[] = [
  {
    name: 'the environment, for pairing',
    value: environmentOf,
    changed: (now, before) =>
      before === undefined || before === 'none'
        ? []
        : [
            {
              kind: 'send',
              chart: 'pairing',
              event: { type: now === 'none' ? 'RESET' : 'IDENTITY.REPLACED' },
            },
          ],
  },
  {
    name: 'the link, for tokenRenewal',
    value: (view) => {
      const facts = isRunning(view, 'tokenRenewal') ? linkFacts(view) : undefined;
      return facts === undefined ? undefined : textOfFacts(facts);
    },
    changed: (_now, _before, view) => [
      {
        kind: 'send',
        chart: 'tokenRenewal',
        event: { type: 'LINK.CHANGED', facts: linkFacts(view) } as never,
      },
    ],
  },
];

/** One recovery step of the account, with the chart `authRecovery`. */
const recoverAuth = (env: () => Env): Wire => ({
  needs: ['account'],
  by: ['authRecovery'],
  begin: (_, view) => [
    ...(view.snapshot('authRecovery') === undefined
      ? [
          {
            kind: 'start' as const,
            chart: 'authRecovery',
            input: recoveryInput(env(), view),
          },
        ]
      : []),
    { kind: 'send', chart: 'authRecovery', event: { type: 'NEXT', renewedTokenRejected: false } as never },
  ],
  answer: (_, view) => {
    const recovery = view.snapshot('authRecovery') as RecoverySnapshot | undefined;
    // Another sign-in or a success stopped it: the step counts as not taken.
    if (recovery === undefined) return { kind: 'transient', failure: failure('authRecoveryFailed') };
    return recovery.hasTag('busy') ? undefined : (recovery.context.outcome ?? undefined);
  },
  ended: (output) => (kindOf(output) === 'exhausted' ? [STOP_RECOVERY] : []),
});

const recoveryInput = (env: Env, view: View) => ({
  ...{ env, timing: DEFAULT_TIMING, mode: recoveryMode(view) },
  accountId: usableAccount(view)?.accountId ?? null,
});

const REQUESTED_FOR = 'the identity of the pairing request';

/** @param env The clock of charts that start later. */
export function engineWiring(env: () => Env): Wiring {
  return {
    followers,
    actions: {
      'tokenRenewal.reportRenewed': ({ context, event }) => {
        const { enrollment } = context as TokenRenewalContext;
        const output = 'output' in event ? (event.output as RefreshOutcome) : undefined;
        if (enrollment === null || output?.kind !== 'granted') return [];
        const { token } = output;
        return [
          {
            kind: 'send',
            chart: 'remoteControl',
            event: { type: 'TOKEN.RENEWED', enrollment, token } as never,
          },
        ];
      },
      'tokenRenewal.reportIdentityLost': ({ context }) => {
        const { enrollment, result } = context as TokenRenewalContext;
        if (enrollment === null || result.kind !== 'identityLost') return [];
        return [lost(enrollment.serverId, result.failure)];
      },
    },
    requests: {
      'remoteControl.loadAuth': {
        needs: ['account'],
        begin: ({ input }) =>
          (input as { readonly reload?: boolean } | undefined)?.reload === true ? [STOP_RECOVERY] : [],
        answer: (_, view) => {
          const snapshot = accountOf(view);
          return snapshot === undefined ? undefined : authOutcomeOf(snapshot);
        },
      },
      'remoteControl.recoverAuth': recoverAuth(env),
      'remoteControl.enroll': { needs: [], ended: confirmTokens },
      'remoteControl.refresh': { needs: [], ended: confirmTokens },
      'pairing.tokenRenewal': {
        needs: ['tokenRenewal', 'remoteControl'],
        begin: ({ input }) => [
          { kind: 'stop', chart: 'tokenRenewal' },
          { kind: 'start', chart: 'tokenRenewal', input },
        ],
        answer: (_, view) => {
          const renewal = view.snapshot('tokenRenewal');
          return renewal?.status === 'done' ? renewal.output : undefined;
        },
        ended: () => [{ kind: 'stop', chart: 'tokenRenewal' }],
        abandoned: [{ kind: 'stop', chart: 'tokenRenewal' }],
      },
      'pairing.requestCode': {
        needs: [],
        begin: (_, view) => [
          { kind: 'note', name: REQUESTED_FOR, value: linkFacts(view)?.enrollment?.serverId ?? '' },
        ],
      },
      'pairing.reportEnrollmentLost': {
        needs: ['remoteControl'],
        begin: ({ input }, view) => {
          const serverId = view.note(REQUESTED_FOR) ?? '';
          const reported = (input as { readonly failure: Failure | null }).failure;
          return serverId === '' || reported === null ? [] : [lost(serverId, reported)];
        },
        answer: () => null,
      },
      'tokenRenewal.recoverAuth': recoverAuth(env),
      'tokenRenewal.refresh': { needs: [], ended: confirmTokens },
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
    },
  };
}

const lost = (serverId: string, reported: Failure): Op => ({
  kind: 'send',
  chart: 'remoteControl',
  event: { type: 'ENROLLMENT.LOST', serverId, failure: reported } as never,
});
