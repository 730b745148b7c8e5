/**
 * The app server behind the engine: one WebSocket per client. It answers `echo`, counts in notifications, and notices
 * each request or notification that is lost, doubled or out of order on its way.
 */
import type { WebSocket } from 'ws';
import type { Machine } from '../world/machine.js';
import { Violation } from '../world/violation.js';
import type { World } from '../world/world.js';
import { type Running, startPeer } from './process-of.js';

const PORT = 9_200;

interface Request {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: {
    readonly value?: string;
    readonly count?: number;
    readonly bytes?: number;
    readonly connection?: string;
    readonly index?: number;
  };
}

const INVARIANT = 'no message is lost, doubled or reordered';

export class AppServerPart {
  readonly url = `ws://127.0.0.1:${PORT}`;
  readonly #world: World;
  readonly #machine: Machine;
  #running: Running<'peer'> | undefined;
  /** Requests that have arrived. */
  readonly #seen = new Set<string>();
  /** The newest notification of each connection of a client. */
  readonly #notes = new Map<string, number>();

  constructor(world: World, machine: Machine) {
    this.#world = world;
    this.#machine = machine;
  }

  get process() {
    return this.#running?.process.alive === true ? this.#running.process : undefined;
  }

  start(): void {
    if (this.process !== undefined) return;
    this.#running = startPeer(this.#world, this.#machine, 'app-server');
    const { code, process } = this.#running;
    process.after(0, () => {
      const server = code.http.createServer();
      const sockets = new code.WebSocketServer({ noServer: true, perMessageDeflate: false });
      server.on('upgrade', (request, socket, head) => {
        sockets.handleUpgrade(request, socket, head, (client) => this.#serve(client));
      });
      server.listen(PORT, '127.0.0.1');
    });
  }

  kill(): void {
    this.process?.end({ code: null, signal: 'SIGKILL' });
  }

  #serve(client: WebSocket): void {
    client.on('error', () => {});
    client.on('message', (data) => {
      const request: Request = JSON.parse(String(data));
      for (const answer of this.#answers(request)) client.send(JSON.stringify(answer));
    });
  }

  #answers({ id, method, params = {} }: Request): object[] {
    if (method === 'note') this.#onNote(params.connection ?? '', params.index ?? 0);
    if (id === undefined || method === undefined) return [];
    const { value } = params;
    if (value !== undefined && method !== 'initialize') this.#onRequest(value);
    switch (method) {
      case 'initialize':
        return [{ id, result: { userAgent: 'simulated' } }];
      case 'echo':
        return [{ id, result: { value } }];
      case 'large':
        return [{ id, result: { value, filler: 'x'.repeat(params.bytes ?? 0) } }];
      case 'count': {
        const counts = Array.from({ length: params.count ?? 0 }, (_, index) => ({
          method: 'counted',
          params: { value, index },
        }));
        return [...counts, { id, result: { value } }];
      }
      default:
        return [{ id, error: { code: -32601, message: `no method ${method}` } }];
    }
  }

  #onRequest(value: string): void {
    if (this.#seen.has(value)) this.#fail(`the app server got ${value} twice`);
    this.#seen.add(value);
  }

  /** A connection that has ended may lose its last ones, and nothing in between. */
  #onNote(connection: string, index: number): void {
    const expected = (this.#notes.get(connection) ?? 0) + 1;
    if (index !== expected)
      this.#fail(`the app server got note ${index} of ${connection}, expected ${expected}`);
    this.#notes.set(connection, index);
  }

  #fail(message: string): void {
    this.#world.scheduler.fail(new Violation(INVARIANT, message));
  }
}
