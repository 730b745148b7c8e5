import type { AccountResponse } from '../../machines/account/types.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { TokenRefreshReason } from '../protocol/account.js';
import type { Recovery } from '../protocol/account-source.js';
import type { Failure, RecoveryOutcome } from '../protocol/outcomes.js';
import type { Env } from '../protocol/timing.js';
import type { Mutex } from '../system/mutex.js';
import type { Credentials } from './credentials.js';
import type { AuthFile } from './file/auth-file.js';
import { startRecovery } from './recovery.js';
import type { AccountRequests } from './requests.js';
import type { TokenStore } from './tokens.js';

export interface RenewalDeps {
  readonly env: Env;
  readonly watcher: EngineWatcher | undefined;
  readonly file: AuthFile;
  readonly credentials: Credentials;
  readonly tokens: TokenStore;
  readonly permit: Mutex;
  readonly ended: AbortSignal;
  readonly requests: () => AccountRequests;
  /** Why the stored tokens can never be renewed. ACC-54 */
  readonly dead: () => Failure | null;
  readonly takeStored: () => void;
  readonly tellChange: () => void;
}

/** When and how account tokens are renewed: before use, on demand, and after a refusal. */
export class Renewal {
  readonly #ports: RenewalDeps;
  /** Tokens that recovery has made and that have not yet been good for anything. */
  #unproven: number | undefined;

  constructor(ports: RenewalDeps) {
    this.#ports = ports;
  }

  /** A recovery of its own, from its first step. ACC-64 */
  recovery(): Recovery {
    const { credentials, env, watcher } = this.#ports;
    const account = credentials.account();
    const { external, given } = credentials;
    return startRecovery({
      env,
      watcher,
      mode: external !== undefined ? 'external' : account === null || given ? 'none' : 'managed',
      accountId: account?.accountId ?? null,
      reload: () => this.#recoverByReload(),
      refresh: () => this.#recoverByRefresh(),
      ask: () => this.#recoverByAsking(),
    });
  }

  /** On each use, tokens that are about to end are renewed first; the old ones stay when that fails. ACC-49 */
  async renewIfDue(): Promise<void> {
    const { credentials, tokens } = this.#ports;
    if (credentials.external !== undefined || credentials.given) return;
    const reason = tokens.refreshDue();
    if (reason === null || this.#ports.dead() !== null) return;
    await this.refresh(reason);
  }

  /** One at a time: each waits for the one before. ACC-48 */
  refresh(reason: TokenRefreshReason): Promise<AccountResponse> {
    const { credentials, tokens, permit, ended } = this.#ports;
    return permit.runExclusive(ended, async () => {
      // Whoever had the permit before may have done it.
      if (PROACTIVE.has(reason) && tokens.refreshDue() === null) return { ticket: 0, kind: 'done' };
      const before = credentials.account()?.generation;
      const wasDead = this.#ports.dead() !== null;
      const answer = await this.#ports.requests().ask((ticket) => ({ type: 'REFRESH', ticket, reason }));
      const account = credentials.account();
      const changed = account?.generation !== before || (wasDead && this.#ports.dead() === null);
      if (reason !== 'unauthorized_recovery' && account !== null && changed) this.#ports.tellChange();
      return answer;
    });
  }

  async #recoverByReload(): Promise<RecoveryOutcome> {
    const { file, permit, ended } = this.#ports;
    return permit.runExclusive(ended, async () => {
      const outcome = await file.reload({ guarded: true });
      if (outcome.kind === 'unusable') return { kind: 'exhausted', failure: outcome.failure };
      this.#ports.takeStored();
      return this.#recovered();
    });
  }

  /** A call with the tokens at hand succeeded. */
  proven(): void {
    this.#unproven = undefined;
  }

  /** The tokens at hand come from a recovery, and no call has succeeded with them. */
  get inVain(): boolean {
    const held = this.#ports.credentials.account()?.generation;
    return held !== undefined && held === this.#unproven;
  }

  async #recoverByRefresh(): Promise<RecoveryOutcome> {
    const { credentials } = this.#ports;
    const answer = await this.refresh('unauthorized_recovery');
    if (answer.kind !== 'failed') {
      this.#unproven = credentials.account()?.generation;
      return this.#recovered();
    }
    const lasting = this.#ports.dead() !== null || LASTING.has(answer.failure.reason);
    return { kind: lasting ? 'exhausted' : 'transient', failure: answer.failure };
  }

  async #recoverByAsking(): Promise<RecoveryOutcome> {
    const { permit, ended } = this.#ports;
    const answer = await permit.runExclusive(ended, () =>
      this.#ports.requests().ask((ticket) => ({ type: 'REFRESH.EXTERNAL', ticket })),
    );
    if (answer.kind !== 'failed') return this.#recovered();
    const lasting = answer.failure.reason === 'parentGone';
    return { kind: lasting ? 'exhausted' : 'transient', failure: answer.failure };
  }

  #recovered(): RecoveryOutcome {
    const outcome = this.#ports.credentials.outcome();
    return outcome.kind === 'usable'
      ? { kind: 'recovered', account: outcome.account }
      : { kind: 'exhausted', failure: outcome.failure };
  }
}

const PROACTIVE: ReadonlySet<TokenRefreshReason> = new Set(['proactive_expiry', 'scheduled']);
/** Failures of a refresh that trying again does not mend. */
const LASTING: ReadonlySet<string> = new Set(['accountDiffersOnDisk', 'authMissing', 'authApiKeyOnly']);
