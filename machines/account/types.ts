import type {
  ChatgptAccount,
  LoginPolicy,
  StoredAccount,
  TokenRefreshReason,
  Workspace,
} from '../../src/protocol/account.js';
import type { Decision } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import type { Env } from '../../src/protocol/timing.js';
import type { LoginLimits, LoginProgress } from '../login/setup.js';

/** What the `account` chart starts with. */
export interface AccountInput {
  readonly env: Env;
  readonly policy: LoginPolicy;
  /** Look up the workspace before a sign-in is complete. ACC-60 */
  readonly routing: boolean;
  /** Of interactive sign-ins. */
  readonly limits: LoginLimits;
}

/** The result of a request that changes the account. The host makes the JSON-RPC response from it. */
export type AccountResponse =
  | { readonly ticket: number; readonly kind: 'done' }
  | { readonly ticket: number; readonly kind: 'notFound' }
  | { readonly ticket: number; readonly kind: 'refused'; readonly reason: Reason }
  | { readonly ticket: number; readonly kind: 'failed'; readonly failure: Failure };

/** The last sign-in that ended; the host notifies clients of it. */
export interface EndedLogin {
  readonly loginId: string;
  readonly kind: 'browser' | 'device';
  /** Null: the sign-in succeeded. */
  readonly failure: Failure | null;
}

/** What the `account` chart knows. */
export interface AccountContext extends AccountInput {
  /** Content of the account file when it was last read. */
  readonly stored: StoredAccount;
  /** Tokens that a parent app owns; they come before `stored`. ACC-35 */
  readonly external: ChatgptAccount | null;
  /** Why the stored tokens of this generation cannot be refreshed any more. ACC-54 */
  readonly expired: { readonly generation: number; readonly failure: Failure } | null;
  readonly login: { readonly id: string; readonly kind: 'browser' | 'device' } | null;
  readonly endedLogin: EndedLogin | null;
  /** The tokens whose workspace was looked up, with or without success: account id and generation. */
  readonly workspaceAccountKey: string | null;
  readonly workspace: Workspace | null;
  readonly workspaceFailure: Failure | null;
  /** Response to the last request. */
  readonly response: AccountResponse | null;
  /** Why the chart is in its state: one object for each decision. */
  readonly decision: Decision;
}

/** `ticket` identifies a request and its response. */
export type AccountEvent =
  | LoginProgress
  | { readonly type: 'LOGIN.API_KEY'; readonly ticket: number }
  /** `account` is null when the token is not a readable JWT. ACC-32 */
  | {
      readonly type: 'LOGIN.EXTERNAL';
      readonly ticket: number;
      readonly accountId: string;
      readonly account: ChatgptAccount | null;
    }
  | { readonly type: 'LOGIN.BROWSER'; readonly ticket: number; readonly loginId: string }
  | { readonly type: 'LOGIN.DEVICE'; readonly ticket: number; readonly loginId: string }
  | { readonly type: 'LOGIN.CANCEL'; readonly ticket: number; readonly loginId: string }
  /** Credentials are saved: do not wait for the browser any longer, because another request does. */
  | { readonly type: 'LOGIN.FINISH' }
  | { readonly type: 'LOGOUT'; readonly ticket: number; readonly all: boolean }
  | { readonly type: 'REFRESH'; readonly ticket: number; readonly reason: TokenRefreshReason }
  /** Request new tokens from the parent app. ACC-41 */
  | { readonly type: 'REFRESH.EXTERNAL'; readonly ticket: number }
  /** The stored sign-in was read: at the start, after a change by another process, or by a reload. */
  | { readonly type: 'STORED.CHANGED'; readonly stored: StoredAccount }
  /** The workspace of the account is needed. ACC-60 */
  | { readonly type: 'WORKSPACE.REQUESTED' };
