import { randomUUID } from 'node:crypto';
import { type ActorRefFrom, createActor, fromPromise, waitFor } from 'xstate';
import { accountMachine } from '../../machines/account.js';
import type { AccountAnswer, AccountEvent } from '../../machines/account.types.js';
import { statePath } from '../../machines/status.js';
import type { Issuer } from '../adapters/account-issuer.js';
import { type AuthChange, type AuthFile, createAuthFile } from '../adapters/auth-file.js';
import type { Requester } from '../adapters/backend-request.js';
import type { Dialer } from '../adapters/dialer.js';
import type { IssuerAddress } from '../adapters/issuer-address.js';
import type {
  AuthMode,
  LoginPolicy,
  LoginStep,
  Plan,
  StoredAccount,
  TokenRefreshReason,
  Workspace,
} from '../protocol/account.js';
import type { Account, AuthOutcome, Failure, RecoveryOutcome } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import { Credentials, type ExternalWish, type GivenToken } from './account-credentials.js';
import { type BrowserWish, Logins } from './account-login.js';
import { askParent, PARENT_LIMIT } from './account-parent.js';
import type { AccountPort } from './account-port.js';
import { type Recovery, startRecovery } from './account-recovery.js';
import { TokenStore } from './account-tokens.js';
import { lookUpWorkspace, WORKSPACE_LIMIT } from './account-workspace.js';
import type { AuditRing } from './audit.js';
import type { ClientSession } from './client-session.js';
import { Lock } from './lock.js';
import type { EngineLogger } from './logger.js';
import type { EngineWatcher } from './watcher.js';

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

const DEFAULT_TIMING: AccountTiming = {
  parentLimit: PARENT_LIMIT,
  loginTimeout: 600_000,
  lockTimeout: 45_000,
  issuerTimeout: 30_000,
};

export interface AccountServiceOptions {
  /** auth.json */
  readonly path: string;
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
  readonly source: 'file' | 'environment' | 'parent' | null;
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

export interface LoginShown {
  readonly loginId: string;
  readonly url: string;
  readonly userCode: string | null;
}

/** What became of a change, and what is done when its answer is on the wire. */
export interface Changed<T> {
  readonly result: T;
  /** Call exactly once: until then no other change of the account begins. ACC-27 */
  readonly after: () => void;
}

type AccountActor = ActorRefFrom<typeof accountMachine>;
type Note = () => void;

/**
 * The account of this engine: plugs files, issuer, parent app and login server into the `account` chart, answers
 * what clients ask, and is where remote control gets its account from.
 */
export class AccountService implements AccountPort {
  readonly #options: AccountServiceOptions;
  readonly #timing: AccountTiming;
  readonly #file: AuthFile;
  readonly #credentials: Credentials;
  readonly #tokens: TokenStore;
  readonly #logins: Logins;
  readonly #actor: AccountActor;
  /** Changes of the account, one at a time, each until its notifications are sent. ACC-27 */
  readonly #changes = new Lock();
  /** Whoever spends a refresh token or writes the file, one at a time. ACC-48 */
  readonly #permit = new Lock();
  readonly #abort = new AbortController();
  #lastTicket = 0;
  #ready: Promise<void> | undefined;
  #issuer: Promise<Issuer> | undefined;
  #requester: Promise<Requester> | undefined;
  #apiKey: Secret | undefined;
  #loop: Recovery | undefined;
  #onChange: ((account: Account | null) => void) | undefined;
  /** While it is set, notifications wait for the answer to a request. */
  #held: Note[] | undefined;

