/** What clients and status see of the `account` chart. */
import type { SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../machines/account/machine.js';
import type { AccountContext } from '../../machines/account/types.js';
import type { AuthMode, Plan, StoredAccount, Workspace } from '../protocol/account.js';
import { statePath } from '../protocol/decision.js';
import type { AuthOutcome, Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';

/** The account as `account/read` and `getAuthStatus` use it. */
export interface AccountView {
  readonly mode: AuthMode | null;
  readonly stored: StoredAccount;
  /** Null: nobody is signed in, an API key is, or the tokens can never be refreshed. ACC-17 */
  readonly chatgpt: {
    readonly email: string | null;
    readonly plan: Plan;
    readonly userId: string | null;
    readonly accountId: string | null;
  } | null;
  readonly workspace: Workspace | null;
  readonly workspaceFailure: Failure | null;
}

/** Who is signed in, for status and `engine/account/read`. Holds no secret. ACC-87 */
export interface AccountSummary {
  readonly mode: AuthMode | null;
  readonly source: 'file' | 'memory' | 'environment' | 'hub' | 'parent' | null;
  /** Absolute path of the account file; null: this engine uses none. ACC-112 */
  readonly file: string | null;
  /** Path of the active state, as `chatgpt.ready`. */
  readonly state: string;
  /** The interactive sign-in in progress. */
  readonly login: 'browser' | 'device' | null;
  readonly email: string | null;
  readonly plan: Plan | null;
  readonly userId: string | null;
  readonly accountId: string | null;
  /** Why remote control cannot use the account, or will soon be unable to. */
  readonly problem: { readonly reason: Reason; readonly message: string } | null;
  /** Why the issuer did not revoke what the last sign-out deleted; null: it did, or nothing had to be revoked. */
  readonly notRevoked: { readonly reason: Reason; readonly message: string } | null;
  /** The settings with which somebody signs in here. */
  readonly settings: {
    readonly issuer: string;
    readonly clientId: string;
    readonly forcedMethod: 'api' | 'chatgpt' | null;
    readonly workspaces: readonly string[] | null;
    readonly workspaceRouting: boolean;
  };
}

/** ACC-22: the value of `authMode` and `authMethod`. */
export function modeOf({ external, stored }: AccountContext): AuthMode | null {
  if (external !== null) return 'chatgptAuthTokens';
  if (stored.kind === 'chatgpt') return 'chatgpt';
  return stored.kind === 'apiKey' ? 'apikey' : null;
}

/** Why the stored tokens can never be refreshed; null: nothing is known against it. ACC-54 */
export function expiredFailureOf({ expired, stored }: AccountContext): Failure | null {
  return stored.kind === 'chatgpt' && expired?.generation === stored.account.generation
    ? expired.failure
    : null;
}

export function viewOf(context: AccountContext): AccountView {
  const { external, stored, workspace, workspaceFailure } = context;
  const expired = expiredFailureOf(context) !== null;
  const chatgpt = external ?? (stored.kind === 'chatgpt' && !expired ? stored.account : null);
  return { mode: modeOf(context), stored, chatgpt, workspace, workspaceFailure };
}

/** Why `account/updated` is sent although nobody signed in or out: the connection is new. ACC-100 */
type UpdateReason = 'workspaceRoutingReady';

/**
 * Params of `account/updated`. Codex CLI 0.171.0 added `reason`; clients of earlier versions ignore it. ACC-25, ACC-100
 * @param reason Default null: somebody signed in or out.
 */
export function updatedParams(
  context: AccountContext,
  reason: UpdateReason | null = null,
): {
  readonly authMode: AuthMode | null;
  readonly planType: Plan | null;
  readonly reason: UpdateReason | null;
} {
  const { external, stored } = context;
  const account = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
  return { authMode: modeOf(context), planType: account?.plan ?? null, reason };
}

export function summaryOf(
  { value, context }: SnapshotFrom<typeof accountMachine>,
  outcome: AuthOutcome,
  {
    file,
    writeFailure,
    revokeFailure,
    settings,
  }: Pick<AccountSummary, 'file' | 'settings'> & {
    readonly writeFailure: Failure | null;
    readonly revokeFailure: Failure | null;
  },
): AccountSummary {
  const { external, stored } = context;
  const account = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
  const expired = external === null ? expiredFailureOf(context) : null;
  const managed = external === null ? (expired ?? writeFailure) : null;
  const problem = outcome.kind === 'ineligible' ? outcome.failure : managed;
  return {
    mode: modeOf(context),
    source: external !== null ? 'parent' : sourceOf(context, file),
    file,
    state: statePath(value.auth),
    login: context.login?.kind ?? null,
    email: account?.email ?? null,
    plan: account?.plan ?? null,
    userId: account?.userId ?? null,
    accountId: account?.accountId ?? null,
    problem: problem === null ? null : { reason: problem.reason, message: problem.message },
    notRevoked:
      revokeFailure === null ? null : { reason: revokeFailure.reason, message: revokeFailure.message },
    settings,
  };
}

function sourceOf({ stored }: AccountContext, file: string | null): AccountSummary['source'] {
  if (stored.kind === 'chatgpt' && stored.source !== 'file') return stored.source;
  if (stored.kind !== 'chatgpt' && stored.kind !== 'apiKey') return null;
  return file === null ? 'memory' : 'file';
}
