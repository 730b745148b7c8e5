/** An engine in this process with a client on a pair of streams, as a parent app has on stdio. */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import http from 'node:http';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach } from 'vitest';
import { createEngine, type Engine } from '../../src/engine/engine.js';
import type { EngineOptions } from '../../src/engine/options.js';
import { LoopbackIssuer, MARK } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';

export interface Incoming {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly code: number; readonly message: string };
  readonly emittedAtMs?: number;
}
type Reply = { readonly result: unknown } | { readonly error: { code: number; message: string } } | null;

export const ASK = 'account/chatgptAuthTokens/refresh';
const open: Rig[] = [];
afterEach(async () => {
  for (const rig of open.splice(0)) await rig.close();
});

export interface RigOptions extends Partial<EngineOptions> {
  /** Content of auth.json; a string is written unchanged. */
  readonly auth?: unknown;
  readonly capabilities?: object | null;
  readonly initialize?: boolean;
  readonly home?: string;
  readonly issuer?: never;
  readonly at?: LoopbackIssuer;
}

export class Rig {
  readonly home: string;
  readonly at: LoopbackIssuer;
  readonly engine: Engine;
  readonly log: Incoming[] = [];
  /** All log lines of the engine. */
  readonly logged: string[] = [];
  /** Responds to requests of the engine; null sends no response. */
  onAsk: (ask: Incoming) => Reply | Promise<Reply> = () => null;
  readonly #input = new PassThrough();
  readonly #waiters = new Set<() => void>();
  #lastId = 0;

