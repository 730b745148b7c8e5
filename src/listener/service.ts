import { listenerConnectionMachine } from '../../machines/listener-connection.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { EngineWatcher } from '../observe/watcher.js';
import { MCP_SUBPROTOCOL } from '../protocol/agent-protocol.js';
import type { AppServerHealth, ClientContext } from '../protocol/app-server.js';
import type { AuthorityMode, Verdict } from '../protocol/authority.js';
import { REASONS, type Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { ConnectionStatus, LocalTransport, ServedClient } from '../session/local-client.js';
import { SharedChart } from '../session/shared-chart.js';
import { isLoopback, peerOf, type TlsFiles, type TlsIdentity } from './address.js';
import { type Authority, type AuthorityConfig, createAuthority } from './auth/authority.js';
import { checkPrivateSocket, openPrivateDirectory } from './auth/private-socket.js';
import { UpgradeDecisions } from './auth/upgrade-decision.js';
import { isDirectoryShared, type ServerAddress } from './bind.js';
import { ListenerCertificate } from './certificate.js';
import { ListenerConnection, type ListenerConnectionDeps } from './connection.js';
import type { Health } from './handshake/health.js';
import type { ServedMetrics } from './handshake/metrics.js';
import type { ListenerStatus, ListeningInfo } from './status.js';
import { UpgradeLog } from './upgrade-log.js';
import { type AcceptedConnection, UpgradeServer } from './upgrade-server.js';

interface ListenerOptions {
  readonly address: ServerAddress;
  readonly authority: AuthorityConfig;
  readonly tls: TlsIdentity | TlsFiles | undefined;
  readonly maxConnections: number;
  readonly maxMessageBytes: number;
  readonly closeOnTokenExpiry: boolean;
  /** Subprotocols that are selected beside `mcp`. */
  readonly subprotocols: readonly string[];
  /** Requests over TCP must name this machine in their Host header. Default: any name, for proxies. */
  readonly loopbackHostOnly?: boolean;
}

export interface ListenerDeps {
  readonly options: ListenerOptions;
  readonly env: Env;
  readonly timing: Timing;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly watcher?: EngineWatcher | undefined;
  /** Creates the client of a connection and opens its app-server connection. */
  readonly accept: (client: ClientContext, transport: LocalTransport) => ServedClient;
  readonly remoteControlStatus: () => string;
  /** Served at `/metrics` to those who have the credential. Default: none. WSA-68 */
  readonly metrics?: ServedMetrics | undefined;
  /** Undefined: the app server is not supervised. */
  readonly appServerHealth?: () => AppServerHealth | undefined;
}

/** Handshakes in progress at once. WSA-16 */
const MAX_HANDSHAKES = 128;
/** Log lines per second about rejections, and as many about binary messages. WSA-19 */
const LINES_PER_SECOND = 10;
const SECOND = 1_000;
/** Why a connection was closed: worth a warning, because its client, or what is between, does not behave. */
const FAULTS: ReadonlySet<Reason> = new Set(['clientStalled', 'clientOverloaded', 'clientVanished']);
/** Rejections in the status. */
const LAST_REJECTIONS = 20;

let connections = 0;

/** The local listener: charts decide, the server acts, and each decision is logged, audited and counted once. WSA-2 */
export class ListenerService {
  readonly #deps: ListenerDeps;
  readonly #decisions = new UpgradeDecisions();
  readonly #certificate: ListenerCertificate | undefined;
  readonly #chart: SharedChart;
  readonly #server: UpgradeServer;
  readonly #connections = new Set<ListenerConnection>();
  /** Open connections that have no valid credential, the oldest first. */
  readonly #degraded = new Set<ListenerConnection>();
  /** Connections that are checked every second. */
  readonly #checked = new Set<ListenerConnection>();
  readonly #upgrades = new UpgradeLog();
  readonly #rejectionLog: RateLimit;
  readonly #binaryLog: RateLimit;
  readonly #authority: Authority;
  readonly #connectionDeps: ListenerConnectionDeps;
  #checkTimer: NodeJS.Timeout | undefined;
  /** One timer for all connections, while there are any. */
  #sweepTimer: NodeJS.Timeout | undefined;
  #state: 'starting' | 'ready' | 'stopping' = 'starting';

  constructor(deps: ListenerDeps) {
    this.#deps = deps;
    const { options, log, timing, env } = deps;
    const certificate =
      options.tls === undefined
        ? undefined
        : new ListenerCertificate(options.tls, { now: env.now, poll: timing.certificatePoll, log });
    this.#certificate = certificate;
    this.#chart = new SharedChart(listenerConnectionMachine, { timing });
    const { address } = options;
    const authority = createAuthority(options.authority, address.kind === 'unix' ? address.path : undefined);
    deps.audit.addSource(this.#upgrades);
    this.#authority = authority;
    this.#rejectionLog = new RateLimit(LINES_PER_SECOND, SECOND, (count) =>
      log.warn({ outcome: 'rejected', count }, `${count} more connections rejected`),
    );
    this.#binaryLog = new RateLimit(LINES_PER_SECOND, SECOND, (count) =>
      log.warn({ count }, `${count} more binary messages skipped`),
    );
    this.#connectionDeps = {
      chart: this.#chart,
      watcher: deps.watcher,
      env,
      silence: timing.localSilence,
      startChecks: (one) => this.#startChecks(one),
      onClosing: (one, reason) => this.#onClosing(one, reason),
      onClosed: (one, reason) => this.#onClosed(one, reason),
      onBinary: (one, bytes) => {
        if (this.#binaryLog.take())
          log.warn({ connection: one.connectionId, bytes }, 'binary message skipped');
      },
    };
    this.#server = new UpgradeServer(
      authority,
      {
        maxConnections: options.maxConnections,
        maxMessageBytes: options.maxMessageBytes,
        maxHandshakes: MAX_HANDSHAKES,
        upgradeTimeout: timing.upgradeTimeout,
        hosts: options.loopbackHostOnly === true && address.kind !== 'unix' ? 'loopback' : 'any',
        subprotocols: new Set([MCP_SUBPROTOCOL, ...options.subprotocols]),
        secureContext: certificate === undefined ? undefined : () => certificate.context,
      },
      {
        decide: (facts) => {
          const verdict = this.#decisions.decide(facts);
          deps.watcher?.verdict(verdict, facts);
          return verdict;
        },
        decideRead: (facts) => this.#decisions.decideRead(facts),
        metrics: deps.metrics,
        onAccepted: (accepted) => this.#onAccepted(accepted),
        onRejected: (verdict, peer, detail) => this.#onRejected(verdict, peer, detail),
        hasReplaceable: () => this.#degraded.size > 0,
        replaceOne: () => this.#replaceDegraded(),
        health: () => this.#health(),
        now: env.now,
      },
    );
  }

  /** Binds. Connections are accepted after `open()`. */
  async listen(): Promise<ListeningInfo> {
    const { options, log } = this.#deps;
    const { address } = options;
    const socketPath =
      options.authority.mode === 'filesystem' && address.kind === 'unix' ? address.path : undefined;
    if (socketPath !== undefined) openPrivateDirectory(socketPath);
    await this.#server.listen(address);
    if (socketPath !== undefined) checkPrivateSocket(socketPath);
    const info = this.#info(this.#certificate?.watch() ?? null);
    log.info(
      { url: info.url, mode: info.authMode, enforced: info.enforced },
      `listening on ${info.url}, ${options.closeOnTokenExpiry ? 'connections close when their token expires' : 'open connections stay open when their token expires'}`,
    );
    for (const warning of info.warnings) log.warn({ url: info.url }, warning);
    return info;
  }

  open(): void {
    this.#state = 'ready';
    this.#server.accept();
  }

  /** New connections and `/readyz` get 503 from now on. WSA-20 */
  stopping(): void {
    this.#state = 'stopping';
    this.#server.refuse();
  }

  async close(): Promise<void> {
    this.stopping();
    for (const connection of this.#connections) connection.stop();
    await this.#server.close(this.#deps.timing.closeTimeout);
    this.#certificate?.close();
    clearInterval(this.#checkTimer);
    clearInterval(this.#sweepTimer);
    this.#rejectionLog.flush();
    this.#binaryLog.flush();
  }

  get connections(): readonly ConnectionStatus[] {
    return [...this.#connections].map((connection) => connection.status);
  }

  get status(): ListenerStatus {
    const { options } = this.#deps;
    const { authMode, enforced } = this.#mode;
    return {
      url: this.#server.url,
      authMode,
      enforced,
      degraded: !enforced,
      maxConnections: options.maxConnections,
      openConnections: this.#connections.size,
      certificate: this.#certificate?.status ?? null,
      decisions: this.#decisions.counts,
      lastRejections: this.#upgrades
        .lastRejections(LAST_REJECTIONS)
        .map(({ time, reason, subject, detail }) => ({ time, reason, peer: subject, detail })),
    };
  }

  /** The URL for clients, with the token where the connect URL has one. Not before `listen`. */
  get connectUrl(): Secret {
    const { queryToken } = this.#authority;
    const token = queryToken === undefined ? '' : `?token=${queryToken.reveal()}`;
    return new Secret(`${this.#server.url}${token}`);
  }

  /**
   * Replaces the token of the connect URL. Clients that are connected stay. WSA-67
   * @returns the new connect URL; undefined: the credential is not a token of this engine
   */
  rotateToken(): Secret | undefined {
    const { rotate } = this.#authority;
    if (rotate === undefined) return undefined;
    rotate();
    this.#deps.log.warn({}, 'the connect URL has a new token: the old one is refused from now on');
    return this.connectUrl;
  }

  get #mode(): { readonly authMode: AuthorityMode; readonly enforced: boolean } {
    const { authority } = this.#deps.options;
    return {
      authMode: authority.mode,
      enforced: authority.mode !== 'queryToken' || authority.enforced,
    };
  }

  #info(certificateWarning: string | null): ListeningInfo {
    const { options } = this.#deps;
    const { url, secure } = this.#server;
    const { authMode, enforced } = this.#mode;
    const warnings: string[] = certificateWarning === null ? [] : [certificateWarning];
    if (!enforced) {
      const clients =
        options.address.kind === 'unix' ? 'every process that may open the socket' : 'every local process';
      warnings.push(`The token check is off (--no-token-check): ${clients} may connect, marked as degraded.`);
    }
    if (options.address.kind === 'unix' && isDirectoryShared(options.address.path)) {
      warnings.push(
        `Other users can replace ${options.address.path} with their own socket. Use a directory that only you can write to.`,
      );
    }
    if (options.address.kind === 'tcp' && !secure && !isLoopback(options.address.host)) {
      warnings.push(
        `${url} is reachable from other machines and is not encrypted. Use wss:// with --tls-cert and --tls-key.`,
      );
    }
    return {
      url,
      connectUrl: this.connectUrl,
      authMode,
      enforced,
      secure,
      closeOnTokenExpiry: options.closeOnTokenExpiry,
      warnings,
    };
  }

  #health(): Health {
    const { authMode, enforced } = this.#mode;
    const appServer = this.#deps.appServerHealth?.();
    return {
      ready: this.#state === 'ready' && appServer?.ready !== false,
      body: {
        status: this.#state,
        authMode,
        enforced,
        degraded: !enforced,
        connections: this.#connections.size,
        remoteControl: this.#deps.remoteControlStatus(),
        ...(appServer === undefined ? {} : { appServer: publicHealth(appServer) }),
      },
    };
  }

  #onAccepted(accepted: AcceptedConnection): void {
    const { verdict, expiresAt, acpConnectionId } = accepted;
    const { log, options } = this.#deps;
    const origin = options.address.kind === 'unix' ? 'unix' : 'listener';
    connections += 1;
    const connection = new ListenerConnection(connections, origin, accepted, this.#connectionDeps);
    this.#connections.add(connection);
    if (connection.degraded) this.#degraded.add(connection);
    this.#upgrades.addAccepted(connection.since, verdict, origin, connections);
    const level = connection.degraded ? 'warn' : 'info';
    if (log.isLevelEnabled?.(level) !== false) {
      const { mode, outcome, reason } = verdict;
      const acp = acpConnectionId === undefined ? {} : { acpConnectionId };
      const peer = peerOf(accepted.stream);
      log[level](
        { connection: connection.connectionId, mode, outcome, reason, peer, ...acp },
        `connection ${outcome}`,
      );
    }
    if (origin === 'listener') this.#startSweeps();
    const client = this.#deps.accept(connection, connection);
    connection.serve(client, options.closeOnTokenExpiry ? expiresAt : null);
  }

  /** The oldest degraded connection without `initialize`, else the oldest one, makes room. WSA-61 */
  #replaceDegraded(): AcceptedConnection['ws'] | undefined {
    let chosen: ListenerConnection | undefined;
    for (const one of this.#degraded) {
      chosen ??= one;
      if (!one.isUnused) continue;
      chosen = one;
      break;
    }
    if (chosen === undefined) return undefined;
    this.#degraded.delete(chosen);
    this.#deps.log.warn(
      { connection: chosen.connectionId },
      'degraded connection closed: its place is needed',
    );
    return chosen.replace();
  }

  /** Names a client that is closed because it does not behave; any other end is a line at level debug. */
  #onClosing(connection: ListenerConnection, reason: Reason): void {
    if (!FAULTS.has(reason)) return;
    const { id, state, client, peer } = connection.status;
    this.#deps.log.warn(
      { connection: id, reason, state, client, peer },
      `connection closed: ${REASONS[reason].means}`,
    );
  }

  #onClosed(connection: ListenerConnection, reason: Reason): void {
    const { log } = this.#deps;
    this.#connections.delete(connection);
    this.#degraded.delete(connection);
    this.#checked.delete(connection);
    if (this.#connections.size === 0) {
      clearInterval(this.#sweepTimer);
      this.#sweepTimer = undefined;
    }
    if (log.isLevelEnabled?.('debug') === false) return;
    const { id, bytesIn, bytesOut } = connection.status;
    log.debug({ connection: id, reason, bytesIn, bytesOut }, 'connection closed');
  }

  #onRejected(verdict: Verdict, peer: string, detail: string | null): void {
    const { mode, outcome, reason } = verdict;
    this.#upgrades.addRejected(this.#deps.env.now(), verdict, peer, detail);
    if (!this.#rejectionLog.take()) return;
    const fields = { mode, outcome, reason, peer, ...(detail === null ? {} : { detail }) };
    this.#deps.log.warn(fields, `connection ${outcome}`);
  }

  /**
   * A peer on the network may vanish without a word. The system ends a unix socket with its process, so those clients
   * need no sweep. RC-86
   */
  #startSweeps(): void {
    this.#sweepTimer ??= setInterval(() => {
      for (const one of this.#connections) one.sweep();
    }, this.#deps.timing.localSweep).unref();
  }

  /** One timer checks all connections that have unsent data or whose reading is paused. */
  #startChecks(connection: ListenerConnection): void {
    this.#checked.add(connection);
    this.#checkTimer ??= setInterval(() => {
      for (const one of this.#checked) if (!one.check()) this.#checked.delete(one);
      if (this.#checked.size > 0) return;
      clearInterval(this.#checkTimer);
      this.#checkTimer = undefined;
    }, SECOND).unref();
  }
}

/** The cause is left out: everybody on this machine may read `/readyz`. RC-69 */
function publicHealth({ state, reason, mode }: AppServerHealth): object {
  return { state, reason, mode };
}
