import type { AccountResponse } from '../../machines/account/types.js';
import type { TokenRefreshReason } from '../protocol/account.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Mutex } from '../system/mutex.js';
import type { Credentials } from './credentials.js';
import type { AccountRequests } from './requests.js';
import type { TokenStore } from './tokens.js';

interface TokenRefreshDeps {
  readonly credentials: Credentials;
  readonly tokens: TokenStore;
  readonly tokenMutex: Mutex;
  readonly closed: AbortSignal;
  readonly requests: () => AccountRequests;
  /** Why the stored tokens can never be refreshed; null: nothing is known against it. ACC-54 */
  readonly expired: () => Failure | null;
  readonly notifyChanged: () => unknown;
}

const WHEN_DUE: ReadonlySet<TokenRefreshReason> = new Set(['proactive_expiry', 'scheduled']);

/** Refreshes the tokens of a managed sign-in: before use, on request, and for a recovery. */
export class TokenRefresh {
  readonly #deps: TokenRefreshDeps;

  constructor(deps: TokenRefreshDeps) {
    this.#deps = deps;
  }

  /** Call before each use: refreshes tokens that are due. When that fails, the old tokens stay in use. ACC-49 */
  async runIfDue(): Promise<void> {
    const { credentials, tokens, expired } = this.#deps;
    if (!credentials.managed) return;
    const reason = tokens.refreshDue();
    if (reason === null || expired() !== null) return;
    await this.run(reason);
  }

  /** One refresh at a time; each waits for the previous one. ACC-48 */
  run(reason: TokenRefreshReason): Promise<AccountResponse> {
    const { credentials, tokens, tokenMutex, closed, requests, expired, notifyChanged } = this.#deps;
    return tokenMutex.runExclusive(closed, async () => {
      // The previous holder of the mutex may have refreshed the tokens.
      if (WHEN_DUE.has(reason) && tokens.refreshDue() === null) return { ticket: 0, kind: 'done' };
      const before = credentials.account()?.generation;
      const wasExpired = expired() !== null;
      const response = await requests().send((ticket) => ({ type: 'REFRESH', ticket, reason }));
      const account = credentials.account();
      const changed = account?.generation !== before || (wasExpired && expired() === null);
      if (reason !== 'unauthorized_recovery' && account !== null && changed) notifyChanged();
      return response;
    });
  }
}
