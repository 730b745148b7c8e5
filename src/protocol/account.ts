/** Words of the account API (account.md). Nothing here is secret. */
import { isRecord } from './jsonrpc.js';
import type { Failure } from './outcomes.js';

/** ACC-21; every other word reads as `unknown`. */
export const PLANS = [
  'free',
  'go',
  'plus',
  'pro',
  'prolite',
  'promax',
  'team',
  'self_serve_business_prolite',
  'self_serve_business_usage_based',
  'business',
  'ent26',
  'enterprise_cbp_automation',
  'enterprise_cbp_usage_based',
  'enterprise',
  'edu',
  'edu_plus',
  'edu_pro',
  'sci',
  'unknown',
] as const;
export type Plan = (typeof PLANS)[number];

/** Other words that the backend has for some of them. */
const SAME_PLAN: Readonly<Record<string, Plan>> = { hc: 'enterprise', education: 'edu' };

export function planOf(raw: unknown): Plan {
  if (typeof raw !== 'string') return 'unknown';
  if (Object.hasOwn(SAME_PLAN, raw)) return SAME_PLAN[raw] ?? 'unknown';
  return PLANS.find((plan) => plan === raw) ?? 'unknown';
}

/** How somebody is signed in, in the words of `account/updated` and `getAuthStatus`. ACC-22 */
export type AuthMode = 'apikey' | 'chatgpt' | 'chatgptAuthTokens';

/** Which sign-ins are allowed here. `--forced-login-method`, `--forced-workspace`; ACC-30, ACC-37 */
export interface LoginPolicy {
  readonly forcedMethod: 'api' | 'chatgpt' | null;
  /** Null: any. */
  readonly workspaces: readonly string[] | null;
}

/** Who a ChatGPT token speaks for. */
export interface Profile {
  readonly email: string | null;
  readonly plan: Plan;
  readonly userId: string | null;
}

/** A ChatGPT sign-in as it may be shown. */
export interface ChatgptAccount extends Profile {
  /** Null: the sign-in carries none and cannot be used for remote control. */
  readonly accountId: string | null;
  /** Grows with each new access token in this process. */
  readonly generation: number;
}

/** What the account file, or the environment, holds. */
export type StoredAccount =
  | { readonly kind: 'none'; readonly failure: Failure }
  | { readonly kind: 'apiKey' }
  /** ChatGPT mode without tokens. ACC-19 */
  | { readonly kind: 'incomplete'; readonly failure: Failure }
  | {
      readonly kind: 'chatgpt';
      readonly source: 'file' | 'environment';
      readonly account: ChatgptAccount;
      /** Why remote control cannot use it, where that is so: no account id, or another workspace than allowed. */
      readonly ineligible: Failure | null;
    };

/** Where the backend of one workspace is. ACC-60 */
export interface Workspace {
  readonly chatgptAccountId: string;
  readonly name: string | null;
  readonly backendOrigin: string;
  readonly accountRoutingOverride: string;
}

/** Why tokens are refreshed; the issuer is told. ACC-51 */
export type TokenRefreshReason = 'forced' | 'unauthorized_recovery' | 'proactive_expiry' | 'scheduled';

/** How one token refresh ended. */
export type TokenRefreshOutcome =
  /** The issuer gave new tokens, and they are on disk. */
  | { readonly kind: 'refreshed'; readonly stored: StoredAccount }
  /** Another process, or a person, has put newer ones of the same account there: nothing was spent. ACC-48 */
  | { readonly kind: 'reloaded'; readonly stored: StoredAccount }
  /** The file holds another account, or none: nothing was adopted, nothing was spent. ACC-50 */
  | { readonly kind: 'skipped'; readonly failure: Failure }
  /** These credentials are dead. ACC-53 */
  | { readonly kind: 'permanent'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What the parent app answered when it was asked for new tokens. ACC-43, ACC-45 */
export type ExternalTokensOutcome =
  | { readonly kind: 'replaced'; readonly account: ChatgptAccount }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** How a lookup of the workspace ended. ACC-62 */
export type WorkspaceOutcome =
  | { readonly kind: 'found'; readonly workspace: Workspace }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** How a step of a sign-in ended. `loginId` says whose, so that nothing late is taken for the next one. */
export type LoginStep =
  | { readonly kind: 'opened' }
  | { readonly kind: 'code' }
  | { readonly kind: 'granted' }
  /** The browser is sent on: to our page, whose fetch ends the sign-in, or to one elsewhere. ACC-76 */
  | { readonly kind: 'saved'; readonly stored: StoredAccount; readonly page: 'local' | 'hosted' | 'none' }
  | { readonly kind: 'finished' }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type StoreAccountOutcome =
  | { readonly kind: 'stored'; readonly stored: StoredAccount }
  | { readonly kind: 'failed'; readonly failure: Failure };

const AUTH_CLAIM = 'https://api.openai.com/auth';
const PROFILE_CLAIM = 'https://api.openai.com/profile';

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** ACC-33, ACC-34: who the claims of a token name. Claims of another form than expected are as good as absent. */
export function profileOf(claims: Readonly<Record<string, unknown>> | undefined): Profile {
  const auth = claims?.[AUTH_CLAIM];
  const profile = claims?.[PROFILE_CLAIM];
  return {
    email: text(claims?.email) ?? (isRecord(profile) ? text(profile.email) : null),
    plan: planOf(isRecord(auth) ? auth.chatgpt_plan_type : undefined),
    userId: isRecord(auth) ? (text(auth.chatgpt_user_id) ?? text(auth.user_id)) : null,
  };
}

/** Whether this account may sign in here. ACC-37 */
export function workspaceAllowed(policy: LoginPolicy, accountId: string | null): boolean {
  return policy.workspaces === null || (accountId !== null && policy.workspaces.includes(accountId));
}
