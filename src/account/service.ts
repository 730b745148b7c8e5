import { resolve } from 'node:path';
import { waitFor } from 'xstate';
import type { Requester } from '../net/backend-request.js';
import type { StoredAccount } from '../protocol/account.js';
import type { AccountSource, Recovery } from '../protocol/account-source.js';
import type { Account, AuthOutcome, Failure, RecoveryOutcome } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import { Mutex } from '../system/mutex.js';
import { AccountChanges } from './changes.js';
import { type AccountActor, createAccountActor } from './chart.js';
import { Credentials } from './credentials.js';
import { type AuthChange, AuthFile } from './file/auth-file.js';
import { fileStorage, memoryStorage } from './file/auth-storage.js';
import type { Issuer } from './issuer/issuer.js';
import { InteractiveLogins } from './login/interactive-login.js';
import { Renewal } from './renewal.js';
import { AccountRequests } from './requests.js';
import { TokenStore } from './tokens.js';
import {
  type AccountServiceOptions,
  type AccountSummary,
  type AccountTiming,
  type AccountView,
  DEFAULT_ACCOUNT_TIMING,
} from './types.js';
import { expiredReasonOf, modeOf, summaryOf, updatedOf, viewOf } from './view.js';
import { WORKSPACE_TIMEOUT } from './workspace.js';

/**
 * The account of this engine: plugs files, issuer, parent app and login server into the `account` chart, answers
 * what clients ask, and is where remote control gets its account from.
 */
export class AccountService implements AccountSource {
  readonly #options: AccountServiceOptions;
  readonly #timing: AccountTiming;
  readonly #file: AuthFile;
  readonly #credentials: Credentials;
  readonly #tokens: TokenStore;
  readonly #logins: InteractiveLogins;
  readonly #actor: AccountActor;
  readonly #requests: AccountRequests;
  readonly #renewal: Renewal;
  /** What clients change. */
  readonly changes: AccountChanges;
  /** Whoever spends a refresh token or writes the file, one at a time. ACC-48 */
  readonly #permit = new Mutex();
  readonly #abort = new AbortController();
  #ready: Promise<void> | undefined;
  #issuer: Promise<Issuer> | undefined;
  #requester: Promise<Requester> | undefined;
  #loop: Recovery | undefined;
  #onChange: ((account: Account | null) => void) | undefined;

