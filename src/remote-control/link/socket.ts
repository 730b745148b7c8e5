/** The open socket to the backend. `backend-dial.ts` opens it; until it is adopted nothing flows. RC-41 */

import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { causeText } from '../../net/request-failure.js';
import { cutBytes, maskTokens, oneLine } from '../../observe/body-preview.js';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { FrameBatch } from './frame-batch.js';

export interface SocketEnd {
  /** Close code of RFC 6455; 1006: the connection went away without a close frame. */
  readonly code: number;
  /** What the backend gave as its reason, masked; may be empty. */
  readonly reason: string;
  /** A close frame came: the backend meant it. */
  readonly clean: boolean;
  /** What broke, when something did. */
  readonly fault: string | undefined;
}

const REASON_BYTES = 200;

/**
 * Callbacks are set once each, `onFrame` last: it starts the flow and from then on the socket belongs to whoever
 * set it. Close it with `close` or `terminate`.
 */
export class BackendSocket {
  readonly #ws: WebSocket;
  readonly #stream: Socket;
  #release: (() => void) | undefined;
  #fault: string | undefined;
  #end: SocketEnd | undefined;
  #closing: Promise<void> | undefined;
  /** Frames of this turn of the event loop. */
  readonly #batch = new FrameBatch();
  #tellEnd: ((end: SocketEnd) => void) | undefined;
  readonly #flush = (): void => {
    const pieces = this.#batch.take();
    // Nothing may follow a close frame.
    if (this.#ws.readyState !== this.#ws.OPEN || !this.#stream.writable) return;
    this.#stream.cork();
    for (const piece of pieces) this.#stream.write(piece);
    this.#stream.uncork();
  };

  /** Takes an open `ws` and the stream under it; `release` is called once, when the socket is adopted or gone. */
  constructor(ws: WebSocket, stream: Socket, release: () => void) {
    this.#ws = ws;
    this.#stream = stream;
    this.#release = release;
    // Frames that come before anybody listens would be lost.
    ws.pause();
    ws.on('error', (error) => {
      this.#fault ??= cutBytes(oneLine(maskTokens(causeText(error))), REASON_BYTES);
    });
    ws.once('close', (code, reason) => this.#ended(code, reason));
  }

  /** Text frames from now on, as the bytes of their text, which is valid UTF-8. Adopts the socket. */
  onFrame(callback: (frame: Buffer) => void): void {
    this.#ws.on('message', (data, isBinary) => {
      // ws hands out one Buffer a message unless it is told otherwise.
      if (!isBinary && Buffer.isBuffer(data)) callback(data);
    });
    this.#adopted();
    this.#ws.resume();
  }

  /** Binary frames mean nothing here. RC-40 */
  onBinary(callback: (bytes: number) => void): void {
    this.#ws.on('message', (data, isBinary) => {
      if (isBinary && Buffer.isBuffer(data)) callback(data.length);
    });
  }

  onPong(callback: () => void): void {
    this.#ws.on('pong', () => callback());
  }

  /** All that was sent is with the system: after `bufferedAmount` had grown, there is room again. */
  onDrain(callback: () => void): void {
    this.#stream.on('drain', callback);
  }

  /** Once, also when it happened before this call. Never called from within the call. */
  onClose(callback: (end: SocketEnd) => void): void {
    this.#tellEnd = callback;
    const end = this.#end;
    if (end !== undefined) queueMicrotask(() => callback(end));
  }

  /**
   * Sends a text frame, given as text or as the bytes of it. Frames of one turn of the event loop leave in one
   * system call, past `ws`, which would handle each by itself. Dropped without a word when the socket is closing:
   * what matters is kept until it is acknowledged. RC-36
   */
  send(frame: string | Buffer): void {
    if (this.#ws.readyState !== this.#ws.OPEN) return;
    if (this.#batch.size === 0) setImmediate(this.#flush);
    this.#batch.add(frame);
  }

  ping(): void {
    if (this.#ws.readyState === this.#ws.OPEN) this.#ws.ping();
  }

  /** Bytes that were sent and are not yet with the system. */
  get bufferedAmount(): number {
    return this.#ws.bufferedAmount + this.#batch.size;
  }

  /** Closes with a close frame, and by force after `limitMs`. Resolves when the socket is gone. RC-43, RC-46 */
  close(code: number, limitMs: number): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve();
    this.#closing ??= new Promise((resolve) => {
      const timer = setTimeout(() => this.#ws.terminate(), limitMs);
      this.#ws.once('close', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#adopted();
      // The close frame of the other side has to be read, adopted or not.
      this.#ws.resume();
      this.#flush();
      this.#ws.close(code);
    });
    return this.#closing;
  }

  /** Ends it at once, without a close frame. */
  terminate(): void {
    this.#ws.terminate();
  }

  #adopted(): void {
    this.#release?.();
    this.#release = undefined;
  }

  #ended(code: number, reason: Buffer): void {
    this.#adopted();
    this.#end = {
      code,
      reason: cutBytes(oneLine(maskTokens(reason.toString())), REASON_BYTES),
      clean: code !== CLOSE_CODES.abnormalClosure,
      fault: this.#fault,
    };
    this.#tellEnd?.(this.#end);
  }
}
