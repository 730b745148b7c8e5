/** An engine with a listener in this process, and raw clients that can send invalid requests. */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import net from 'node:net';
import { afterEach } from 'vitest';
import { WebSocket } from 'ws';
import { createEngine, type Engine } from '../../src/engine/engine.js';
import type { EngineOptions } from '../../src/engine/options.js';
import type { ListeningInfo } from '../../src/listener/status.js';
import { Secret } from '../../src/protocol/secret.js';
import { tmpFolder } from '../support/tmp.js';

export const CAPABILITY = 'test-capability-token';
export const SHARED_SECRET = 'test-shared-secret-0123456789abcdef';

export const capability = {
  mode: 'capability',
  digest: createHash('sha256').update(CAPABILITY).digest(),
} as const;
export const signedBearer = {
  mode: 'signedBearer',
  secret: new Secret(SHARED_SECRET),
  issuer: undefined,
  audience: undefined,
  skew: 30,
} as const;

export function jwt(claims: object, header: object = { alg: 'HS256', typ: 'JWT' }): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part(header)}.${part(claims)}`;
  return `${signed}.${createHmac('sha256', SHARED_SECRET).update(signed).digest('base64url')}`;
}

export const bearer = (token: string): [string, string] => ['Authorization', `Bearer ${token}`];

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly outcome?: string;
  readonly reason?: string;
  readonly mode?: string;
}

export interface Running {
  readonly engine: Engine;
  readonly info: ListeningInfo;
  readonly log: LogLine[];
  readonly port: number;
  /** Where raw clients connect: the port on 127.0.0.1, or the unix socket. */
  readonly target: net.NetConnectOpts;
  readonly token: string;
  /** The verdicts in the log, as `mode outcome reason`. */
  verdicts(): string[];
}

const engines: Engine[] = [];
const sockets: { destroy(): void }[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(engines.splice(0).map((engine) => engine.stop()));
});

/** A listener on a free port of 127.0.0.1, without remote control. */
export async function listening(options: EngineOptions = {}): Promise<Running> {
  const log: LogLine[] = [];
  const note = (level: string) => (fields: object, message: string) => {
    log.push({ level, message, ...fields });
  };
  const engine = createEngine({
    home: await tmpFolder(),
    listen: 'ws://127.0.0.1:0',
    remoteControl: 'off',
    logger: { debug: note('debug'), info: note('info'), warn: note('warn'), error: note('error') },
    ...options,
  });
  engines.push(engine);
  let info: ListeningInfo | undefined;
  engine.once('listening', (found) => {
    info = found;
  });
  await engine.start();
  if (info === undefined) throw new Error('nothing listens');
  const connectUrl = info.connectUrl.reveal();
  const port = Number(/:(\d+)\//.exec(info.url)?.[1] ?? 0);
  const path = info.url.startsWith('unix://') ? info.url.slice('unix://'.length) : undefined;
  return {
    engine,
    info,
    log,
    port,
    target: path === undefined ? { port, host: '127.0.0.1' } : { path },
    token: /token=(.*)$/.exec(connectUrl)?.[1] ?? '',
    verdicts: () =>
      log.flatMap(({ mode, outcome, reason }) =>
        outcome === undefined || mode === undefined ? [] : [`${mode} ${outcome} ${reason}`],
      ),
  };
}

export interface UpgradeOptions {
  readonly path?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly omit?: readonly string[];
  readonly method?: string;
  readonly version?: string;
  readonly key?: string;
  readonly tail?: string;
}

export function upgradeText(options: UpgradeOptions = {}): string {
  const { path = '/', headers = [], omit = [], method = 'GET', version = 'HTTP/1.1', tail = '' } = options;
  const given: (readonly [string, string])[] = [
    ['Host', '127.0.0.1'],
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', options.key ?? randomBytes(16).toString('base64')],
  ];
  const lines = [...given.filter(([name]) => !omit.includes(name)), ...headers];
  return `${method} ${path} ${version}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${tail}`;
}

export interface RawResponse {
  /** 0: closed without a response. */
  readonly status: number;
  readonly text: string;
  /** The server closed the connection. */
  readonly closed: boolean;
}

/** Sends bytes and collects the response until the server closes, or until it accepts an upgrade. */
export const raw = (where: number | string, bytes: string, limitMs?: number): Promise<RawResponse> =>
  rawInParts(where, [bytes], limitMs);

/** The same, each part a packet of its own. */
export function rawInParts(
  where: number | string,
  parts: readonly string[],
  limitMs = 5_000,
): Promise<RawResponse> {
  return new Promise((resolve) => {
    const socket = typeof where === 'number' ? net.connect(where, '127.0.0.1') : net.connect(where);
    sockets.push(socket);
    let text = '';
    const done = (closed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), text, closed });
    };
    const timer = setTimeout(() => done(false), limitMs);
    socket.on('error', () => {});
    socket.on('close', () => done(true));
    socket.setEncoding('latin1').on('data', (part: string) => {
      text += part;
      if (text.startsWith('HTTP/1.1 101')) done(false);
    });
    socket.setNoDelay(true);
    const write = ([first = '', ...rest]: readonly string[]): void => {
      // In the next turn of the loop, because the server in this process must read in between.
      socket.write(first, 'latin1', () => rest.length > 0 && setImmediate(write, rest));
    };
    write(parts);
  });
}

/** Sends bytes and returns the first data received; the connection stays open until the end of the test. */
export function openRaw(
  port: number,
  bytes: string,
): Promise<{ readonly socket: net.Socket; readonly text: string }> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', (data) => resolve({ socket, text: data.toString('latin1') }));
  });
}

export const upgrade = (at: Running | number, options: UpgradeOptions = {}) =>
  raw(typeof at === 'number' ? at : at.port, upgradeText(options));

/** A WebSocket client that collects the messages it receives. */
export class Client {
  readonly ws: WebSocket;
  readonly messages: Record<string, unknown>[] = [];
  readonly texts: string[] = [];
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  readonly #watchers = new Set<() => void>();
  #lastId = 0;

  private constructor(ws: WebSocket) {
    this.ws = ws;
    sockets.push({ destroy: () => ws.terminate() });
    ws.on('error', () => {});
    ws.on('message', (data: Buffer) => this.take(data.toString()));
    this.closed = new Promise((resolve) => {
      ws.once('close', (code: number, reason: Buffer) => resolve({ code, reason: reason.toString() }));
    });
  }

  static open(url: string, headers: Record<string, string> = {}, options: object = {}): Promise<Client> {
    const ws = new WebSocket(url, { perMessageDeflate: false, headers, ...options });
    const client = new Client(ws);
    return new Promise((resolve, reject) => {
      ws.once('open', () => resolve(client));
      ws.once('error', reject);
      ws.once('unexpected-response', (_request, response) =>
        reject(new Error(`refused with ${response.statusCode}`)),
      );
    });
  }

  take(text: string): void {
    this.texts.push(text);
    this.messages.push(JSON.parse(text) as Record<string, unknown>);
    for (const check of [...this.#watchers]) check();
  }

  until<T>(find: () => T | undefined | false, what: string, limitMs = 8_000): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const check = () => {
        const found = find();
        if (found === undefined || found === false) return;
        done();
        resolve(found);
      };
      const timer = setTimeout(() => {
        done();
        reject(new Error(`no ${what}; got ${this.texts.slice(-5).join(' ').slice(0, 500)}`));
      }, limitMs);
      this.#watchers.add(check);
      check();
    });
  }

  send(message: object): void {
    this.ws.send(JSON.stringify(message));
  }

  async request(method: string, params: unknown = {}, limitMs?: number): Promise<Record<string, unknown>> {
    this.#lastId += 1;
    const id = this.#lastId;
    this.send({ id, method, params });
    return this.until(
      () => this.messages.find((one) => one.id === id && one.method === undefined),
      `response to ${method}`,
      limitMs,
    );
  }

  async initialize(capabilities: object = { experimentalApi: true }): Promise<Record<string, unknown>> {
    const response = await this.request('initialize', {
      clientInfo: { name: 'test', version: '1' },
      capabilities,
    });
    this.send({ method: 'initialized' });
    return response;
  }
}

export const connect = (at: Running): Promise<Client> => Client.open(at.info.connectUrl.reveal());

/** Connects and sends `initialize`, which opens the app-server connection. Does not wait for the response. */
export async function initializing(at: Running): Promise<Client> {
  const client = await connect(at);
  client.send({ id: 1, method: 'initialize', params: { clientInfo: { name: 'test', version: '1' } } });
  return client;
}

/** Waits until `check` is true, with a time limit. */
export async function until(check: () => boolean | Promise<boolean>, what: string, limitMs = 5_000) {
  const end = Date.now() + limitMs;
  while (!(await check())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
