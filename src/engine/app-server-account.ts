import { type ActorRefFrom, createActor, fromPromise, type SnapshotFrom, waitFor } from 'xstate';
import { type AppServerAccountEvent, appServerAccountMachine } from '../../machines/app-server-account.js';
import { type AccountFollower, type HandOver, isSameAccount, loginParams } from '../account/hand-over.js';
import type { AccountService } from '../account/service.js';
import { ClientGate } from '../app-server/client-gate.js';
import { EngineClient } from '../app-server/engine-client.js';
import type { AuditRing } from '../observe/audit.js';
import { cutBytes, maskTokens, oneLine } from '../observe/body-preview.js';
import { decisionText, onDecision } from '../observe/decisions.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  AppServerHealth,
  ClientContext,
} from '../protocol/app-server.js';
import type { ConnectAccountOutcome, HandOverOutcome } from '../protocol/app-server-account.js';
import { statePath } from '../protocol/decision.js';
import { isRecord, type RpcId } from '../protocol/jsonrpc.js';
import { failure } from '../protocol/outcomes.js';
import { REASONS } from '../protocol/reasons.js';
import type { Env, Timing } from '../protocol/timing.js';
import { sendAuthorized } from '../session/authorized-request.js';
import { type AppServerAccountStatus, type SupervisedServer, statusOf } from './app-server-account-status.js';

type GivenTokens = Extract<HandOver, { kind: 'chatgptAuthTokens' }>;
type Snapshot = SnapshotFrom<typeof appServerAccountMachine>;

interface AppServerAccountDeps {
  /** The app server speaks the protocol of Codex CLI, or may do so. Others are given no token. ACC-103 */
  readonly maySpeakAccount: boolean;
  readonly account: AccountService;
  readonly env: Env;
  readonly timing: Pick<Timing, 'requestTimeout'>;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly watcher: EngineWatcher | undefined;
  readonly onFault: (error: unknown) => void;
}

const MAX_SHOWN = 200;
/** How long the app server may take to say whether it needs an account, ms. */
const NEED_TIMEOUT = 5_000;

/**
 * The app server behind the engine, with one account for both. It passes everything on, hands the account to a shared
 * app server before a client uses it, and restarts children when the account changes. ACC-101 … ACC-104
 */
export class AccountAppServer implements AppServer, AccountFollower {
  readonly #inner: SupervisedServer;
  readonly #deps: AppServerAccountDeps;
  readonly #actor: ActorRefFrom<typeof appServerAccountMachine>;
  readonly #gates = new Set<ClientGate>();
  readonly #asked = new Set<RpcId>();
  #client: EngineClient | undefined;
  /** The account that the app server behind the engine may use. */
  #known: HandOver | null = null;
  /** What it was given last. */
  #given: HandOver | null = null;
  /** It stored an API key that the engine gave it. */
  #storesKey = false;
  #stopped = false;
  /** The request that is under way. */
  #need: Promise<boolean> | undefined;

