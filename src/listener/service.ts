import { listenerConnectionMachine } from '../../machines/listener-connection.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { ClientContext } from '../protocol/app-server.js';
import type { AuthorityMode, Verdict } from '../protocol/authority.js';
import type { Reason } from '../protocol/reasons.js';
import { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { ConnectionStatus } from '../session/connection-status.js';
import type { LocalClient, LocalTransport } from '../session/local-clients.js';
import { isLoopback, type ListenAddress } from './address.js';
import { type AuthorityConfig, createAuthority } from './auth/authority.js';
import { type CountedVerdict, UpgradeDecisions } from './auth/upgrade-decision.js';
import { isDirectoryShared } from './bind.js';
import { ListenerConnection, type ListenerConnectionDeps } from './connection.js';
import type { AcceptedConnection, Health, TlsIdentity } from './host.js';
import { LocalListener, peerOf } from './listener.js';
import { SharedChart } from './shared-chart.js';
import { UpgradeLog } from './upgrade-log.js';

export interface ListenerOptions {
  readonly address: Extract<ListenAddress, { kind: 'tcp' | 'unix' }>;
  readonly authority: AuthorityConfig;
  readonly tls: TlsIdentity | undefined;
  readonly maxConnections: number;
  readonly maxMessageBytes: number;
  readonly closeOnTokenExpiry: boolean;
}

export interface ListenerDeps {
  readonly options: ListenerOptions;
  readonly env: Env;
  readonly timing: Timing;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly watcher?: EngineWatcher | undefined;
  /** Makes the client of a connection and opens its app-server connection. */
  readonly accept: (client: ClientContext, transport: LocalTransport) => LocalClient;
  readonly remoteControlStatus: () => string;
}

/** What whoever started the engine is told once. Holds no secret but the connect URL, as one. WSA-5 */
export interface ListeningInfo {
  readonly url: string;
  /** In query-token mode with the token. */
  readonly connectUrl: Secret;
  readonly authMode: AuthorityMode;
  readonly enforced: boolean;
  readonly secure: boolean;
  readonly closeOnTokenExpiry: boolean;
  /** What a person should know, a sentence each. */
  readonly warnings: readonly string[];
}

export interface Rejection {
  /** RFC 3339. */
  readonly time: string;
  readonly reason: string;
  readonly peer: string;
  readonly detail: string | null;
}

/** The listener, as status shows it. Holds no secret. */
export interface ListenerStatus {
  readonly url: string;
  readonly authMode: AuthorityMode;
  readonly enforced: boolean;
  /** Connections without the authority that this listener asks for are let in. */
  readonly degraded: boolean;
  readonly maxConnections: number;
  readonly openConnections: number;
  /** How often each (mode, outcome, reason) occurred. */
  readonly decisions: readonly Readonly<CountedVerdict>[];
  /** The newest last. */
  readonly lastRejections: readonly Rejection[];
}

const MAX_HANDSHAKES = 128;
const REJECTIONS_LOGGED = 10;
const SECOND = 1_000;
const LAST_REJECTIONS = 20;

let connections = 0;

/** The listener at work: the chart decides, the adapter acts, and every decision is written down once. WSA-2 */
export class ListenerService {
  readonly #deps: ListenerDeps;
  readonly #decisions = new UpgradeDecisions();
  readonly #chart: SharedChart;
  readonly #listener: LocalListener;
  readonly #connections = new Set<ListenerConnection>();
  readonly #watched = new Set<ListenerConnection>();
  readonly #upgrades = new UpgradeLog();
  readonly #rejectionLog: RateLimit;
  readonly #binaryLog: RateLimit;
  readonly #queryToken: Secret | undefined;
  readonly #connectionHost: ListenerConnectionDeps;
  #watchTimer: NodeJS.Timeout | undefined;
  #state: 'starting' | 'ready' | 'stopping' = 'starting';

  constructor(deps: ListenerDeps) {
    this.#deps = deps;
    const { options, log, timing, env } = deps;
    this.#chart = new SharedChart(listenerConnectionMachine, { timing });
    const authority = createAuthority(options.authority);
    deps.audit.addSource(this.#upgrades);
    this.#queryToken = authority.queryToken;
    this.#rejectionLog = new RateLimit(REJECTIONS_LOGGED, SECOND, (count) =>
      log.warn({ outcome: 'rejected', count }, `${count} more connections rejected`),
    );
    this.#binaryLog = new RateLimit(REJECTIONS_LOGGED, SECOND, (count) =>
      log.warn({ count }, `${count} more binary messages skipped`),
    );
    this.#connectionHost = {
      chart: this.#chart,
      watcher: deps.watcher,
      now: env.now,
      onWatched: (one) => this.#watch(one),
      onClosed: (one, reason) => this.#onClosed(one, reason),
      onBinary: (one, bytes) => {
        if (this.#binaryLog.take())
          log.warn({ connection: one.connectionId, bytes }, 'binary message skipped');
      },
    };
    this.#listener = new LocalListener(
      authority,
      {
        maxConnections: options.maxConnections,
        maxMessageBytes: options.maxMessageBytes,
        maxHandshakes: MAX_HANDSHAKES,
        upgradeTimeout: timing.upgradeTimeout,
      },
      {
        decide: (facts) => {
          const verdict = this.#decisions.decide(facts);
          deps.watcher?.verdict(verdict, facts);
          return verdict;
        },
        onAccepted: (accepted) => this.#onAccepted(accepted),
        onRejected: (verdict, peer, detail) => this.#onRejected(verdict, peer, detail),
        health: () => this.#health(),
        now: env.now,
      },
      options.tls,
    );
  }

  /** Binds; connections are let in after `open()`. */
  async listen(): Promise<ListeningInfo> {
    const { options, log } = this.#deps;
    await this.#listener.listen(options.address);
    const info = this.#info();
    log.info(
      { url: info.url, mode: info.authMode, enforced: info.enforced },
      `listening on ${info.url}, ${options.closeOnTokenExpiry ? 'connections end with their token' : 'an open connection outlives its token'}`,
    );
    for (const warning of info.warnings) log.warn({ url: info.url }, warning);
    return info;
  }

  open(): void {
    this.#state = 'ready';
    this.#listener.accept();
  }

  /** `/readyz` turns 503 first, then nothing new is let in. WSA-20 */
  stopping(): void {
    this.#state = 'stopping';
    this.#listener.refuse();
  }

  async close(): Promise<void> {
    this.stopping();
    for (const connection of this.#connections) connection.stop();
    await this.#listener.close(this.#deps.timing.closeTimeout);
    clearInterval(this.#watchTimer);
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
      url: this.#listener.url,
      authMode,
      enforced,
      degraded: !enforced,
      maxConnections: options.maxConnections,
      openConnections: this.#connections.size,
      decisions: this.#decisions.counts,
      lastRejections: this.#upgrades
        .lastRejections(LAST_REJECTIONS)
        .map(({ time, reason, subject, detail }) => ({ time, reason, peer: subject, detail })),
    };
  }

  get #mode(): { readonly authMode: AuthorityMode; readonly enforced: boolean } {
    const { authority } = this.#deps.options;
    return {
      authMode: authority.mode,
      enforced: authority.mode !== 'queryToken' || authority.enforced,
    };
  }

  #info(): ListeningInfo {
    const { options } = this.#deps;
    const { url, secure } = this.#listener;
    const { authMode, enforced } = this.#mode;
    const warnings: string[] = [];
    if (!enforced) {
      const who = options.address.kind === 'unix' ? 'whoever may open the socket' : 'every local program';
      warnings.push(`The token check is off (--no-token-check): ${who} may connect, marked degraded.`);
    }
    if (options.address.kind === 'unix' && isDirectoryShared(options.address.path)) {
      warnings.push(
        `Others may put a socket of their own in the place of ${options.address.path}: use a folder that only you may write to.`,
      );
    }
    if (options.address.kind === 'tcp' && !secure && !isLoopback(options.address.host)) {
      warnings.push(
        `${url} can be reached from other machines and is not encrypted: use --tls-cert and --tls-key.`,
      );
    }
    const token = this.#queryToken === undefined ? '' : `?token=${this.#queryToken.reveal()}`;
    return {
      url,
      connectUrl: new Secret(`${url}${token}`),
      authMode,
      enforced,
      secure,
      closeOnTokenExpiry: options.closeOnTokenExpiry,
      warnings,
    };
  }

  #health(): Health {
    const { authMode, enforced } = this.#mode;
    return {
      ready: this.#state === 'ready',
      body: {
        status: this.#state,
        authMode,
        enforced,
        degraded: !enforced,
        connections: this.#connections.size,
        remoteControl: this.#deps.remoteControlStatus(),
      },
    };
  }

  #onAccepted(accepted: AcceptedConnection): void {
    const { verdict, expiresAt } = accepted;
    const { log, options } = this.#deps;
    const origin = options.address.kind === 'unix' ? 'unix' : 'listener';
    connections += 1;
    const connection = new ListenerConnection(connections, origin, accepted, this.#connectionHost);
    this.#connections.add(connection);
    this.#upgrades.addAccepted(connection.since, verdict, origin, connections);
    const level = connection.degraded ? 'warn' : 'info';
    if (log.isLevelEnabled?.(level) !== false) {
      const { mode, outcome, reason } = verdict;
      log[level](
        { connection: connection.connectionId, mode, outcome, reason, peer: peerOf(accepted.stream) },
        `connection ${outcome}`,
      );
    }
    const client = this.#deps.accept(connection, connection);
    connection.serve(client, options.closeOnTokenExpiry ? expiresAt : null);
  }

  #onClosed(connection: ListenerConnection, reason: Reason): void {
    const { log } = this.#deps;
    this.#connections.delete(connection);
    this.#watched.delete(connection);
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

  /** One timer looks after all connections with unsent data, and those that nothing is read from. */
  #watch(connection: ListenerConnection): void {
    this.#watched.add(connection);
    this.#watchTimer ??= setInterval(() => {
      for (const one of this.#watched) if (!one.look()) this.#watched.delete(one);
      if (this.#watched.size > 0) return;
      clearInterval(this.#watchTimer);
      this.#watchTimer = undefined;
    }, SECOND).unref();
  }
}
