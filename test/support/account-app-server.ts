/** A shared app server that speaks the account methods of Codex CLI and records what it is sent. */
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  AppServerHealth,
  AppServerMode,
  ClientContext,
} from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import { failure } from '../../src/protocol/outcomes.js';

type Json = Record<string, unknown>;
interface Request {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Json;
  readonly result?: Json;
  readonly error?: Json;
}

export class AccountFake implements AppServer {
  readonly name = 'account fake';
  /** Requests and notifications, with the origin of their connection. */
  readonly received: (Request & { readonly origin: string })[] = [];
  /** Who is signed in. */
  account: Json | null = null;
  userId: string | null = null;
  /** Its model provider needs an account. */
  requires = true;
  /** It knows no account method. */
  ignorant = false;
  /** It answers these methods with an error. */
  readonly refuses = new Set<string>();
  /** It does not answer these methods. */
  readonly mute = new Set<string>();
  restarts: string[] = [];
  mode: AppServerMode;
  readonly #open = new Map<AppServerEvents, ClientContext>();
  readonly #listeners: ((health: AppServerHealth) => void)[] = [];

  constructor(mode: AppServerMode = 'shared') {
    this.mode = mode;
  }

  get health(): AppServerHealth {
    const children = this.#open.size === 0 ? 0 : this.mode === 'shared' ? 1 : this.#open.size;
    // A member that is not declared yet is ignored.
    const health = {
      state: 'serving',
      reason: 'appServerServing',
      detail: null,
      since: 0,
      exits: 0,
      failures: 0,
    };
    return { ...health, ready: true, mode: this.mode, modeReason: 'test', children } as AppServerHealth;
  }

  onHealth(listener: (health: AppServerHealth) => void): void {
    this.#listeners.push(listener);
  }

  async open(events: AppServerEvents, client: ClientContext): Promise<AppServerConnection> {
    this.#open.set(events, client);
    return {
      send: (message) => {
        this.#receive(JSON.parse(message.text) as Request, events, client);
        return true;
      },
      pause: () => {},
      resume: () => {},
      close: () => this.#left(events),
    };
  }

  async restart(cause: string): Promise<void> {
    this.restarts.push(cause);
    this.account = null;
    for (const events of [...this.#open.keys()]) {
      this.#left(events);
      events.onClose(failure('appServerRestarted', cause, 0));
    }
  }

  async close(): Promise<void> {}

  /** A request to every connection, as Codex CLI sends the one for new tokens. */
  ask(id: number, method: string, params: Json): void {
    for (const events of this.#open.keys()) this.#say(events, { id, method, params });
  }

  /** Requests of the engine's own connection. */
  get ofEngine(): readonly Request[] {
    return this.received.filter(({ origin }) => origin === 'engine');
  }

  logins(): readonly (Json | undefined)[] {
    return this.ofEngine.filter(({ method }) => method === 'account/login/start').map(({ params }) => params);
  }

  /** Responses to `ask`. */
  responses(): readonly Request[] {
    return this.received.filter(({ method }) => method === undefined);
  }

  #left(events: AppServerEvents): void {
    this.#open.delete(events);
    for (const listener of this.#listeners) listener(this.health);
  }

  #say(events: AppServerEvents, message: object): void {
    queueMicrotask(() => {
      if (this.#open.has(events)) events.onMessage(Message.from(JSON.stringify(message)));
    });
  }

  #receive(request: Request, events: AppServerEvents, client: ClientContext): void {
    this.received.push({ ...request, origin: client.origin });
    const { id, method = '', params } = request;
    if (id === undefined || method === '' || this.mute.has(method)) return;
    if (this.ignorant && method.startsWith('account/')) {
      this.#say(events, { id, error: { code: -32601, message: `no ${method}` } });
      return;
    }
    if (this.refuses.has(method)) {
      this.#say(events, { id, error: { code: -32600, message: `refused ${method}` } });
      return;
    }
    if (method === 'account/read') {
      const { account, userId } = this;
      this.#say(events, {
        id,
        result: { account, userId, requiresOpenaiAuth: this.requires, workspaceRouting: null },
      });
      return;
    }
    this.#say(events, { id, result: method === 'initialize' ? { userAgent: 'fake' } : { echo: method } });
    if (method === 'account/logout') this.account = null;
    if (method !== 'account/login/start') return;
    this.account = params?.type === 'apiKey' ? { type: 'apiKey' } : { type: 'chatgpt', email: 'given' };
    for (const one of this.#open.keys()) {
      this.#say(one, { method: 'account/login/completed', params: { success: true, error: null } });
      this.#say(one, { method: 'account/updated', params: { authMode: 'FORGED' } });
    }
  }
}