  constructor(options: AccountServiceOptions) {
    this.#options = options;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    const { env, log, policy } = options;
    this.#file = createAuthFile({
      path: options.path,
      now: env.now,
      onChange: (change) => this.#onDisk(change),
    });
    this.#credentials = new Credentials({ file: this.#file, given: options.given, policy, now: env.now });
    const issuer = () => this.#getIssuer();
    this.#tokens = new TokenStore({
      file: this.#file,
      credentials: this.#credentials,
      issuer,
      now: env.now,
      log,
      lockTimeout: this.#timing.lockTimeout,
    });
    this.#logins = new Logins({
      issuer,
      tokens: this.#tokens,
      policy,
      now: env.now,
      ports: options.loginPorts,
    });
    this.#actor = this.#createActor();
    options.watcher?.actor(this.#actor);
    this.#actor.start();
  }

  // --- for remote control

  async load(): Promise<AuthOutcome> {
    await this.#prepare();
    // On each use, tokens that are about to end are renewed first; the old ones stay when that fails. ACC-49
    await this.#renewIfDue();
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

  async recover(signal: AbortSignal): Promise<RecoveryOutcome> {
    const loop = this.#loop ?? this.recovery();
    this.#loop = loop;
    const outcome = await loop.next(signal);
    // Whoever comes next begins with the first step. RC-28
    if (outcome.kind === 'exhausted' && this.#loop === loop) this.#rearm();
    return outcome;
  }

  recovery(): Recovery {
    const account = this.#credentials.account();
    const { external, given } = this.#credentials;
    return startRecovery({
      env: this.#options.env,
      watcher: this.#options.watcher,
      mode: external !== undefined ? 'external' : account === null || given ? 'none' : 'managed',
      accountId: account?.accountId ?? null,
      reload: () => this.#recoverByReload(),
      refresh: () => this.#recoverByRefresh(),
      ask: () => this.#recoverByAsking(),
    });
  }

  succeeded(): void {
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
    await this.#prepare();
    if (this.#credentials.external === undefined && !this.#credentials.given) {
      if (refresh) await this.#refresh('forced');
      else await this.#renewIfDue();
    }
    const view = this.view();
    if (view.chatgpt === null || this.#options.routing === null) return view;
    await this.#workspace();
    return this.view();
  }

  /** Without waiting for anything. */
  view(): AccountView {
    const { external, stored, workspace, workspaceFailure } = this.#actor.getSnapshot().context;
    const dead = this.#dead() !== null;
    const chatgpt = external ?? (stored.kind === 'chatgpt' && !dead ? stored.account : null);
    return { mode: this.#mode(), stored, chatgpt, workspace, workspaceFailure };
  }

  /** What `getAuthStatus` may hand out; nothing once the tokens can never be renewed. ACC-17, ACC-22 */
  authToken(): Secret | undefined {
    if (this.#credentials.external === undefined && this.#dead() !== null) return undefined;
    return this.#credentials.authToken(this.#mode());
  }

  /** Who is signed in and what is wrong with that, for status. Holds no secret. */
  summary(): AccountSummary {
    const { value, context } = this.#actor.getSnapshot();
    const { external, stored } = context;
    const shown = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
    const outcome = this.#credentials.outcome();
    const problem = outcome.kind === 'unusable' ? outcome.failure : external === null ? this.#dead() : null;
    return {
      mode: this.#mode(),
      source:
        external !== null
          ? 'parent'
          : stored.kind === 'chatgpt'
            ? stored.source
            : stored.kind === 'apiKey'
              ? 'file'
              : null,
      state: statePath(value.auth),
      login: context.login?.kind ?? null,
      email: shown?.email ?? null,
      plan: shown?.plan ?? null,
      userId: shown?.userId ?? null,
      accountId: shown?.accountId ?? null,
      problem: problem === null ? null : { reason: problem.reason, message: problem.message },
    };
  }

  /** The same, once the file has been read. */
  async readSummary(): Promise<AccountSummary> {
    await this.#prepare();
    return this.summary();
  }

  /** A client has just initialized: it learns of an account that is there already. ACC-12 */
  async welcome(notify: (method: string, params: unknown) => void): Promise<void> {
    await this.#prepare();
    if (this.view().chatgpt === null) return;
    if (this.#options.routing !== null) {
      await this.#workspace();
      if (this.view().workspaceFailure !== null) return;
    }
    notify('account/updated', this.#updatedParams());
  }

  loginApiKey(key: string): Promise<Changed<null>> {
    return this.#change(async (later) => {
      this.#refuseWhenGiven();
      this.#apiKey = new Secret(key);
      try {
        await this.#permit.run(this.#abort.signal, () =>
          this.#request((ticket) => ({ type: 'LOGIN.API_KEY', ticket })),
        );
      } finally {
        this.#apiKey = undefined;
      }
      this.#tellChange();
      later.push(() => this.#tellLogin(null, null));
      return null;
    });
  }

  loginExternal(wish: ExternalWish, owner: ClientSession): Promise<Changed<null>> {
    return this.#change(async (later) => {
      const account = this.#credentials.readExternal(wish);
      await this.#permit.run(this.#abort.signal, async () => {
        await this.#request((ticket) => ({
          type: 'LOGIN.EXTERNAL',
          ticket,
          accountId: wish.accountId,
          account,
        }));
        if (account !== null) this.#credentials.keepExternal(account, wish.accessToken, owner);
      });
      this.#tellChange();
      later.push(async () => {
        const failure = this.#options.routing === null ? null : await this.#workspace();
        this.#tellLogin(null, failure === null ? null : failure.message);
      });
      return null;
    });
  }

  loginBrowser(wish: BrowserWish): Promise<Changed<LoginShown>> {
    return this.#loginInteractive('LOGIN.BROWSER', wish);
  }

  loginDevice(wish: BrowserWish): Promise<Changed<LoginShown>> {
    return this.#loginInteractive('LOGIN.DEVICE', wish);
  }

  /** Answers at once: it does not wait for other changes. ACC-82 */
  cancel(loginId: string): Changed<'canceled' | 'notFound'> {
    const held: Note[] = [];
    this.#held = held;
    const ticket = ++this.#lastTicket;
    try {
      this.#actor.send({ type: 'LOGIN.CANCEL', ticket, loginId });
    } finally {
      this.#held = undefined;
    }
    const { answer } = this.#actor.getSnapshot().context;
    const done = answer?.ticket === ticket && answer.kind === 'done';
    return {
      result: done ? 'canceled' : 'notFound',
      after: () => {
        for (const note of held) note();
      },
    };
  }

  logout(all: boolean): Promise<Changed<null>> {
    return this.#change(async (later) => {
      if (this.#credentials.external === undefined) this.#refuseWhenGiven();
      await this.#permit.run(this.#abort.signal, () =>
        this.#request((ticket) => ({ type: 'LOGOUT', ticket, all })),
      );
      this.#tellChange();
      later.push(() => this.#options.broadcast('account/updated', this.#updatedParams()));
      return null;
    });
  }

  // --- the chart

  #createActor(): AccountActor {
    const { env, policy, routing, audit, log, onFault } = this.#options;
    const logins = this.#logins;
    const actor: AccountActor = createActor(
      accountMachine.provide({
        actors: {
          storeApiKey: fromPromise(async ({ signal }) => {
            if (this.#apiKey === undefined) throw new Error('no API key was given');
            return this.#tokens.storeApiKey(this.#apiKey, signal);
          }),
          signOut: fromPromise(async ({ input, signal }) => {
            if (!input.stored) {
              this.#credentials.dropExternal();
              return { kind: 'stored' as const, stored: this.#credentials.stored() };
            }
            const outcome = await this.#tokens.signOut(signal);
            if (outcome.kind === 'stored') this.#credentials.dropExternal();
            return outcome;
          }),
          refreshTokens: fromPromise(({ input }) =>
            this.#tokens.refresh(input.reason, input.dead, this.#abort.signal),
          ),
          askParent: fromPromise(() =>
            askParent(this.#credentials, policy, env.now, this.#timing.parentLimit),
          ),
          lookUpWorkspace: fromPromise(({ input, signal }) =>
            lookUpWorkspace(
              {
                baseUrl: routing?.baseUrl ?? null,
                requester: () => this.#getRequester(),
                current: () => this.#current(),
                recovery: () => this.recovery(),
                now: env.now,
              },
              input.account,
              signal,
            ),
          ),
          openLoginServer: fromPromise(({ input, signal }) => logins.open(input.loginId, signal)),
          awaitCallback: fromPromise(({ input, signal }) => logins.awaitCallback(input.loginId, signal)),
          exchangeCode: fromPromise(({ input, signal }) => logins.exchange(input.loginId, signal)),
          saveSignIn: fromPromise(({ input }) =>
            this.#permit.run(neverAborted, () => logins.save(input.loginId)),
          ),
          awaitSuccessPage: fromPromise(({ input, signal }) => logins.awaitSuccess(input.loginId, signal)),
          requestDeviceCode: fromPromise(({ input, signal }) => logins.requestDevice(input.loginId, signal)),
          pollDevice: fromPromise(({ input, signal }) => logins.pollDevice(input.loginId, signal)),
          settleSignIn: fromPromise(async (): Promise<LoginStep> => {
            this.#tellChange();
            const failure = routing === null ? null : await this.#workspace();
            return failure === null ? { kind: 'finished' } : { kind: 'failed', failure };
          }),
        },
        actions: {
          closeLogin: ({ context }) => {
            if (context.login !== null) logins.close(context.login.id);
          },
          tellCompleted: ({ context }) => {
            const ended = context.endedLogin;
            if (ended === null) return;
            const note = () => this.#tellLogin(ended.loginId, errorOf(ended));
            if (this.#held === undefined) note();
            else this.#held.push(note);
          },
          tellDisplaced: ({ context }) => {
            const ended = context.endedLogin;
            if (ended !== null) this.#tellLogin(ended.loginId, errorOf(ended));
          },
        },
      }),
      {
        id: 'account',
        input: { env, policy, routing: routing !== null, loginTimeout: this.#timing.loginTimeout },
      },
    );
    let decision: unknown = actor.getSnapshot().context.decision;
    actor.subscribe({
      next: (snapshot) => {
        if (snapshot.context.decision === decision) return;
        decision = snapshot.context.decision;
        const { reason, detail } = snapshot.context.decision;
        audit.addDecision('account', statePath(snapshot.value), snapshot.context.decision);
        log.info({ reason, state: statePath(snapshot.value) }, detail ?? `account: ${reason}`);
      },
      error: onFault,
    });
    return actor;
  }

  /** Sends a request and waits for its answer. Throws an AccountRefusal for any but a good one. */
  async #request(event: (ticket: number) => AccountEvent): Promise<void> {
    const answer = await this.#ask(event);
    if (answer.kind === 'done') return;
    const { now } = this.#options.env;
    if (answer.kind === 'failed') throw new AccountRefusal(answer.failure, false);
    const reason = answer.kind === 'refused' ? answer.reason : 'engineFault';
    throw new AccountRefusal({ reason, message: reason, at: now() }, true);
  }

  async #ask(event: (ticket: number) => AccountEvent): Promise<AccountAnswer> {
    const ticket = ++this.#lastTicket;
    this.#actor.send(event(ticket));
    const snapshot = await waitFor(this.#actor, ({ context }) => context.answer?.ticket === ticket, FOR_EVER);
    const { answer } = snapshot.context;
    if (answer === null) throw new Error('a request to the account was not answered');
    return answer;
  }

  /** One change at a time; its lock is held until what comes after the answer has been told. ACC-27 */
  #change<T>(task: (later: (() => unknown)[]) => Promise<T>): Promise<Changed<T>> {
    return new Promise((resolve, reject) => {
      this.#changes
        .run(this.#abort.signal, async () => {
          await this.#prepare();
          await this.#finishSaved();
          const later: (() => unknown)[] = [];
          const result = await task(later);
          await new Promise<void>((answered) => resolve({ result, after: answered }));
          for (const note of later) await note();
        })
        .catch(reject);
    });
  }

  #loginInteractive(type: 'LOGIN.BROWSER' | 'LOGIN.DEVICE', wish: BrowserWish): Promise<Changed<LoginShown>> {
    return this.#change(async () => {
      this.#refuseWhenGiven();
      const loginId = randomUUID();
      this.#logins.prepare(loginId, wish);
      try {
        await this.#request((ticket) => ({ type, ticket, loginId }));
      } catch (error) {
        this.#logins.close(loginId);
        throw error;
      }
      const shown = this.#logins.shown(loginId);
      if (shown === undefined) {
        const failure = { reason: 'loginCancelled' as const, message: 'The sign-in has ended.' };
        throw new AccountRefusal({ ...failure, at: this.#options.env.now() }, false);
      }
      return { loginId, ...shown };
    });
  }

  /** A sign-in whose credentials are on disk is a success, whatever comes next. ACC-76 */
  async #finishSaved(): Promise<void> {
    await waitFor(
      this.#actor,
      (snapshot) => {
        if (!snapshot.hasTag('saved')) return true;
        // It is taken only where nothing but the browser is waited for.
        if (snapshot.can({ type: 'LOGIN.FINISH' })) {
          queueMicrotask(() => this.#actor.send({ type: 'LOGIN.FINISH' }));
        }
        return false;
      },
      FOR_EVER,
    );
  }

  // --- tokens

  /** The file is read once before anything is answered. */
  #prepare(): Promise<void> {
    this.#ready ??= (this.#credentials.given ? Promise.resolve() : this.#file.load()).then(() =>
      this.#takeStored(),
    );
    return this.#ready;
  }

  async #renewIfDue(): Promise<void> {
    if (this.#credentials.external !== undefined || this.#credentials.given) return;
    const reason = this.#tokens.due();
    if (reason === null || this.#dead() !== null) return;
    await this.#refresh(reason);
  }

  #refresh(reason: TokenRefreshReason): Promise<AccountAnswer> {
    return this.#permit.run(this.#abort.signal, async () => {
      // Whoever had the permit before may have done it.
      if (PROACTIVE.has(reason) && this.#tokens.due() === null) return { ticket: 0, kind: 'done' };
      const before = this.#credentials.account()?.generation;
      const answer = await this.#ask((ticket) => ({ type: 'REFRESH', ticket, reason }));
      const account = this.#credentials.account();
      if (reason !== 'unauthorized_recovery' && account !== null && account.generation !== before) {
        this.#tellChange();
      }
      return answer;
    });
  }

  async #recoverByReload(): Promise<RecoveryOutcome> {
    return this.#permit.run(this.#abort.signal, async () => {
      const outcome = await this.#file.reload({ guarded: true });
      if (outcome.kind === 'unusable') return { kind: 'exhausted', failure: outcome.failure };
      this.#takeStored();
      return this.#recovered();
    });
  }

  async #recoverByRefresh(): Promise<RecoveryOutcome> {
    const answer = await this.#refresh('unauthorized_recovery');
    if (answer.kind !== 'failed') return this.#recovered();
    const lasting = this.#dead() !== null || LASTING.has(answer.failure.reason);
    return { kind: lasting ? 'exhausted' : 'transient', failure: answer.failure };
  }

  async #recoverByAsking(): Promise<RecoveryOutcome> {
    const answer = await this.#permit.run(this.#abort.signal, () =>
      this.#ask((ticket) => ({ type: 'ASK', ticket })),
    );
    if (answer.kind !== 'failed') return this.#recovered();
    const lasting = answer.failure.reason === 'parentGone';
    return { kind: lasting ? 'exhausted' : 'transient', failure: answer.failure };
  }

  #recovered(): RecoveryOutcome {
    const outcome = this.#credentials.outcome();
    return outcome.kind === 'usable'
      ? { kind: 'recovered', account: outcome.account }
      : { kind: 'exhausted', failure: outcome.failure };
  }

  #rearm(): void {
    this.#loop?.stop();
    this.#loop = undefined;
  }

  /** Takes over what the file says, where that is something else than before. */
  #takeStored(): void {
    const stored = this.#credentials.stored();
    if (sameStored(stored, this.#actor.getSnapshot().context.stored)) return;
    this.#actor.send({ type: 'STORED.CHANGED', stored });
  }

  /** Another program changed the file. */
  #onDisk(change: AuthChange): void {
    this.#options.log.info({ path: this.#file.path, change: change.kind }, 'the account file changed');
    const before = this.#mode();
    const { stored } = this.#actor.getSnapshot().context;
    if (change.kind === 'usable') {
      if (stored.kind === 'chatgpt') this.#tokens.noteFresh();
      this.#takeStored();
      if (this.#credentials.external !== undefined) return;
      this.#tellChange();
      if (before !== this.#mode()) this.#options.broadcast('account/updated', this.#updatedParams());
    } else if (change.kind === 'unusable' && stored.kind !== 'apiKey' && stored.kind !== 'chatgpt') {
      // What is in memory is not lost with the file. ACC-50
      this.#takeStored();
    }
  }

  // --- telling

  #tellChange(): void {
    this.#rearm();
    this.#onChange?.(this.#credentials.account());
  }

  /** ACC-24, ACC-25 */
  #tellLogin(loginId: string | null, error: string | null): void {
    const { broadcast } = this.#options;
    const success = error === null;
    broadcast('account/login/completed', { loginId, success, error, onboardingEntrypoint: null });
    if (success) broadcast('account/updated', this.#updatedParams());
  }

  #updatedParams(): { readonly authMode: AuthMode | null; readonly planType: Plan | null } {
    const { external, stored } = this.#actor.getSnapshot().context;
    const account = external ?? (stored.kind === 'chatgpt' ? stored.account : null);
    return { authMode: this.#mode(), planType: account?.plan ?? null };
  }

  #mode(): AuthMode | null {
    const { external, stored } = this.#actor.getSnapshot().context;
    if (external !== null) return 'chatgptAuthTokens';
    if (stored.kind === 'chatgpt') return 'chatgpt';
    return stored.kind === 'apiKey' ? 'apikey' : null;
  }

  /** Why the stored tokens can never be renewed. ACC-54 */
  #dead(): Failure | null {
    const { dead, stored } = this.#actor.getSnapshot().context;
    return stored.kind === 'chatgpt' && dead?.generation === stored.account.generation ? dead.failure : null;
  }

  #refuseWhenGiven(): void {
    if (!this.#credentials.given) return;
    throw new AccountRefusal(
      {
        reason: 'authMethodForbidden',
        message:
          'The access token was given at the start (RC_ENGINE_ACCESS_TOKEN): start without it to sign in or out.',
        at: this.#options.env.now(),
      },
      false,
    );
  }

  /** Null when the workspace is known, or none is needed. */
  async #workspace(): Promise<Failure | null> {
    this.#actor.send({ type: 'WORKSPACE.WANTED' });
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
    this.#issuer ??= import('../adapters/account-issuer.js').then(({ createIssuer }) =>
      createIssuer({ address, dialer, env, userAgent, requestTimeout: this.#timing.issuerTimeout }),
    );
    return this.#issuer;
  }

  #getRequester(): Promise<Requester> {
    const { dialer, env, userAgent } = this.#options;
    this.#requester ??= import('../adapters/backend-request.js').then(({ createRequester }) =>
      createRequester({ dialer, env, userAgent, timing: { requestTimeout: WORKSPACE_LIMIT } }),
    );
    return this.#requester;
  }
}

const FOR_EVER = { timeout: Number.POSITIVE_INFINITY };
const neverAborted = new AbortController().signal;
const PROACTIVE: ReadonlySet<TokenRefreshReason> = new Set(['proactive_expiry', 'scheduled']);
/** Failures of a refresh that trying again does not mend. */
const LASTING: ReadonlySet<string> = new Set(['accountDiffersOnDisk', 'authMissing', 'authApiKeyOnly']);

/** ACC-77, ACC-81: what the browser flow says has a prefix. */
function errorOf(ended: {
  readonly kind: 'browser' | 'device';
  readonly failure: Failure | null;
}): string | null {
  if (ended.failure === null) return null;
  const { reason, message } = ended.failure;
  return ended.kind === 'device' || reason === 'loginTimedOut' ? message : `Login server error: ${message}`;
}

const sameStored = (one: StoredAccount, other: StoredAccount): boolean => shape(one) === shape(other);
/** When a failure happened does not make it another one. */
const shape = (stored: StoredAccount): string =>
  JSON.stringify(stored, (key, value: unknown) => (key === 'at' ? undefined : value));
