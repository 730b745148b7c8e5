import { EventEmitter } from 'node:events';
import { waitFor } from 'xstate';
import { AccountService } from '../account/service.js';
import { SupervisedAppServer } from '../app-server/supervisor.js';
import type { ServedMetrics } from '../listener/handshake/metrics.js';
import type { ListeningInfo } from '../listener/status.js';
import { AuditRing } from '../observe/audit.js';
import { decisionText, onDecision } from '../observe/decisions.js';
import { LogRing } from '../observe/log-ring.js';
import { type EngineLogger, silentLogger } from '../observe/logger.js';
import { EngineError } from '../protocol/errors.js';
import type { Failure, PairingResult } from '../protocol/outcomes.js';
import { needsPerson, REASONS } from '../protocol/reasons.js';
import { DEFAULT_TIMING, SYSTEM_ENV, type Timing } from '../protocol/timing.js';
import { ChartSteps } from '../recorder/chart-steps.js';
import type { PublicStatus, TimedReport } from '../remote-control/status.js';
import { JsonRpcError, MethodTable } from '../session/methods.js';
import { auditedPolicy, createPolicy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { errnoText } from '../system/errno.js';
import { IdleMemory } from '../system/idle-memory.js';
import { systemFailure } from '../system/system-failure.js';
import { bootstrap, type CheckedOptions, checkOptions, type EngineBase, type Running } from './bootstrap.js';
import type { MetricsServer } from './metrics-server.js';
import type { EngineMetricsView } from './operate-methods.js';
import type { EngineOptions } from './options.js';
import type { EngineStatus } from './status.js';
import { routeOf } from './status-methods.js';

/** A client that came or went. It holds no credential. */
export interface ClientChange {
  readonly change: 'connected' | 'left';
  readonly origin: 'listener' | 'unix' | 'stdio' | 'remote';
  /** The name of its `initialize`; null: it gave none. */
  readonly name: string | null;
}

/** The events of an engine, with their arguments. */
export interface EngineEvents {
  /** The public status changed. RC-42 */
  status: [PublicStatus];
  /** State, reason or status changed. More frequent than `status`. */
  report: [TimedReport];
  /** A client of the listener, over stdio or of remote control has sent `initialize`, or has left after that. */
  client: [ClientChange];
  /** The listener is open. Emitted once, before `start` resolves. */
  listening: [ListeningInfo];
  /** The engine has stopped. The failure says why when it stopped without a call of `stop`; otherwise null. */
  stopped: [Failure | null];
  /** An unexpected error. Call `stop()` and end the process, with exit code 70. */
  fault: [unknown];
}

type RemoteControlSnapshot = ReturnType<Running['actor']['getSnapshot']>;

/**
 * One engine on one home directory. Create it with `createEngine`, then call `start()` and `stop()` once each: an
 * engine does not start again. Events: see `EngineEvents`.
 */
export class Engine extends EventEmitter<EngineEvents> {
  readonly #base: EngineBase;
  readonly #timing: Timing;
  readonly #log: EngineLogger;
  readonly #audit = new AuditRing();
  readonly #sessions = new Set<ClientSession>();
  readonly #memory: IdleMemory | undefined;
  #running: Running | undefined;
  #metrics: ServedMetrics | undefined;
  #metricsServer: MetricsServer | undefined;
  #bootstrapping: Promise<Running> | undefined;
  /** Why the engine stops, when neither the chart nor a caller of `stop` knows it. */
  #failure: Failure | null = null;
  #started = false;
  #chartStarted = false;
  #ready = false;
  #stopping: Promise<void> | undefined;

  constructor(options: EngineOptions = {}) {
    super();
    const steps = new ChartSteps(options.env ?? SYSTEM_ENV, options.watcher);
    const { env } = steps;
    this.#timing = { ...DEFAULT_TIMING, ...options.timing };
    const logs = new LogRing(env.now);
    this.#log = logs.tee(options.logger ?? silentLogger, () => steps.currentId);
    this.#base = {
      options: { ...options, watcher: steps },
      steps,
      env,
      timing: this.#timing,
      log: this.#log,
      methods: new MethodTable(),
      audit: this.#audit,
      logs,
      policy: auditedPolicy(createPolicy(options.policy), this.#audit, this.#log, env.now),
      counters: { enrollRequests: 0, refreshRequests: 0, dials: 0, linksOpened: 0, authRecoveries: 0 },
      sessions: this.#sessions,
      startedAt: env.monotonic(),
    };
    if (options.returnMemory === true) {
      this.#memory = new IdleMemory({
        live: () => (this.#running?.local.clients ?? 0) + (this.#running?.mux.size ?? 0),
        onFault: (error) => this.#log.warn({ error: String(error) }, 'idle memory could not be released'),
      });
    }
  }

  /**
   * The public status, as `remoteControl/status/read` returns it.
   * @throws EngineError `usage` before `start`
   */
  get status(): PublicStatus {
    return this.#up.board.publicStatus;
  }

  /**
   * The full status, as `engine/status/read` returns it.
   * @throws EngineError `usage` before `start`
   */
  get fullStatus(): EngineStatus {
    return this.#up.status();
  }

  /**
   * The absolute path of the home directory.
   * @throws EngineError `usage` before `start`
   */
  get home(): string {
    return this.#up.home.dir;
  }

  /**
   * Requests a pairing code from the backend, as `remoteControl/pairing/start` does. RC-47
   * @param options.manualCode also request a short code that a person can type. Default false.
   * @throws EngineError with the reason as its code, for example `pairingUnavailable` before the enrollment
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
   * Takes the home, opens the enrollment store and starts. Resolves when the engine runs, or when `stop` was called
   * meanwhile. With `authStartup: 'ready'` it needs a sign-in; it does not wait for the connection to the backend.
   * A failed start releases everything.
   * @throws EngineError `alreadyRunning`, `homeUnusable`, `targetRefused`, `storeMissing`, `authRequired`,
   * `listenerFailed`, `systemRefused`, `usage`
   */
  async start(): Promise<void> {
    if (this.#started || this.#stopping !== undefined) {
      throw new EngineError('usage', 'An engine starts only once: create another one.');
    }
    this.#started = true;
    const { mode, target } = checkOptions(this.#base.options);
    this.#bootstrapping = bootstrap(this.#base, target, {
      onInitialized: (session) => this.#addSession(session),
      onEnded: (session) => this.#removeSession(session),
      drain: () => this.#drain(),
      onStdioEnd: (failure) => {
        this.#failure ??= failure;
        void this.stop();
      },
      onFault: (error) => this.emit('fault', error),
      onStop: () => void this.stop(),
      isReady: () => this.#ready,
      isStopping: () => this.#stopping !== undefined,
      metrics: () => this.#metricsView,
      listenerMetrics: () => this.#metrics,
    });
    const running = await this.#bootstrapping.catch(rethrowExplained);
    this.#running = running;
    if (this.#stopping !== undefined) {
      await this.#stopping;
      this.emit('stopped', null);
      return;
    }
    this.#observe(running);
    try {
      await this.#begin(running, mode);
    } catch (error) {
      await this.stop();
      rethrowExplained(error);
    }
  }

  /**
   * Stops within `timing.shutdownTimeout`: closes the clients and the link, flushes the store, releases the home.
   * Every call returns the same promise. RC-46
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  get #up(): Running {
    if (this.#running === undefined) throw new EngineError('usage', 'This engine has not been started.');
    return this.#running;
  }

  /** Status, audit and log follow the chart. They decide nothing. */
  #observe(running: Running): void {
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
      const level = snapshot.hasTag('errored') || reason === 'identityReplaced' ? 'warn' : 'info';
      const route = reason === 'connected' ? { route: routeOf(running) } : {};
      const nextStep = level === 'warn' && needsPerson(reason) ? { nextStep: REASONS[reason].todo } : {};
      this.#log[level](
        { reason, state, ...route, ...nextStep },
        detail ?? `remote control: ${decisionText(decision)}`,
      );
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
      const before = environmentId;
      environmentId = status.environmentId;
      if (before === null || before === environmentId) return;
      // Without an identity a pairing ends; one that waits for the first identity has its own answer. RC-193
      pairingIfMade()?.send({ type: environmentId === null ? 'RESET' : 'IDENTITY.REPLACED' });
    });
    account.watch((changed) => actor.send({ type: 'AUTH.CHANGED', account: changed }));
  }

  async #begin(running: Running, mode: CheckedOptions['mode']): Promise<void> {
    const { actor, local } = running;
    this.#chartStarted = true;
    actor.start();
    const { appServer } = this.#base.options;
    if (appServer instanceof SupervisedAppServer) appServer.start();
    const ended = waitFor(actor, (snapshot) => snapshot.status !== 'active', NO_TIMEOUT);
    void ended.then((snapshot) => this.#ended(snapshot.output?.failure ?? null)).catch(() => {});
    if (mode === 'on') actor.send({ type: 'ENABLE', by: 'start', durable: false });
    if (mode === 'preference') actor.send({ type: 'RESOLVE_PREFERENCE' });
    // The status then gives `disabled` as the reason for no connection. RC-42a
    if (mode === 'off') actor.send({ type: 'DISABLE', durable: false });
    await local.openControl();
    await this.#serveMetrics(running);
    // Probes find the listener from here on; it accepts clients only after the start has succeeded.
    const listening = this.#stopping === undefined ? await local.listen() : undefined;
    const settled = await waitFor(
      actor,
      (snapshot) => snapshot.status !== 'active' || !snapshot.hasTag('undecided'),
      NO_TIMEOUT,
    );
    if (settled.status === 'active') {
      local.open();
      this.#ready = true;
      if (listening !== undefined) this.emit('listening', listening);
      return;
    }
    await this.stop();
    const failure = settled.output?.failure ?? this.#failure;
    if (failure) throw endError(failure);
  }

  async #serveMetrics(running: Running): Promise<void> {
    const { metrics: options, listenerMetrics } = this.#base.options;
    if (options === undefined && listenerMetrics !== true) return;
    const { createMetrics } = await import('./metrics.js');
    const { env, methods } = this.#base;
    const { board, mux, status } = running;
    const metrics = await createMetrics({ status, depth: () => mux.depth, monotonic: env.monotonic });
    metrics.onReport(board.report);
    board.onReport((report) => metrics.onReport(report));
    methods.observe((name, ms) => metrics.onMethod(name, ms));
    this.#metrics = metrics;
    if (options === undefined) return;
    const { serveMetrics } = await import('./metrics-server.js');
    this.#metricsServer = await serveMetrics(metrics, options);
    const { url } = this.#metricsServer;
    this.#log.info({ url }, `metrics at ${url}`);
  }

  get #metricsView(): EngineMetricsView | undefined {
    const metrics = this.#metrics;
    if (metrics === undefined) return undefined;
    const listener = this.#running?.local.listener?.url.replace(/^ws/, 'http').replace(/\/?$/, '/metrics');
    return { url: this.#metricsServer?.url ?? listener ?? '', text: () => metrics.text() };
  }

  /** Every client gets the status right after `initialize`. RC-42 */
  #addSession(session: ClientSession): void {
    this.#sessions.add(session);
    this.#memory?.note();
    this.#emitClient(session, 'connected');
    session.notify('remoteControl/status/changed', this.#up.board.publicStatus);
    if (session.client.origin === 'stdio') {
      // A client of another protocol may have no name; the start waits for one. RC-45
      const name = session.clientName ?? session.protocol ?? 'client';
      this.#up.actor.send({ type: 'CLIENT.NAMED', name });
    }
    const { account } = this.#up;
    if (!(account instanceof AccountService)) return;
    void account.welcome((method, params) => session.notify(method, params)).catch(() => {});
  }

  #removeSession(session: ClientSession): void {
    if (this.#sessions.delete(session)) this.#emitClient(session, 'left');
    this.#memory?.note();
    const account = this.#running?.account;
    if (account instanceof AccountService) account.operations.clientEnded(session);
  }

  /** Commands of this program, and the engine itself, are no clients. */
  #emitClient({ client: { origin }, clientName }: ClientSession, change: ClientChange['change']): void {
    if (origin === 'control' || origin === 'engine') return;
    this.emit('client', { change, origin, name: clientName ?? null });
  }

  async #stop(): Promise<void> {
    // A start in progress has taken the home already, or is about to.
    const running = this.#running ?? (await this.#bootstrapping?.catch(() => undefined));
    if (running === undefined) return;
    const { actor, local } = running;
    local.stopping();
    if (this.#chartStarted && actor.getSnapshot().status === 'active') {
      actor.send({ type: 'STOP' });
      await waitFor(actor, (snapshot) => snapshot.status !== 'active', NO_TIMEOUT).catch(() => {});
    }
    actor.stop();
    running.pairingIfMade()?.stop();
    running.wake.close();
    this.#memory?.close();
    running.account.close();
    running.dialer.close();
    await this.#metricsServer?.close();
    await local.close();
    // Nothing may outlive the engine, also when its start failed.
    await within(running.appServer.close(), this.#timing.shutdownTimeout / 2);
    // A store that another process has locked must not delay the end of the engine. RC-46
    await within(running.store.close(), this.#timing.shutdownTimeout / 4);
    await running.recorder?.close();
    await running.lock.release().catch((error: unknown) => {
      // The lock is free all the same, and the next start replaces the file.
      const file = running.home.engineFile;
      this.#log.warn({}, `${file} could not be removed: ${errnoText(error)}`);
    });
  }

  /** The chart waits for it in `stopping`: clients are closed, sockets are gone, the store is flushed. RC-46 */
  async #drain(): Promise<void> {
    const running = this.#up;
    running.local.closeClients();
    await Promise.all([
      running.service.socketsClosed(),
      // A locked store may not finish in time: the rest of the shutdown time is for closing it.
      within(running.store.flush(), this.#timing.shutdownTimeout / 2),
      running.appServer.close(),
    ]);
  }

  #ended(failure: Failure | null): void {
    void this.stop().then(() => this.emit('stopped', failure ?? this.#failure));
  }
}

/**
 * Creates an engine; `start()` starts it. The home directory is not touched before.
 *
 * @example
 * const engine = createEngine({ remoteControl: 'on', listen: 'ws://127.0.0.1:0' });
 * engine.on('listening', ({ url }) => console.log(url));
 * await engine.start();
 * // …
 * await engine.stop();
 */
export function createEngine(options: EngineOptions = {}): Engine {
  return new Engine(options);
}

/** A system call that failed during the start is no mistake in this program. */
function rethrowExplained(error: unknown): never {
  throw systemFailure(error) ?? error;
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

const NO_TIMEOUT = { timeout: Number.POSITIVE_INFINITY };

/** The error for a failure that stopped an engine without a call of `stop`. */
export function endError(failure: Failure): EngineError {
  // A start that needs a sign-in found none; over stdio this happens after the client has sent its name. RC-27
  if (failure.reason.startsWith('auth')) return new EngineError('authRequired', failure.message);
  return new EngineError(failure.reason, failure.message);
}
