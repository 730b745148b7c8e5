import { peerText } from '../observe/peer-text.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { type ErrorCode, explain } from '../protocol/errors.js';
import { errorText, RPC, withJsonrpc } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { NOTHING, REASONS } from '../protocol/reasons.js';
import { DEFAULT_TIMING } from '../protocol/timing.js';
import type { LocalEnd, LocalTransport, ServedClient } from '../session/local-client.js';
import { OpenRequests } from '../session/open-requests.js';
import { type Overdue, SessionRun } from '../session/session-chart.js';
import type { ControllerStreams, Stream, StreamClosed, StreamEnd } from './streams.js';

interface LocalConnectionDeps {
  readonly streams: ControllerStreams;
  /** Why a new stream cannot be opened now; undefined: it can. */
  readonly refusal: () => StreamClosed | undefined;
  readonly newStreamId: () => string;
  readonly onClosed: (connection: LocalConnection) => void;
  /** The environment sent something that is not one JSON-RPC message; it is not passed on. */
  readonly onSkipped: (chars: number) => void;
}

/** Streams of one run, as many as the backend accepts. */
const MAX_STREAMS = 256;
/** Longest text of a peer in an error or a close frame, bytes. */
const MAX_CAUSE_BYTES = 100;
const CONNECT_AGAIN = 'Connect again.';

const TOO_MANY_STREAMS: StreamClosed = {
  code: CLOSE_CODES.tryAgainLater,
  reason: 'tooManyConnections',
  text: 'too many connections at once',
};
const STOPS = 'rc-engine connect stops';

/** One local connection: its messages are those of one stream, in both directions, unchanged. RC-90 */
export class LocalConnection extends SessionRun implements ServedClient, StreamEnd {
  readonly #transport: LocalTransport;
  readonly #deps: LocalConnectionDeps;
  #stream: Stream | undefined;
  #clientName: string | undefined;
  /** The client writes the `jsonrpc` member, and expects it. WSA-42 */
  #jsonrpc = false;
  /** Requests of the client without a response. */
  #open = new OpenRequests();
  constructor(transport: LocalTransport, deps: LocalConnectionDeps) {
    super(DEFAULT_TIMING, 'relay');
    this.#transport = transport;
    this.#deps = deps;
    this.take('DEFERRED');
  }

  /** The conversation is with the environment; this side knows how far it is. */
  get session(): ServedClient['session'] {
    return this;
  }

  get clientName(): string | undefined {
    return this.#clientName;
  }

  // --- from the local client

  /** The first message opens the stream. */
  receive(text: string): void {
    if (this.isClosed) return;
    const message = Message.from(text);
    const { shape } = message;
    this.#jsonrpc ||= message.hasJsonrpc;
    if (shape.kind === 'invalid') {
      const { id, why } = shape.refused ?? {
        id: null,
        why: 'only single JSON-RPC messages can be passed on',
      };
      this.#respond(errorText(id, RPC.invalidRequest, `${why.charAt(0).toUpperCase()}${why.slice(1)}`));
      return;
    }
    // Remembered first: a client that is refused waits for the response to this request, too.
    if (shape.kind === 'request') this.#open.add(shape.id, text.length);
    if (this.#stream === undefined) {
      const { streams, newStreamId, refusal } = this.#deps;
      const problem = streams.size >= MAX_STREAMS ? TOO_MANY_STREAMS : refusal();
      if (problem !== undefined) {
        this.#end(endOf(problem.code), problem.reason, problem.text);
        return;
      }
      this.#stream = streams.open(newStreamId(), this);
    }
    if (shape.kind === 'request' && shape.method === 'initialize') this.#readName(message);
    switch (this.#stream.send(text)) {
      case 'sent':
        return;
      case 'full':
        this.take('QUEUE.LARGE');
        return;
      case 'tooLarge':
        if (shape.kind === 'request') {
          this.#open.delete(shape.id);
          const problem = 'The message is too large for remote control (100 MiB)';
          this.#respond(errorText(shape.id, RPC.messageTooLarge, problem));
        }
        return;
      case 'overflow': {
        this.#end('clientOverloaded', 'clientOverloaded', 'too many messages wait');
        return;
      }
    }
  }

  /** A message of this program itself. */
  #respond(text: string): void {
    this.#transport.send(this.#jsonrpc ? withJsonrpc(text) : text);
  }

  #readName(message: Message): void {
    const { params } = message;
    if (typeof params !== 'object' || params === null || !('clientInfo' in params)) return;
    const { clientInfo } = params;
    if (typeof clientInfo !== 'object' || clientInfo === null || !('name' in clientInfo)) return;
    if (typeof clientInfo.name === 'string') this.#clientName = peerText(clientInfo.name);
  }

  /** The local client reads again. */
  drained(): void {
    this.take('CLIENT.READS');
  }

  /**
   * Answers each open request with an error that names the cause, before the close frame. RC-98
   * @param cause For people; null: the meaning of the reason.
   */
  endSession(reason: ErrorCode, cause: string | null, nextStep?: string): void {
    const { ids } = this.#open;
    if (this.isClosed || ids.length === 0) return;
    this.#open = new OpenRequests();
    const known = explain(reason);
    const text = cause ?? known?.means ?? reason;
    const sentence = `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
    const todo = known === undefined || known.todo === NOTHING ? CONNECT_AGAIN : known.todo;
    const message = `${sentence} ${nextStep ?? todo}`;
    for (const id of ids) this.#respond(errorText(id, RPC.appServerUnavailable, message, { reason }));
  }

  /** The local client has disconnected. */
  ended(): void {
    if (this.isClosed) return;
    this.take('CLOSE');
    this.#stream?.close();
    this.#deps.onClosed(this);
  }

  // --- from the environment

  onMessage(text: string): boolean {
    if (this.isClosed) return true;
    const { shape } = Message.from(text);
    if (shape.kind === 'invalid') {
      this.#deps.onSkipped(text.length);
      return !this.is('slow');
    }
    if (shape.kind === 'response' && shape.id !== null) this.#open.delete(shape.id);
    if (!this.#transport.send(text)) this.pause();
    this.take('SERVED');
    return !this.is('slow');
  }

  onWritable(): void {
    this.take('QUEUE.EMPTY');
  }

  onClosed({ code, reason, text }: StreamClosed): void {
    this.#stream = undefined;
    this.#end(endOf(code), reason, peerText(text, MAX_CAUSE_BYTES));
  }

  /** The command stops. */
  stop(): void {
    this.#end('stopped', 'stopped', STOPS, 'Start it again, then connect again.');
  }

  #end(end: LocalEnd, reason: ErrorCode, text: string, nextStep?: string): void {
    if (this.isClosed) return;
    this.endSession(reason, text, nextStep);
    this.#transport.close(end, text);
    this.ended();
  }

  // --- actions of the chart

  protected override announce(): void {}

  protected override readAppServer(reads: boolean): void {
    if (reads) this.#stream?.resume();
  }

  protected override readClient(reads: boolean): void {
    this.#transport.pauseReading(!reads);
  }

  protected override endClient(reason: Overdue): void {
    this.#end(reason, reason, REASONS[reason].means);
  }
}

/** How the end of a stream ends the local connection. */
const endOf = (code: number): LocalEnd =>
  code === CLOSE_CODES.environmentOffline || code === CLOSE_CODES.tryAgainLater
    ? 'clientOverloaded'
    : 'appServerFailed';
