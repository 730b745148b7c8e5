import { EventEmitter } from 'node:events';
import { AccountService } from '../account/service.js';
import type { ListeningInfo } from '../listener/status.js';
import { AuditRing } from '../observe/audit.js';
import { decisionText, onDecision } from '../observe/decisions.js';
import { LogRing } from '../observe/log-ring.js';
import { type EngineLogger, silentLogger } from '../observe/logger.js';
import { EngineError } from '../protocol/errors.js';
import type { Failure, PairingResult } from '../protocol/outcomes.js';
import { needsPerson, REASONS } from '../protocol/reasons.js';
import { DEFAULT_TIMING, SYSTEM_ENV } from '../protocol/timing.js';
import { ChartSteps } from '../recorder/chart-steps.js';
import type { PublicStatus, TimedReport } from '../remote-control/status.js';
import { JsonRpcError, MethodTable } from '../session/methods.js';
import { auditedPolicy, createPolicy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { IdleMemory } from '../system/idle-memory.js';
import type { EngineBase, Running } from './bootstrap.js';
import { EngineLife } from './engine-life.js';
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
  readonly #log: EngineLogger;
  readonly #audit = new AuditRing();
  readonly #sessions = new Set<ClientSession>();
  readonly #memory: IdleMemory | undefined;
  readonly #life: EngineLife;
  #stopping: Promise<void> | undefined;

  constructor(options: EngineOptions = {}) {
    super();
    const steps = new ChartSteps(options.env ?? SYSTEM_ENV, options.watcher);
    const { env } = steps;
    const logs = new LogRing(env.now);
    this.#log = logs.tee(options.logger ?? silentLogger, () => steps.currentId);
    const base: EngineBase = {
      options: { ...options, watcher: steps },
      steps,
      env,
      timing: { ...DEFAULT_TIMING, ...options.timing },
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
        live: () => (this.#life.running?.local.clients ?? 0) + (this.#life.running?.mux.size ?? 0),
        onFault: (error) => this.#log.warn({ error: String(error) }, 'idle memory could not be released'),
      });
    }
    this.#life = new EngineLife(base, {
      wiring: {
        onInitialized: (session) => this.#addSession(session),
        onEnded: (session) => this.#removeSession(session),
        drain: () => this.#drain(),
        onFault: (error) => this.emit('fault', error),
      },
      onWired: (running) => this.#observe(running),
      onListening: (listening) => this.emit('listening', listening),
      onEnded: (failure) => this.emit('stopped', failure),
      onFault: (error) => this.emit('fault', error),
      onClose: () => this.#memory?.close(),
    });
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
    await this.#life.start();
  }

  /**
   * Stops within `timing.shutdownTimeout`: closes the clients and the link, flushes the store, releases the home.
   * Every call returns the same promise. RC-46
   */
  stop(): Promise<void> {
    this.#stopping ??= this.#life.stop();
    return this.#stopping;
  }

  get #up(): Running {
    const { running } = this.#life;
    if (running === undefined) throw new EngineError('usage', 'This engine has not been started.');
    return running;
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
    const account = this.#life.running?.account;
    if (account instanceof AccountService) account.operations.clientEnded(session);
  }

  /** Commands of this program, and the engine itself, are no clients. */
  #emitClient({ client: { origin }, clientName }: ClientSession, change: ClientChange['change']): void {
    if (origin === 'control' || origin === 'engine') return;
    this.emit('client', { change, origin, name: clientName ?? null });
  }

  /** The chart `remoteControl` waits for it in `stopping`: clients are closed, sockets and children are gone. RC-46 */
  async #drain(): Promise<void> {
    const running = this.#up;
    running.local.closeClients();
    await Promise.all([running.service.socketsClosed(), running.appServer.close()]);
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