  constructor(options: AccountServiceOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULT_ACCOUNT_TIMING, ...options.timing };
    const { env, log, policy } = options;
    const { lockTimeout } = this.#timing;
    const memory = options.store === 'ephemeral' ? memoryStorage() : undefined;
    this.#file = new AuthFile({
      path: options.path,
      memory,
      now: env.now,
      onChange: (change) => this.#onDisk(change),
    });
    this.#credentials = new Credentials({ file: this.#file, given: options.given, policy, now: env.now });
    const issuer = () => this.#getIssuer();
    this.#tokens = new TokenStore({
      file: this.#file,
      storage: memory ?? fileStorage(resolve(options.path), lockTimeout),
      credentials: this.#credentials,
      issuer,
      now: env.now,
      log,
    });
    this.#logins = new InteractiveLogins({
      issuer,
      tokens: this.#tokens,
      policy,
      now: env.now,
      ports: options.loginPorts,
    });
    this.#renewal = new Renewal({
      env,
      watcher: options.watcher,
      file: this.#file,
      credentials: this.#credentials,
      tokens: this.#tokens,
      permit: this.#permit,
      ended: this.#abort.signal,
      requests: () => this.#requests,
      dead: () => expiredReasonOf(this.#context),
      takeStored: () => this.#takeStored(),
      tellChange: () => this.#tellChange(),
    });
    this.#actor = createAccountActor({
      options,
      timing: this.#timing,
      credentials: this.#credentials,
      tokens: this.#tokens,
      logins: this.#logins,
      permit: this.#permit,
      ended: this.#abort.signal,
      apiKey: () => this.changes.apiKey,
      current: () => this.#current(),
      recovery: () => this.recovery(),
      requester: () => this.#getRequester(),
      workspace: () => this.#workspace(),
      tellChange: () => this.#tellChange(),
      tellEnded: (ended, when) => this.changes.tellEnded(ended, when),
    });
    this.#requests = new AccountRequests(this.#actor, env.now);
    this.changes = new AccountChanges({
      actor: this.#actor,
      requests: this.#requests,
      credentials: this.#credentials,
      logins: this.#logins,
      permit: this.#permit,
      ended: this.#abort.signal,
      routing: options.routing !== null,
      now: env.now,
      prepare: () => this.#prepare(),
      workspace: () => this.#workspace(),
      tellChange: () => this.#tellChange(),
      tellLogin: (loginId, error) => this.#tellLogin(loginId, error),
      tellUpdated: () => options.broadcast('account/updated', updatedOf(this.#context)),
    });
    options.watcher?.actor(this.#actor);
    this.#actor.start();
  }

  // --- for remote control

  async load(): Promise<AuthOutcome> {
    await this.#prepare();
    // On each use, tokens that are about to end are renewed first; the old ones stay when that fails. ACC-49
    await this.#renewal.renewIfDue();
    return this.#credentials.outcome();
  }

  async reload(): Promise<AuthOutcome> {
    await this.#prepare();
    this.#rearm();
    if (this.#credentials.external === undefined && !this.#credentials.given) {
      await this.#file.reload({ guarded: false });
      this.#takeStored();
    }
    return this.#credentials.outcome();
  }

  async recover(signal: AbortSignal, asked: boolean): Promise<RecoveryOutcome> {
    const loop = this.#loop ?? this.recovery();
    this.#loop = loop;
    const outcome = await loop.next(signal, !asked && this.#renewal.inVain);
    // Whoever comes next begins with the first step. RC-28
    if (outcome.kind === 'exhausted' && this.#loop === loop) this.#rearm();
    return outcome;
  }

  recovery(): Recovery {
    return this.#renewal.recovery();
  }

  succeeded(): void {
    this.#renewal.proven();
    this.#rearm();
  }

  accessToken(): Secret | undefined {
    return this.#credentials.accessToken();
  }

  get differsOnDisk(): boolean {
    return this.#credentials.external === undefined && !this.#credentials.given && this.#file.differsOnDisk;
  }

  watch(onChange: (account: Account | null) => void): void {
    this.#onChange = onChange;
    if (!this.#credentials.given) this.#file.watch();
  }

  close(): void {
    this.#abort.abort(new Error('the account is closed'));
    this.#rearm();
    this.#actor.stop();
    this.#file.close();
  }

  // --- for clients

  /** The account as it is. `refresh`: after its tokens were renewed, where there are some. ACC-13, ACC-16 */
  async read(refresh: boolean): Promise<AccountView> {
    const view = await this.changes.inTurn(async () => {
      await this.#prepare();
      if (this.#credentials.external === undefined && !this.#credentials.given) {
        if (refresh) await this.#renewal.refresh('forced');
        else await this.#renewal.renewIfDue();
      }
      return this.view();
    });
    if (view.chatgpt === null || this.#options.routing === null) return view;
    await this.#workspace();
    return this.view();
  }

  /** Without waiting for anything. */
  view(): AccountView {
    return viewOf(this.#context);
  }

  /** What `getAuthStatus` may hand out; nothing once the tokens can never be renewed. ACC-17, ACC-22 */
  authToken(): Secret | undefined {
    if (this.#credentials.external === undefined && expiredReasonOf(this.#context) !== null) return undefined;
    return this.#credentials.authToken(modeOf(this.#context));
  }

  /** For status. */
  summary(): AccountSummary {
    return summaryOf(this.#actor.getSnapshot(), this.#credentials.outcome(), this.#options.store);
  }

  /** The same, once the file has been read. */
  async readSummary(): Promise<AccountSummary> {
    await this.#prepare();
    return this.summary();
  }

  /** A client has just initialized: it learns of an account that is there already. ACC-12 */
  async welcome(notify: (method: string, params: unknown) => void): Promise<void> {
    await this.#prepare();
    await this.#renewal.renewIfDue();
    if (this.view().chatgpt === null) return;
    if (this.#options.routing !== null) {
      await this.#workspace();
      if (this.view().workspaceFailure !== null) return;
    }
    notify('account/updated', updatedOf(this.#context));
  }

  // --- the file

  /** The file is read once before anything is answered. */
  #prepare(): Promise<void> {
    this.#ready ??= (this.#credentials.given ? Promise.resolve() : this.#file.load()).then(() =>
      this.#takeStored(),
    );
    return this.#ready;
  }

  #rearm(): void {
    this.#loop?.stop();
    this.#loop = undefined;
  }

  /** Takes over what the file says, where that is something else than before. */
  #takeStored(): void {
    const stored = this.#credentials.stored();
    if (sameStored(stored, this.#context.stored)) return;
    this.#actor.send({ type: 'STORED.CHANGED', stored });
  }

  /** Another program changed the file. */
  #onDisk(change: AuthChange): void {
    this.#options.log.info({ path: this.#file.name, change: change.kind }, 'the account file changed');
    const before = modeOf(this.#context);
    const { stored } = this.#context;
    if (change.kind === 'adopted') {
      if (stored.kind === 'chatgpt') this.#tokens.noteAdopted();
      this.#takeStored();
      if (this.#credentials.external !== undefined) return;
      this.#tellChange();
      if (before !== modeOf(this.#context))
        this.#options.broadcast('account/updated', updatedOf(this.#context));
    } else if (change.kind === 'invalid' && stored.kind !== 'apiKey' && stored.kind !== 'chatgpt') {
      // What is in memory is not lost with the file. ACC-50
      this.#takeStored();
    }
  }

  // --- telling

  #tellChange(): void {
    this.#rearm();
    this.#onChange?.(this.#credentials.account());
  }

  /** Reports the end of a sign-in, then the new account. ACC-24, ACC-25 */
  #tellLogin(loginId: string | null, error: string | null): void {
    const { broadcast } = this.#options;
    const success = error === null;
    broadcast('account/login/completed', { loginId, success, error, onboardingEntrypoint: null });
    if (success) broadcast('account/updated', updatedOf(this.#context));
  }

  get #context() {
    return this.#actor.getSnapshot().context;
  }

  /** Null when the workspace is known, or none is needed. */
  async #workspace(): Promise<Failure | null> {
    // An actor that begins is in the middle of a step of the chart, which takes the wish only after it.
    await Promise.resolve();
    this.#actor.send({ type: 'WORKSPACE.REQUESTED' });
    const { context } = await waitFor(this.#actor, (snapshot) => !snapshot.hasTag('looking'), FOR_EVER);
    return context.workspaceFailure;
  }

  #current(): { readonly accountId: string; readonly accessToken: Secret } | null {
    const account = this.#credentials.account();
    const accessToken = this.#credentials.accessToken();
    return account === null || accessToken === undefined
      ? null
      : { accountId: account.accountId, accessToken };
  }

  #getIssuer(): Promise<Issuer> {
    const { address, dialer, env, userAgent } = this.#options;
    this.#issuer ??= import('./issuer/issuer.js').then(({ createIssuer }) =>
      createIssuer({ address, dialer, env, userAgent, requestTimeout: this.#timing.issuerTimeout }),
    );
    return this.#issuer;
  }

  #getRequester(): Promise<Requester> {
    const { dialer, env, userAgent } = this.#options;
    this.#requester ??= import('../net/backend-request.js').then(({ createRequester }) =>
      createRequester({ dialer, env, userAgent, timing: { requestTimeout: WORKSPACE_TIMEOUT } }),
    );
    return this.#requester;
  }
}

const FOR_EVER = { timeout: Number.POSITIVE_INFINITY };
const sameStored = (one: StoredAccount, other: StoredAccount): boolean => shape(one) === shape(other);
/** When a failure happened does not make it another one. */
const shape = (stored: StoredAccount): string =>
  JSON.stringify(stored, (key, value: unknown) => (key === 'at' ? undefined : value));
