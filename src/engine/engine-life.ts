/** The adapters of one `engine` chart: each does one step of the start or the stop, and reports how it ended. */
import { type Actor, createActor, fromPromise, waitFor } from 'xstate';
import { engineMachine } from '../../machines/engine/machine.js';
import type { EngineEvent } from '../../machines/engine/setup.js';
import { isSupervised } from '../app-server/supervised.js';
import type { Home } from '../home/home.js';
import type { ListeningInfo } from '../listener/status.js';
import { auditDecisions, decisionText, onDecision } from '../observe/decisions.js';
import type { EngineEnd, StepOutcome } from '../protocol/engine-life.js';
import { EngineError } from '../protocol/errors.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { errnoText } from '../system/errno.js';
import { systemFailure } from '../system/system-failure.js';
import {
  type CheckedOptions,
  checkOptions,
  type EngineBase,
  type Foundation,
  openFoundation,
  openHomeOf,
  type Running,
  takeHome,
  type WiringHooks,
  wire,
} from './bootstrap.js';
import { endError } from './end-error.js';
import { EngineMetrics } from './engine-metrics.js';
import type { HomeLock } from './home-lock.js';

/** What the engine does at the moments that the chart decides. */
export interface LifeHooks {
  readonly wiring: Omit<
    WiringHooks,
    'onStdioEnd' | 'onStop' | 'isReady' | 'isStopping' | 'metrics' | 'listenerMetrics'
  >;
  /** The parts are wired, and nothing has started. */
  readonly onWired: (running: Running) => void;
  readonly onListening: (listening: ListeningInfo) => void;
  /** The engine has ended after it ran, or after a stop during its start. */
  readonly onEnded: (failure: Failure | null) => void;
  readonly onFault: (error: unknown) => void;
  /** Closes what the engine itself holds. */
  readonly onClose: () => void;
}

/** Reasons of the end of a part that did not end as it should: nobody else reports them. */
const BROKEN: ReadonlySet<Reason> = new Set<Reason>(['stopTimeout', 'engineFault']);
const DONE: StepOutcome = { kind: 'done' };
const NO_TIMEOUT = { timeout: Number.POSITIVE_INFINITY };

/** The life of one engine, as the chart `engine` decides. */
export class EngineLife {
  readonly #base: EngineBase;
  readonly #hooks: LifeHooks;
  readonly #actor: Actor<typeof engineMachine>;
  readonly #ended: Promise<EngineEnd>;
  /** The error of each failure, with its cause and next step. */
  readonly #errors = new WeakMap<Failure, unknown>();
  /** The step of the start that is in progress. It never rejects. */
  #inProgress: Promise<StepOutcome> = Promise.resolve(DONE);
  #options: CheckedOptions | undefined;
  #home: Home | undefined;
  #foundation: Foundation | undefined;
  #lock: HomeLock | undefined;
  #installationId = '';
  #running: Running | undefined;
  #metrics: EngineMetrics | undefined;
  #listening: ListeningInfo | undefined;

