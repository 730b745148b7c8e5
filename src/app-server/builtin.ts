import os from 'node:os';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  AppServerHealth,
  ClientContext,
} from '../protocol/app-server.js';
import { errorText, isRecord, RPC, resultText } from '../protocol/jsonrpc.js';
import { Message } from '../protocol/message.js';
import { SYSTEM_ENV, wallTimeOf } from '../protocol/timing.js';

const FAMILY = process.platform === 'win32' ? 'windows' : 'unix';
const OS_NAMES: Readonly<Record<string, string>> = { darwin: 'macos', win32: 'windows' };

/**
 * The app server used when none is configured: it answers `initialize` only, so that such an engine can still be
 * reached, inspected and repaired. The session answers `remoteControl/*` and `engine/*` before this app server.
 */
export class BuiltinAppServer implements AppServer {
  readonly name = 'builtin';
  readonly sendsNoRequests = true;
  /** Monotonic ms. */
  readonly #since = SYSTEM_ENV.monotonic();
  readonly #version: string;
  readonly #home: string;

  constructor(options: { readonly version: string; readonly home: string }) {
    this.#version = options.version;
    this.#home = options.home;
  }

  get health(): AppServerHealth {
    return {
      state: 'serving',
      reason: 'appServerBuiltin',
      detail: null,
      since: wallTimeOf(SYSTEM_ENV, this.#since),
      ready: true,
      mode: 'builtin',
      modeReason: 'no app server is configured',
      children: 0,
      exits: 0,
      failures: 0,
    };
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

  /** Has the shape that clients of Codex CLI expect. ACC-4 */
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
  /** Messages that arrived while the client was paused; `send` returns false until `resume`, so there are few. */
  #queue: Message[] = [];
  #closed = false;

  constructor(events: AppServerEvents, initializeResult: (clientName: string) => unknown) {
    this.#events = events;
    this.#initializeResult = initializeResult;
  }

  send(message: Message): boolean {
    if (this.#closed) return true;
    if (this.#paused) {
      this.#queue.push(message);
      return false;
    }
    this.#respond(message);
    return !this.#paused;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    const queue = this.#queue;
    this.#queue = [];
    for (const message of queue) this.send(message);
    if (!this.#paused) this.#events.onDrain();
  }

  close(): void {
    this.#closed = true;
    this.#queue = [];
  }

  #respond(message: Message): void {
    const { shape } = message;
    if (shape.kind !== 'request') return;
    const text =
      shape.method === 'initialize'
        ? resultText(shape.id, this.#initializeResult(clientNameOf(message.params)))
        : errorText(shape.id, RPC.methodNotFound, `Method not found: ${shape.method}`);
    this.#events.onMessage(Message.from(text));
  }
}

function clientNameOf(params: unknown): string {
  const clientInfo = isRecord(params) ? params.clientInfo : undefined;
  return isRecord(clientInfo) && 'name' in clientInfo ? String(clientInfo.name) : 'client';
}
