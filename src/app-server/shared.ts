import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { EngineError } from '../protocol/errors.js';
import { Breaker, UnavailableConnection } from './breaker.js';
import { Child, type ChildLog, logLines } from './child.js';
import { ChildGuard } from './child-guard.js';
import type { Command } from './command.js';
import { SocketAppServer } from './socket.js';

const LISTEN_LIMIT = 10_000;
const LOOK_EVERY = 20;
/** Between the loss of a child's socket and the news of its end, ms. */
const LAST_WORDS = 1_000;
/** Stands in the arguments for the path of the socket. */
const PLACEHOLDER = '{socket}';

interface Shared {
  readonly child: Child;
  readonly socket: SocketAppServer;
  readonly folder: string;
}

/**
 * One child for all clients, so that they see the same threads: it listens on a unix socket in a private folder.
 * It is told where by `{socket}` in its arguments, or else by `--listen unix://PATH` at their end; it is started
 * with the first client, and again after it has died.
 */
export class SharedAppServer implements AppServer {
  readonly name: string;
  readonly #command: Command;
  readonly #log: ChildLog;
  readonly #breaker = new Breaker();
  readonly #guard = new ChildGuard();
  readonly #listenLimit: number;
  #starting: Promise<Shared> | undefined;
  #closed = false;

  /** @param listenLimit Until the child must listen, ms. */
  constructor(command: Command, log: ChildLog, listenLimit = LISTEN_LIMIT) {
    this.#command = command;
    this.#log = log;
    this.#listenLimit = listenLimit;
    this.name = `${[command.program, ...command.args].join(' ')} (shared)`;
  }

  async open(
    events: AppServerEvents,
    client: ClientContext,
    signal: AbortSignal,
  ): Promise<AppServerConnection> {
    if (this.#starting === undefined && this.#breaker.refusal !== undefined) {
      return new UnavailableConnection(
        events,
        (ended) => this.#breaker.refusal ?? this.open(events, client, ended),
      );
    }
    this.#starting ??= this.#start();
    const { socket, child } = await this.#starting;
    try {
      return await socket.open(events, client, signal);
    } catch (error) {
      // Its socket is gone a moment before its end is known: then this client is the first of the next one.
      if (signal.aborted || !(await endsWithin(child, LAST_WORDS))) throw error;
      return this.open(events, client, signal);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const shared = await this.#starting?.catch(() => undefined);
    await shared?.socket.close();
    await shared?.child.stop();
    this.#guard.close();
  }

  async #start(): Promise<Shared> {
    const folder = await mkdtemp(join(tmpdir(), 'rc-engine-'));
    try {
      return await this.#startIn(folder);
    } catch (error) {
      this.#starting = undefined;
      await rm(folder, { recursive: true, force: true });
      const why = error instanceof Error ? error.message : String(error);
      this.#died(why);
      throw new EngineError('appServerFailed', `The app server ${why}.`, { cause: error });
    }
  }

  async #startIn(folder: string): Promise<Shared> {
    const path = join(folder, 'app.sock');
    const { program, args } = this.#command;
    const told = args.some((arg) => arg.includes(PLACEHOLDER));
    const child = await Child.start(
      {
        program,
        args: told
          ? args.map((arg) => arg.replaceAll(PLACEHOLDER, path))
          : [...args, '--listen', `unix://${path}`],
      },
      this.#log,
      this.#guard,
    );
    this.#guard.leave(folder);
    logLines(child.stdout, { app: program, pid: child.pid }, this.#log);
    const dead = child.gone.then((how) => Promise.reject(new Error(how)));
    dead.catch(() => {});
    try {
      await Promise.race([untilServed(path, this.#listenLimit), dead]);
    } catch (error) {
      await child.stop();
      throw error;
    }
    const socket = new SocketAppServer({
      url: `unix://${path}`,
      bearer: undefined,
      onSkipped: (why, fields) => this.#log.warn({ app: program, ...fields }, why),
    });
    void child.gone.then(async (how) => {
      this.#starting = undefined;
      if (!this.#closed) this.#died(`${program} ${how}`);
      await socket.close();
      await rm(folder, { recursive: true, force: true });
    });
    return { child, socket, folder };
  }

  #died(cause: string): void {
    this.#breaker.died(cause);
    this.#log.warn({ app: this.#command.program }, `app server: ${cause}`);
  }
}

async function endsWithin(child: Child, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const ended = await Promise.race([child.gone.then(() => true), late]);
  clearTimeout(timer);
  return ended;
}

async function untilServed(path: string, limit: number): Promise<void> {
  const deadline = performance.now() + limit;
  while (!(await isServed(path))) {
    if (performance.now() > deadline) {
      throw new Error(`did not listen on its socket within ${limit / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY));
  }
}

function isServed(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
