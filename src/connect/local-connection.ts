import { peerText } from '../observe/peer-text.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { type ErrorCode, explain } from '../protocol/errors.js';
import { errorText, RPC, withJsonrpc } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { NOTHING } from '../protocol/reasons.js';
import type { LocalTransport, ServedClient } from '../session/local-client.js';
import { OpenRequests } from '../session/open-requests.js';
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
const TOO_MANY_MESSAGES: StreamClosed = {
  code: CLOSE_CODES.tryAgainLater,
  reason: 'clientOverloaded',
  text: 'too many messages wait',
};
const STOPS = 'rc-engine connect stops';

/** One local connection: its messages are those of one stream, in both directions, unchanged. RC-90 */
export class LocalConnection implements ServedClient, StreamEnd {
  readonly #transport: LocalTransport;
  readonly #deps: LocalConnectionDeps;
  #stream: Stream | undefined;
  #closed = false;
  /** Data waits for the local client. */
  #slow = false;
  #clientName: string | undefined;
  #answered = false;
  /** The client writes the `jsonrpc` member, and expects it. WSA-42 */
  #jsonrpc = false;
  /** Requests of the client without a response. */
  #open = new OpenRequests();
  /** The listener pauses the messages to its client; the reads from the environment follow. */
  readonly session: ServedClient['session'];

  constructor(transport: LocalTransport, deps: LocalConnectionDeps) {
    this.#transport = transport;
    this.#deps = deps;
    const nameOf = (): string | undefined => this.#clientName;
    this.session = {
      pause: () => {
        this.#slow = true;
      },
      get clientName() {
        return nameOf();
      },
    };
  }

  // --- from the local client

  /** The first message opens the stream. */
  receive(text: string): void {
    if (this.#closed) return;
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
        this.#end(problem.code, problem.reason, problem.text);
        return;
      }
      this.#stream = streams.open(newStreamId(), this);
    }
    if (shape.kind === 'request' && shape.method === 'initialize') this.#readName(message);
    switch (this.#stream.send(text)) {
      case 'sent':
        return;
      case 'full':
        this.#transport.pauseReading(true);
        return;
      case 'tooLarge':
        if (shape.kind === 'request') {
          this.#open.delete(shape.id);
          const problem = 'The message is too large for remote control (100 MiB)';
          this.#respond(errorText(shape.id, RPC.messageTooLarge, problem));
        }
        return;
      case 'overflow': {
        const { code, reason, text: why } = TOO_MANY_MESSAGES;
        this.#end(code, reason, why);
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
    this.#slow = false;
    this.#stream?.resume();
  }

  /**
   * Answers each open request with an error that names the cause, before the close frame. RC-98
   * @param cause For people; null: the meaning of the reason.
   */
  endSession(reason: ErrorCode, cause: string | null, nextStep?: string): void {
    const { ids } = this.#open;
    if (this.#closed || ids.length === 0) return;
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
    if (this.#closed) return;
    this.#closed = true;
    this.#stream?.close();
    this.#deps.onClosed(this);
  }

  // --- from the environment

  onMessage(text: string): boolean {
    if (this.#closed) return true;
    const { shape } = Message.from(text);
    if (shape.kind === 'invalid') {
      this.#deps.onSkipped(text.length);
      return !this.#slow;
    }
    if (shape.kind === 'response' && shape.id !== null) this.#open.delete(shape.id);
    const passed = this.#transport.send(text);
    if (!this.#answered) {
      this.#answered = true;
      this.#transport.onInitialized?.();
    }
    return passed && !this.#slow;
  }

  onWritable(): void {
    if (!this.#closed) this.#transport.pauseReading(false);
  }

  onClosed({ code, reason, text }: StreamClosed): void {
    this.#stream = undefined;
    const later = code === CLOSE_CODES.environmentOffline || code === CLOSE_CODES.tryAgainLater;
    const why = peerText(text, MAX_CAUSE_BYTES);
    this.#end(later ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.internalError, reason, why);
  }

  /** The command stops. */
  stop(): void {
    this.#end(CLOSE_CODES.serviceRestart, 'stopped', STOPS, 'Start it again, then connect again.');
  }

  #end(code: number, reason: ErrorCode, text: string, nextStep?: string): void {
    if (this.#closed) return;
    this.endSession(reason, text, nextStep);
    this.#transport.close(code, text);
    this.ended();
  }
}
