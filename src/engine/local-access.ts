import { listenControlSocket, openSocketDirectory } from '../home/control-socket.js';
import type { Home } from '../home/home.js';
import type { ServedMetrics } from '../listener/handshake/metrics.js';
import type { ListenerService } from '../listener/service.js';
import type { ListenerStatus, ListeningInfo } from '../listener/status.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServer, ClientContext } from '../protocol/app-server.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import { AppServerPlaces } from '../session/app-server-places.js';
import { type ControlServer, listenControl } from '../session/control-server.js';
import type { ConnectionStatus } from '../session/local-client.js';
import { LocalClient, type LocalClientDeps, type LocalTransport } from '../session/local-client.js';
import type { MethodTable } from '../session/methods.js';
import type { Policy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import type { StdioConnection } from '../session/stdio.js';
import { type ControlWatch, watchControl } from './control-watch.js';
import type { HomeLock } from './home-lock.js';
import type { EngineOptions } from './options.js';

interface LocalAccessDeps {
  readonly options: EngineOptions;
  readonly home: Home;
  readonly lock: HomeLock;
  readonly env: Env;
  readonly timing: Timing;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly methods: MethodTable;
  readonly policy: Policy;
  readonly appServer: AppServer;
  readonly protocol: AgentProtocolSetting;
  /** Serves the control socket: its clients talk to the engine, never to the app server behind it. */
  readonly controlAppServer: AppServer;
  readonly remoteControlStatus: () => string;
  readonly onInitialized: (session: ClientSession) => void;
  readonly onEnded: (session: ClientSession) => void;
  /** Undefined: the listener serves no metrics. */
  readonly metrics: () => ServedMetrics | undefined;
  /** The client over stdio has disconnected; null without an error. */
  readonly onStdioEnd: (failure: Failure | null) => void;
}

/** Log lines per second about invalid messages from clients. */
const SKIPS_LOGGED = 10;

let connections = 0;

/** The access from this machine: the control socket of the home, and the listener or stdio of `listen`. */
export class LocalAccess {
  readonly #deps: LocalAccessDeps;
  readonly #clients = new Set<LocalClient>();
  /** Shared by all clients, because there may be thousands, most of them idle. */
  readonly #clientDeps: Record<'open' | 'control', LocalClientDeps>;
  readonly #skipped: RateLimit;
  #control: Promise<ControlServer> | undefined;
  #controlWatch: ControlWatch | undefined;
  #closed = false;
  #listener: ListenerService | undefined;
  #stdio: StdioConnection | undefined;

  constructor(deps: LocalAccessDeps) {
    this.#deps = deps;
    this.#skipped = new RateLimit(SKIPS_LOGGED, 1_000, (count) =>
      deps.log.warn({ count }, `${count} more messages of local clients were skipped`),
    );
    const { methods, policy, onInitialized, onEnded, appServer, protocol, controlAppServer } = deps;
    const places = new AppServerPlaces();
    const onClosed = (client: LocalClient) => this.#clients.delete(client);
    const onSkipped = (connection: string, why: string, bytes: number) => {
      if (this.#skipped.take()) deps.log.warn({ connection, bytes }, why);
    };
    const shared = {
      methods,
      policy,
      places,
      timing: deps.timing,
      onInitialized,
      onEnded,
      onClosed,
      onSkipped,
    };
    this.#clientDeps = {
      open: { ...shared, appServer, protocol, watcher: deps.options.watcher },
      control: { ...shared, appServer: controlAppServer },
    };
  }

  /** @throws EngineError `homeUnusable` */
  async openControl(): Promise<void> {
    const { home, lock, log } = this.#deps;
    const { controlSocket, dir } = home;
    this.#control = listenControl(
      controlSocket,
      (server) => {
        // A cleaner of temporary files may have removed it.
        openSocketDirectory(controlSocket, dir);
        return listenControlSocket(server, controlSocket, dir);
      },
      (transport) => this.#accept({ origin: 'control', connectionId: `control-${++connections}` }, transport),
    );
    const server = await this.#control;
    // The engine may have stopped meanwhile.
    if (!this.#closed) this.#controlWatch = watchControl({ server, lock, log });
  }

  /**
   * Opens what `listen` names. A listener accepts no clients yet; its URL is the result.
   * @throws EngineError `listenerFailed`, `usage`
   */
  async listen(): Promise<ListeningInfo | undefined> {
    const { options, env, timing, log, audit, remoteControlStatus, appServer } = this.#deps;
    const { listen = 'off', watcher } = options;
    if (listen === 'off') return undefined;
    if (listen === 'stdio://') {
      // Served at once: the start may wait for the name of its client. RC-45
      await this.#serveStdio();
      return undefined;
    }
    const { createListener } = await import('./listener.js');
    this.#listener = createListener(options, {
      ...{ env, timing, log, audit, watcher, remoteControlStatus },
      appServerHealth: () => appServer.health,
      metrics: options.listenerMetrics === true ? this.#deps.metrics() : undefined,
      accept: (client, transport) => this.#accept(client, transport),
    });
    return this.#listener.listen();
  }

  /** The listener accepts clients from now on. */
  open(): void {
    this.#listener?.open();
  }

  /** The listener accepts no clients from now on. WSA-20 */
  stopping(): void {
    this.#closed = true;
    this.#listener?.stopping();
  }

  /** Ends every local client. RC-46 */
  closeClients(): void {
    for (const client of this.#clients) client.close('stopped', 'the engine stops');
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#controlWatch?.close();
    await this.#listener?.close();
    this.#skipped.flush();
    await (await this.#control?.catch(() => undefined))?.close();
  }

  /** All local clients, those of the control socket included. */
  get clients(): number {
    return this.#clients.size;
  }

  get connections(): readonly ConnectionStatus[] {
    const stdio = this.#stdio === undefined ? [] : [this.#stdio.status];
    return [...(this.#listener?.connections ?? []), ...stdio];
  }

  /** A new token in the connect URL; null: the listener has none of its own; undefined: there is no listener. */
  rotateToken(): Secret | null | undefined {
    return this.#listener === undefined ? undefined : (this.#listener.rotateToken() ?? null);
  }

  /** With the token of the listener, where it has one; undefined without a listener. */
  get connectUrl(): Secret | undefined {
    return this.#listener?.connectUrl;
  }

  get listener(): ListenerStatus | null {
    return this.#listener?.status ?? null;
  }

  #accept(context: ClientContext, transport: LocalTransport): LocalClient {
    const deps = context.origin === 'control' ? this.#clientDeps.control : this.#clientDeps.open;
    const client = new LocalClient(context, transport, deps);
    this.#clients.add(client);
    client.open();
    return client;
  }

  async #serveStdio(): Promise<void> {
    const { STDIO_VERDICT, StdioConnection: Stdio } = await import('../session/stdio.js');
    if (this.#closed) return;
    const { options, env, log, audit, onStdioEnd } = this.#deps;
    const id = `stdio-${++connections}`;
    const streams = options.stdio ?? { input: process.stdin, output: process.stdout };
    this.#stdio = new Stdio(id, streams, {
      env,
      timing: this.#deps.timing,
      watcher: options.watcher,
      accept: (transport) => this.#accept({ origin: 'stdio', connectionId: id }, transport),
      onEnd: onStdioEnd,
    });
    const { mode, outcome, reason } = STDIO_VERDICT;
    audit.add({
      time: new Date(env.now()).toISOString(),
      subject: id,
      decision: outcome,
      mode,
      reason,
      detail: null,
    });
    const { peer } = this.#stdio.status;
    log.info({ connection: id, mode, outcome, reason, peer }, `connection ${outcome}`);
  }
}
