import { resolve } from 'node:path';
import { waitFor } from 'xstate';
import type { Requester } from '../net/backend-request.js';
import type { StoredAccount } from '../protocol/account.js';
import type { AccountSource, Recovery } from '../protocol/account-source.js';
import type { Account, AuthOutcome, Failure, RecoveryOutcome } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import { Mutex } from '../system/mutex.js';
import { type AccountActor, createAccountActor } from './actor.js';
import { Credentials } from './credentials.js';
import { type AuthChange, AuthFile } from './file/auth-file.js';
import { fileStorage, memoryStorage } from './file/auth-storage.js';
import type { AccountFollower, HandOver } from './hand-over.js';
import type { Issuer } from './issuer/issuer.js';
import { InteractiveLogins } from './login/interactive-login.js';
import { AccountOperations } from './operations.js';
import { type AccountConfig, type AccountDeps, type AccountOptions, accountConfig } from './options.js';
import { AccountRecovery } from './recovery.js';
import { TokenRefresh } from './refresh.js';
import { AccountRequests } from './requests.js';
import { TokenStore } from './tokens.js';
import {
  type AccountSummary,
  type AccountView,
  expiredFailureOf,
  modeOf,
  summaryOf,
  updatedParams,
  viewOf,
} from './view.js';
import { WORKSPACE_TIMEOUT } from './workspace.js';

/** @throws EngineError `usage` when the issuer is not a URL that secrets may be sent to. */
export function createAccount(options: AccountOptions, deps: AccountDeps): AccountService {
  return new AccountService(accountConfig(options, deps));
}

/** The account of an engine. It answers clients, and is the source that remote control gets the account from. */
export class AccountService implements AccountSource {
  /** Sign-in, cancel and sign-out. */
  readonly operations: AccountOperations;
  readonly #config: AccountConfig;
  readonly #file: AuthFile;
  readonly #credentials: Credentials;
  readonly #tokens: TokenStore;
  readonly #actor: AccountActor;
  readonly #requests: AccountRequests;
  readonly #refresh: TokenRefresh;
  readonly #recovery: AccountRecovery;
  readonly #closed = new AbortController();
  #loaded: Promise<void> | undefined;
  #issuer: Promise<Issuer> | undefined;
  #requester: Promise<Requester> | undefined;
  #onChange: ((account: Account | null) => void) | undefined;
  #follower: AccountFollower | undefined;

