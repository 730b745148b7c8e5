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
import { AccountService } from './service.js';
import type { AccountTiming } from './types.js';

/** What of an engine's options concerns the account. */
export interface AccountOptions {
  /** Account file in the reference client's format. Default `<home>/auth.json`. Watched, and written on sign-in. */
  readonly authFile?: string;
  /**
   * Where a sign-in is kept: the account file, or memory only, which is forgotten when the engine ends. Default
   * `file`. `ephemeral` neither reads nor writes the account file. ACC-57
   */
  readonly authStore?: 'file' | 'ephemeral';
  /** OAuth issuer: https, or http on this machine. Default `https://auth.openai.com`. */
  readonly issuer?: string;
  /** OAuth client id. Default: that of the reference client. */
  readonly clientId?: string;
  /** Only these workspaces may sign in. Default: any. ACC-37 */
  readonly forcedWorkspaces?: readonly string[];
  /** Only this way to sign in. Default: any. ACC-30 */
  readonly forcedLoginMethod?: 'api' | 'chatgpt';
  /** Looks up the workspace before a sign-in counts as complete. Default false. ACC-60 */
  readonly workspaceRouting?: boolean;
  /** An access token in place of the account file, as in continuous integration. It cannot be renewed. */
  readonly accessToken?: GivenToken;
  /** Ports of 127.0.0.1 that a browser comes back to, in the order they are tried. Default 1455, 1457. */
  readonly loginPorts?: readonly number[];
  /** Delays of the account, ms, over the defaults. For tests. */
  readonly accountTiming?: Partial<AccountTiming>;
}

export interface AccountDeps {
  readonly home: Home;
  readonly env: Env;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly dialer: Dialer;
  /** With a slash at its end; null: no backend may be talked to. */
  readonly baseUrl: string | null;
  readonly broadcast: (method: string, params: unknown) => void;
  readonly onFault: (error: unknown) => void;
  readonly watcher?: EngineWatcher | undefined;
}

export const loginPolicy = (options: AccountOptions): LoginPolicy => ({
  forcedMethod: options.forcedLoginMethod ?? null,
  workspaces: options.forcedWorkspaces ?? null,
});

/** @throws EngineError `usage` when the issuer is no address that secrets may be sent to. */
export function issuerAddress(options: AccountOptions): IssuerAddress {
  const parsed = parseIssuer(options, process.env);
  if (!parsed.ok) throw new EngineError('usage', parsed.message);
  return parsed.address;
}

/** @throws EngineError as `issuerAddress`. */
export function createAccount(options: AccountOptions, parts: AccountDeps): AccountService {
  const { home, env, log, audit, dialer, broadcast, onFault } = parts;
  return new AccountService({
    path: options.authFile ?? home.authFile,
    store: options.authStore ?? 'file',
    env,
    log,
    audit,
    dialer,
    address: issuerAddress(options),
    policy: loginPolicy(options),
    routing: options.workspaceRouting === true ? { baseUrl: parts.baseUrl } : null,
    given: options.accessToken,
    userAgent: `rc-engine/${VERSION}`,
    loginPorts: options.loginPorts,
    timing: options.accountTiming,
    broadcast,
    onFault,
    watcher: parts.watcher,
  });
}