  constructor(inner: SupervisedServer, deps: AppServerAccountDeps) {
    this.#inner = inner;
    this.#deps = deps;
    const { env, log, audit, watcher, onFault } = deps;
    this.#actor = createActor(
      appServerAccountMachine.provide({
        actors: {
          connect: fromPromise(({ signal }) => this.#connect(signal)),
          handOver: fromPromise(() => this.#handOver()),
          renew: fromPromise(({ signal }) => this.#renew(signal)),
          // Codex CLI stores an API key in its home: it is deleted there, too. ACC-102
          signOutAgent: fromPromise(async () => {
            if (this.#storesKey) await this.#signOutAgent();
          }),
          restart: fromPromise(async () => {
            this.#disconnect();
            await this.#inner.restart(REASONS.appServerAccountChanged.means);
          }),
        },
        actions: {
          refuseTokens: () => this.#refuseTokens(),
          disconnect: () => this.#disconnect(),
          releaseClients: () => {
            for (const gate of [...this.#gates]) gate.release();
          },
        },
      }),
      { id: 'appServerAccount', input: { env } },
    );
    watcher?.actor(this.#actor);
    const report = onDecision(({ value }, decision) => {
      const state = statePath(value);
      audit.addDecision('appServerAccount', state, decision);
      log.info(
        { reason: decision.reason, state },
        decision.detail ?? `account of the app server: ${decisionText(decision)}`,
      );
    }, this.#actor.getSnapshot().context.decision);
    this.#actor.subscribe({ next: report, error: onFault });
    this.#actor.start();
    inner.onHealth(({ children }) => {
      if (children === 0 && this.#actor.getSnapshot().matches('separate')) this.#send({ type: 'GONE' });
    });
  }

  get accountStatus(): AppServerAccountStatus {
    const { value, context } = this.#actor.getSnapshot();
    const state = statePath(value);
    if (state === 'idle') {
      const reason = this.#canHandOver ? 'appServerAccountIdle' : 'appServerAccountPerClient';
      return statusOf(state, reason, null);
    }
    return statusOf(state, context.decision.reason, context.decision.detail);
  }

  // --- AppServer

  get name(): string {
    return this.#inner.name;
  }

  get health(): AppServerHealth {
    return this.#inner.health;
  }

  onHealth(listener: (health: AppServerHealth) => void): void {
    this.#inner.onHealth(listener);
  }

  async restart(cause: string): Promise<void> {
    await this.#inner.restart(cause);
  }

  async open(
    events: AppServerEvents,
    client: ClientContext,
    signal: AbortSignal,
  ): Promise<AppServerConnection> {
    const gate: ClientGate = new ClientGate(events, client, {
      open: async (...args) => {
        await this.#prepare();
        return this.#inner.open(...args);
      },
      isHolding: () => this.#actor.getSnapshot().hasTag('holding'),
      onGone: () => this.#gates.delete(gate),
    });
    this.#gates.add(gate);
    try {
      await gate.open(signal);
    } catch (error) {
      this.#gates.delete(gate);
      throw error;
    }
    return gate;
  }

  async close(): Promise<void> {
    this.#stopped = true;
    this.#disconnect();
    this.#actor.stop();
    await this.#inner.close();
  }

  // --- AccountFollower

  async changed(): Promise<void> {
    const before = this.#known;
    const now = await this.#deps.account.handOver();
    this.#known = now;
    if (now === null) return;
    if (isSameAccount(before, now)) {
      this.#send({ type: 'RENEWED' });
    } else {
      const running = this.#inner.health.children > 0;
      const { storedInFile: onDisk } = this.#deps.account;
      this.#send({ type: 'CHANGED', shared: this.#canHandOver, running, onDisk });
    }
    await this.#until((snapshot) => !snapshot.hasTag('preparing') && !snapshot.hasTag('ending'));
  }

  async signedOut(): Promise<void> {
    this.#known = null;
    this.#send({ type: 'SIGNED_OUT' });
    await this.#until((snapshot) => !snapshot.hasTag('ending'));
  }

  needsAccount(): Promise<boolean> {
    if (!this.#canHandOver || this.#inner.health.children === 0) return Promise.resolve(true);
    this.#need ??= this.#readNeed().finally(() => {
      this.#need = undefined;
    });
    return this.#need;
  }

  notified(): void {
    // Notifications are written in this turn; the end of a connection comes after them.
    setImmediate(() => this.#send({ type: 'RELEASE' }));
  }

  // --- the steps of the chart

  /** A client is about to use the app server. ACC-103 */
  async #prepare(): Promise<void> {
    await this.#until((snapshot) => !snapshot.hasTag('ending'));
    if (!this.#canHandOver) return;
    this.#known = await this.#deps.account.handOver();
    if (this.#known === null) return;
    this.#send({ type: 'NEEDED' });
    await this.#until((snapshot) => !snapshot.hasTag('preparing'));
  }

  /** One child serves all clients, so that it has one account, and a connection of the engine reaches it. */
  get #canHandOver(): boolean {
    return this.#deps.maySpeakAccount && this.#inner.health.mode === 'shared';
  }

  #send(event: AppServerAccountEvent): void {
    if (!this.#stopped) this.#actor.send(event);
  }

  async #until(settled: (snapshot: Snapshot) => boolean): Promise<void> {
    await waitFor(this.#actor, settled).catch(() => {});
  }

  async #connect(signal: AbortSignal): Promise<ConnectAccountOutcome> {
    this.#disconnect();
    try {
      const client = await EngineClient.open(
        this.#inner,
        {
          onTokensRequested: (id) => this.#onTokensRequested(id),
          onClosed: () => this.#send({ type: 'GONE' }),
        },
        signal,
      );
      if (signal.aborted || this.#inner.health.mode !== 'shared') {
        client.close();
        return this.#failed('each client has its own child');
      }
      this.#client = client;
      const answer = await client.request('account/read', { refreshToken: false });
      if (answer.kind !== 'result' || !isRecord(answer.result) || !('requiresOpenaiAuth' in answer.result)) {
        return this.#failed('it does not speak the account methods');
      }
      return { kind: this.#keepsOwn(answer.result) ? 'keepsOwn' : 'unclaimed' };
    } catch (error) {
      return this.#failed(error instanceof Error ? error.message : String(error));
    }
  }

  /** False with a model provider that needs no account of OpenAI, and with a sign-in of its own. ACC-15 */
  async #readNeed(): Promise<boolean> {
    const signal = AbortSignal.timeout(NEED_TIMEOUT);
    try {
      const events = { onTokensRequested: () => {}, onClosed: () => {} };
      const client = await EngineClient.open(this.#inner, events, signal);
      signal.addEventListener('abort', () => client.close(), { once: true });
      const answer = await client.request('account/read', { refreshToken: false });
      client.close();
      if (answer.kind !== 'result' || !isRecord(answer.result)) return true;
      const { requiresOpenaiAuth, account } = answer.result;
      return requiresOpenaiAuth !== false && !isRecord(account);
    } catch {
      // Clients learn from their own requests that it cannot be reached.
      return true;
    }
  }

  /** Another account than the one of the engine is signed in at the app server, which the engine did not give it. */
  #keepsOwn({ account, userId }: Record<string, unknown>): boolean {
    if (!isRecord(account)) return false;
    const known = this.#known;
    return (
      known?.kind !== 'chatgptAuthTokens' ||
      account.type !== 'chatgpt' ||
      known.userId === null ||
      userId !== known.userId ||
      account.email !== known.email
    );
  }

  async #handOver(): Promise<HandOverOutcome> {
    const client = this.#client;
    const account = await this.#deps.account.handOver();
    if (client === undefined || account === null) return this.#failed('nobody is signed in any more');
    this.#known = account;
    if (this.#storesKey || (this.#given !== null && this.#given.kind !== account.kind)) {
      await this.#signOutAgent();
    }
    const completed = client.notification('account/login/completed');
    const answer = await client.request('account/login/start', loginParams(account));
    if (answer.kind !== 'result') {
      return this.#failed(answer.kind === 'error' ? answer.message : 'it closed the connection');
    }
    this.#given = account;
    this.#storesKey = account.kind === 'apiKey';
    await completed;
    return { kind: 'accepted' };
  }

  /** Codex CLI refuses an API key while it has tokens that it was given. ACC-103 */
  async #signOutAgent(): Promise<void> {
    await this.#client?.request('account/logout', {});
    this.#storesKey = false;
  }

  #onTokensRequested(id: RpcId): void {
    this.#asked.add(id);
    if (this.#actor.getSnapshot().matches('following')) this.#send({ type: 'ASKED' });
    else this.#refuseTokens();
  }

  /** Answers with tokens that are newer than those that the app server has. ACC-104 */
  async #renew(signal: AbortSignal): Promise<void> {
    const { account, env, timing } = this.#deps;
    const newest = await sendAuthorized(
      {
        ...{ env, timing, repeats: 'eachStep' as const },
        recovery: () => account.recovery(),
        send: async () => this.#givenOrNewer(await account.handOver()),
        isRefused: (found) => found === 'given',
        hasNewToken: async () => true,
      },
      signal,
    );
    if (newest === 'given' || newest === undefined) this.#refuseTokens();
    else this.#answerTokens(newest);
  }

  /** `given`: the app server has these tokens already, and they are refused. Undefined: there are no tokens. */
  #givenOrNewer(account: HandOver | null): 'given' | GivenTokens | undefined {
    if (account?.kind !== 'chatgptAuthTokens') return undefined;
    const given = this.#given?.kind === 'chatgptAuthTokens' ? this.#given.accessToken : undefined;
    return account.accessToken.equals(given) ? 'given' : account;
  }

  #answerTokens(account: GivenTokens): void {
    this.#known = account;
    this.#given = account;
    for (const id of this.#asked) {
      this.#client?.respond(id, {
        accessToken: account.accessToken.reveal(),
        chatgptAccountId: account.accountId,
        chatgptPlanType: account.plan,
      });
    }
    this.#asked.clear();
  }

  #refuseTokens(): void {
    for (const id of this.#asked) this.#client?.refuse(id, 'The engine has no newer tokens.');
    this.#asked.clear();
  }

  #disconnect(): void {
    this.#client?.close();
    this.#client = undefined;
    this.#given = null;
    this.#asked.clear();
  }

  #failed(why: string): ConnectAccountOutcome & { readonly kind: 'failed' } {
    const known = this.#known;
    const secrets = known === null ? [] : [known.kind === 'apiKey' ? known.key : known.accessToken];
    const text = cutBytes(oneLine(maskTokens(why, secrets)), MAX_SHOWN);
    const message = `${REASONS.appServerAccountRefused.means.replace(/\.$/, '')}: ${text}.`;
    return { kind: 'failed', failure: failure('appServerAccountRefused', message, this.#deps.env.now()) };
  }
}
