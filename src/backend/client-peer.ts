import type { WebSocket } from 'ws';
import type { Sockets } from './sockets.js';

/** Where the messages of one virtual client go: a socket of its own, or one stream of a socket that many share. */
export interface ClientPeer {
  /** Sends one message. `onDelivered` is called, in order, once the controller has it. */
  send(text: string, onDelivered: () => void): void;
  /** Bytes that wait for the controller and that nothing else limits. */
  readonly unread: number;
  /** Ends the virtual client. */
  close(code: number, reason: string): void;
  /** The server has received messages, so that there may be room for others. */
  onRoom?(): void;
}

/** A controller with one socket for each virtual client and one message in each frame. */
export class SocketPeer implements ClientPeer {
  readonly #socket: WebSocket;
  readonly #sockets: Sockets;

  constructor(socket: WebSocket, sockets: Sockets) {
    this.#socket = socket;
    this.#sockets = sockets;
  }

  send(text: string, onDelivered: () => void): void {
    this.#socket.send(text, (error) => {
      // With an error the controller is disconnected, and its virtual client is about to be closed.
      if (error == null) onDelivered();
    });
  }

  get unread(): number {
    return this.#socket.bufferedAmount;
  }

  close(code: number, reason: string): void {
    this.#sockets.close(this.#socket, code, reason);
  }
}
