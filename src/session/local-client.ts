import type { ClientContext, Origin } from '../protocol/app-server.js';
import type { AuthorityMode, UpgradeOutcome } from '../protocol/authority.js';
import { type Envelope, tooLargeResponse } from '../protocol/envelope-scan.js';
import { Message } from '../protocol/message.js';
import type { Failure } from '../protocol/outcomes.js';
import { REASONS, type Reason } from '../protocol/reasons.js';
import type { Timing } from '../protocol/timing.js';
import type { AppServerPlaces } from './app-server-places.js';
import type { ClientTransport, SessionDeps } from './client-transport.js';
import { endCause } from './end-cause.js';
import { ClientSession } from './session.js';
import type { Overdue } from './session-chart.js';

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
  /** State of the client, such as `initialized` or `paused.initialized`; else of its connection, such as `probing`. */
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
  /** Ends the connection. @param text For people. */
  close(reason: LocalEnd, text: string): void;
}

/** Why the engine ends a local client. */
export type LocalEnd = Overdue | 'clientOverloaded' | 'stopped';

/** Shared by all local clients of one app server. */
export interface LocalClientDeps extends SessionDeps {
  /** Limits the app-server connections of degraded clients. */
  readonly places: AppServerPlaces;
  readonly timing: Timing;
  onInitialized(session: ClientSession): void;
  onEnded(session: ClientSession): void;
  onClosed(client: LocalClient): void;
  /** A message of a client was skipped. The arguments never contain its content. */
  onSkipped(connectionId: string, why: string, bytes: number): void;
}

/** What the transport of a client needs of it. */
export type ServedClient = Pick<LocalClient, 'receive' | 'drained' | 'endSession' | 'ended'> & {
  readonly session: Pick<ClientSession, 'pause' | 'progress' | 'clientName' | 'initialized' | 'state'>;
};

/** One local client: its transport, its session, and its own app-server connection. */
export class LocalClient implements ClientTransport {
  readonly session: ClientSession;
  readonly #transport: LocalTransport;
  readonly #deps: LocalClientDeps;
  /** Gives back the place for the app-server connection of a degraded client; undefined: it has none. */
  #leavePlace: (() => void) | undefined;

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
    if (this.session.openNow()) return;
    // An agent without `initialize` may speak first, so it does not wait for a message. WSA-44
    if (protocol === 'raw' && client.degraded !== true) void this.session.open();
    else this.session.deferOpening();
  }

  /** Handles one message of the client; a text that is not a JSON-RPC message is skipped. ACC-6 */
  receive(text: string): void {
    if (this.session.isClosed) return;
    const message = Message.from(text);
    if (message.shape.kind === 'invalid') {
      this.skipped('a text that is not a JSON-RPC message', Buffer.byteLength(text));
    }
    this.#take(message);
  }

  /** A message over the limit, which was not kept: who waits for its answer, or for it as an answer, gets an error. RC-72 */
  receiveTooLarge(bytes: number, limitBytes: number, envelope: Envelope | undefined): void {
    if (this.session.isClosed) return;
    const limit = `${Math.floor(limitBytes / 1024 / 1024)} MiB`;
    this.skipped(`a message over ${limit}`, bytes);
    if (envelope === undefined) return;
    const why = `a message may have ${limit} at most`;
    this.#take(
      envelope.kind === 'request' ? Message.refused(envelope.id, why) : tooLargeResponse(envelope.id, why),
    );
  }

  #take(message: Message): void {
    if (!this.session.receive(message)) this.close('clientOverloaded', 'too many messages wait');
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
    if (!needsConnection) return null;
    if (this.session.client.degraded === true && this.#leavePlace === undefined) {
      const place = this.#deps.places.take();
      if (typeof place === 'string') return place;
      this.#leavePlace = place;
    }
    void this.session.open();
    return null;
  }

  onInitialized(session: ClientSession): void {
    this.#deps.onInitialized(session);
  }

  onEnded(session: ClientSession, appServerEnded: Promise<unknown> | undefined): void {
    // The next degraded client may have an app server when that of this client has ended.
    const leave = this.#leavePlace;
    if (leave !== undefined) void Promise.resolve(appServerEnded).then(leave);
    this.#deps.onEnded(session);
    this.#deps.onClosed(this);
  }

  onAppServerClosed(failure: Failure | null): void {
    this.close('appServerFailed', failure?.message ?? 'the app server ended this connection');
  }

  onOverdue(reason: Overdue): void {
    this.close(reason, this.#overdueText(reason));
  }

  #overdueText(reason: Overdue): string {
    const { initializeTimeout } = this.#deps.timing;
    if (reason === 'initializeMissing') return `no valid initialize within ${initializeTimeout / 1_000} s`;
    return reason === 'appServerFailed' ? 'the app server did not answer in time' : REASONS[reason].means;
  }

  onReadPaused(paused: boolean): void {
    this.#transport.pauseReading(paused);
  }

  // --- the end

  /**
   * Answers each open request with an error that names the cause, and ends the session; the connection is still open.
   * @param cause For people; null: the meaning of the reason. RC-80
   */
  endSession(reason: Reason, cause: string | null): void {
    this.session.end(endCause(this.session.client.origin, reason, cause));
  }

  /** The client has disconnected. */
  ended(): void {
    this.session.close();
  }

  /** Ends the connection on our side, after an error for each open request. */
  close(reason: LocalEnd, text: string): void {
    this.endSession(reason, text);
    this.#transport.close(reason, text);
  }
}
