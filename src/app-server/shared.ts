import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import type { AppServerConnection } from '../protocol/app-server.js';
import { type Failure, failure, type LaunchOutcome } from '../protocol/outcomes.js';
import { connectError } from '../system/unix-socket.js';
import { Child, type ChildLog } from './child.js';
import { ChildGuard } from './child-guard.js';
import type { Command } from './command.js';
import { type Connector, type ConnectorEvents, isStarved, startFailureReason } from './connector.js';
import { SOCKET_PLACEHOLDER } from './recognize.js';
import { SocketConnector } from './socket.js';
import { makeSocketDirectory, type SocketPlaces } from './socket-directory.js';

/** ms */
const POLL_INTERVAL = 20;
/** How long the exit of the child may be reported after its connections have closed, ms. */
const EXIT_TIMEOUT = 1_000;

/** One child that listens, and the clients that are connected to it. */
interface Generation {
  readonly child: Child;
  readonly path: string;
  readonly socket: SocketConnector;
  /** How it exited, once it has. */
  how: string | undefined;
  clients: number;
  /** It ends with its last client. */
  retired: boolean;
}

interface SharedDeps {
  readonly command: Command;
  readonly log: ChildLog;
  readonly places: SocketPlaces;
  /** The current child died; not called for one that the engine ended or retired. */
  onExit(failure: Failure): void;
  /** Called before each start of a child. */
  readonly prepare?: (() => void) | undefined;
}

/**
 * One child process for all clients, so that they see the same threads. It listens on a unix socket in a private
 * directory and gets the path in place of `{socket}` in its arguments, or as `--listen unix://PATH` after them.
 */
export class SharedConnector implements Connector {
  readonly #deps: SharedDeps;
  readonly #guard = new ChildGuard();
  readonly #generations = new Set<Generation>();
  /** The one that new clients connect to. */
  #current: Generation | undefined;

  constructor(deps: SharedDeps) {
    this.#deps = deps;
  }

  get children(): number {
    return this.#generations.size;
  }

  /** Starts a child and waits until it listens. When `signal` is aborted, the child is ended. */
  async launch(signal: AbortSignal): Promise<LaunchOutcome> {
    const { command, log, places, prepare } = this.#deps;
    prepare?.();
    let place: ReturnType<typeof makeSocketDirectory>;
    try {
      place = makeSocketDirectory(places);
    } catch (error) {
      return failed(error, 'appServerFailed', `has no place for its socket: ${messageOf(error)}`);
    }
    const { directory, path } = place;
    let child: Child;
    try {
      child = await Child.start(commandFor(command, path), log, this.#guard);
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      const cause = error instanceof Error ? error.cause : error;
      return failed(cause, startFailureReason(cause), messageOf(error));
    }
    this.#guard.deleteWithGroups(directory);
    child.log.follow(child.stdout);
    const generation: Generation = {
      ...{ child, path, how: undefined, clients: 0, retired: false },
      socket: new SocketConnector({
        url: `unix://${path}`,
        bearer: undefined,
        onSkipped: (why, fields) => log.warn({ app: command.program, ...fields }, why),
      }),
    };
    this.#generations.add(generation);
    void child.exited.then((how) => this.#exited(generation, how, directory));
    const outcome = await untilListening(generation, signal);
    if (outcome.kind !== 'listening' || signal.aborted) void child.stop();
    else this.#current = generation;
    return outcome;
  }

  async connect(events: ConnectorEvents, signal: AbortSignal): Promise<AppServerConnection> {
    const generation = this.#current;
    if (generation === undefined) throw new Error('The shared app server does not run.');
    generation.clients += 1;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      generation.clients -= 1;
      this.#endUnused(generation);
    };
    try {
      const connection = await generation.socket.connect(
        {
          onMessage: (message) => events.onMessage(message),
          onDrain: () => events.onDrain(),
          // The exit of the child is reported to the chart once, not for each client.
          onFailed: () => {},
          onClose: (closed) => {
            leave();
            void exitOf(generation).then((how) => {
              const died = how === undefined ? closed : exitFailure(how);
              events.onClose(died);
            });
          },
        },
        signal,
      );
      return {
        send: (message) => connection.send(message),
        pause: () => connection.pause(),
        resume: () => connection.resume(),
        close: () => {
          connection.close();
          leave();
        },
      };
    } catch (error) {
      leave();
      throw error;
    }
  }

  /** New clients do not get the current child. It ends with its last client. */
  retire(): void {
    const generation = this.#current;
    if (generation === undefined) return;
    this.#current = undefined;
    generation.retired = true;
    this.#endUnused(generation);
  }

  /** Whether new clients can find the socket of the current child. */
  get socketExists(): boolean {
    return this.#current === undefined || existsSync(this.#current.path);
  }

  /** Ends all children. */
  async endAll(): Promise<void> {
    this.#current = undefined;
    await Promise.all([...this.#generations].map(({ child }) => child.stop()));
  }

  async close(): Promise<void> {
    await this.endAll();
    await this.#guard.close();
  }

  #endUnused({ retired, clients, child }: Generation): void {
    if (retired && clients === 0) void child.stop();
  }

  #exited(generation: Generation, how: string, directory: string): void {
    generation.how = how;
    this.#generations.delete(generation);
    void generation.socket.close();
    void rm(directory, { recursive: true, force: true }).catch(() => {});
    if (this.#current !== generation) return;
    this.#current = undefined;
    this.#deps.onExit(exitFailure(how));
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const exitFailure = (how: string): Failure =>
  failure('appServerExited', `The app server ${how}.`, Date.now());

function failed(cause: unknown, reason: Failure['reason'], why: string): LaunchOutcome {
  const message = `The app server ${why}.`;
  return isStarved(cause)
    ? { kind: 'starved', failure: failure('outOfDescriptors', message, Date.now()) }
    : { kind: 'exited', failure: failure(reason, message, Date.now()) };
}

function commandFor({ program, args }: Command, path: string): Command {
  return args.some((arg) => arg.includes(SOCKET_PLACEHOLDER))
    ? { program, args: args.map((arg) => arg.replaceAll(SOCKET_PLACEHOLDER, path)) }
    : { program, args: [...args, '--listen', `unix://${path}`] };
}

async function untilListening(generation: Generation, signal: AbortSignal): Promise<LaunchOutcome> {
  for (;;) {
    const problem = await connectError(generation.path);
    if (problem === undefined) return { kind: 'listening' };
    if (problem === 'EMFILE' || problem === 'ENFILE') {
      const text = 'The engine has no file descriptors left to reach the app server.';
      return { kind: 'starved', failure: failure('outOfDescriptors', text, Date.now()) };
    }
    if (generation.how !== undefined) {
      const text = `The app server ${generation.how}, before it listened on its socket.`;
      return { kind: 'exited', failure: failure('appServerExited', text, Date.now()) };
    }
    // The caller has left; what is returned is not read.
    if (signal.aborted) return { kind: 'listening' };
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}

/** How the child exited, when it does so soon; undefined: it still runs. */
async function exitOf(generation: Generation): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), EXIT_TIMEOUT);
  });
  const how = await Promise.race([generation.child.exited, late]);
  clearTimeout(timer);
  return how;
}
