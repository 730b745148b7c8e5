/** Types of the account API. None of them contains a secret. */
import { isRecord } from './jsonrpc.js';
import type { Failure } from './outcomes.js';

/** The plans that clients know; any other value becomes `unknown`. ACC-21 */
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
/** The plan of a ChatGPT account. ACC-21 */
export type Plan = (typeof PLANS)[number];

/** Other names of the backend for some plans. */
const SAME_PLAN: Readonly<Record<string, Plan>> = { hc: 'enterprise', education: 'edu' };

export function planOf(raw: unknown): Plan {
  if (typeof raw !== 'string') return 'unknown';
  if (Object.hasOwn(SAME_PLAN, raw)) return SAME_PLAN[raw] ?? 'unknown';
  return PLANS.find((plan) => plan === raw) ?? 'unknown';
}

/** How the account is signed in, as `account/updated` and `getAuthStatus` report it. ACC-22 */
export type AuthMode = 'apikey' | 'chatgpt' | 'chatgptAuthTokens';

/** Which sign-ins are allowed, by `--forced-login-method` and `--forced-workspace`. ACC-30, ACC-37 */
export interface LoginPolicy {
  readonly forcedMethod: 'api' | 'chatgpt' | null;
  /** Null: any. */
  readonly workspaces: readonly string[] | null;
}

/** The user of a ChatGPT token. */
export interface Profile {
  readonly email: string | null;
  readonly plan: Plan;
  readonly userId: string | null;
}

/** A ChatGPT sign-in without its tokens. */
export interface ChatgptAccount extends Profile {
  /** Null: the sign-in has no account id and cannot be used for remote control. */
  readonly accountId: string | null;
  /** Grows with each new access token in this process. */
  readonly generation: number;
}

/** The content of the account file or of the environment variable, or the key of a hub. */
export type StoredAccount =
  | { readonly kind: 'none'; readonly failure: Failure }
  | { readonly kind: 'apiKey' }
  /** ChatGPT mode without tokens. ACC-19 */
  | { readonly kind: 'incomplete'; readonly failure: Failure }
  | {
      readonly kind: 'chatgpt';
      readonly source: 'file' | 'environment' | 'hub';
      readonly account: ChatgptAccount;
      /** Why remote control cannot use it: no account id, or a workspace that is not allowed. Null: it can. */
      readonly ineligible: Failure | null;
    };

/** The backend of one workspace. ACC-60 */
export interface Workspace {
  readonly chatgptAccountId: string;
  readonly name: string | null;
  readonly backendOrigin: string;
  readonly accountRoutingOverride: string;
}

/** Why tokens are refreshed; sent to the issuer. ACC-51 */
export type TokenRefreshReason = 'forced' | 'unauthorized_recovery' | 'proactive_expiry' | 'scheduled';