  constructor(base: EngineBase, hooks: LifeHooks) {
    this.#base = base;
    this.#hooks = hooks;
    const { env, timing, log, audit, options } = base;
    this.#actor = createActor(this.#machine(), { id: 'engine', input: { env, timing } });
    options.watcher?.actor(this.#actor);
    const auditDecision = auditDecisions(audit, 'engine');
    const warn = onDecision((_, decision) => {
      const { reason } = decision;
      if (this.isEnding && BROKEN.has(reason)) log.warn({ reason }, decisionText(decision));
    });
    this.#ended = new Promise((resolve) => {
      this.#actor.subscribe({
        next: (snapshot) => {
          auditDecision(snapshot);
          warn(snapshot);
          if (snapshot.output !== undefined) resolve(snapshot.output);
        },
        error: hooks.onFault,
      });
    });
    this.#actor.on('ENDED', ({ failure: why }) => hooks.onEnded(why));
    this.#actor.on('STARTED', () => {
      if (this.#listening !== undefined) hooks.onListening(this.#listening);
    });
    this.#actor.start();
  }

  get running(): Running | undefined {
    return this.#running;
  }

  get isEnding(): boolean {
    return this.#actor.getSnapshot().hasTag('ending');
  }

  /** @throws what the step of the start threw that failed */
  async start(): Promise<void> {
    if (!this.#actor.getSnapshot().can({ type: 'START' })) {
      throw new EngineError('usage', 'An engine starts only once: create another one.');
    }
    const started = new Promise<undefined>((resolve) => this.#actor.on('STARTED', () => resolve(undefined)));
    this.#actor.send({ type: 'START' });
    const end = await Promise.race([started, this.#ended]);
    if (end !== undefined && end.failure !== null)
      throw this.#errors.get(end.failure) ?? endError(end.failure);
  }

  async stop(): Promise<void> {
    this.#send({ type: 'STOP' });
    await this.#ended;
  }

  // --- inside

  #send(event: EngineEvent): void {
    if (!this.#isOver) this.#actor.send(event);
  }

  get #isOver(): boolean {
    return this.#actor.getSnapshot().status !== 'active';
  }

  #machine(): typeof engineMachine {
    /** A step of the start. One that is in progress when the engine is stopped is waited for. */
    const step = (run: () => unknown) =>
      fromPromise<StepOutcome>(() => {
        this.#inProgress = this.#outcomeOf(run);
        return this.#inProgress;
      });
    return engineMachine.provide({
      actors: {
        checkOptions: step(() => {
          this.#options = checkOptions(this.#base.options);
        }),
        openHome: step(() => {
          this.#home = openHomeOf(this.#base);
        }),
        openStore: step(async () => {
          this.#foundation = await openFoundation(this.#base, made(this.#home));
        }),
        takeHome: step(() => this.#takeHome()),
        wire: step(() => this.#wire()),
        startRemoteControl: step(() => this.#startRemoteControl()),
        openControl: step(() => made(this.#running).local.openControl()),
        openMetrics: step(() => this.#openMetrics()),
        openListener: step(async () => {
          this.#listening = await made(this.#running).local.listen();
        }),
        // Not a step: it ends with the chart of remote control.
        awaitDecision: fromPromise<StepOutcome>(async () => {
          const { actor } = made(this.#running);
          const isDecided = (snapshot: ReturnType<typeof actor.getSnapshot>) =>
            snapshot.status === 'active' && !snapshot.hasTag('undecided');
          await waitFor(actor, isDecided, NO_TIMEOUT);
          return DONE;
        }),
        settle: fromPromise<StepOutcome>(() => this.#inProgress),
        endRemoteControl: fromPromise<StepOutcome>(() => this.#endRemoteControl()),
        closeAccess: fromPromise<unknown>(() => this.#closeAccess()),
        closeAppServer: fromPromise<unknown>(async () => this.#running?.appServer.close()),
        closeStore: fromPromise<unknown>(async () => this.#foundation?.store.close()),
        releaseHome: fromPromise<unknown>(() => this.#releaseHome()),
      },
      actions: {
        admitClients: () => this.#running?.local.open(),
        refuseClients: () => this.#running?.local.stopping(),
      },
    });
  }

  async #outcomeOf(run: () => unknown): Promise<StepOutcome> {
    try {
      await run();
      return DONE;
    } catch (error) {
      return { kind: 'failed', failure: this.#failureOf(error) };
    }
  }

  #failureOf(thrown: unknown): Failure {
    // A system call that failed during the start is no mistake in this program.
    const error = systemFailure(thrown) ?? thrown;
    const reason = error instanceof EngineError ? 'startFailed' : 'engineFault';
    const message = error instanceof Error ? error.message : String(error);
    const reported = failure(reason, message, this.#base.env.now());
    this.#errors.set(reported, error);
    return reported;
  }

  async #takeHome(): Promise<void> {
    const taking = takeHome(this.#base, made(this.#home));
    const [lock, installationId] = await Promise.allSettled([taking.lock, taking.installationId]);
    if (lock.status === 'fulfilled') {
      this.#lock = lock.value;
      // The start was given up meanwhile.
      if (this.#isOver) await lock.value.release();
    }
    // Its error comes first: it names the engine that already runs.
    if (lock.status === 'rejected') throw lock.reason;
    if (installationId.status === 'rejected') throw installationId.reason;
    this.#installationId = installationId.value;
  }

  async #wire(): Promise<void> {
    const { target } = made(this.#options);
    const running = await wire(
      this.#base,
      {
        ...made(this.#foundation),
        home: made(this.#home),
        lock: made(this.#lock),
        installationId: this.#installationId,
        target,
      },
      {
        ...this.#hooks.wiring,
        onStdioEnd: (why) => this.#send({ type: 'STDIO.ENDED', failure: why }),
        onStop: () => this.#send({ type: 'STOP' }),
        isReady: () => this.#actor.getSnapshot().hasTag('ready'),
        isStopping: () => this.isEnding,
        metrics: () => this.#metrics?.view(this.#running?.local.listener?.url),
        listenerMetrics: () => this.#metrics?.served,
      },
    );
    this.#running = running;
    this.#hooks.onWired(running);
    running.actor.subscribe({
      complete: () => {
        const why = running.actor.getSnapshot().output?.failure ?? null;
        this.#send({ type: 'REMOTE.ENDED', failure: why });
      },
      error: (error) => this.#send({ type: 'REMOTE.FAULT', failure: this.#failureOf(error) }),
    });
  }

  #startRemoteControl(): void {
    const { actor } = made(this.#running);
    actor.start();
    const { appServer } = this.#base.options;
    if (isSupervised(appServer)) appServer.start();
    const { mode } = made(this.#options);
    if (mode === 'on') actor.send({ type: 'ENABLE', by: 'start', durable: false });
    if (mode === 'preference') actor.send({ type: 'RESOLVE_PREFERENCE' });
    // The status then gives `disabled` as the reason for no connection. RC-42a
    if (mode === 'off') actor.send({ type: 'DISABLE', durable: false });
  }

  async #openMetrics(): Promise<void> {
    const { metrics, listenerMetrics } = this.#base.options;
    if (metrics === undefined && listenerMetrics !== true) return;
    this.#metrics = await EngineMetrics.open(this.#base, made(this.#running));
    // The start was given up meanwhile.
    if (this.#isOver) await this.#metrics.close();
  }

  async #endRemoteControl(): Promise<StepOutcome> {
    const { actor } = made(this.#running);
    if (actor.getSnapshot().status === 'active') {
      const ended = new Promise<void>((resolve) => {
        actor.subscribe({ complete: resolve, error: () => resolve() });
      });
      actor.send({ type: 'STOP' });
      await ended;
    }
    const why = actor.getSnapshot().output?.failure;
    return why === undefined || why === null ? DONE : { kind: 'failed', failure: why };
  }

  async #releaseHome(): Promise<void> {
    await this.#running?.recorder?.close();
    await this.#lock?.release().catch((error: unknown) => {
      // The lock is free all the same, and the next start replaces the file.
      const file = this.#home?.engineFile;
      this.#base.log.warn({}, `${file} could not be removed: ${errnoText(error)}`);
    });
  }

  async #closeAccess(): Promise<void> {
    this.#hooks.onClose();
    this.#foundation?.dialer.close();
    const running = this.#running;
    if (running === undefined) return;
    running.actor.stop();
    running.pairingIfMade()?.stop();
    running.wake.close();
    running.account.close();
    await this.#metrics?.close();
    await running.local.close();
  }
}

/** The chart runs the steps in order, so that what a step needs exists. */
function made<T>(part: T | undefined): T {
  if (part === undefined) throw new Error('a step of the start ran too early');
  return part;
}
