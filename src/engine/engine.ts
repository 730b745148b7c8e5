import { EventEmitter } from 'node:events';
import { waitFor } from 'xstate';
import { addAccountMethods } from '../account/methods.js';
import { AccountService } from '../account/service.js';
import { createAccount, issuerAddress, loginPolicy } from '../account/setup.js';
import { BuiltinAppServer } from '../app-server/builtin.js';
import { type Home, openHome, resolveHome } from '../home/home.js';
import { acquireHomeLock, type HomeLock } from '../home/home-lock.js';
import { loadInstallationId } from '../home/installation.js';
import type { ListeningInfo } from '../listener/service.js';
import { readCaCert } from '../net/ca-certificates.js';
import { createDialer, type Dialer } from '../net/dialer.js';
import { type ParsedTarget, parseTarget } from '../net/target.js';
import { AuditRing } from '../observe/audit.js';
import { onDecision } from '../observe/decisions.js';
import { type EngineLogger, silentLogger } from '../observe/logger.js';
import { EngineError } from '../protocol/errors.js';
import type { Failure } from '../protocol/outcomes.js';
import { DEFAULT_TIMING, type Env, type Timing } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import type { LinkCounters } from '../remote-control/host.js';
import type { PairingResult } from '../remote-control/methods.js';
import { addRepairMethod } from '../remote-control/repair.js';
import type { PublicStatus, TimedReport } from '../remote-control/status.js';
import { openEnrollmentStore } from '../remote-control/store/enrollment-store.js';
import { JsonRpcError, MethodTable } from '../session/methods.js';
import { auditedPolicy, createPolicy, type Policy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { IdleMemory } from '../system/idle-memory.js';
import { createSleepDetector, type SleepDetector } from '../system/sleep-detector.js';
import { LocalAccess } from './local-access.js';
import { addEngineMethods } from './methods.js';
import { DEFAULT_BASE_URL, type EngineOptions } from './options.js';
import { type BootstrapDeps, createRemoteControl, type RemoteControl } from './remote-control.js';
import { type EngineStatus, engineStatusOf, routeOf } from './status.js';

/** What an engine tells while it runs. */
export interface EngineEvents {
  /** The public status changed. RC-42 */
  status: [PublicStatus];
  /** State, reason or status changed; finer than `status`. */
  report: [TimedReport];
  /** The listener is open; told once, before `start` resolves. */
  listening: [ListeningInfo];
  /** The engine ended; the failure says why when nobody asked it to. */
  stopped: [Failure | null];
  /** A fault nobody expected: end the process with code 70 after `stop()`. */
  fault: [unknown];
}

type RemoteControlSnapshot = ReturnType<RemoteControl['actor']['getSnapshot']>;

/** What exists between `start` and `stop`. */
interface Running extends BootstrapDeps, RemoteControl {
  readonly local: LocalAccess;
  readonly lock: HomeLock;
  readonly wake: SleepDetector;
}

/** One engine on one home folder: create it, `start()` it, `stop()` it. It does not start again. */
export class Engine extends EventEmitter<EngineEvents> {
  readonly #options: EngineOptions;
  readonly #env: Env;
  readonly #timing: Timing;
  readonly #log: EngineLogger;
  readonly #methods = new MethodTable();
  readonly #audit = new AuditRing();
  readonly #sessions = new Set<ClientSession>();
  readonly #policy: Policy;
  readonly #startedAt: number;
  readonly #counters: LinkCounters = {
    enrollRequests: 0,
    refreshRequests: 0,
    dials: 0,
    linksOpened: 0,
    authRecoveries: 0,
  };
  readonly #memory: IdleMemory | undefined;
  #running: Running | undefined;
  #laying: Promise<Running> | undefined;
  /** Why it ends, where nobody asked it to and no chart knows. */
  #failure: Failure | null = null;
  #builtin: BuiltinAppServer | undefined;
  #started = false;
  #begun = false;
  #stopping: Promise<void> | undefined;

  constructor(options: EngineOptions = {}) {
    super();
    this.#options = options;
    this.#env = options.env ?? { now: () => Date.now(), random: () => Math.random() };
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    this.#log = options.logger ?? silentLogger;
    this.#policy = auditedPolicy(createPolicy(options.policy), this.#audit, this.#log, this.#env.now);
    this.#startedAt = this.#env.now();
    if (options.returnMemory === true) {
      this.#memory = new IdleMemory({
        live: () => (this.#running?.local.clients ?? 0) + (this.#running?.mux.size ?? 0),
        onFault: (error) => this.#log.warn({ error: String(error) }, 'memory is not given back'),
      });
    }
  }

  /** The public status. Throws before `start`. */
  get status(): PublicStatus {
    return this.#up.board.publicStatus;
  }

  /** Everything the engine says of itself. Throws before `start`. */
  get fullStatus(): EngineStatus {
    return this.#statusOf(this.#up);
  }

  get home(): string {
    return this.#up.home.dir;
  }

  /**
   * Asks the backend for a pairing code, as `remoteControl/pairing/start` does. RC-47
   * Rejects with an EngineError whose code is the reason.
   */
  async pair(options: { readonly manualCode?: boolean } = {}): Promise<PairingResult> {
    try {
      return await this.#up.pair(options.manualCode ?? false);
    } catch (error) {
      throw error instanceof JsonRpcError
        ? new EngineError(error.reason ?? 'pairingFailed', error.message)
        : error;
    }
  }

  /**
   * Takes the home, opens the store and begins. Resolves when the engine runs: with `authStartup: 'ready'` once
   * somebody is signed in; or when it was stopped meanwhile. Rejects with an EngineError: `alreadyRunning`,
   * `homeUnusable`, `targetRefused`, `storeMissing`, `authRequired`, `usage`. Nothing is left behind then.
   */
  async start(): Promise<void> {
    if (this.#started || this.#stopping !== undefined) {
      throw new EngineError('usage', 'An engine starts only once: create another one.');
    }
    this.#started = true;
    const options = this.#options;
    const mode = options.remoteControl ?? 'on';
    const target = parseTarget(options.baseUrl ?? DEFAULT_BASE_URL, { allowHosts: options.allowHosts ?? [] });
    // A bad URL stops a start that would use it; else it is told to whoever enables. RC-2
    if (!target.ok && mode === 'on') throw new EngineError('targetRefused', target.message);
    if (options.store === 'none' && mode === 'on') {
      throw new EngineError(
        'storeMissing',
        'Remote control needs an enrollment store, and the store is switched off.',
      );
    }
    // Whatever is wrong with the settings is told before anything is taken.
    if (options.account === undefined) issuerAddress(options);
    const home = openHome(resolveHome(options.home));
    this.#laying = this.#lay(home, target);
    const running = await this.#laying;
    this.#running = running;
    if (this.#stopping !== undefined) {
      await this.#stopping;
      this.emit('stopped', null);
      return;
    }
    this.#watch(running);
    try {
      await this.#begin(running, mode);
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends in good order within `shutdownTimeout`: clients are told, the link closes, the store is flushed. RC-46 */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #up(): Running {
    if (this.#running === undefined) throw new EngineError('usage', 'This engine has not been started.');
    return this.#running;
  }

  /** Takes the lock and everything that must be there before the charts start. */
  async #lay(home: Home, target: ParsedTarget): Promise<Running> {
    const options = this.#options;
    const caCertPem = options.caCert === undefined ? undefined : readCaCert(options.caCert);
    const dialer = createDialer({ env: process.env, caCertPem });
    const store = openEnrollmentStore(options.store ?? home.storeUrl, {
      now: this.#env.now,
      busyTimeoutMs: STORE_BUSY_TIMEOUT,
    });
    store.prepare();
    const locking = acquireHomeLock(home, {
      version: VERSION,
      startedAt: this.#startedAt,
      controlSocket: home.controlSocket,
    });
    const [locked, identity] = await Promise.allSettled([locking, loadInstallationId(home)]);
    if (locked.status === 'rejected' || identity.status === 'rejected') {
      await store.close();
      if (locked.status === 'fulfilled') await locked.value.release();
      throw locked.status === 'rejected' ? locked.reason : (identity as PromiseRejectedResult).reason;
    }
    const account = options.account ?? this.#createAccount(home, dialer, target);
    const foundations: BootstrapDeps = {
      options,
      env: this.#env,
      timing: this.#timing,
      log: this.#log,
      home,
      store,
      account,
      installationId: identity.value,
      target,
      dialer,
      appServer: this.#options.appServer ?? this.#builtinOf(home),
      methods: this.#methods,
      audit: this.#audit,
      counters: this.#counters,
      policy: this.#policy,
      onInitialized: (session) => this.#welcome(session),
      onEnded: (session) => this.#forget(session),
      drain: () => this.#drain(),
    };
    const remoteControl = createRemoteControl(foundations);
    const wake = createSleepDetector({ onWake: () => remoteControl.actor.send({ type: 'WAKE' }) });
    const local = new LocalAccess({
      ...foundations,
      controlAppServer: this.#builtinOf(home),
      remoteControlStatus: () => remoteControl.board.report.status,
      onStdioEnd: (failure) => {
        this.#failure ??= failure;
        void this.stop();
      },
    });
    const running = { ...foundations, ...remoteControl, local, lock: locked.value, wake };
    addEngineMethods(this.#methods, { status: () => this.#statusOf(running), audit: this.#audit });
    addRepairMethod(this.#methods, running);
    return running;
  }

  #createAccount(home: Home, dialer: Dialer, target: ParsedTarget): AccountService {
    const account = createAccount(this.#options, {
      home,
      dialer,
      env: this.#env,
      log: this.#log,
      audit: this.#audit,
      baseUrl: target.ok ? target.target.baseUrl : null,
      broadcast: (method, params) => {
        for (const session of this.#sessions) session.notify(method, params);
      },
      onFault: (error) => this.emit('fault', error),
      watcher: this.#options.watcher,
    });
    addAccountMethods(this.#methods, account, loginPolicy(this.#options).workspaces);
    return account;
  }

  #builtinOf(home: Home): BuiltinAppServer {
    this.#builtin ??= new BuiltinAppServer({ version: VERSION, home: home.dir });
    return this.#builtin;
  }

  /** Status, audit and log follow the chart; they decide nothing. */
  #watch(running: Running): void {
    const { actor, board, account, pairingIfMade } = running;
    let lastReported = '';
    const report = onDecision((snapshot: RemoteControlSnapshot, decision) => {
      const { reason, detail } = decision;
      const { state } = board.report;
      const line = JSON.stringify([state, reason, detail]);
      // A missing account is checked every second; the same result is not reported every second.
      if (line === lastReported) return;
      lastReported = line;
      this.#audit.addDecision('remoteControl', state, decision);
      const level = snapshot.hasTag('errored') ? 'warn' : 'info';
      const route = reason === 'connected' ? { route: routeOf(running) } : {};
      this.#log[level]({ reason, state, ...route }, detail ?? `remote control: ${reason}`);
    });
    actor.subscribe({
      next: (snapshot) => {
        board.refresh();
        report(snapshot);
      },
      error: (error) => this.emit('fault', error),
    });
    board.onReport((report) => this.emit('report', report));
    let environmentId = board.publicStatus.environmentId;
    board.onPublic((status) => {
      this.emit('status', status);
      for (const session of this.#sessions) session.notify('remoteControl/status/changed', status);
      // Only the loss of an identity ends a pairing: one that waits for the first identity has its own answer.
      const lost = environmentId !== null && status.environmentId === null;
      environmentId = status.environmentId;
      if (lost) pairingIfMade()?.send({ type: 'RESET' });
    });
    account.watch((changed) => actor.send({ type: 'AUTH.CHANGED', account: changed }));
  }

  async #begin(running: Running, mode: 'on' | 'off' | 'preference'): Promise<void> {
    const { actor, local } = running;
    this.#begun = true;
    actor.start();
    const ended = waitFor(actor, (snapshot) => snapshot.status !== 'active', FOR_EVER);
    void ended.then((snapshot) => this.#ended(snapshot.output?.failure ?? null)).catch(() => {});
    if (mode === 'on') actor.send({ type: 'ENABLE', by: 'start', durable: false });
    if (mode === 'preference') actor.send({ type: 'RESOLVE_PREFERENCE' });
    // So that "why is it not connected?" is answered with what was asked for. RC-42a
    if (mode === 'off') actor.send({ type: 'DISABLE', durable: false });
    await local.openControl();
    // Whoever probes finds the listener from here on; it lets nobody in before the start has succeeded.
    const listening = this.#stopping === undefined ? await local.listen() : undefined;
    const settled = await waitFor(
      actor,
      (snapshot) => snapshot.status !== 'active' || !snapshot.hasTag('undecided'),
      FOR_EVER,
    );
    if (settled.status === 'active') {
      local.open();
      if (listening !== undefined) this.emit('listening', listening);
      return;
    }
    await this.stop();
    const failure = settled.output?.failure ?? this.#failure;
    if (failure) throw endError(failure);
  }

  /** A client gets one status right after it is initialized. RC-42 */
  #welcome(session: ClientSession): void {
    this.#sessions.add(session);
    this.#memory?.note();
    session.notify('remoteControl/status/changed', this.#up.board.publicStatus);
    if (session.client.origin === 'stdio' && session.clientName !== undefined) {
      this.#up.actor.send({ type: 'CLIENT.NAMED', name: session.clientName });
    }
    const { account } = this.#up;
    if (!(account instanceof AccountService)) return;
    void account.welcome((method, params) => session.notify(method, params)).catch(() => {});
  }

  #forget(session: ClientSession): void {
    this.#sessions.delete(session);
    this.#memory?.note();
  }

  async #stop(): Promise<void> {
    // A start that is under way has taken the home already, or is about to.
    const running = this.#running ?? (await this.#laying?.catch(() => undefined));
    if (running === undefined) return;
    const { actor, local } = running;
    local.stopping();
    if (this.#begun && actor.getSnapshot().status === 'active') {
      actor.send({ type: 'STOP' });
      await waitFor(actor, (snapshot) => snapshot.status !== 'active', FOR_EVER).catch(() => {});
    }
    actor.stop();
    running.pairingIfMade()?.stop();
    running.wake.close();
    this.#memory?.close();
    running.account.close();
    running.dialer.close();
    await local.close();
    // A store that another process holds locked must not keep the engine from ending. RC-46
    await within(running.store.close(), this.#timing.shutdownTimeout / 4);
    await running.lock.release();
  }

  /** What `stopping` waits for: local clients are told, sockets are gone, the store is flushed. RC-46 */
  async #drain(): Promise<void> {
    const running = this.#up;
    running.local.closeClients();
    await Promise.all([
      running.host.settled(),
      // What a locked store cannot take in time it will not take: the rest of the time is for its closing.
      within(running.store.flush(), this.#timing.shutdownTimeout / 2),
      running.appServer.close(),
    ]);
  }

  #statusOf(running: Running): EngineStatus {
    return engineStatusOf(running, { version: VERSION, startedAt: this.#startedAt });
  }

  #ended(failure: Failure | null): void {
    void this.stop().then(() => this.emit('stopped', failure ?? this.#failure));
  }
}

/** Creates an engine that is not started yet. */
export function createEngine(options: EngineOptions = {}): Engine {
  return new Engine(options);
}

/** Waits for `task`, but no longer than `limit` ms. */
async function within(task: Promise<void>, limit: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, limit);
  });
  await Promise.race([task, late]);
  clearTimeout(timer);
}

/** A thread that waits inside SQLite holds up the end of the process: less than a shutdown may take, ms. RC-46 */
const STORE_BUSY_TIMEOUT = 2_000;

const FOR_EVER = { timeout: Number.POSITIVE_INFINITY };

/** Why an engine ended by itself, as an error for people. */
export function endError(failure: Failure): EngineError {
  // A start that needs a sign-in has found none, at once or later (over stdio, when the client has named itself). RC-27
  if (failure.reason.startsWith('auth')) return new EngineError('authRequired', failure.message);
  return new EngineError(failure.reason, failure.message);
}
