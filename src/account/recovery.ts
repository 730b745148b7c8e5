import { createActor, fromPromise } from 'xstate';
import { authRecoveryMachine, type RecoveryMode } from '../../machines/auth-recovery.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { Recovery } from '../protocol/account-source.js';
import type { Failure, RecoveryOutcome } from '../protocol/outcomes.js';
import type { Env } from '../protocol/timing.js';
import type { Mutex } from '../system/mutex.js';
import type { Credentials } from './credentials.js';
import type { AuthFile } from './file/auth-file.js';
import type { TokenRefresh } from './refresh.js';
import type { AccountRequests } from './requests.js';

interface AccountRecoveryDeps {
  readonly env: Env;
  readonly watcher: EngineWatcher | undefined;
  readonly file: AuthFile;
  readonly credentials: Credentials;
  readonly refresh: TokenRefresh;
  readonly tokenMutex: Mutex;
  readonly closed: AbortSignal;
  readonly requests: () => AccountRequests;
  /** Why the stored tokens can never be refreshed; null: nothing is known against it. ACC-54 */
  readonly expired: () => Failure | null;
  /** Notifies the chart of what the file says now. */
  readonly updateStored: () => void;
}

/** Failures of a refresh that another attempt does not change. */
const PERMANENT: ReadonlySet<string> = new Set(['accountDiffersOnDisk', 'authMissing', 'authApiKeyOnly']);

/** Recovery after a 401, with the steps of the `authRecovery` chart. ACC-64 … ACC-66 */
export class AccountRecovery {
  readonly #deps: AccountRecoveryDeps;
  /** Of the connection loop of remote control. */
  #loop: Recovery | undefined;
  /** Generation of tokens that a recovery got and that no call has succeeded with. */
  #unconfirmed: number | undefined;

  constructor(deps: AccountRecoveryDeps) {
    this.#deps = deps;
  }

  /** A recovery for one operation, from its first step. */
  start(): Recovery {
    const { credentials, env, watcher } = this.#deps;
    const actor = createActor(
      authRecoveryMachine.provide({
        actors: {
          reload: fromPromise(() => this.#reload()),
          refresh: fromPromise(() => this.#refresh()),
          requestExternalTokens: fromPromise(() => this.#requestExternalTokens()),
        },
      }),
      {
        id: 'authRecovery',
        input: { env, mode: this.#mode(), accountId: credentials.account()?.accountId ?? null },
      },
    );
    watcher?.actor(actor);
    actor.start();
    return {
      async next(signal, renewedTokenRejected = false) {
        if (actor.getSnapshot().status !== 'active') throw new Error('the recovery has been stopped');
        const ended = new Promise<RecoveryOutcome>((resolve) => {
          const steps = actor.on('STEP', ({ outcome }) => {
            steps.unsubscribe();
            resolve(outcome);
          });
        });
        actor.send({ type: 'NEXT', renewedTokenRejected });
        const outcome = await ended;
        signal.throwIfAborted();
        return outcome;
      },
      stop: () => actor.send({ type: 'STOP' }),
    };
  }

  /**
   * The next step for the connection loop.
   * @param clientWaits A client waits for the result: a refresh is allowed even if the refused tokens come from one.
   */
  async nextForLoop(signal: AbortSignal, clientWaits: boolean): Promise<RecoveryOutcome> {
    this.#loop ??= this.start();
    const loop = this.#loop;
    const { credentials } = this.#deps;
    const before = credentials.account()?.accountId;
    try {
      const outcome = await loop.next(signal, !clientWaits && this.#refreshedTokenRejected());
      const isOther = outcome.kind === 'recovered' && outcome.account.accountId !== before;
      // The next refusal starts from the first step; another account has used up none. RC-28, ACC-68
      if ((outcome.kind === 'exhausted' || isOther) && this.#loop === loop) this.#loop = undefined;
      return outcome;
    } finally {
      if (this.#loop !== loop) loop.stop();
    }
  }

  /** The next step for the connection loop is the first one. */
  resetLoop(): void {
    // A step that is being taken is finished; its recovery ends after it, in nextForLoop.
    this.#loop?.stop();
    this.#loop = undefined;
  }

  /** Somebody asks for another attempt: nothing counts as used up. ACC-68 */
  restart(): void {
    this.#unconfirmed = undefined;
    this.resetLoop();
  }

  /** A call with the tokens in use has succeeded. */
  confirmTokens(): void {
    this.#unconfirmed = undefined;
    this.resetLoop();
  }

  #mode(): RecoveryMode {
    const { credentials } = this.#deps;
    if (credentials.external !== undefined) return 'external';
    return credentials.account() === null || credentials.given ? 'none' : 'managed';
  }

  #refreshedTokenRejected(): boolean {
    const generation = this.#deps.credentials.account()?.generation;
    return generation !== undefined && generation === this.#unconfirmed;
  }

  async #reload(): Promise<RecoveryOutcome> {
    const { file, tokenMutex, closed, updateStored } = this.#deps;
    return tokenMutex.runExclusive(closed, async () => {
      const outcome = await file.reload({ guarded: true });
      if (outcome.kind === 'ineligible') return { kind: 'exhausted', failure: outcome.failure };
      updateStored();
      return this.#recovered();
    });
  }

  async #refresh(): Promise<RecoveryOutcome> {
    const { credentials, refresh, expired } = this.#deps;
    const response = await refresh.run('unauthorized_recovery');
    if (response.kind !== 'failed') {
      this.#unconfirmed = credentials.account()?.generation;
      return this.#recovered();
    }
    const permanent = expired() !== null || PERMANENT.has(response.failure.reason);
    return { kind: permanent ? 'exhausted' : 'transient', failure: response.failure };
  }

  async #requestExternalTokens(): Promise<RecoveryOutcome> {
    const { tokenMutex, closed, requests } = this.#deps;
    const response = await tokenMutex.runExclusive(closed, () =>
      requests().send((ticket) => ({ type: 'REFRESH.EXTERNAL', ticket })),
    );
    if (response.kind !== 'failed') return this.#recovered();
    const permanent = response.failure.reason === 'parentGone';
    return { kind: permanent ? 'exhausted' : 'transient', failure: response.failure };
  }

  #recovered(): RecoveryOutcome {
    const outcome = this.#deps.credentials.outcome();
    return outcome.kind === 'usable'
      ? { kind: 'recovered', account: outcome.account }
      : { kind: 'exhausted', failure: outcome.failure };
  }
}
