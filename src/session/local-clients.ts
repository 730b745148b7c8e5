import type { ClientContext, Origin } from '../protocol/app-server.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import { ClientSession, type ClientTransport, type SessionDeps } from './session.js';

/** A local client's connection, whatever it is made of. */
export interface LocalTransport {
  /** Writes one message. False: the client is slow; `drained` is called later. */
  send(text: string): boolean;
  readonly bufferedAmount: number;
  /** Stops and restarts reading from the client: its app server takes nothing for now. */
  hold(held: boolean): void;
  /** Ends the connection; the code is a WebSocket close code, where there is such a thing. */
  close(code: number, reason: string): void;
  /** Its client has been initialized. */
  onInitialized?(): void;
}

/** What all local clients of one app server share. */
export interface LocalClientDeps extends SessionDeps {
  onInitialized(session: ClientSession): void;
  onEnded(session: ClientSession): void;
  onClosed(client: LocalClient): void;
  /** Something that a client sent was skipped; never its content. */
  onSkipped(connectionId: string, why: string, bytes: number): void;
}

/** One local client: its transport, its session, its own app-server connection. */
export class LocalClient implements ClientTransport {
  readonly session: ClientSession;
  readonly since = Date.now();
  readonly #transport: LocalTransport;
  readonly #host: LocalClientDeps;
  /** While its app-server connection is being opened. */
  #opening: AbortController | undefined;
  #closed = false;

  constructor(client: ClientContext, transport: LocalTransport, host: LocalClientDeps) {
    this.#transport = transport;
    this.#host = host;
    this.session = new ClientSession(client, this, host);
  }

  get origin(): Origin {
    return this.session.client.origin;
  }

  /** Opens its app-server connection; when that fails, the client is closed with the reason. */
  open(): void {
    if (!this.session.openNow()) void this.#openLater();
  }

  async #openLater(): Promise<void> {
    this.#opening = new AbortController();
    try {
      await this.session.open(this.#opening.signal);
      this.#opening = undefined;
    } catch (error) {
      this.close(CLOSE_CODES.internalError, error instanceof Error ? error.message : 'no app server');
    }
  }

  /** One message of the client, as text. What is none is skipped. ACC-6 */
  receive(text: string): void {
    if (this.#closed) return;
    const message = Message.fromText(text);
    if (message === undefined || message.shape.kind === 'invalid') {
      this.skipped('what is no JSON-RPC message', Buffer.byteLength(text));
      return;
    }
    if (!this.session.receive(message)) this.close(CLOSE_CODES.tryAgainLater, 'too many messages wait');
  }

  skipped(what: string, bytes: number): void {
    this.#host.onSkipped(this.session.client.connectionId, `${what} was skipped`, bytes);
  }

  drained(): void {
    this.session.resume();
  }

  // --- what its session asks and tells

  send(text: string): void {
    if (!this.#transport.send(text)) this.session.pause();
  }

  onInitialized(session: ClientSession): void {
    this.#transport.onInitialized?.();
    this.#host.onInitialized(session);
  }

  onEnded(session: ClientSession): void {
    this.#host.onEnded(session);
  }

  onSessionClosed(failure: Failure | null): void {
    this.close(CLOSE_CODES.internalError, failure?.message ?? 'the app server ended this connection');
  }

  onBlocked(): void {}

  onHeld(held: boolean): void {
    this.#transport.hold(held);
  }

  // --- its end

  /** The other side is gone. */
  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#opening?.abort();
    this.session.close();
    this.#host.onClosed(this);
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#transport.close(code, reason);
    this.ended();
  }
}
