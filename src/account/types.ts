import type { Dialer } from '../net/dialer.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AuthMode, LoginPolicy, Plan, StoredAccount, Workspace } from '../protocol/account.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Env } from '../protocol/timing.js';
import type { GivenToken } from './credentials.js';
import type { IssuerAddress } from './issuer/address.js';
import { PARENT_APP_TIMEOUT } from './parent-app.js';

/** Delays of the account, ms. */
export interface AccountTiming {
  /** How long the parent app may take to answer. ACC-45 */
  readonly parentLimit: number;
  /** How long a browser may stay away. ACC-77 */
  readonly loginTimeout: number;
  /** How long to wait for another process that works on the account file. */
  readonly lockTimeout: number;
  /** Limit of one request to the issuer. */
  readonly issuerTimeout: number;
}

export const DEFAULT_ACCOUNT_TIMING: AccountTiming = {
  parentLimit: PARENT_APP_TIMEOUT,
  loginTimeout: 600_000,
  lockTimeout: 45_000,
  issuerTimeout: 30_000,
};

export interface AccountServiceOptions {
  /** auth.json */
  readonly path: string;
  /** Where a sign-in is stored: in the file, or in memory only. ACC-57 */
  readonly store: 'file' | 'ephemeral';
  readonly env: Env;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly dialer: Dialer;
  readonly address: IssuerAddress;
  readonly policy: LoginPolicy;
  /** Workspaces are looked up at this backend; null: routing is off. ACC-60 */
  readonly routing: { readonly baseUrl: string | null } | null;
  readonly given: GivenToken | undefined;
  readonly userAgent: string;
  readonly loginPorts?: readonly number[] | undefined;
  readonly timing?: Partial<AccountTiming> | undefined;
  /** Told to every initialized client. */
  readonly broadcast: (method: string, params: unknown) => void;
  /** An actor failed in a way that nobody expected. */
  readonly onFault: (error: unknown) => void;
  readonly watcher?: EngineWatcher | undefined;
}

/** What clients are shown. */
export interface AccountView {
  readonly mode: AuthMode | null;
  readonly stored: StoredAccount;
  /** Null: nobody, an API key, or tokens that can never be renewed. ACC-17 */
  readonly chatgpt: {
    readonly email: string | null;
    readonly plan: Plan;
    readonly userId: string | null;
    readonly accountId: string | null;
  } | null;
  readonly workspace: Workspace | null;
  readonly workspaceFailure: Failure | null;
}

/** Who is signed in, in words that may be shown to everybody who may ask the engine. */
export interface AccountSummary {
  readonly mode: AuthMode | null;
  readonly source: 'file' | 'memory' | 'environment' | 'parent' | null;
  /** Path of the active state, as `chatgpt.ready`. */
  readonly state: string;
  /** A sign-in that waits for a person. */
  readonly login: 'browser' | 'device' | null;
  readonly email: string | null;
  readonly plan: Plan | null;
  readonly userId: string | null;
  readonly accountId: string | null;
  /** Why remote control cannot use it, or cannot for long. */
  readonly problem: { readonly reason: Reason; readonly message: string } | null;
}

/** A request that was not carried out. */
export class AccountRefusal extends Error {
  readonly failure: Failure;
  readonly refused: boolean;

  constructor(failure: Failure, refused: boolean) {
    super(failure.message);
    this.name = 'AccountRefusal';
    this.failure = failure;
    this.refused = refused;
  }
}

export interface LoginPrompt {
  readonly loginId: string;
  readonly url: string;
  readonly userCode: string | null;
  /** The address with the code in it, where the issuer names one. */
  readonly completeUrl: string | null;
}

/** What became of a change, and what is done when its answer is on the wire. */
export interface AccountChange<T> {
  readonly result: T;
  /** Call exactly once: until then no other change of the account begins. ACC-27 */
  readonly after: () => void;
}
