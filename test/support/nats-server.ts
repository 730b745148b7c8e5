/** A nats-server with JetStream as a child process, where it is installed. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll } from 'vitest';
import { tmpFolder } from './tmp.js';

const found = spawnSync('nats-server', ['--version'], { encoding: 'utf8' });

/** Why the tests with NATS are skipped, for their titles; empty when nats-server is installed. */
export const noNats = found.status === 0 ? '' : ' (skipped: nats-server is not installed)';

const DEADLINE = 10_000;
const servers = new Set<NatsServer>();

afterAll(async () => {
  await Promise.all([...servers].map((server) => server.kill()));
});

export class NatsServer {
  readonly port: number;
  readonly #dir: string;
  #child: ChildProcess | undefined;

  private constructor(port: number, dir: string) {
    this.port = port;
    this.#dir = dir;
  }

  static async start(): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), await tmpFolder());
    servers.add(server);
    await server.run();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  /** Starts it, with the stored state of the run before. */
  async run(): Promise<void> {
    const args = ['-a', '127.0.0.1', '-p', String(this.port), '-js', '-sd', this.#dir];
    const child = spawn('nats-server', args, { stdio: 'ignore' });
    this.#child = child;
    const limit = performance.now() + DEADLINE;
    while (!(await answers(this.port))) {
      if (child.exitCode !== null || performance.now() > limit) throw new Error('nats-server does not start');
    }
  }

  /** kill -9 */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** SIGSTOP, or SIGCONT. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#child?.kill(signal);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Whether the server sends its first line, which says that it takes clients. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      setTimeout(() => resolve(answer), answer ? 0 : 20);
    };
    socket.once('data', (data) => end(String(data).startsWith('INFO')));
    socket.once('error', () => end(false));
  });
}
