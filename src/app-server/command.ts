import type { AppServerConnection } from '../protocol/app-server.js';
import { tooLargeResponse } from '../protocol/envelope-scan.js';
import { Message } from '../protocol/message.js';
import { failure } from '../protocol/outcomes.js';
import { LineConnection } from '../session/line-connection.js';
import { Child, type ChildLog } from './child.js';
import { ChildGuard } from './child-guard.js';
import { ConnectError, type Connector, type ConnectorEvents, startFailureReason } from './connector.js';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
}

/** Longest line taken from an app server, bytes. */
const MAX_LINE_BYTES = 128 * 1024 * 1024;
const TOO_LONG = 'The app server sent a message of more than 128 MiB.';

/** How long a child may take to exit after it has closed its output, ms. */
const EXIT_TIMEOUT = 500;

/** Starts a child process for each client, with one JSON message per line on stdin and stdout. */
export class CommandConnector implements Connector {
  readonly #command: Command;
  readonly #log: ChildLog;
  readonly #guard = new ChildGuard();
  readonly #children = new Set<Child>();

  constructor(command: Command, log: ChildLog) {
    this.#command = command;
    this.#log = log;
  }

  async connect(events: ConnectorEvents, signal: AbortSignal): Promise<AppServerConnection> {
    const child = await this.#start();
    if (signal.aborted) {
      void child.stop();
      throw new Error('The client disconnected before its app server had started.');
    }
    return this.#serve(child, events);
  }

  get children(): number {
    return this.#children.size;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#children].map((child) => child.stop()));
    await this.#guard.close();
  }

  async #start(): Promise<Child> {
    let child: Child;
    try {
      child = await Child.start(this.#command, this.#log, this.#guard);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const cause = error instanceof Error ? error.cause : error;
      throw new ConnectError(startFailureReason(cause), `The app server ${why}.`, cause);
    }
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
    return child;
  }

  #serve(child: Child, events: ConnectorEvents): AppServerConnection {
    let closed = false;
    const end = (message: string) => {
      if (closed) return;
      closed = true;
      events.onClose(failure('appServerClosed', message, Date.now()));
    };
    const lines = new LineConnection(
      child.stdout,
      child.stdin,
      {
        onLine: (line) => {
          if (closed) return;
          const message = Message.from(line);
          if (message.shape.kind !== 'invalid') events.onMessage(message);
          else child.log.notAMessage(Buffer.byteLength(line));
        },
        onTooLong: (bytes, envelope) => {
          if (closed) return;
          this.#log.warn({ app: this.#command.program, bytes }, 'a line of the app server is too long');
          if (envelope !== undefined) {
            const error = tooLargeResponse(envelope.id, TOO_LONG);
            if (envelope.kind === 'response') events.onMessage(error);
            else lines.write(error.text);
            return;
          }
          // A client may wait for what was in it.
          end(TOO_LONG);
          void child.stop();
        },
        onDrain: () => {
          if (!closed) events.onDrain();
        },
        // It is most likely about to exit and can then say why.
        onEnd: () => {
          if (!closed) setTimeout(() => void child.stop(), EXIT_TIMEOUT).unref();
        },
      },
      { maxLineBytes: MAX_LINE_BYTES },
    );
    void child.exited.then((how) => {
      if (closed) return;
      closed = true;
      const died = failure('appServerExited', `The app server ${how}.`, Date.now());
      events.onFailed(died, true);
      events.onClose(died);
    });
    return {
      ended: child.gone,
      send: (message) => closed || lines.write(message.text),
      endInput: () => {
        lines.endOutput();
        return true;
      },
      pause: () => lines.pause(),
      resume: () => lines.resume(),
      close: () => {
        closed = true;
        // Unread output would keep the child from exiting.
        lines.resume();
        void child.stop();
      },
    };
  }
}
