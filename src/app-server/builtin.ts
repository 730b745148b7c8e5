import os from 'node:os';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { errorText, RPC, resultText } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';

const FAMILY = process.platform === 'win32' ? 'windows' : 'unix';
const OS_NAMES: Readonly<Record<string, string>> = { darwin: 'macos', win32: 'windows' };

/**
 * The app server of last resort: it knows `initialize` and nothing else, so that an engine without an app server
 * of its own can be reached, asked and repaired. `remoteControl/*` and `engine/*` are answered before it.
 */
export class BuiltinAppServer implements AppServer {
  readonly name = 'builtin';
  readonly asksNothing = true;
  readonly #version: string;
  readonly #home: string;

  constructor(options: { readonly version: string; readonly home: string }) {
    this.#version = options.version;
    this.#home = options.home;
  }

  openNow(events: AppServerEvents): AppServerConnection {
    return new BuiltinConnection(events, this.#initializeResult);
  }

  open(events: AppServerEvents, _client: ClientContext): Promise<AppServerConnection> {
    return Promise.resolve(this.openNow(events));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The shape clients of the reference know. ACC-4 */
  readonly #initializeResult = (clientName: string) => {
    return {
      userAgent: `${clientName}/${this.#version} (${os.type()} ${os.release()}; ${os.arch()}) rc-engine`,
      codexHome: this.#home,
      platformFamily: FAMILY,
      platformOs: OS_NAMES[process.platform] ?? process.platform,
    };
  };
}

class BuiltinConnection implements AppServerConnection {
  readonly #events: AppServerEvents;
  readonly #initializeResult: (clientName: string) => unknown;
  #paused = false;
  /** The one message that came while the client was paused; then `send` says false until `resume`. */
  #held: Message[] = [];
  #closed = false;

  constructor(events: AppServerEvents, initializeResult: (clientName: string) => unknown) {
    this.#events = events;
    this.#initializeResult = initializeResult;
  }

  send(message: Message): boolean {
    if (this.#closed) return true;
    if (this.#paused) {
      this.#held.push(message);
      return false;
    }
    this.#answer(message);
    return !this.#paused;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const held = this.#held;
    this.#held = [];
    for (const message of held) this.send(message);
    if (!this.#paused) this.#events.onDrain();
  }

  close(): void {
    this.#closed = true;
    this.#held = [];
  }

  #answer(message: Message): void {
    const { shape } = message;
    if (shape.kind !== 'request') return;
    const text =
      shape.method === 'initialize'
        ? resultText(shape.id, this.#initializeResult(clientNameOf(shape.params)))
        : errorText(shape.id, RPC.methodNotFound, `Method not found: ${shape.method}`);
    this.#events.onMessage(Message.written(text));
  }
}

function clientNameOf(params: unknown): string {
  if (typeof params !== 'object' || params === null || !('clientInfo' in params)) return 'client';
  const { clientInfo } = params;
  if (typeof clientInfo !== 'object' || clientInfo === null || !('name' in clientInfo)) return 'client';
  return String(clientInfo.name);
}
