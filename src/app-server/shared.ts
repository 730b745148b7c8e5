import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { EngineError } from '../protocol/errors.js';
import { connectError } from '../system/unix-socket.js';
import { RestartBreaker, UnavailableConnection } from './breaker.js';
import { Child, type ChildLog } from './child.js';
import { ChildGuard } from './child-guard.js';
import type { Command } from './command.js';
import { SocketAppServer } from './socket.js';

const LISTEN_TIMEOUT = 10_000;
/** ms */
const POLL_INTERVAL = 20;
/** After a child's socket has gone, how long to wait for the child's exit, ms. */
const EXIT_TIMEOUT = 1_000;
/** In the arguments, replaced by the path of the socket. */
const PLACEHOLDER = '{socket}';

interface Running {
  readonly child: Child;
  readonly socket: SocketAppServer;
}

/**
 * One child process for all clients, so that they see the same threads. It listens on a unix socket in a private
 * directory and gets the path in place of `{socket}` in its arguments, or as `--listen unix://PATH` after them. It is
 * started for the first client, and again for the next client after it has exited.
 */
export class SharedAppServer implements AppServer {
  readonly name: string;
  readonly #command: Command;
  readonly #log: ChildLog;
  readonly #breaker = new RestartBreaker();
  readonly #guard = new ChildGuard();
  readonly #listenTimeout: number;
  /** The current child: starting or running. */
  #running: Promise<Running> | undefined;
  #closed = false;

  /** @param listenTimeout How long the child may take until it listens, ms. */
  constructor(command: Command, log: ChildLog, listenTimeout = LISTEN_TIMEOUT) {
    this.#command = command;
    this.#log = log;
    this.#listenTimeout = listenTimeout;
    this.name = `${[command.program, ...command.args].join(' ')} (shared)`;
  }

  async open(
    events: AppServerEvents,
    client: ClientContext,
    signal: AbortSignal,
  ): Promise<AppServerConnection> {
    if (this.#running === undefined && this.#breaker.refusal !== undefined) {
      return new UnavailableConnection(
        events,
        (abort) => this.#breaker.refusal ?? this.open(events, client, abort),
      );
    }
    this.#running ??= this.#start();
    const { socket, child } = await this.#running;
    try {
      return await socket.open(events, client, signal);
    } catch (error) {
      // The socket goes a moment before the exit is reported; then this client starts the next child.
      if (signal.aborted || !(await exitsWithin(child, EXIT_TIMEOUT))) throw error;
      return this.open(events, client, signal);
    }
  }

  async restart(): Promise<void> {
    const running = await this.#running?.catch(() => undefined);
    await running?.child.stop();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const running = await this.#running?.catch(() => undefined);
    await running?.socket.close();
    await running?.child.stop();
    this.#guard.close();
  }

  async #start(): Promise<Running> {
    const directory = await mkdtemp(join(tmpdir(), 'rc-engine-'));
    try {
      return await this.#startIn(directory);
    } catch (error) {
      this.#running = undefined;
      await rm(directory, { recursive: true, force: true });
      const why = error instanceof Error ? error.message : String(error);
      this.#recordExit(why);
      throw new EngineError('appServerFailed', `The app server ${why}.`, { cause: error });
    }
  }

  async #startIn(directory: string): Promise<Running> {
    const path = join(directory, 'app.sock');
    const { program, args } = this.#command;
    const hasPlaceholder = args.some((arg) => arg.includes(PLACEHOLDER));
    const child = await Child.start(
      {
        program,
        args: hasPlaceholder
          ? args.map((arg) => arg.replaceAll(PLACEHOLDER, path))
          : [...args, '--listen', `unix://${path}`],
      },
      this.#log,
      this.#guard,
    );
    this.#guard.deleteWithGroups(directory);
    child.log.follow(child.stdout);
    const exit = child.exited.then((how) => Promise.reject(new Error(how)));
    exit.catch(() => {});
    try {
      await Promise.race([untilListening(path, this.#listenTimeout), exit]);
    } catch (error) {
      await child.stop();
      throw error;
    }
    const socket = new SocketAppServer({
      url: `unix://${path}`,
      bearer: undefined,
      onSkipped: (why, fields) => this.#log.warn({ app: program, ...fields }, why),
    });
    void child.exited.then(async (how) => {
      this.#running = undefined;
      if (!this.#closed) this.#recordExit(`${program} ${how}`);
      await socket.close();
      await rm(directory, { recursive: true, force: true });
    });
    return { child, socket };
  }

  #recordExit(cause: string): void {
    this.#breaker.recordExit(cause);
    this.#log.warn({ app: this.#command.program }, `app server: ${cause}`);
  }
}

async function exitsWithin(child: Child, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<false>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const exited = await Promise.race([child.exited.then(() => true), timeout]);
  clearTimeout(timer);
  return exited;
}

async function untilListening(path: string, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  while ((await connectError(path)) !== undefined) {
    if (performance.now() > deadline) {
      throw new Error(`did not listen on its socket within ${timeout / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}
