import type { ClientContext, Origin } from '../protocol/app-server.js';
import type { AuthorityMode, UpgradeOutcome } from '../protocol/authority.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { type Envelope, tooLargeResponse } from '../protocol/envelope-scan.js';
import { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { AppServerPlaces } from './app-server-places.js';
import type { ClientTransport, SessionDeps } from './client-transport.js';
import { endCause } from './end-cause.js';
import { ClientSession } from './session.js';

/** One connection of a client on this machine, as status lists it. Holds no secret. Times are wall-clock ms. */
export interface ConnectionStatus {
  /** The name of the connection in the log and the audit. */
  readonly id: string;
  /** How the client is connected. */
  readonly origin: Exclude<Origin, 'remote' | 'control' | 'engine'>;
  /** `inherited`: over the stdio streams that the process got from its parent. */
  readonly mode: AuthorityMode | 'inherited';
  /** `established` with a valid credential, else `degraded`. */
  readonly outcome: UpgradeOutcome;
  /** Why it was accepted. */
  readonly reason: Reason;
  /** State of the connection, such as `initialized` or `paused.initialized`. */
  readonly state: string;
  /** Reading from the client is paused because its app server does not read. */
  readonly held: boolean;
  /** When it was accepted. */
  readonly since: number;
  /** Received from the client. */
  readonly bytesIn: number;
  /** Sent to the client. */
  readonly bytesOut: number;
  /** `ADDRESS:PORT`, `unix`, or the parent process. */
  readonly peer: string;
  /** The name that the client gave in `initialize`. */
  readonly client: string | null;
  /** When its signed token expires, clock skew included; null without one. */
  readonly expiresAt: number | null;
}

/** The connection of a local client: a WebSocket, stdio, or the control socket. */
export interface LocalTransport {
  /** Writes one message. False: the client reads slowly; `LocalClient.drained` is called later. */
  send(text: string): boolean;
  /** Pauses or resumes reading from the client, because its app server does not read. */
  pauseReading(paused: boolean): void;
  /** Ends the connection. The code is a WebSocket close code; a transport without close codes may ignore it. */
  close(code: number, reason: string): void;
  /** Called when the app server has answered `initialize`. */
  onInitialized?(): void;
}

const REASON_OF_CLOSE_CODE: Readonly<Record<number, Reason>> = {
  [CLOSE_CODES.policyViolation]: 'initializeMissing',
  [CLOSE_CODES.internalError]: 'appServerFailed',
  [CLOSE_CODES.tryAgainLater]: 'clientOverloaded',
};

/** Shared by all local clients of one app server. */
export interface LocalClientDeps extends SessionDeps {
  /** Limits the app-server connections of degraded clients. */
  readonly places: AppServerPlaces;
  /** How long a client may be without a valid `initialize`, ms. Not over stdio, whose client is the parent process. */
  readonly initializeTimeout: number;
  onInitialized(session: ClientSession): void;
  onEnded(session: ClientSession): void;
  onClosed(client: LocalClient): void;
  /** A message of a client was skipped. The arguments never contain its content. */
  onSkipped(connectionId: string, why: string, bytes: number): void;
}

/** What the transport of a client needs of it. */
export type ServedClient = Pick<LocalClient, 'receive' | 'drained' | 'endSession' | 'ended'> & {
  readonly session: Pick<ClientSession, 'pause' | 'clientName'>;
};

/** One local client: its transport, its session, and its own app-server connection. */
export class LocalClient implements ClientTransport {
  readonly session: ClientSession;
  readonly #transport: LocalTransport;
  readonly #deps: LocalClientDeps;
  /** When the app server of an ended session has ended, too. */
  #running: Promise<unknown> | undefined;
  /** Set while the app-server connection is being opened. */
  #opening: AbortController | undefined;
  /** Holds one of the `places` for the app-server connections of degraded clients. */
  #hasPlace = false;
  #deadline: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(client: ClientContext, transport: LocalTransport, deps: LocalClientDeps) {
    this.#transport = transport;
    this.#deps = deps;
    this.session = new ClientSession(client, this, deps);
  }

  /**
   * Serves the client. An app-server connection that costs something is opened by its first valid `initialize`. When
   * that fails, the client is closed with the cause as the reason. WSA-35
   */
  open(): void {
    const { client, protocol } = this.session;
    const opened = this.session.openNow();
    // An agent without `initialize` may speak first, so it does not wait for a message. WSA-44
    const opensAtOnce = protocol === 'raw' && client.degraded !== true;
    if (!opened && opensAtOnce) void this.#openAsync();
    else if (!opened) this.session.deferOpening();
    if (client.origin === 'stdio' || opensAtOnce) return;
    const { initializeTimeout } = this.#deps;
    this.#deadline = setTimeout(() => {
      const text = `no valid initialize within ${initializeTimeout / 1_000} s of connecting`;
      this.close(CLOSE_CODES.policyViolation, text);
    }, initializeTimeout);
    this.#deadline.unref();
  }

  async #openAsync(): Promise<void> {
    this.#opening = new AbortController();
    const { signal } = this.#opening;
    try {
      await this.session.open(signal);
    } catch (error) {
      this.close(CLOSE_CODES.internalError, error instanceof Error ? error.message : 'no app server');
    }
    this.#opening = undefined;
    // The client left while its app server started.
    if (this.#closed) this.#leavePlace();
  }

  /** The next degraded client may have an app server when that of this client has ended. */
  #leavePlace(ended?: Promise<unknown>): void {
    if (!this.#hasPlace || this.#opening !== undefined) return;
    this.#hasPlace = false;
    const { places } = this.#deps;
    if (ended === undefined) places.leave();
    else void ended.then(() => places.leave());
  }

  /** Handles one message of the client; a text that is not a JSON-RPC message is skipped. ACC-6 */
  receive(text: string): void {
    if (this.#closed) return;
    const message = Message.from(text);
    if (message.shape.kind === 'invalid') {
      this.skipped('a text that is not a JSON-RPC message', Buffer.byteLength(text));
    }
    this.#take(message);
  }

  /** A message over the limit, which was not kept: who waits for its answer, or for it as an answer, gets an error. RC-72 */
  receiveTooLarge(bytes: number, limitBytes: number, envelope: Envelope | undefined): void {
    if (this.#closed) return;
    const limit = `${Math.floor(limitBytes / 1024 / 1024)} MiB`;
    this.skipped(`a message over ${limit}`, bytes);
    if (envelope === undefined) return;
    const why = `a message may have ${limit} at most`;
    this.#take(
      envelope.kind === 'request' ? Message.refused(envelope.id, why) : tooLargeResponse(envelope.id, why),
    );
  }

  #take(message: Message): void {
    if (!this.session.receive(message)) this.close(CLOSE_CODES.tryAgainLater, 'too many messages wait');
  }

  skipped(what: string, bytes: number): void {
    this.#deps.onSkipped(this.session.client.connectionId, `${what} was skipped`, bytes);
  }

  /** The transport can take messages again. */
  drained(): void {
    this.session.resume();
  }

  // --- called by the session

  send(text: string): void {
    if (!this.#transport.send(text)) this.session.pause();
  }

  onInitialize(needsConnection: boolean): string | null {
    if (needsConnection) {
      if (this.session.client.degraded === true && !this.#hasPlace) {
        const refusal = this.#deps.places.take();
        if (refusal !== null) return refusal;
        this.#hasPlace = true;
      }
      void this.#openAsync();
    }
    clearTimeout(this.#deadline);
    return null;
  }

  onInitialized(session: ClientSession): void {
    this.#transport.onInitialized?.();
    this.#deps.onInitialized(session);
  }

  onEnded(session: ClientSession): void {
    this.#deps.onEnded(session);
  }

  onAppServerClosed(failure: Failure | null): void {
    this.close(CLOSE_CODES.internalError, failure?.message ?? 'the app server ended this connection');
  }

  onBlocked(): void {}

  onReadPaused(paused: boolean): void {
    this.#transport.pauseReading(paused);
  }

  // --- the end

  /**
   * Answers each open request with an error that names the cause, and ends the session; the connection is still open.
   * @param cause For people; null: the meaning of the reason. RC-80
   */
  endSession(reason: Reason, cause: string | null): void {
    this.#running ??= this.session.appServerEnded;
    this.session.end(endCause(this.session.client.origin, reason, cause));
  }

  /** The client has disconnected. */
  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#deadline);
    this.#opening?.abort();
    this.#running ??= this.session.appServerEnded;
    this.session.close();
    this.#leavePlace(this.#running);
    this.#deps.onClosed(this);
  }

  /** Ends the connection on our side, after an error for each open request. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.endSession(REASON_OF_CLOSE_CODE[code] ?? 'stopped', reason);
    this.#transport.close(code, reason);
    this.ended();
  }
}
