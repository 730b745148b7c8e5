import { randomUUID } from 'node:crypto';
import type { AuthorityConfig } from '../listener/auth/authority.js';
import type { ServerAddress } from '../listener/bind.js';
import { ListenerService } from '../listener/service.js';
import type { ListeningInfo } from '../listener/status.js';
import type { Dialer } from '../net/dialer.js';
import { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import { MAX_CHUNKED_MESSAGE_BYTES } from '../protocol/frames.js';
import { DEFAULT_TIMING, SYSTEM_ENV } from '../protocol/timing.js';
import { uuidV7 } from '../system/formats.js';
import { ControllerLink, type LinkEnd, type LinkReport } from './link.js';
import { LocalConnection } from './local-connection.js';
import type { PairedEnvironment } from './paired-environments.js';
import { ControllerStreams } from './streams.js';

/** Local connections at once. */
const MAX_CONNECTIONS = 256;
/** Reports in a second; above it only the last state of each second is reported. RC-99 */
const REPORTS_PER_SECOND = 20;
/** Log lines about skipped messages in a minute. */
const SKIPS_PER_MINUTE = 3;

export interface ConnectOptions {
  readonly environment: PairedEnvironment;
  readonly address: ServerAddress;
  readonly authority: AuthorityConfig;
  readonly dialer: Dialer;
  readonly log: EngineLogger;
  readonly onReport: (report: ConnectReport) => void;
}

/** What a person wants to know while `connect` runs. */
export interface ConnectReport extends LinkReport {
  /** Whether the environment is connected to the backend; null: the backend has not said it. */
  readonly environmentConnected: boolean | null;
  /** Open local connections. */
  readonly connections: number;
}

/**
 * A local endpoint that leads to one paired environment. Each local connection is one stream of this controller, and
 * all streams share one link to the backend. RC-90
 */
export class ConnectService {
  readonly #options: ConnectOptions;
  readonly #listener: ListenerService;
  readonly #streams: ControllerStreams;
  readonly #link: ControllerLink;
  readonly #connections = new Set<LocalConnection>();
  #environmentConnected: boolean | null = null;
  readonly #reports: RateLimit;
  readonly #skips: RateLimit;

  constructor(options: ConnectOptions) {
    this.#options = options;
    const { environment, address, authority, dialer, log } = options;
    this.#reports = new RateLimit(REPORTS_PER_SECOND, 1_000, () => options.onReport(this.report));
    this.#skips = new RateLimit(SKIPS_PER_MINUTE, 60_000, (count) =>
      log.error({ count }, 'the environment sent more messages that are not JSON-RPC; they were skipped'),
    );
    this.#streams = new ControllerStreams({
      clientId: environment.clientId,
      onEnvironment: (connected) => {
        this.#environmentConnected = connected;
        this.#report();
      },
    });
    this.#link = new ControllerLink({
      baseUrl: environment.baseUrl,
      token: environment.token,
      sessionId: randomUUID(),
      dialer,
      env: SYSTEM_ENV,
      timing: DEFAULT_TIMING,
      streams: this.#streams,
      onReport: ({ online }) => {
        if (!online) this.#environmentConnected = null;
        this.#report();
      },
    });
    this.#listener = new ListenerService({
      options: {
        address,
        authority,
        tls: undefined,
        maxConnections: MAX_CONNECTIONS,
        maxMessageBytes: MAX_CHUNKED_MESSAGE_BYTES,
        closeOnTokenExpiry: false,
        subprotocols: [],
        loopbackHostOnly: true,
      },
      env: SYSTEM_ENV,
      timing: DEFAULT_TIMING,
      log,
      audit: new AuditRing(),
      accept: (_client, transport) => {
        const connection = new LocalConnection(transport, {
          streams: this.#streams,
          refusal: () => this.#link.refusal,
          onSkipped: (chars) => {
            if (this.#skips.take())
              log.error({ chars }, 'the environment sent a message that is not JSON-RPC; it was skipped');
          },
          newStreamId: () => uuidV7(SYSTEM_ENV),
          onClosed: (one) => {
            this.#connections.delete(one);
            this.#report();
          },
        });
        this.#connections.add(connection);
        this.#report();
        return connection;
      },
      remoteControlStatus: () => (this.#link.report.online ? 'connected' : 'connecting'),
    });
  }

  /** @throws EngineError `listenerFailed` */
  async start(): Promise<ListeningInfo> {
    const info = await this.#listener.listen();
    this.#listener.open();
    this.#link.start();
    return info;
  }

  /** Resolves when the link has ended for good, by `stop` or because the backend refused it. */
  get ended(): Promise<LinkEnd> {
    return this.#link.ended;
  }

  get report(): ConnectReport {
    return {
      ...this.#link.report,
      environmentConnected: this.#environmentConnected,
      connections: this.#connections.size,
    };
  }

  /** Closes the local connections first, so that the environment learns of it. */
  async stop(): Promise<void> {
    for (const connection of [...this.#connections]) connection.stop();
    this.#link.stop();
    await Promise.allSettled([this.#listener.close(), this.#link.ended]);
  }

  #report(): void {
    if (this.#reports.take()) this.#options.onReport(this.report);
  }
}
