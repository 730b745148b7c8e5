/** A proxy between an engine and its backend. It records the tokens in the traffic, and can break connections anywhere. */
import net, { type AddressInfo, type Socket } from 'node:net';
import { withPort } from './forward.js';

export interface Cut {
  /** Bytes that still pass from the engine to the backend; the next one breaks the connection. */
  readonly up?: number;
  /** Bytes that still pass the other way. */
  readonly down?: number;
}

/** Members of the backend's responses that must never leave the memory. */
const TOKEN = /"(?:remote_control_token|controller_token)"\s*:\s*"([^"]+)"/g;
const KEPT_TEXT = 4_096;
/** The beginning of an HTTP request. */
const REQUEST = /^(?:POST|GET|DELETE) \//;

export class Tap {
  /** Tokens in the traffic so far. */
  readonly tokens = new Set<string>();
  /** First lines of the requests so far, in order. */
  readonly requests: string[] = [];
  /** Called with the first bytes of each connection: where to break it. */
  plan: ((firstLine: string) => Cut | undefined) | undefined;
  readonly #server = net.createServer((socket) => this.#take(socket));
  readonly #sockets = new Set<Socket>();
  readonly #port: number;
  #listening = 0;

  private constructor(port: number) {
    this.#port = port;
  }

  /** A tap in front of `http://127.0.0.1:PORT`. */
  static async open(url: string): Promise<Tap> {
    const tap = new Tap(Number(new URL(url).port));
    await tap.#listen(0);
    return tap;
  }

  get port(): number {
    return this.#listening;
  }

  /** Open connections of the engine. */
  get open(): number {
    return this.#sockets.size / 2;
  }

  /** The URL for the engine instead of `url`. */
  url(url: string): string {
    const through = new URL(url);
    through.port = String(this.#listening);
    return through.href;
  }

  /** Breaks every connection. */
  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Stops listening: connections are refused. */
  async refuse(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cutAll();
    await closed;
  }

  /** Listens on the same port again. */
  async resume(): Promise<void> {
    await this.#listen(this.#listening);
  }

  async close(): Promise<void> {
    if (this.#server.listening) await this.refuse();
  }

  async #listen(port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, '127.0.0.1', () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#listening = (this.#server.address() as AddressInfo).port;
  }

  #take(engine: Socket): void {
    const backend = net.connect(this.#port, '127.0.0.1');
    const both = [engine, backend];
    const end = () => {
      for (const socket of both) socket.destroy();
    };
    for (const socket of both) {
      socket.setNoDelay(true);
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        end();
      });
    }
    let cut: Cut | undefined;
    let started = false;
    let up = 0;
    let down = 0;
    engine.on('data', (bytes) => {
      const data = withPort(bytes, this.#port);
      if (!started) {
        started = true;
        const line = data.toString('latin1').split('\r\n')[0] ?? '';
        this.requests.push(line);
        cut = this.plan?.(line);
      } else if (REQUEST.test(data.subarray(0, 12).toString('latin1'))) {
        this.requests.push(data.toString('latin1').split('\r\n')[0] ?? '');
      }
      up = pass(data, backend, up, cut?.up, end);
    });
    let text = '';
    backend.on('data', (data) => {
      text = (text + data.toString('latin1')).slice(-KEPT_TEXT - data.length);
      for (const [, token] of text.matchAll(TOKEN)) if (token !== undefined) this.tokens.add(token);
      text = text.slice(-KEPT_TEXT);
      down = pass(data, engine, down, cut?.down, end);
    });
  }
}

function pass(data: Buffer, to: Socket, passed: number, limit: number | undefined, end: () => void): number {
  if (limit === undefined || passed + data.length < limit) {
    to.write(data);
    return passed + data.length;
  }
  const rest = data.subarray(0, Math.max(limit - passed, 0));
  // The allowed bytes must arrive before the connection breaks.
  if (rest.length > 0) to.write(rest, end);
  else end();
  return limit;
}
