import type { Home } from '../home/home.js';
import type { Dialer } from '../net/dialer.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { LoginPolicy } from '../protocol/account.js';
import { EngineError } from '../protocol/errors.js';
import type { Env } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import type { GivenToken } from './credentials.js';
import { type IssuerAddress, parseIssuer } from './issuer/address.js';
import { type AccountTiming, DEFAULT_ACCOUNT_TIMING } from './timing.js';

/** The options of an engine that concern the account. */
export interface AccountOptions {
  /**
   * Account file in the format of Codex CLI. Default `<home>/auth.json`. It is watched for changes, and written by a
   * sign-in, a refresh and a sign-out.
   */
  readonly authFile?: string;
  /**
   * Where a sign-in is stored. `file`: in the account file. `ephemeral`: in memory; it is lost when the engine stops,
   * and the account file is neither read nor written. Default `file`. ACC-57
   */
  readonly authStore?: 'file' | 'ephemeral';
  /** OAuth issuer: https, or http on this machine. Default `https://auth.openai.com`. ACC-72 */
  readonly issuer?: string;
  /** OAuth client id. Default: the client id of Codex CLI. */
  readonly clientId?: string;
  /** Only these workspaces (account ids) may sign in. Default: any. ACC-37 */
  readonly forcedWorkspaces?: readonly string[];
  /** Only this sign-in method is allowed. Default: any. ACC-30 */
  readonly forcedLoginMethod?: 'api' | 'chatgpt';
  /** Complete a sign-in only after its workspace was looked up. Default false. ACC-60 */
  readonly workspaceRouting?: boolean;
  /** An access token that is used instead of the account file, for continuous integration. It is never refreshed. ACC-86 */
  readonly accessToken?: GivenToken;
  /** Ports of 127.0.0.1 that a browser returns to, in the order they are tried. Default 1455, 1457. ACC-70 */
  readonly loginPorts?: readonly number[];
  /** Timeouts of the account, ms; missing ones have their default. For tests. */
  readonly accountTiming?: Partial<AccountTiming>;
}

/** Codex CLI uses the same ports. ACC-70 */
export const LOGIN_PORTS: readonly number[] = [1455, 1457];

/** What the account needs from the engine. */
export interface AccountDeps {
  readonly home: Home;
  readonly env: Env;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly dialer: Dialer;
  /** Ends with a slash; null: there is no backend. */
  readonly baseUrl: string | null;
  /** Notifies every initialized client. */
  readonly broadcast: (method: string, params: unknown) => void;
  /** An actor failed unexpectedly. */
  readonly onFault: (error: unknown) => void;
  readonly watcher?: EngineWatcher | undefined;
}

/** Options with their defaults, checked. */
export interface AccountConfig extends Omit<AccountDeps, 'home' | 'baseUrl'> {
  /** The account file. */
  readonly path: string;
  readonly store: 'file' | 'ephemeral';
  readonly address: IssuerAddress;
  readonly policy: LoginPolicy;
  /** Workspaces are looked up at this backend; null: routing is off. ACC-60 */
  readonly routing: { readonly baseUrl: string | null } | null;
  readonly given: GivenToken | undefined;
  readonly userAgent: string;
  readonly loginPorts: readonly number[];
  readonly timing: AccountTiming;
}

export const loginPolicy = (options: AccountOptions): LoginPolicy => ({
  forcedMethod: options.forcedLoginMethod ?? null,
  workspaces: options.forcedWorkspaces ?? null,
});

/** @throws EngineError `usage` when the issuer is not a URL that secrets may be sent to. */
export function issuerAddress(options: AccountOptions): IssuerAddress {
  const parsed = parseIssuer(options, process.env);
  if (!parsed.ok) throw new EngineError('usage', parsed.message);
  return parsed.address;
}

/** @throws EngineError as `issuerAddress`. */
export function accountConfig(options: AccountOptions, deps: AccountDeps): AccountConfig {
  return {
    ...deps,
    path: options.authFile ?? deps.home.authFile,
    store: options.authStore ?? 'file',
    address: issuerAddress(options),
    policy: loginPolicy(options),
    routing: options.workspaceRouting === true ? { baseUrl: deps.baseUrl } : null,
    given: options.accessToken,
    userAgent: `rc-engine/${VERSION}`,
    loginPorts: options.loginPorts ?? LOGIN_PORTS,
    timing: { ...DEFAULT_ACCOUNT_TIMING, ...options.accountTiming },
  };
}
