/** The open socket to the backend. dial.ts opens it; until it has an owner no frame is read. RC-41 */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { causeText } from '../../net/request-failure.js';
import { cutBytes, maskTokens, oneLine } from '../../observe/body-preview.js';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import type { Secret } from '../../protocol/secret.js';
import { FrameBatch } from './frame-batch.js';

export interface SocketEnd {
  /** Close code of RFC 6455; 1006: the connection was lost without a close frame. */
  readonly code: number;
  /** The reason of the backend's close frame, masked; may be empty. */
  readonly reason: string;
  /** True when a close frame arrived. */
  readonly clean: boolean;
  /** The engine itself ended the connection because of what the backend sent. */
  readonly fault: 'frameTooLarge' | 'frameInvalid' | null;
  /** The error that ended the connection, if there was one. */
  readonly error: string | undefined;
}

const REASON_BYTES = 200;
/**
 * Unsent bytes at which reading from the backend stops until they are sent: each frame may add an answer. Pongs
 * need no such limit: `ws` skips them while 60 wait. Streams stop adding messages far below, so only a backend that asks and does not read gets here. RC-58
 */
const MAX_UNSENT = 16 * 1024 * 1024;

/**
 * Each callback is set once, `onFrame` last: it starts the flow and makes the caller the owner of the socket, who must
 * end it with `close` or `terminate`.
 */
export class BackendSocket {
  readonly #ws: WebSocket;
  readonly #stream: Socket;
  readonly #secrets: readonly Secret[];
  #release: (() => void) | undefined;
  #error: string | undefined;
  #fault: SocketEnd['fault'] = null;
  #end: SocketEnd | undefined;
  #closing: Promise<void> | undefined;
  /** Reading is paused, because the backend does not read. */
  #held = false;
  /** Frames of the current turn of the event loop. */
  readonly #batch = new FrameBatch();
  #onEnd: ((end: SocketEnd) => void) | undefined;
  readonly #flush = (): void => {
    const pieces = this.#batch.take();
    // Nothing may follow a close frame.
    if (this.#ws.readyState !== this.#ws.OPEN || !this.#stream.writable) return;
    this.#stream.cork();
    for (const piece of pieces) this.#stream.write(piece);
    this.#stream.uncork();
  };

  /**
   * @param ws an open WebSocket
   * @param stream the TCP or TLS stream below it
   * @param secrets values that the backend was sent and that no reason may show
   * @param release called once, when the socket has an owner or is closed
   */
  constructor(ws: WebSocket, stream: Socket, secrets: readonly Secret[], release: () => void) {
    this.#secrets = secrets;
    this.#ws = ws;
    this.#stream = stream;
    this.#release = release;
    // Frames that arrive before there is a listener would be lost.
    ws.pause();
    ws.on('error', (error) => {
      this.#fault ??= faultOf(error);
      this.#error ??= cutBytes(oneLine(maskTokens(causeText(error))), REASON_BYTES);
    });
    ws.once('close', (code, reason) => this.#closed(code, reason));
    stream.on('drain', () => {
      if (this.#held) this.#ws.resume();
      this.#held = false;
    });
  }

  /** Text frames from now on, as bytes of valid UTF-8. Makes the caller the owner. */
  onFrame(callback: (frame: Buffer) => void): void {
    this.#ws.on('message', (data, isBinary) => {
      // ws gives one Buffer for each message unless configured otherwise.
      if (!isBinary && Buffer.isBuffer(data)) callback(data);
      this.#holdIfUnread();
    });
    this.#takeOver();
    this.#ws.resume();
  }

  /** Reports the size of each binary frame, which is skipped. RC-40 */
  onBinary(callback: (bytes: number) => void): void {
    this.#ws.on('message', (data, isBinary) => {
      if (isBinary && Buffer.isBuffer(data)) callback(data.length);
    });
  }

  onPong(callback: () => void): void {
    this.#ws.on('pong', () => callback());
  }

  /** There is room again: everything sent was passed to the system after `bufferedAmount` had grown. */
  onDrain(callback: () => void): void {
    this.#stream.on('drain', callback);
  }

  /** Called once, also when the socket was closed before; never during this call. */
  onClose(callback: (end: SocketEnd) => void): void {
    this.#onEnd = callback;
    const end = this.#end;
    if (end !== undefined) queueMicrotask(() => callback(end));
  }

  /**
   * Sends a text frame. Frames of one turn of the event loop are written together, without `ws`, which would write each
   * one separately (see frame-batch.ts). A frame for a closing socket is dropped silently: unacknowledged frames are
   * sent again on the next link. RC-36
   */
  send(frame: string | Buffer): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#batch.size === 0) setImmediate(this.#flush);
    this.#batch.add(frame);
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  /** Bytes that were sent and not yet passed to the system. */
  get bufferedAmount(): number {
    return this.#ws.bufferedAmount + this.#batch.size;
  }

  /** Sends a close frame, and ends the connection after `limitMs`. Resolves when the socket is closed. RC-43, RC-46 */
  close(code: number, limitMs: number): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve();
    this.#closing ??= new Promise((resolve) => {
      const timer = setTimeout(() => this.#ws.terminate(), limitMs);
      this.#ws.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#takeOver();
      // The close frame of the other side must be read, with an owner or without.
      this.#ws.resume();
      this.#flush();
      this.#ws.close(code);
    });
    return this.#closing;
  }

  /** Ends the connection at once, without a close frame. */
  terminate(): void {
    this.#ws.terminate();
  }

  /** While reading is paused no pong arrives either, so the link ends a socket that stays unread. RC-41, RC-58 */
  #holdIfUnread(): void {
    if (this.#held || this.#closing !== undefined || this.bufferedAmount <= MAX_UNSENT) return;
    this.#held = true;
    this.#flush();
    this.#ws.pause();
  }

  #takeOver(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #closed(code: number, reason: Buffer): void {
    this.#takeOver();
    this.#end = {
      code,
      reason: cutBytes(oneLine(maskTokens(reason.toString(), this.#secrets)), REASON_BYTES),
      clean: code !== CLOSE_CODES.abnormalClosure,
      fault: this.#fault,
      error: this.#error,
    };
    this.#onEnd?.(this.#end);
  }
}

/** `ws` names the frames that it refuses with codes of its own. */
function faultOf(error: Error): SocketEnd['fault'] {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') return 'frameTooLarge';
  return code.startsWith('WS_ERR_') ? 'frameInvalid' : null;
}
