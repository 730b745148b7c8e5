import { type ActorRefFrom, createActor, fromPromise } from 'xstate';
import { appServerMachine } from '../../machines/app-server/machine.js';
import { cutBytes, oneLine } from '../observe/body-preview.js';
import { decisionText, onDecision } from '../observe/decisions.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AgentProtocol } from '../protocol/agent-protocol.js';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  AppServerHealth,
  AppServerMode,
  AppServerState,
  ClientContext,
} from '../protocol/app-server.js';
import { type Decision, statePath } from '../protocol/decision.js';
import { type Failure, failure, type LaunchOutcome } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { DEFAULT_TIMING, type Env, SYSTEM_ENV, type Timing, wallTimeOf } from '../protocol/timing.js';
import { ConnectError, type Connector } from './connector.js';
import type { SharedConnector } from './shared.js';
import { type ConnectionDeps, type Refusal, SupervisedConnection } from './supervised-connection.js';

type AppServerActor = ActorRefFrom<typeof appServerMachine>;
type Snapshot = ReturnType<AppServerActor['getSnapshot']>;

/** What the engine gives to the supervisor before it starts. */
export interface SupervisorDeps {
  readonly env: Env;
  readonly timing: Timing;
  /** Absolute path of the home directory; undefined without one. */
  readonly home: string | undefined;
  readonly watcher: EngineWatcher | undefined;
  /** Receives each decision of the chart with the path of its state. */
  readonly onDecision: (state: string, decision: Decision) => void;
  readonly onFault: (error: unknown) => void;
}

interface SupervisorOptions {
  readonly name: string;
  readonly mode: Exclude<AppServerMode, 'builtin'>;
  readonly modeReason: string;
  /** What it speaks, where that is known. */
  readonly protocol?: AgentProtocol | undefined;
  /** Connects clients one by one. */
  readonly perClient: Connector;
  /** Only in mode `shared`. */
  readonly shared?: (deps: {
    readonly home: string | undefined;
    readonly onExit: (failure: Failure) => void;
  }) => SharedConnector;
  readonly log: EngineLogger;
}

/** Reasons that are no failure. */
const CALM: ReadonlySet<Reason> = new Set<Reason>([
  ...(['appServerNotStarted', 'appServerIdle', 'appServerStarting', 'appServerListening'] as const),
  ...(['appServerServing', 'appServerRestarted'] as const),
]);
/** While it is starting, these do not mean that it has failed. */
const HOPEFUL: ReadonlySet<Reason> = new Set<Reason>([...CALM, 'appServerSocketGone']);

const MAX_DETAIL_BYTES = 400;

/** A client that waits for the chart to admit or refuse it. */
interface Waiting {
  readonly admit: () => void;
  readonly refuse: (refusal: Refusal) => void;
}

/**
 * An app server under supervision: the `appServer` chart decides who may connect, what counts as a failure and when to
 * try again. Nothing runs before `start` or the first `open`.
 */
