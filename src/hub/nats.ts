/** The NATS client, loaded at first use: only a hub with a broker needs it. */
import type { Kvm } from '@nats-io/kv';
import type { ConnectionOptions, NatsConnection } from '@nats-io/transport-node';
import { EngineError } from '../protocol/errors.js';

/** A connection to NATS, with its key-value buckets. */
export class NatsLink {
  readonly connection: NatsConnection;
  readonly keyValue: Kvm;
  readonly #listeners = new Set<(connected: boolean) => void>();
  #connected = true;

  constructor(connection: NatsConnection, keyValue: Kvm) {
    this.connection = connection;
    this.keyValue = keyValue;
    void this.#followStatus();
  }

  /** False while the broker cannot be reached; the client tries again for ever. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Reports each loss and each return of the connection. Returns a function that removes the listener. */
  onConnection(listener: (connected: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async close(): Promise<void> {
    this.#report(false);
    this.#listeners.clear();
    await this.connection.close();
  }

  async #followStatus(): Promise<void> {
    for await (const { type } of this.connection.status()) {
      if (type === 'disconnect') this.#report(false);
      else if (type === 'reconnect') this.#report(true);
      else if (type === 'close') return;
    }
  }

  #report(connected: boolean): void {
    if (connected === this.#connected) return;
    this.#connected = connected;
    for (const listener of this.#listeners) listener(connected);
  }
}

export interface NatsOptions {
  /** URLs: `nats://HOST:PORT`, with `tls://` for TLS; several with commas between them. User and password may be in the URL. */
  readonly servers: string;
  /** Shown in the connection list of the broker. */
  readonly name: string;
}

/** Between two attempts to reach the broker, ms. */
const RECONNECT_WAIT = 250;
const CONNECT_TIMEOUT = 5_000;
/** Two unanswered pings end a connection, so a broker that stopped is noticed within three times this, ms. */
const PING_INTERVAL = 5_000;

/** Throws EngineError `usage` for URLs that cannot be right, and `networkUnreachable`. */
export async function connectNats({ servers, name }: NatsOptions): Promise<NatsLink> {
  const options = connectionOptions(servers, name);
  const { connect, Kvm, jetstream } = await import('./nats-client.js');
  try {
    const connection = await connect(options);
    return new NatsLink(connection, new Kvm(jetstream(connection, { timeout: CONNECT_TIMEOUT })));
  } catch (cause) {
    throw new EngineError('networkUnreachable', `the broker ${hostsOf(options)} cannot be used`, {
      cause,
      remediation:
        'Start it with JetStream (nats-server -js), and check address, user and password in --bus.',
    });
  }
}

function connectionOptions(
  servers: string,
  name: string,
): ConnectionOptions & { readonly servers: string[] } {
  const urls = servers.split(',').map((text) => {
    const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
    if (url === undefined || !/^(?:nats|tls):$/.test(url.protocol) || url.hostname === '') {
      throw new EngineError('usage', 'the address of the broker is not valid: the form is nats://HOST:PORT', {
        remediation: 'Give the client port of nats-server, 4222 by default; tls:// for TLS.',
      });
    }
    return url;
  });
  const [first] = urls;
  const credentials =
    first === undefined || first.username === ''
      ? {}
      : { user: decodeURIComponent(first.username), pass: decodeURIComponent(first.password) };
  return {
    servers: urls.map(({ host }) => host),
    name,
    ...credentials,
    ...(urls.some(({ protocol }) => protocol === 'tls:') ? { tls: {} } : {}),
    timeout: CONNECT_TIMEOUT,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_WAIT,
    reconnectJitter: RECONNECT_WAIT,
    pingInterval: PING_INTERVAL,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
  };
}

const hostsOf = ({ servers }: { readonly servers: string[] }): string => servers.join(', ');
