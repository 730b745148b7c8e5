/** Models of the charts `account` and `authRecovery`. */
import type { SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../../machines/account/machine.js';
import type { AccountEvent, AccountInput } from '../../../machines/account/types.js';
import type { authRecoveryMachine, RecoveryMode } from '../../../machines/auth-recovery.js';
import type {
  authorizedRequestMachine,
  RequestOutcome,
  StepOutcome,
} from '../../../machines/authorized-request.js';
import type {
  ChatgptAccount,
  ExternalTokensOutcome,
  LoginOutcome,
  StoreAccountOutcome,
  StoredAccount,
  TokenRefreshOutcome,
  WorkspaceOutcome,
} from '../../protocol/account.js';
import type { RecoveryOutcome } from '../../protocol/outcomes.js';
import { DEFAULT_TIMING } from '../../protocol/timing.js';
import { failure, isCalling, SimulatedEnv, type Variant } from './model.js';

type Snapshot = SnapshotFrom<typeof accountMachine>;

const ANNA: ChatgptAccount = { accountId: 'anna', generation: 1, email: null, plan: 'plus', userId: null };
const ANNA_AGAIN: ChatgptAccount = { ...ANNA, generation: 2 };
const PARENTS: ChatgptAccount = { ...ANNA, accountId: 'parents', generation: 5 };
const chatgpt = (account: ChatgptAccount): StoredAccount => ({
  kind: 'chatgpt',
  source: 'file',
  account,
  ineligible: null,
});
const NOBODY: StoredAccount = { kind: 'none', failure: failure('authMissing') };
const FAILED = { kind: 'failed', failure: failure('authRecoveryFailed') } as const;

/** One variant for each policy that the chart treats differently. */
export function accountModel(): Variant<typeof accountMachine>[] {
  return [
    variant('no policy, workspace routing', { routing: true }),
    variant('allowed workspaces', { policy: { forcedMethod: null, workspaces: ['anna'] } }),
    variant('ChatGPT only', { policy: { forcedMethod: 'chatgpt', workspaces: null } }),
    variant('API keys only', { policy: { forcedMethod: 'api', workspaces: null } }),
    silentVariant(),
  ];
}

function variant(name: string, special: Partial<AccountInput>): Variant<typeof accountMachine> {
  const env = new SimulatedEnv();
  const stored: readonly StoreAccountOutcome[] = [
    { kind: 'stored', stored: NOBODY },
    { kind: 'stored', stored: { kind: 'apiKey' } },
    FAILED,
  ];
  const refreshed: readonly TokenRefreshOutcome[] = [
    { kind: 'refreshed', stored: chatgpt(ANNA_AGAIN) },
    { kind: 'reloaded', stored: chatgpt(ANNA_AGAIN) },
    { kind: 'permanent', failure: failure('authRejected') },
    FAILED,
  ];
  const replaced: readonly ExternalTokensOutcome[] = [
    { kind: 'replaced', account: { ...PARENTS, generation: 6 } },
    FAILED,
  ];
  const workspace = { name: null, backendOrigin: 'https://backend.test', accountRoutingOverride: '' };
  const lookedUp: readonly WorkspaceOutcome[] = [
    { kind: 'found', workspace: { ...workspace, chatgptAccountId: 'anna' } },
    { kind: 'found', workspace: { ...workspace, chatgptAccountId: 'parents' } },
    FAILED,
  ];
  return {
    name,
    options: {
      input: {
        env,
        policy: { forcedMethod: null, workspaces: null },
        routing: false,
        limits: { loginTimeout: 600_000, issuerTimeout: 30_000, loginPorts: [1455, 1457] },
        ...special,
      },
      setTime: env.setTime,
      key: readByGuards,
      waits: (snapshot) => !isCalling(snapshot, []),
      events,
      outcomes: {
        storeApiKey: stored,
        signOut: stored,
        refreshTokens: refreshed,
        requestExternalTokens: replaced,
        lookUpWorkspace: lookedUp,
        login: loginOutcomes,
      },
    },
  };
}

/** How the chart `login` can end in each state. */
function loginOutcomes(snapshot: Snapshot): readonly LoginOutcome[] {
  if (snapshot.hasTag('opening')) return [{ kind: 'notOpened', failure: failure('loginPortsBusy') }];
  return snapshot.matches({ login: { signingIn: 'completing' } }) ? [{ kind: 'finished' }, FAILED] : [FAILED];
}

/** Adapters that may not answer, so that their deadlines end. One at a time: the regions do not depend on each other. */
function silentVariant(): Variant<typeof accountMachine> {
  const { name, options } = variant('adapters that do not answer', { routing: true });
  return {
    name,
    options: {
      ...options,
      waits: () => true,
      events: (snapshot) =>
        isCalling(snapshot, [])
          ? []
          : events(snapshot).filter(({ type }) => !/^(LOGIN\.CANCEL|LOGIN\.FINISH|SIGN_IN)/.test(type)),
    },
  };
}

function events({ context }: Snapshot): readonly AccountEvent[] {
  const ticket = 1;
  return [
    { type: 'LOGIN.API_KEY', ticket },
    { type: 'LOGIN.EXTERNAL', ticket, accountId: 'parents', account: PARENTS },
    { type: 'LOGIN.EXTERNAL', ticket, accountId: 'anna', account: null },
    { type: 'LOGIN.BROWSER', ticket, loginId: 'browser' },
    { type: 'LOGIN.DEVICE', ticket, loginId: 'device' },
    { type: 'LOGIN.CANCEL', ticket, loginId: context.login?.id ?? 'none' },
    { type: 'LOGIN.CANCEL', ticket, loginId: 'another' },
    { type: 'LOGIN.FINISH' },
    { type: 'LOGOUT', ticket, all: false },
    { type: 'REFRESH', ticket, reason: 'forced' },
    { type: 'REFRESH.EXTERNAL', ticket },
    { type: 'STORED.CHANGED', stored: chatgpt(ANNA) },
    { type: 'STORED.CHANGED', stored: { kind: 'apiKey' } },
    { type: 'STORED.CHANGED', stored: NOBODY },
    { type: 'WORKSPACE.REQUESTED' },
    { type: 'SIGN_IN.OPENED' },
    { type: 'SIGN_IN.APPROVED' },
    { type: 'SIGN_IN.SAVING' },
    { type: 'SIGN_IN.SAVED', stored: chatgpt(ANNA) },
    { type: 'SIGN_IN.COMPLETING' },
  ];
}

function readByGuards({ context }: Snapshot): string[] {
  const { stored, external, expired } = context;
  return [
    stored.kind === 'chatgpt' ? `chatgpt ${stored.account.generation}` : stored.kind,
    `${external?.generation}`,
    `${expired?.generation}`,
    `${context.login?.kind}`,
    `${context.workspaceAccountKey}`,
  ];
}

/** The recovery of each kind of sign-in. ACC-64 to ACC-67 */
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
        events: [
          { type: 'NEXT', renewedTokenRejected: false },
          { type: 'NEXT', renewedTokenRejected: true },
          { type: 'STOP' },
        ],
        outcomes: { reload: outcomes, refresh: outcomes, requestExternalTokens: outcomes },
      },
    };
  });
}

/** A request that needs the account, by how it is repeated. RC-49, ACC-60 */
export function authorizedRequestModel(): Variant<typeof authorizedRequestMachine>[] {
  const requests: readonly RequestOutcome[] = [{ kind: 'answered' }, { kind: 'refused' }];
  const steps: readonly StepOutcome[] = [
    { kind: 'recovered', newToken: true },
    { kind: 'recovered', newToken: false },
    { kind: 'notRecovered', failure: failure('authRejected') },
  ];
  return (['newToken', 'eachStep'] as const).map((repeats) => {
    const env = new SimulatedEnv();
    return {
      name: repeats === 'newToken' ? 'about paired devices' : 'the lookup of the workspace',
      options: {
        input: { env, timing: DEFAULT_TIMING, repeats },
        setTime: env.setTime,
        key: () => '',
        outcomes: { request: requests, requestAgain: requests, recoverAuth: steps },
      },
    };
  });
}
