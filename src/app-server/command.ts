import { RateLimit } from '../observe/rate-limit.js';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { EngineError } from '../protocol/errors.js';
import { Message } from '../protocol/message.js';
import { LineConnection } from '../session/line-connection.js';
import { Breaker, UnavailableConnection } from './breaker.js';
import { Child, type ChildLog } from './child.js';
import { ChildGuard } from './child-guard.js';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** Longest line of an app server, bytes. */
const MAX_LINE_BYTES = 128 * 1024 * 1024;

/** Between the end of a child's output and its being ended, ms. */
const LAST_WORDS = 500;

/** An app server that is a command: one child for each client, JSON lines over its stdin and stdout. */
export class CommandAppServer implements AppServer {
  readonly name: string;
  readonly #command: Command;
  readonly #log: ChildLog;
  readonly #breaker = new Breaker();
  readonly #guard = new ChildGuard();
  readonly #children = new Set<Child>();
  readonly #garbage: RateLimit;

  constructor(command: Command, log: ChildLog) {
    this.#command = command;
    this.#log = log;
    this.name = [command.program, ...command.args].join(' ');
    this.#garbage = new RateLimit(10, 1_000, (count) =>
      log.warn({ app: command.program, count }, `${count} more lines of the app server are no JSON`),
    );
  }

  async open(
    events: AppServerEvents,
    client: ClientContext,
    signal: AbortSignal,
  ): Promise<AppServerConnection> {
    if (this.#breaker.refusal !== undefined) {
      return new UnavailableConnection(
        events,
        (ended) => this.#breaker.refusal ?? this.open(events, client, ended),
      );
    }
    const child = await this.#start();
    if (signal.aborted) {
      void child.stop();
      throw new EngineError('appServerFailed', 'The client went away before its app server was there.');
    }
    return this.#serve(child, events);
  }

  async close(): Promise<void> {
    this.#garbage.flush();
    await Promise.all([...this.#children].map((child) => child.stop()));
    this.#guard.close();
  }

  async #start(): Promise<Child> {
    let child: Child;
    try {
      child = await Child.start(this.#command, this.#log, this.#guard);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#died(why);
      throw new EngineError('appServerFailed', `The app server ${why}.`, { cause: error });
    }
    this.#children.add(child);
    void child.gone.then(() => this.#children.delete(child));
    return child;
  }

  #serve(child: Child, events: AppServerEvents): AppServerConnection {
    let closed = false;
    const end = (message: string) => {
      if (closed) return;
      closed = true;
      events.onClose({ reason: 'appServerClosed', message, at: Date.now() });
    };
    const lines = new LineConnection(
      child.stdout,
      child.stdin,
      {
        onLine: (line) => {
          if (closed) return;
          const message = Message.fromText(line);
          if (message !== undefined && message.shape.kind !== 'invalid') events.onMessage(message);
          else if (this.#garbage.take()) {
            const bytes = Buffer.byteLength(line);
            this.#log.warn({ app: this.#command.program, bytes }, 'a line of the app server is no message');
          }
        },
        onTooLong: (bytes) => {
          // Its requester would wait for ever: better an end than a hole.
          this.#log.warn({ app: this.#command.program, bytes }, 'a line of the app server is too long');
          end('The app server sent a message of more than 128 MiB.');
          void child.stop();
        },
        onDrain: () => {
          if (!closed) events.onDrain();
        },
        // It speaks no more: most likely it is about to end by itself, and can say why.
        onEnd: () => {
          if (!closed) setTimeout(() => void child.stop(), LAST_WORDS).unref();
        },
      },
      { maxLineBytes: MAX_LINE_BYTES },
    );
    void child.gone.then((how) => {
      if (closed) return;
      this.#died(`${this.#command.program} ${how}`);
      end(`The app server ${how}.`);
    });
    return {
      send: (message) => closed || lines.write(message.text),
      pause: () => lines.pause(),
      resume: () => lines.resume(),
      close: () => {
        closed = true;
        // What nobody reads would keep the child from ending.
        lines.resume();
        void child.stop();
      },
    };
  }

  #died(cause: string): void {
    this.#breaker.died(cause);
    this.#log.warn({ app: this.#command.program }, `app server: ${cause}`);
  }
}
