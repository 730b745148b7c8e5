/** A proxy between an engine and its backend that holds each request until the test passes it on. */

import { EventEmitter } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { withPort } from '../../../support/forward.js';

export type Route = 'enroll' | 'refresh' | 'socket';

/** The request that waits in a state of remoteControl. */
export const REQUEST_IN: Readonly<Record<string, Route>> = {
  'active.enrolling.requesting': 'enroll',
  'active.reenrolling': 'enroll',
  'active.refreshing': 'refresh',
  'active.verifyingEnrollment': 'refresh',
  'active.connecting': 'socket',
};
/** The request of an actor of the chart. */
export const ROUTE_OF: Readonly<Record<string, Route>> = {
  enroll: 'enroll',
  enrollAgain: 'enroll',
  refresh: 'refresh',
  verify: 'refresh',
  dial: 'socket',
};

interface Held {
  readonly route: Route;
  readonly pass: () => void;
}

const ROUTES: readonly (readonly [RegExp, Route])[] = [
  [/^POST \S*\/server\/enroll /, 'enroll'],
  [/^POST \S*\/server\/refresh /, 'refresh'],
  [/^GET \S*\/server /, 'socket'],
];

export class Gate extends EventEmitter<{ changed: [] }> {
  readonly #server = net.createServer((engine) => this.#take(engine));
  readonly #sockets = new Set<Socket>();
  readonly #backendPort: number;
  #held: Held[] = [];

  private constructor(backendUrl: string) {
    super();
    this.#backendPort = Number(new URL(backendUrl).port);
  }

  static async open(backendUrl: string): Promise<Gate> {
    const gate = new Gate(backendUrl);
    await new Promise<void>((resolve) => gate.#server.listen(0, '127.0.0.1', resolve));
    return gate;
  }

  url(backendUrl: string): string {
    const through = new URL(backendUrl);
    through.port = String((this.#server.address() as AddressInfo).port);
    return through.href;
  }

  /** Routes of the requests that wait. */
  get waiting(): readonly Route[] {
    return this.#held.map(({ route }) => route);
  }

  /** Passes the request of this route on to the backend. */
  pass(route: Route): void {
    const held = this.#held.find((one) => one.route === route);
    if (held === undefined)
      throw new Error(`there is no request ${route}; waiting: ${this.waiting.join(', ') || 'nothing'}`);
    this.#drop(held);
    held.pass();
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #take(engine: Socket): void {
    const backend = net.connect(this.#backendPort, '127.0.0.1');
    const held = new Set<Held>();
    for (const [socket, other] of [
      [engine, backend],
      [backend, engine],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('end', () => other.end());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
        for (const one of held) this.#drop(one);
      });
    }
    backend.on('data', (data) => engine.write(data));
    engine.on('data', (given) => {
      const data = withPort(given, this.#backendPort);
      // A request starts with its own chunk, because the engine sends the next one after the response.
      const line = data.toString('latin1', 0, 200);
      const route = ROUTES.find(([pattern]) => pattern.test(line))?.[1];
      if (route === undefined && held.size === 0) return void backend.write(data);
      if (route === undefined) return void parts.push(data);
      parts = [data];
      const one: Held = {
        route,
        pass: () => {
          held.delete(one);
          for (const part of parts) backend.write(part);
        },
      };
      held.add(one);
      this.#held.push(one);
      this.emit('changed');
    });
    let parts: Buffer[] = [];
  }

  #drop(held: Held): void {
    this.#held = this.#held.filter((one) => one !== held);
    this.emit('changed');
  }
}
