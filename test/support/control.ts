import { once } from 'node:events';
import net from 'node:net';
import { createInterface } from 'node:readline';

/** A simple JSON-RPC client over a unix socket or a pair of streams, one message per line. It uses no code of the engine. */
export class LineClient {
  readonly #write: (line: string) => void;
  readonly #end: () => void;
  readonly messages: Record<string, unknown>[] = [];
  readonly #lookers = new Set<() => void>();
  #lastId = 0;
  closed = false;

  constructor(input: NodeJS.ReadableStream, write: (line: string) => void, end: () => void) {
    this.#write = write;
    this.#end = end;
    const lines = createInterface({ input });
    // readline forwards the errors of its input; the end of the lines is enough.
    lines.on('error', () => {});
    lines.on('line', (line) => {
      this.messages.push(JSON.parse(line) as Record<string, unknown>);
      this.#look();
    });
    lines.on('close', () => {
      this.closed = true;
      this.#look();
    });
  }

  static async connect(path: string): Promise<LineClient> {
    const socket = net.connect(path);
    await once(socket, 'connect');
    socket.on('error', () => {});
    return new LineClient(
      socket,
      (line) => socket.write(line),
      () => socket.destroy(),
    );
  }

  sendText(text: string): void {
    this.#write(`${text}\n`);
  }

  send(message: object): void {
    this.sendText(JSON.stringify(message));
  }

  /** The first message that matches, also one that has arrived already. */
  async message(
    holds: (message: Record<string, unknown>) => boolean,
    what: string,
    limitMs = 10_000,
  ): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.messages.find(holds);
        if (found === undefined && !this.closed) return;
        clearTimeout(timer);
        this.#lookers.delete(look);
        if (found === undefined) reject(new Error(`the connection ended without ${what}`));
        else resolve(found);
      };
      const timer = setTimeout(() => {
        this.#lookers.delete(look);
        reject(new Error(`no ${what} within ${limitMs} ms; got ${JSON.stringify(this.messages)}`));
      }, limitMs);
      this.#lookers.add(look);
      look();
    });
  }

  /** The complete response, with `result` or `error`. */
  async call(method: string, params?: unknown): Promise<Record<string, unknown>> {
    this.#lastId += 1;
    const id = `t${this.#lastId}`;
    this.send(params === undefined ? { id, method } : { id, method, params });
    return this.message((message) => message.id === id, `answer to ${method}`);
  }

  async initialize(name = 'test', capabilities: object = { experimentalApi: true }): Promise<unknown> {
    const answer = await this.call('initialize', { clientInfo: { name, version: '1' }, capabilities });
    this.send({ method: 'initialized' });
    return answer.result;
  }

  notification(method: string, holds: (params: Record<string, unknown>) => boolean = () => true) {
    return this.message(
      (message) => message.method === method && holds((message.params ?? {}) as Record<string, unknown>),
      `notification ${method}`,
    );
  }

  close(): void {
    this.#end();
  }

  #look(): void {
    for (const look of [...this.#lookers]) look();
  }
}
