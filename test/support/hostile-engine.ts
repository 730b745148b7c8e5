import { writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

type Answer = (method: string, params: unknown) => { readonly result: unknown } | { readonly error: object };

/** A program that serves the control socket of a home in place of its engine. */
export class HostileEngine {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();

  private constructor(server: net.Server) {
    this.#server = server;
  }

  /** @param notifications sent after each response */
  static async open(home: string, answer: Answer, notifications: readonly object[] = []) {
    const server = net.createServer();
    const engine = new HostileEngine(server);
    server.on('connection', (socket) => {
      engine.#sockets.add(socket);
      socket.on('error', () => {});
      createInterface({ input: socket }).on('line', (line) => {
        const { id, method, params } = JSON.parse(line);
        if (id === undefined) return;
        const messages = method === 'initialize' ? [{ id, result: {} }] : [{ id, ...answer(method, params) }];
        const more = method === 'initialize' ? [] : notifications;
        socket.write([...messages, ...more].map((message) => `${JSON.stringify(message)}\n`).join(''));
      });
    });
    const controlSocket = join(home, 'control.sock');
    await new Promise<void>((resolve) => server.listen(controlSocket, resolve));
    const startedAt = Date.now();
    await writeFile(
      join(home, 'engine.json'),
      JSON.stringify({ pid: process.pid, process: null, startedAt, controlSocket, version: '0.1.0' }),
      { mode: 0o600 },
    );
    return engine;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
