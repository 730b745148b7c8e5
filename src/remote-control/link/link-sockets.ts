import { fromCallback } from 'xstate';
import type { SocketCommand } from '../../../machines/link.js';
import { CLOSE_CODES, saysReplaced } from '../../protocol/close-codes.js';
import type { SocketHandle } from '../../protocol/outcomes.js';
import type { Timing } from '../../protocol/timing.js';
import type { RemoteMux } from '../clients/mux.js';
import type { BackendSocket } from './socket.js';

interface LinkSocketsDeps {
  readonly timing: Timing;
  readonly mux: RemoteMux;
  readonly onPong: () => void;
  /** A binary frame was skipped. RC-40 */
  readonly onBinary: (bytes: number) => void;
}

/** Frames are reported to the chart as a sign of life at most this often, ms: frames themselves bypass the charts. */
const REPORT_FRAMES_EVERY = 1_000;

/** The open backend sockets by their handle, which stands for the socket in the `link` chart. */
export class LinkSockets {
  readonly #deps: LinkSocketsDeps;
  readonly #sockets = new Map<SocketHandle, BackendSocket>();
  /** Sockets that are closing; a shutdown waits for them. */
  readonly #closing = new Set<Promise<void>>();
  #lastHandle = 0;

  constructor(deps: LinkSocketsDeps) {
    this.#deps = deps;
  }

  add(socket: BackendSocket): SocketHandle {
    this.#lastHandle += 1;
    this.#sockets.set(this.#lastHandle, socket);
    return this.#lastHandle;
  }

  /** Resolves when each socket that is closing is closed. */
  async closed(): Promise<void> {
    await Promise.allSettled(this.#closing);
  }

  /** The actor that owns one socket: it connects frames with the mux, and pongs and the end with the chart. */
  actor() {
    return fromCallback<SocketCommand, { socket: SocketHandle; timing: Timing }>(
      ({ input, sendBack, receive }) => {
        const { mux, timing, onPong, onBinary } = this.#deps;
        const socket = this.#sockets.get(input.socket);
        if (socket === undefined) throw new Error(`no open socket ${input.socket}`);
        this.#sockets.delete(input.socket);
        let isClosed = false;
        let framesReportedAt = 0;
        socket.onPong(() => {
          onPong();
          sendBack({ type: 'PONG' });
        });
        socket.onClose((end) => {
          isClosed = true;
          mux.detach(socket);
          const { clean, code, fault, reason } = end;
          sendBack({ type: 'SOCKET.CLOSED', clean, code, fault, replaced: saysReplaced(code, reason) });
        });
        socket.onDrain(() => mux.feed());
        socket.onBinary(onBinary);
        receive((command) => {
          if (command.type === 'PING') socket.ping();
          else this.#close(socket, timing.closeTimeout);
        });
        mux.attach(socket);
        socket.onFrame((frame) => {
          mux.receive(frame);
          const now = performance.now();
          if (now - framesReportedAt < REPORT_FRAMES_EVERY) return;
          framesReportedAt = now;
          sendBack({ type: 'FRAMES' });
        });
        return () => {
          // The same transition may close the virtual clients, and their last messages must still be sent. RC-80
          const detached = Promise.resolve().then(() => mux.detach(socket));
          if (isClosed) return;
          this.#track(detached.then(() => socket.close(CLOSE_CODES.normal, timing.closeTimeout)));
        };
      },
    );
  }

  #close(socket: BackendSocket, limit: number): void {
    this.#track(socket.close(CLOSE_CODES.normal, limit));
  }

  #track(closing: Promise<void>): void {
    const tracked = closing.finally(() => this.#closing.delete(tracked));
    this.#closing.add(tracked);
  }
}