  private constructor(home: string, at: LoopbackIssuer, options: RigOptions) {
    this.home = home;
    this.at = at;
    const output = new PassThrough();
    let rest = '';
    output.setEncoding('utf8').on('data', (text: string) => {
      rest += text;
      const lines = rest.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(JSON.parse(line) as Incoming);
    });
    const note = (fields: object, message: string): void => {
      this.logged.push(`${JSON.stringify(fields)} ${message}`);
    };
    const { auth: _auth, capabilities: _capabilities, initialize: _initialize, at: _at, ...rest2 } = options;
    this.engine = createEngine({
      baseUrl: `${at.origin}/backend-api`,
      issuer: at.origin,
      listen: 'stdio://',
      remoteControl: 'off',
      store: 'memory:',
      loginPorts: [0],
      logger: { debug: note, info: note, warn: note, error: note },
      stdio: { input: this.#input, output },
      ...rest2,
      home,
    });
  }

  static async start(options: RigOptions = {}): Promise<Rig> {
    const home = options.home ?? (await tmpFolder());
    const at = options.at ?? (await LoopbackIssuer.start());
    const rig = new Rig(home, at, options);
    open.push(rig);
    if (options.auth !== undefined) rig.writeAuth(options.auth);
    await rig.engine.start();
    if (options.initialize !== false) await rig.initialize(options.capabilities);
    return rig;
  }

  async close(): Promise<void> {
    await this.engine.stop();
  }

  async initialize(capabilities: object | null = { experimentalApi: true }): Promise<Incoming> {
    const answer = await this.ask('initialize', {
      clientInfo: { name: 'rig', title: null, version: '1' },
      ...(capabilities === null ? {} : { capabilities }),
    });
    this.write({ method: 'initialized' });
    return answer;
  }

  write(message: unknown): void {
    this.#input.write(`${typeof message === 'string' ? message : JSON.stringify(message)}\n`);
  }

  send(method: string, params?: unknown): number {
    this.#lastId += 1;
    this.write({ id: this.#lastId, method, ...(params === undefined ? {} : { params }) });
    return this.#lastId;
  }

  response(id: string | number, limitMs?: number): Promise<Incoming> {
    return this.until(
      () => this.log.find((one) => one.method === undefined && one.id === id),
      `response to ${id}`,
      limitMs,
    );
  }

  /** The whole response. */
  ask(method: string, params?: unknown, limitMs?: number): Promise<Incoming> {
    return this.response(this.send(method, params), limitMs);
  }

  /** The result; an error fails the test. */
  async call(method: string, params: unknown = {}, limitMs?: number): Promise<Record<string, unknown>> {
    const answer = await this.ask(method, params, limitMs);
    if (answer.result === undefined) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
    return answer.result;
  }

  /** The error; a result fails the test. */
  async refused(
    method: string,
    params?: unknown,
    limitMs?: number,
  ): Promise<{ code: number; message: string }> {
    const answer = await this.ask(method, params, limitMs);
    if (answer.error === undefined) throw new Error(`${method}: ${JSON.stringify(answer.result)}`);
    return { code: answer.error.code, message: answer.error.message };
  }

  login(params: unknown): Promise<Incoming> {
    return this.ask('account/login/start', params);
  }

  external(accessToken: string, chatgptAccountId: string, plan?: string | null): Promise<Incoming> {
    return this.login({
      type: 'chatgptAuthTokens',
      accessToken,
      chatgptAccountId,
      ...(plan === undefined ? {} : { chatgptPlanType: plan }),
    });
  }

  /** The same, until `account/updated`. */
  async externalIn(accessToken: string, chatgptAccountId: string, plan?: string | null): Promise<void> {
    const from = this.mark;
    const answer = await this.external(accessToken, chatgptAccountId, plan);
    if (answer.error !== undefined) throw new Error(answer.error.message);
    await this.until(() => this.log.slice(from).find((one) => one.method === 'account/updated'), 'updated');
  }

  async account(refreshToken = false): Promise<Record<string, unknown> | null> {
    const { account } = await this.call('account/read', { refreshToken });
    return account as Record<string, unknown> | null;
  }

  get mark(): number {
    return this.log.length;
  }

  /** Received messages in short form: `result`, `error -32600`, `completed true`, `updated MODE PLAN`, `ask`. */
  seq(from = 0): string[] {
    return this.log.slice(from).flatMap((one) => {
      if (one.method === 'account/login/completed') return [`completed ${one.params?.success}`];
      if (one.method === 'account/updated')
        return [`updated ${one.params?.authMode} ${one.params?.planType}`];
      if (one.method === ASK) return ['ask'];
      if (one.method !== undefined) return [];
      return [one.error === undefined ? 'result' : `error ${one.error.code}`];
    });
  }

  /** Waits for `wanted` messages, then a moment longer for messages that should not come. */
  async order(from: number, wanted: number, limitMs?: number): Promise<string[]> {
    await this.until(
      () => (this.seq(from).length >= wanted ? true : undefined),
      `${wanted} messages`,
      limitMs,
    );
    await new Promise((resolve) => setTimeout(resolve, 60));
    return this.seq(from);
  }

  completed(from = 0): Promise<Record<string, unknown>> {
    return this.until(
      () => this.log.slice(from).find((one) => one.method === 'account/login/completed')?.params,
      'account/login/completed',
    );
  }

  asks(): Incoming[] {
    return this.log.filter((one) => one.method === ASK);
  }

  until<T>(find: () => T | undefined, what: string, limitMs = 8_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(check);
      };
      const check = (): void => {
        const found = find();
        if (found === undefined) return;
        end();
        resolve(found);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`no ${what}; received: ${JSON.stringify(this.log.slice(-6))}`));
      }, limitMs);
      this.#waiters.add(check);
      check();
    });
  }

  get authPath(): string {
    return join(this.home, 'auth.json');
  }

  writeAuth(value: unknown, mode = 0o600): void {
    writeFileSync(this.authPath, typeof value === 'string' ? value : JSON.stringify(value), { mode });
  }

  /** Replaces the file by rename, as another program does. */
  async replaceAuth(value: unknown): Promise<void> {
    writeFileSync(`${this.authPath}.other`, JSON.stringify(value), { mode: 0o600 });
    await rename(`${this.authPath}.other`, this.authPath);
  }

  rawAuth(): string | null {
    try {
      return readFileSync(this.authPath, 'utf8');
    } catch {
      return null;
    }
  }

  // biome-ignore lint/suspicious/noExplicitAny: tests read any member of the file.
  readAuth(): any {
    return JSON.parse(this.rawAuth() ?? 'null');
  }

  get authMode(): number {
    return statSync(this.authPath).mode & 0o777;
  }

  /** Starts a browser sign-in. */
  async browser(params: object = {}): Promise<BrowserLogin> {
    const result = await this.call('account/login/start', { type: 'chatgpt', ...params });
    const authUrl = new URL(String(result.authUrl));
    const redirect = String(authUrl.searchParams.get('redirect_uri'));
    const state = String(authUrl.searchParams.get('state'));
    return {
      id: String(result.loginId),
      result,
      authUrl,
      redirect,
      state,
      callback: (query) => `${redirect}?${new URLSearchParams(query)}`,
      page: (path) => new URL(path, redirect).href,
    };
  }

  #take(message: Incoming): void {
    this.log.push(message);
    if (message.method !== undefined && message.id !== undefined) void this.#answer(message);
    for (const check of [...this.#waiters]) check();
  }

  async #answer(ask: Incoming): Promise<void> {
    const reply = await this.onAsk(ask);
    if (reply !== null) this.write({ id: ask.id, ...reply });
  }

  /** Notifications, errors, log lines, audit and status that contain a secret of the tests. */
  async leaks(): Promise<string[]> {
    const audit = JSON.stringify(await this.call('engine/audit/read'));
    const status = JSON.stringify(await this.call('engine/status/read'));
    const lines = this.log
      .filter((one) => one.method !== undefined || one.error !== undefined)
      .map((one) => JSON.stringify(one));
    return [...lines, ...this.logged, audit, status].filter((line) => line.includes(MARK));
  }
}

export interface BrowserLogin {
  readonly id: string;
  readonly result: Record<string, unknown>;
  readonly authUrl: URL;
  readonly redirect: string;
  readonly state: string;
  callback(query: Record<string, string>): string;
  page(path: string): string;
}

export interface Got {
  readonly status: number | null;
  readonly location: string;
  readonly connection: string;
  readonly body: string;
  readonly error: string | null;
}

/** One GET request as a browser sends it, without following redirects. */
export function get(url: string, headers: Record<string, string> = {}): Promise<Got> {
  return new Promise((resolve) => {
    const failed = (error: NodeJS.ErrnoException): void =>
      resolve({ status: null, location: '', connection: '', body: '', error: error.code ?? error.message });
    const request = http.get(url, { agent: false, headers, timeout: 8_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('error', failed);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? null,
          location: response.headers.location ?? '',
          connection: response.headers.connection ?? '',
          body,
          error: null,
        }),
      );
    });
    request.on('timeout', () => request.destroy(new Error('timeout')));
    request.on('error', failed);
  });
}
