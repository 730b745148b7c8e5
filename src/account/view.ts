import type { SnapshotFrom } from 'xstate';
import type { accountMachine } from '../../machines/account/machine.js';
import type { AccountContext } from '../../machines/account/types.js';
import type { AuthMode, Plan } from '../protocol/account.js';
import { statePath } from '../protocol/decision.js';
import type { AuthOutcome, Failure } from '../protocol/outcomes.js';
import type { AccountSummary, AccountView } from './types.js';

/** In the words of `account/updated` and `getAuthStatus`. ACC-22 */
export function modeOf({ external, stored }: AccountContext): AuthMode | null {
  if (external !== null) return 'chatgptAuthTokens';
  if (stored.kind === 'chatgpt') return 'chatgpt';
  return stored.kind === 'apiKey' ? 'apikey' : null;
}

/** Why the stored tokens can never be renewed. ACC-54 */
export function expiredReasonOf({ expired: dead, stored }: AccountContext): Failure | null {
  return stored.kind === 'chatgpt' && dead?.generation === stored.account.generation ? dead.failure : null;
}

/** What clients are shown. */
export function viewOf(context: AccountContext): AccountView {
  const { external, stored, workspace, workspaceFailure } = context;
  const stale = expiredReasonOf(context) !== null;
  const chatgpt = external ?? (stored.kind === 'chatgpt' && !stale ? stored.account : null);
  return { mode: modeOf(context), stored, chatgpt, workspace, workspaceFailure };
}

/** Params of `account/updated`. ACC-25 */
export function updatedOf(context: AccountContext): {
  readonly authMode: AuthMode | null;
  readonly planType: Plan | null;
} {
  const { external, stored } = context;
  const account = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
  return { authMode: modeOf(context), planType: account?.plan ?? null };
}

/** Who is signed in and what is wrong with that, for status. Holds no secret. */
export function summaryOf(
  { value, context }: SnapshotFrom<typeof accountMachine>,
  outcome: AuthOutcome,
  store: 'file' | 'ephemeral',
): AccountSummary {
  const { external, stored } = context;
  const shown = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
  const stale = external === null ? expiredReasonOf(context) : null;
  const problem = outcome.kind === 'unusable' ? outcome.failure : stale;
  return {
    mode: modeOf(context),
    source: external !== null ? 'parent' : sourceOf(context, store),
    state: statePath(value.auth),
    login: context.login?.kind ?? null,
    email: shown?.email ?? null,
    plan: shown?.plan ?? null,
    userId: shown?.userId ?? null,
    accountId: shown?.accountId ?? null,
    problem: problem === null ? null : { reason: problem.reason, message: problem.message },
  };
}

function sourceOf({ stored }: AccountContext, store: 'file' | 'ephemeral'): AccountSummary['source'] {
  if (stored.kind === 'chatgpt' && stored.source === 'environment') return 'environment';
  if (stored.kind !== 'chatgpt' && stored.kind !== 'apiKey') return null;
  return store === 'file' ? 'file' : 'memory';
}
