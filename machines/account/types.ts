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

export interface AccountInput {
  readonly env: Env;
  readonly policy: LoginPolicy;
  /** Workspaces are looked up before a sign-in counts as complete. ACC-60 */
  readonly routing: boolean;
  /** How long a browser may stay away, ms. ACC-77 */
  readonly loginTimeout: number;
}

/** What a request that changes the account came to. The host words it for the client. */
export type AccountAnswer =
  | { readonly ticket: number; readonly kind: 'done' }
  | { readonly ticket: number; readonly kind: 'notFound' }
  | { readonly ticket: number; readonly kind: 'refused'; readonly reason: Reason }
  | { readonly ticket: number; readonly kind: 'failed'; readonly failure: Failure };

/** The sign-in that ended last; the host tells clients with it. */
export interface EndedLogin {
  readonly loginId: string;
  readonly kind: 'browser' | 'device';
  /** Null: it was a success. */
  readonly failure: Failure | null;
}

export interface AccountContext extends AccountInput {
  /** What the account file held when it was last taken over. */
  readonly stored: StoredAccount;
  /** Owned by a parent app; comes before `stored` while it lasts. ACC-35 */
  readonly external: ChatgptAccount | null;
  /** Why the stored tokens of this generation can never be refreshed. ACC-54 */
  readonly dead: { readonly generation: number; readonly failure: Failure } | null;
  readonly login: { readonly id: string; readonly kind: 'browser' | 'device' } | null;
  readonly endedLogin: EndedLogin | null;
  /** Whose workspace is known, or could not be: account id and generation. */
  readonly workspaceOf: string | null;
  readonly workspace: Workspace | null;
  readonly workspaceFailure: Failure | null;
  /** To the last request. */
  readonly answer: AccountAnswer | null;
  /** Why the chart is where it is: one object for each decision. */
  readonly decision: Decision;
}

/** `ticket` names a request, so that its answer can be told from others. */
export type AccountEvent =
  | { readonly type: 'LOGIN.API_KEY'; readonly ticket: number }
  /** `account` is null when the token is no token. ACC-32 */
  | {
      readonly type: 'LOGIN.EXTERNAL';
      readonly ticket: number;
      readonly accountId: string;
      readonly account: ChatgptAccount | null;
    }
  | { readonly type: 'LOGIN.BROWSER'; readonly ticket: number; readonly loginId: string }
  | { readonly type: 'LOGIN.DEVICE'; readonly ticket: number; readonly loginId: string }
  | { readonly type: 'LOGIN.CANCEL'; readonly ticket: number; readonly loginId: string }
  /** Something else wants to go on: do not wait for the browser any longer once credentials are saved. */
  | { readonly type: 'LOGIN.FINISH' }
  | { readonly type: 'LOGOUT'; readonly ticket: number; readonly all: boolean }
  | { readonly type: 'REFRESH'; readonly ticket: number; readonly reason: TokenRefreshReason }
  /** The parent app is to be asked for new tokens. ACC-41 */
  | { readonly type: 'ASK'; readonly ticket: number }
  /** The file brought something that is taken over: at the start, from outside, or by a reload. */
  | { readonly type: 'STORED.CHANGED'; readonly stored: StoredAccount }
  | { readonly type: 'WORKSPACE.WANTED' };
