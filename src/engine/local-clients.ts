import type { AppServer, ClientContext, Origin } from '../protocol/app-server.js';
import { Message } from '../protocol/message.js';
import { ClientSession } from './client-session.js';
import type { MethodTable } from './methods.js';

/** A local client's connection, whatever it is made of. */
export interface LocalTransport {
  /** Writes one message. False: the client is slow; `drained` is called later. */
  send(text: string): boolean;
  readonly bufferedAmount: number;
  /** Stops and restarts reading from the client: its app server takes nothing for now. */
  hold(held: boolean): void;
  /** Ends the connection; the code is a WebSocket close code, where there is such a thing. */
  close(code: number, reason: string): void;
}

export interface LocalClientDeps {
  readonly appServer: AppServer;
  readonly methods: MethodTable;
  readonly policy: (method: string, client: ClientContext) => string | null;
  readonly onInitialized: (session: ClientSession) => void;
  readonly onEnded: (session: ClientSession) => void;
  readonly onClosed: (client: LocalClient) => void;
}

/** WebSocket close codes that local clients see. */
export const CLOSE_GOING_AWAY = 1012;
export const CLOSE_OVERLOADED = 1013;
export const CLOSE_APP_SERVER = 1011;

/** One local client: its transport, its session, its own app-server connection. */
export class LocalClient {
  readonly session: ClientSession;
  readonly since = Date.now();
  readonly #transport: LocalTransport;
  readonly #deps: LocalClientDeps;
  /** While its app-server connection is being opened. */
  #opening: AbortController | undefined;
  #closed = false;

  constructor(client: ClientContext, transport: LocalTransport, deps: LocalClientDeps) {
    this.#transport = transport;
    this.#deps = deps;
    this.session = new ClientSession({
      client,
      appServer: deps.appServer,
      methods: deps.methods,
      policy: deps.policy,
      onInitialized: deps.onInitialized,
      onEnded: deps.onEnded,
      transport: {
        send: (text) => {
          if (!transport.send(text)) this.session.pause();
        },
        onSessionClosed: (failure) =>
          this.close(CLOSE_APP_SERVER, failure?.message ?? 'the app server ended this connection'),
        onBlocked: () => {},
        onHeld: (held) => transport.hold(held),
      },
    });
  }

  get origin(): Origin {
    return this.session.client.origin;
  }

  async open(): Promise<void> {
    if (this.session.openNow()) return;
    this.#opening = new AbortController();
    try {
      await this.session.open(this.#opening.signal);
      this.#opening = undefined;
    } catch (error) {
      this.close(CLOSE_APP_SERVER, error instanceof Error ? error.message : 'no app server');
    }
  }

  /** One message of the client, as text. What is no JSON is skipped. ACC-6 */
  receive(text: string): void {
    const message = Message.fromText(text);
    if (message === undefined || this.#closed) return;
    if (!this.session.receive(message)) this.close(CLOSE_OVERLOADED, 'too many messages wait');
  }

  drained(): void {
    this.session.resume();
  }

  /** The other side is gone. */
  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#opening?.abort();
    this.session.close();
    this.#deps.onClosed(this);
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#transport.close(code, reason);
    this.ended();
  }
}