export class SupervisedAppServer implements AppServer, ConnectionDeps {
  readonly name: string;
  readonly protocol: AgentProtocol | undefined;
  readonly #options: SupervisorOptions;
  readonly #connections = new Map<string, SupervisedConnection>();
  readonly #waiting = new Set<Waiting>();
  readonly #healthListeners = new Set<(health: AppServerHealth) => void>();
  #actor: AppServerActor | undefined;
  #shared: SharedConnector | undefined;
  #served = 0;
  #env: Pick<Env, 'now' | 'monotonic'> = SYSTEM_ENV;
  /** Monotonic ms. */
  #since = performance.now();
  #restarting: Promise<unknown> | undefined;
  #closed = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.name = options.name;
    this.protocol = options.protocol;
  }

  /** Connects it to the engine. Call it before the first `open`, or not at all. */
  attach(deps: SupervisorDeps): void {
    if (this.#actor !== undefined) return;
    const { mode, modeReason, shared } = this.#options;
    this.#env = deps.env;
    this.#since = deps.env.monotonic();
    this.#shared = shared?.({
      home: deps.home,
      onExit: (cause) => this.#send({ type: 'CHILD.EXITED', failure: cause }),
    });
    const actor: AppServerActor = createActor(this.#machine(), {
      id: 'appServer',
      input: { env: deps.env, timing: deps.timing, mode, modeReason },
    });
    this.#actor = actor;
    this.#observe(actor, deps);
    deps.watcher?.actor(actor);
    actor.start();
  }

  /** Starts what serves all clients, so that a command that cannot do so is found at once. */
  start(): void {
    this.#send({ type: 'START' });
  }

  get health(): AppServerHealth {
    const { perClient, mode, modeReason } = this.#options;
    const snapshot = this.#actor?.getSnapshot();
    const context = snapshot?.context;
    const decision = context?.decision;
    const detail = decision?.detail ?? null;
    const state = snapshot === undefined ? 'idle' : stateOf(snapshot);
    const reason = decision?.reason ?? 'appServerNotStarted';
    return {
      state,
      reason,
      detail: detail === null ? null : cutBytes(oneLine(detail), MAX_DETAIL_BYTES),
      since: wallTimeOf(this.#env, this.#since),
      ready: snapshot?.hasTag('unavailable') !== true && (state !== 'starting' || HOPEFUL.has(reason)),
      mode: context?.mode ?? mode,
      modeReason: cutBytes(oneLine(context?.modeReason ?? modeReason), MAX_DETAIL_BYTES),
      children: perClient.children + (this.#shared?.children ?? 0),
      exits: context?.exits ?? 0,
      failures: context?.failures ?? 0,
    };
  }

  onHealth(listener: (health: AppServerHealth) => void): void {
    this.#healthListeners.add(listener);
  }

  async open(
    events: AppServerEvents,
    client: ClientContext,
    signal: AbortSignal,
  ): Promise<AppServerConnection> {
    const connection = new SupervisedConnection(events, client, this);
    this.#connections.set(client.connectionId, connection);
    await connection.open(signal);
    return connection;
  }

  async restart(cause: string): Promise<void> {
    this.#attached();
    this.#send({ type: 'RESTART', cause });
    await this.#restarting;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const waiting of [...this.#waiting]) {
      waiting.refuse({ reason: 'stopped', message: 'The engine stops.' });
    }
    await Promise.all([this.#options.perClient.close(), this.#shared?.close()]);
    this.#actor?.stop();
  }

  // --- ConnectionDeps

  async connect(
    connection: SupervisedConnection,
    signal: AbortSignal,
  ): Promise<AppServerConnection | Refusal> {
    this.#attached();
    for (;;) {
      const refusal = await this.#admission(signal);
      if (refusal !== null) return refusal;
      const shared = this.#mode === 'shared';
      const connector = shared ? this.#shared : this.#options.perClient;
      if (connector === undefined) throw new Error('a shared app server without a child');
      try {
        return await connector.connect(connection, signal);
      } catch (error) {
        if (signal.aborted) {
          this.#send({ type: 'CLIENT.LEFT', client: idOf(connection), served: this.#served });
          throw error;
        }
        const starved = error instanceof ConnectError && error.starved;
        if (!shared || starved) throw this.#connectFailed(connection, error);
        // The child is about to exit, or its socket file is gone: the chart finds out, and this client waits.
        this.#send({ type: 'UNREACHABLE' });
        if (this.#shared?.socketExists === false) this.#send({ type: 'SOCKET.GONE' });
      }
    }
  }

  initializeSent(connection: SupervisedConnection): void {
    this.#send({ type: 'INITIALIZE.SENT', client: idOf(connection) });
  }

  answered(connection: SupervisedConnection): void {
    this.#count(connection);
    this.#send({ type: 'ANSWERED', client: idOf(connection) });
  }

  left(
    connection: SupervisedConnection,
    failed?: { readonly failure: Failure; readonly exited: boolean },
  ): void {
    this.#uncount(connection);
    const client = idOf(connection);
    const served = this.#served;
    if (failed === undefined) this.#send({ type: 'CLIENT.LEFT', client, served });
    else this.#send({ type: 'FAILED', client, served, ...failed });
  }

  ended(connection: SupervisedConnection): void {
    const id = idOf(connection);
    if (this.#connections.get(id) === connection) this.#connections.delete(id);
  }

  // --- inside

  readonly #counted = new WeakSet<SupervisedConnection>();

  #count(connection: SupervisedConnection): void {
    if (this.#counted.has(connection)) return;
    this.#counted.add(connection);
    this.#served += 1;
  }

  #uncount(connection: SupervisedConnection): void {
    connection.served = false;
    if (this.#counted.delete(connection)) this.#served -= 1;
  }

  get #mode(): AppServerMode {
    return this.#actor?.getSnapshot().context.mode ?? this.#options.mode;
  }

  /** An embedding program may use it without an engine. */
  #attached(): void {
    if (this.#actor !== undefined) return;
    this.attach({
      ...{ env: SYSTEM_ENV, timing: DEFAULT_TIMING, home: undefined, watcher: undefined },
      onDecision: () => {},
      onFault: (error) => this.#options.log.error({ error: String(error) }, 'the app server chart failed'),
    });
  }

  #send(event: Parameters<AppServerActor['send']>[0]): void {
    if (!this.#closed) this.#actor?.send(event);
  }

  /** Null: the client may connect. */
  #admission(signal: AbortSignal): Promise<Refusal | null> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#waiting.delete(waiting);
        signal.removeEventListener('abort', onAbort);
        act();
      };
      const onAbort = () => settle(() => reject(new Error('The client left.')));
      const waiting: Waiting = {
        admit: () => settle(() => resolve(null)),
        refuse: (refusal) => settle(() => resolve(refusal)),
      };
      if (signal.aborted) {
        reject(new Error('The client left.'));
        return;
      }
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
      if (this.#closed) waiting.refuse({ reason: 'stopped', message: 'The engine stops.' });
      else this.#send({ type: 'CLIENT.WAITS' });
    });
  }

  #connectFailed(connection: SupervisedConnection, error: unknown): unknown {
    if (!(error instanceof ConnectError)) return error;
    const client = idOf(connection);
    if (error.starved) this.#send({ type: 'STARVED', client, failure: error.failure });
    else {
      this.#send({
        ...{ type: 'FAILED', client, served: this.#served },
        ...{ failure: error.failure, exited: false },
      });
    }
    return error;
  }

  #machine(): typeof appServerMachine {
    return appServerMachine.provide({
      actors: {
        launch: fromPromise<LaunchOutcome>(async ({ signal }) => {
          if (this.#shared === undefined) throw new Error('no shared app server');
          return this.#shared.launch(signal);
        }),
      },
      actions: {
        giveUp: ({ event, context }) => {
          if (event.type !== 'INITIALIZE.OVERDUE') return;
          const seconds = context.timing.appServerInitialize / 1_000;
          const text = `The app server did not answer initialize within ${seconds} s.`;
          const mute = failure('appServerMute', text, context.env.now());
          queueMicrotask(() => this.#connections.get(event.client)?.giveUp(mute));
        },
        admitWaiting: () => {
          for (const waiting of [...this.#waiting]) waiting.admit();
        },
        refuseWaiting: ({ context }) => {
          const { reason, detail } = context.decision;
          const message = detail ?? 'The app server is not available.';
          for (const waiting of [...this.#waiting]) waiting.refuse({ reason, message });
        },
        askAgain: () => {
          if (this.#waiting.size > 0) this.#send({ type: 'CLIENT.WAITS' });
        },
        retireChild: () => this.#shared?.retire(),
        checkSocket: () => {
          if (this.#shared?.socketExists === false) this.#send({ type: 'SOCKET.GONE' });
        },
        endAll: ({ event }) => {
          const cause = event.type === 'RESTART' ? event.cause : 'The app server is restarted.';
          // Not inside the action: what it calls runs other charts, which XState allows only outside.
          this.#restarting = Promise.resolve().then(() =>
            Promise.all([
              this.#shared?.endAll(),
              ...[...this.#connections.values()].map((connection) => connection.restart(cause)),
            ]),
          );
        },
      },
    });
  }

  #observe(actor: AppServerActor, deps: SupervisorDeps): void {
    const { log, name } = this.#options;
    let lastLine = '';
    const report = onDecision((snapshot: Snapshot, decision) => {
      const state = statePath(snapshot.value);
      deps.onDecision(state, decision);
      const { reason, detail } = decision;
      const line = JSON.stringify([stateOf(snapshot), reason, detail]);
      if (line === lastLine) return;
      lastLine = line;
      const level = CALM.has(reason) ? 'info' : 'warn';
      log[level]({ app: name, reason, state }, `app server: ${decisionText(decision)}`);
    }, actor.getSnapshot().context.decision);
    let lastHealth = '';
    actor.subscribe({
      next: (snapshot) => {
        report(snapshot);
        const { reason } = snapshot.context.decision;
        const health = JSON.stringify([stateOf(snapshot), reason, snapshot.context.mode]);
        if (health === lastHealth) return;
        lastHealth = health;
        this.#since = deps.env.monotonic();
        for (const listener of this.#healthListeners) listener(this.health);
      },
      error: deps.onFault,
    });
  }
}

const idOf = ({ client }: SupervisedConnection): string => client.connectionId;

function stateOf({ value }: Snapshot): AppServerState {
  return (typeof value === 'string' ? value : Object.keys(value)[0]) as AppServerState;
}