/** How one token refresh ended. */
export type TokenRefreshOutcome =
  /** The issuer gave new tokens, and they are on disk. */
  | { readonly kind: 'refreshed'; readonly stored: StoredAccount }
  /** The file has newer tokens of the same account, from another process: no refresh token was redeemed. ACC-48 */
  | { readonly kind: 'reloaded'; readonly stored: StoredAccount }
  /** The file has another account or none: nothing was adopted and no refresh token was redeemed. ACC-50 */
  | { readonly kind: 'skipped'; readonly failure: Failure }
  /** These credentials can never be refreshed again. ACC-53 */
  | { readonly kind: 'permanent'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The response of the parent app to a request for new tokens. ACC-43, ACC-45 */
export type ExternalTokensOutcome =
  | { readonly kind: 'replaced'; readonly account: ChatgptAccount }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** How a lookup of the workspace ended. ACC-62 */
export type WorkspaceOutcome =
  | { readonly kind: 'found'; readonly workspace: Workspace }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** How an interactive sign-in ended. */
export type LoginOutcome =
  | { readonly kind: 'finished' }
  /** It could not be started; only its requester gets the failure. */
  | { readonly kind: 'notOpened'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** One attempt at a port for the browser. ACC-70 */
export type PortOutcome =
  | { readonly kind: 'opened' }
  | { readonly kind: 'inUse' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What a browser brought back. ACC-74 */
export type CodeOutcome = { readonly kind: 'code' } | { readonly kind: 'failed'; readonly failure: Failure };

/** A device code, or why there is none. `interval`: between two polls, ms. ACC-79 */
export type DeviceOutcome =
  | { readonly kind: 'opened'; readonly interval: number }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What the issuer said to one poll. `retryAfter`: the least pause, ms. ACC-80, ACC-110 */
export type DevicePoll =
  | CodeOutcome
  | { readonly kind: 'pending'; readonly slowDown: boolean; readonly retryAfter: number }
  /** This poll failed; the next one may succeed. */
  | { readonly kind: 'retry'; readonly failure: Failure; readonly retryAfter: number };

/** How the exchange of an authorization code ended. ACC-75 */
export type ExchangeStep =
  | { readonly kind: 'granted' }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** The browser is redirected to our page, whose request ends the sign-in, or to a hosted one. ACC-76 */
export type SaveOutcome =
  | { readonly kind: 'saved'; readonly stored: StoredAccount; readonly page: 'local' | 'hosted' | 'none' }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type StoreAccountOutcome =
  | { readonly kind: 'stored'; readonly stored: StoredAccount }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** How one change of the stored sign-in ended. */
export type TokenChangeOutcome = TokenRefreshOutcome | StoreAccountOutcome;

/** What reading the account file again found, compared with the sign-in in memory. ACC-50 */
export type ReloadOutcome =
  | { readonly kind: 'reloaded'; readonly stored: StoredAccount }
  /** Another account or none, which is not adopted. */
  | { readonly kind: 'skipped'; readonly failure: Failure }
  | {
      readonly kind: 'same';
      readonly stored: StoredAccount;
      /** It has a refresh token. */
      readonly refreshable: boolean;
      /** The watch adopted it from the file, and no refresh has been asked for since. */
      readonly adopted: boolean;
    };

/** One attempt to take the lock of the account file. ACC-59 */
export type LockAttempt =
  | { readonly kind: 'locked' }
  | { readonly kind: 'busy'; readonly failure: Failure }
  /** The lock cannot be used. */
  | { readonly kind: 'failed'; readonly failure: Failure };

/** Whether new tokens can be written. ACC-113 */
export type PlaceOutcome =
  | { readonly kind: 'prepared' }
  /** The file is gone. */
  | { readonly kind: 'skipped'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

/** What the issuer said to a refresh token. */
export type RedeemOutcome =
  /** The new tokens are in use. */
  | { readonly kind: 'granted'; readonly stored: StoredAccount }
  | { readonly kind: 'permanent'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

export type StoredLookup = { readonly kind: 'present' } | { readonly kind: 'absent' };

const AUTH_CLAIM = 'https://api.openai.com/auth';
const PROFILE_CLAIM = 'https://api.openai.com/profile';

const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null);

/** The user that the claims of a token name. Claims of an unexpected type count as absent. ACC-33, ACC-34 */
export function profileOf(claims: Readonly<Record<string, unknown>> | undefined): Profile {
  const auth = claims?.[AUTH_CLAIM];
  const profile = claims?.[PROFILE_CLAIM];
  return {
    email: text(claims?.email) ?? (isRecord(profile) ? text(profile.email) : null),
    plan: planOf(isRecord(auth) ? auth.chatgpt_plan_type : undefined),
    userId: isRecord(auth) ? (text(auth.chatgpt_user_id) ?? text(auth.user_id)) : null,
  };
}

/** Whether the policy allows this account. ACC-37 */
export function workspaceAllowed(policy: LoginPolicy, accountId: string | null): boolean {
  return policy.workspaces === null || (accountId !== null && policy.workspaces.includes(accountId));
}
