import { peerText } from '../observe/peer-text.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { errorText, RPC } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import type { LocalTransport, ServedClient } from '../session/local-client.js';
import type { ControllerStreams, Stream, StreamEnd } from './streams.js';

interface LocalConnectionDeps {
  readonly streams: ControllerStreams;
  /** Why a new stream cannot be opened now; null: it can. */
  readonly refusal: () => string | null;
  readonly newStreamId: () => string;
  readonly onClosed: (connection: LocalConnection) => void;
}

/** Streams of one run, as many as the backend accepts. */
const MAX_STREAMS = 256;

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
    if (shape.kind === 'invalid') {
      const problem = 'Only single JSON-RPC messages can be passed on';
      this.#transport.send(errorText(null, RPC.invalidRequest, problem));
      return;
    }
    if (this.#stream === undefined) {
      const { streams, newStreamId, refusal } = this.#deps;
      const problem = streams.size >= MAX_STREAMS ? 'too many connections at once' : refusal();
      if (problem !== null) {
        this.#end(CLOSE_CODES.tryAgainLater, problem);
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
          const problem = 'The message is too large for remote control (100 MiB)';
          this.#transport.send(errorText(shape.id, RPC.messageTooLarge, problem));
        }
        return;
      case 'overflow':
        this.#stream.close();
        this.#end(CLOSE_CODES.tryAgainLater, 'too many messages wait');
        return;
    }
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

  /** The close frame that follows names the cause. The engine of the environment answers what it has received. */
  endSession(): void {}

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

  onClosed(code: number, reason: string): void {
    this.#stream = undefined;
    const offline = code === CLOSE_CODES.environmentOffline || code === CLOSE_CODES.tryAgainLater;
    this.#end(offline ? CLOSE_CODES.tryAgainLater : CLOSE_CODES.internalError, peerText(reason, 100));
  }

  /** The command stops. */
  stop(): void {
    this.#end(CLOSE_CODES.serviceRestart, 'rc-engine connect stops');
  }

  #end(code: number, reason: string): void {
    if (this.#closed) return;
    this.#transport.close(code, reason);
    this.ended();
  }
}
