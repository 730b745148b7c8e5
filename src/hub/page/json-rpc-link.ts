/** The JSON-RPC conversation with one machine. A lost connection is opened again. */
import { controllerSocket } from './hub-api.js';
import { type Json, recordOf, textOf } from './values.js';

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;
const REVOKED = 4403;

/** Why a connection ended, for people. */
const ENDS: Readonly<Record<number, string>> = {
  1012: 'the node of the hub restarts',
  1013: 'this page did not read fast enough',
  4404: 'the machine is not connected to the hub',
  4410: 'the engine was restarted',
};

export interface LinkEvents {
  onState(text: string, kind: 'good' | 'bad' | 'muted'): void;
  /** `initialize` was answered. Called after each reconnection. */
  onReady(result: Json): void;
  onTraffic(direction: 'sent' | 'received', message: Json): void;
  onNotification(method: string, params: Json): void;
  /** A request of the machine. `respond` answers it. */
  onRequest(id: unknown, method: string, params: Json): void;
  /** The hub no longer accepts this device. */
  onRevoked(): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export class JsonRpcLink {
  readonly #token: string;
  readonly #events: LinkEvents;
  readonly #pending = new Map<number, Pending>();
  #socket: WebSocket | undefined;
  #timer: number | undefined;
  #pause = FIRST_PAUSE;
  #lastId = 0;
  #ended = false;

  constructor(token: string, events: LinkEvents) {
    this.#token = token;
    this.#events = events;
  }

  open(): void {
    this.#events.onState('connecting …', 'muted');
    const socket = controllerSocket(this.#token);
    this.#socket = socket;
    socket.onopen = () => void this.#initialize();
    socket.onmessage = ({ data }) => this.#receive(textOf(data));
    socket.onclose = ({ code, reason }) => this.#closed(socket, code, reason);
  }

  /** Resolves with the result. Rejects with the error of the machine, and when the connection ends. */
  request(method: string, params: unknown): Promise<unknown> {
    this.#lastId += 1;
    const id = this.#lastId;
    return new Promise((resolve, reject) => {
      if (!this.#send({ jsonrpc: '2.0', id, method, params })) {
        reject(new Error('The machine is not connected now.'));
        return;
      }
      this.#pending.set(id, { resolve, reject });
    });
  }

  /** False: not connected; the machine asks again after the next connection. */
  respond(id: unknown, answer: { readonly result: unknown } | { readonly error: Json }): boolean {
    return this.#send({ jsonrpc: '2.0', id, ...answer });
  }

  close(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#failPending();
  }

  async #initialize(): Promise<void> {
    this.#events.onState('connected to the hub; waiting for the machine …', 'muted');
    try {
      const clientInfo = { name: 'rc-engine-hub-page', title: 'rc-engine hub', version: '1' };
      const result = recordOf(await this.request('initialize', { clientInfo }));
      this.#send({ jsonrpc: '2.0', method: 'initialized' });
      this.#pause = FIRST_PAUSE;
      this.#events.onState('connected', 'good');
      this.#events.onReady(result);
    } catch (error) {
      if (this.#socket?.readyState !== WebSocket.OPEN) return;
      const why = error instanceof Error ? error.message : 'no reason given';
      this.#events.onState(`The machine refuses this client: ${why}`, 'bad');
    }
  }

  #send(message: Json): boolean {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    this.#events.onTraffic('sent', message);
    return true;
  }

  #receive(text: string): void {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    const message = recordOf(value);
    this.#events.onTraffic('received', message);
    const method = textOf(message.method);
    if (method !== '') {
      const params = recordOf(message.params);
      if (message.id === undefined) this.#events.onNotification(method, params);
      else this.#events.onRequest(message.id, method, params);
      return;
    }
    const pending = this.#pending.get(Number(message.id));
    if (pending === undefined) return;
    this.#pending.delete(Number(message.id));
    if (message.error === undefined) pending.resolve(message.result);
    else pending.reject(new Error(textOf(recordOf(message.error).message) || 'the request failed'));
  }

  #closed(socket: WebSocket, code: number, reason: string): void {
    if (this.#ended || this.#socket !== socket) return;
    this.#failPending();
    if (code === REVOKED) {
      this.#ended = true;
      this.#events.onRevoked();
      return;
    }
    const why = ENDS[code] ?? (reason || 'the hub cannot be reached, or does not accept this device');
    this.#events.onState(`not connected: ${why}. Again in ${Math.round(this.#pause / 1_000)} s.`, 'bad');
    this.#timer = setTimeout(() => this.open(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE);
  }

  #failPending(): void {
    for (const { reject } of this.#pending.values()) {
      reject(new Error('The connection ended before the answer.'));
    }
    this.#pending.clear();
  }
}