  constructor(config: AccountConfig) {
    this.#config = config;
    const { env, log, audit, policy, watcher } = config;
    const { now } = env;
    const memory = config.store === 'ephemeral' ? memoryStorage() : undefined;
    const storage = memory ?? fileStorage(resolve(config.path), config.timing.lockTimeout);
    const onChange = (change: AuthChange) => this.#onFileChange(change);
    const file = new AuthFile({ path: config.path, memory, now, onChange });
    const credentials = new Credentials({ file, given: config.given, policy, now });
    const issuer = () => this.#getIssuer();
    const { lockTimeout, issuerTimeout } = config.timing;
    const tokens = new TokenStore({
      ...{ file, storage, credentials, issuer, env, log, audit, watcher },
      ...{ lockTimeout, issuerTimeout, onIssued: () => this.#updateStored() },
    });
    const logins = new InteractiveLogins({ issuer, tokens, policy, now });
    const shared = {
      credentials,
      tokens,
      logins,
      tokenMutex: new Mutex(),
      closed: this.#closed.signal,
      requests: () => this.#requests,
      expired: () => expiredFailureOf(this.#context),
      findWorkspace: () => this.#findWorkspace(),
      notifyChanged: () => this.#notifyChanged(),
      signedIn: () => modeOf(this.#context) !== null,
      signedOut: () => this.#follower?.signedOut() ?? Promise.resolve(),
      updateStored: () => this.#updateStored(),
    };
    this.#file = file;
    this.#credentials = credentials;
    this.#tokens = tokens;
    this.#refresh = new TokenRefresh(shared);
    this.#recovery = new AccountRecovery({ ...shared, env, watcher, file, refresh: this.#refresh });
    this.#actor = createAccountActor({
      ...shared,
      config,
      apiKey: () => this.operations.apiKey,
      currentToken: () => this.#currentToken(),
      recovery: () => this.recovery(),
      requester: () => this.#getRequester(),
      notifyEnded: (ended, when) => this.operations.notifyEnded(ended, when),
    });
    this.#requests = new AccountRequests(this.#actor, now);
    this.operations = new AccountOperations({
      ...shared,
      actor: this.#actor,
      requests: this.#requests,
      routing: config.routing !== null,
      now,
      load: () => this.#load(),
      notifyLogin: (loginId, error) => this.#notifyLogin(loginId, error),
      notifyUpdated: () => this.#notifyUpdated(),
    });
    watcher?.actor(this.#actor);
    this.#actor.start();
  }

  // --- for remote control

  async load(): Promise<AuthOutcome> {
    await this.#load();
    await this.#refresh.runIfDue();
    return this.#credentials.outcome();
  }

  async reload(): Promise<AuthOutcome> {
    await this.#load();
    this.#recovery.resetLoop();
    if (this.#credentials.managed) {
      await this.#file.reload({ guarded: false });
      this.#updateStored();
    }
    return this.#credentials.outcome();
  }

  recover(signal: AbortSignal, clientWaits: boolean): Promise<RecoveryOutcome> {
    return this.#recovery.nextForLoop(signal, clientWaits);
  }

  restartRecovery(): void {
    this.#recovery.restart();
  }

  recovery(): Recovery {
    return this.#recovery.start();
  }

  succeeded(): void {
    this.#recovery.confirmTokens();
  }

  accessToken(): Secret | undefined {
    return this.#credentials.accessToken();
  }

  get differsOnDisk(): boolean {
    return this.#credentials.managed && this.#file.differsOnDisk;
  }

  watch(onChange: (account: Account | null) => void): void {
    this.#onChange = onChange;
    if (!this.#credentials.given) this.#file.watch();
  }

  close(): void {
    this.#closed.abort(new Error('the account is closed'));
    this.#recovery.resetLoop();
    this.#tokens.close();
    this.#actor.stop();
    this.#file.close();
  }

  // --- for the app server

  /** The follower learns of each change of the account, before clients do. ACC-101 */
  follow(follower: AccountFollower): void {
    this.#follower = follower;
  }

  /** Whether clients must sign in, with nobody signed in. ACC-15 */
  async needsAccount(): Promise<boolean> {
    return (await this.#follower?.needsAccount()) ?? true;
  }

  /** The account in use with its secret; null: nobody is signed in, or the tokens can never be refreshed. */
  async handOver(): Promise<HandOver | null> {
    await this.load();
    const { mode, chatgpt } = this.view();
    if (mode === 'apikey') {
      const key = this.authToken();
      return key === undefined ? null : { kind: 'apiKey', key };
    }
    const accessToken = this.accessToken();
    if (chatgpt?.accountId == null || accessToken === undefined) return null;
    const { accountId, plan, email, userId } = chatgpt;
    return { kind: 'chatgptAuthTokens', accessToken, accountId, plan, email, userId };
  }

  /** The account in use is the one in the account file. */
  get storedInFile(): boolean {
    return this.#credentials.managed && this.#config.store === 'file';
  }

  // --- for clients

  /** @param refresh Refreshes the tokens of a managed sign-in first, also if they are not due. ACC-13, ACC-16 */
  async read(refresh: boolean): Promise<AccountView> {
    const view = await this.operations.runRead(async () => {
      await this.#load();
      if (refresh && this.#credentials.managed) await this.#refresh.run('forced');
      else await this.#refresh.runIfDue();
      return this.view();
    });
    if (view.chatgpt === null || this.#config.routing === null) return view;
    await this.#findWorkspace();
    return this.view();
  }

  /** The account as it is known now. */
  view(): AccountView {
    return viewOf(this.#context);
  }

  /** For `getAuthStatus`; undefined when the tokens can never be refreshed. ACC-17, ACC-22 */
  authToken(): Secret | undefined {
    const expired = this.#credentials.external === undefined && expiredFailureOf(this.#context) !== null;
    return expired ? undefined : this.#credentials.authToken(modeOf(this.#context));
  }

  summary(): AccountSummary {
    const { store, path, given, address, policy, routing } = this.#config;
    const file = store === 'file' && given === undefined ? resolve(path) : null;
    const { writeFailure, revokeFailure } = this.#tokens;
    const { issuer, clientId } = address;
    return summaryOf(this.#actor.getSnapshot(), this.#credentials.outcome(), {
      ...{ file, writeFailure, revokeFailure },
      settings: { issuer, clientId, ...policy, workspaceRouting: routing !== null },
    });
  }

  /** The summary after the account file was read. */
  async readSummary(): Promise<AccountSummary> {
    await this.#load();
    return this.summary();
  }

  /** Notifies a client that has just initialized of a ChatGPT account. ACC-12 */
  async welcome(notify: (method: string, params: unknown) => void): Promise<void> {
    await this.#load();
    await this.#refresh.runIfDue();
    if (this.view().chatgpt === null) return;
    if (this.#config.routing !== null) {
      await this.#findWorkspace();
      if (this.view().workspaceFailure !== null) return;
    }
    notify('account/updated', updatedParams(this.#context, 'workspaceRoutingReady'));
  }

  // --- the account file

  /** Reads the account file once. */
  #load(): Promise<void> {
    this.#loaded ??= (this.#credentials.given ? Promise.resolve() : this.#file.load()).then(() =>
      this.#updateStored(),
    );
    return this.#loaded;
  }

  /** Notifies the chart of what the file says, if that is something else than before. */
  #updateStored(): void {
    const stored = this.#credentials.stored();
    if (isSame(stored, this.#context.stored)) return;
    this.#actor.send({ type: 'STORED.CHANGED', stored });
  }

  /** Another program changed the file. ACC-91 */
  #onFileChange(change: AuthChange): void {
    this.#config.log.info({ path: this.#file.name, change: change.kind }, 'the account file changed');
    const before = modeOf(this.#context);
    const { stored } = this.#context;
    if (change.kind === 'adopted') {
      if (stored.kind === 'chatgpt') this.#tokens.noteAdopted();
      this.#updateStored();
      if (this.#credentials.external !== undefined) return;
      void this.#notifyChanged().then(() => this.#follower?.notified());
      if (before !== modeOf(this.#context)) this.#notifyUpdated();
    } else if (change.kind === 'invalid' && stored.kind !== 'apiKey' && stored.kind !== 'chatgpt') {
      // The account in memory outlives its file. ACC-50
      this.#updateStored();
    }
  }

  // --- notifications

  /** Notifies remote control and the app server. Resolves when the app server has the account, or cannot get it. */
  #notifyChanged(): Promise<void> {
    this.#recovery.resetLoop();
    this.#onChange?.(this.#credentials.account());
    return this.#follower?.changed().catch(this.#config.onFault) ?? Promise.resolve();
  }

  /** Notifies all clients of the end of a sign-in, then of the new account. ACC-24, ACC-25 */
  #notifyLogin(loginId: string | null, error: string | null): void {
    const success = error === null;
    const params = { loginId, success, error, onboardingEntrypoint: null };
    this.#config.broadcast('account/login/completed', params);
    if (success) this.#notifyUpdated();
    else this.#follower?.notified();
  }

  #notifyUpdated(): void {
    this.#config.broadcast('account/updated', updatedParams(this.#context));
    this.#follower?.notified();
  }

  // --- helpers

  get #context() {
    return this.#actor.getSnapshot().context;
  }

  /** Looks up the workspace if it is needed; null: it is known, or none is needed. ACC-60 */
  async #findWorkspace(): Promise<Failure | null> {
    // The caller may be an actor that starts within a transition of the chart; the event must come after it.
    await Promise.resolve();
    this.#actor.send({ type: 'WORKSPACE.REQUESTED' });
    const { context } = await waitFor(this.#actor, (snapshot) => !snapshot.hasTag('looking'));
    return context.workspaceFailure;
  }

  #currentToken(): { readonly accountId: string; readonly accessToken: Secret } | null {
    const account = this.#credentials.account();
    const accessToken = this.#credentials.accessToken();
    return account === null || accessToken === undefined
      ? null
      : { accountId: account.accountId, accessToken };
  }

  #getIssuer(): Promise<Issuer> {
    const { address, dialer, env, userAgent, timing } = this.#config;
    this.#issuer ??= import('./issuer/issuer.js').then(({ createIssuer }) =>
      createIssuer({ address, dialer, env, userAgent, requestTimeout: timing.issuerTimeout }),
    );
    return this.#issuer;
  }

  #getRequester(): Promise<Requester> {
    const { dialer, env, userAgent } = this.#config;
    this.#requester ??= import('../net/backend-request.js').then(({ createRequester }) =>
      createRequester({ dialer, env, userAgent, timing: { requestTimeout: WORKSPACE_TIMEOUT } }),
    );
    return this.#requester;
  }
}

/** Two failures that differ only in their time are the same. */
function isSame(one: StoredAccount, other: StoredAccount): boolean {
  const shape = (stored: StoredAccount): string =>
    JSON.stringify(stored, (key, value: unknown) => (key === 'at' ? undefined : value));
  return shape(one) === shape(other);
}
