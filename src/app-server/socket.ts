import type { IncomingMessage } from 'node:http';
import net, { type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { cutBytes, maskTokens, oneLine } from '../observe/body-preview.js';
import type {
  AppServer,
  AppServerConnection,
  AppServerEvents,
  ClientContext,
} from '../protocol/app-server.js';
import { CLOSE_CODES, closeCodeText } from '../protocol/close-codes.js';
import { EngineError } from '../protocol/errors.js';
import { Message } from '../protocol/message.js';
import type { Secret } from '../protocol/secret.js';
import { errnoText } from '../system/errno.js';
import { UnavailableConnection, type UpstreamBreaker } from './breaker.js';

export interface SocketAppServerOptions {
  /** `ws://`, `wss://` or `unix://PATH`; a query is kept, and not shown. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`. */
  readonly bearer: Secret | undefined;
  /** How long an upgrade may take, ms. Default 10,000. */
  readonly handshakeLimit?: number;
  /** Keeps it from being tried too often while it fails. Default: it is tried for each client. */
  readonly breaker?: UpstreamBreaker;
  /** It could not be reached, or closed before it had said anything. */
  readonly onFailed?: (why: string) => void;
  /** Something was skipped; never its content. */
  readonly onSkipped: (why: string, fields: Readonly<Record<string, unknown>>) => void;
}

const OBJECT = /^\s*\{/;
/** Largest message of an app server, bytes. */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
/** Unsent bytes at which the app server counts as full. */
const HIGH_WATER = 1024 * 1024;
const HANDSHAKE_LIMIT = 10_000;

/** An app server behind a WebSocket: one socket of its own for each client. */
export class SocketAppServer implements AppServer {
  readonly name: string;
  readonly #options: SocketAppServerOptions;
  readonly #target: Target;
  readonly #open = new Set<WebSocket>();

  constructor(options: SocketAppServerOptions) {
    this.#options = options;
    this.#target = targetOf(options.url);
    this.name = this.#target.shown;
  }

  open(events: AppServerEvents, _client: ClientContext, signal: AbortSignal): Promise<AppServerConnection> {
    if (this.#options.breaker?.refusal() === undefined) return this.#connect(events, signal);
    return Promise.resolve(
      new UnavailableConnection(
        events,
        (ended) => this.#options.breaker?.refusal() ?? this.#connect(events, ended),
      ),
    );
  }

  #connect(events: AppServerEvents, signal: AbortSignal): Promise<AppServerConnection> {
    return new Promise((resolve, reject) => {
      const ws = this.#dial();
      let stream: Socket | undefined;
      let fault: string | undefined;
      const onAbort = () => ws.terminate();
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      this.#open.add(ws);
      ws.once('close', () => this.#open.delete(ws));
      ws.once('upgrade', (response: IncomingMessage) => {
        stream = response.socket;
      });
      ws.once('unexpected-response', (_request, response: IncomingMessage) => {
        fault = `it answered ${response.statusCode}${response.statusCode === 401 ? '; is --app-server-token-file right?' : ''}`;
        ws.terminate();
      });
      const failed = (error?: Error) => {
        signal.removeEventListener('abort', onAbort);
        ws.off('error', failed)
          .off('close', failed)
          .on('error', () => {});
        const why = fault ?? (error === undefined ? 'it closed the connection' : errnoText(error));
        const message = `The app server ${this.name} cannot be reached: ${why}.`;
        if (!signal.aborted) this.#failed(message);
        reject(new EngineError('appServerFailed', message, { cause: error }));
      };
      ws.once('error', failed);
      ws.once('close', failed);
      ws.once('open', () => {
        signal.removeEventListener('abort', onAbort);
        ws.off('error', failed).off('close', failed);
        if (stream === undefined) throw new Error('an open socket without its stream');
        resolve(
          new SocketConnection(ws, stream, events, {
            name: this.name,
            onSkipped: this.#options.onSkipped,
            onFirst: () => this.#options.breaker?.succeeded(),
            onMute: (why) => this.#failed(why),
          }),
        );
      });
    });
  }

  #failed(why: string): void {
    this.#options.breaker?.failed(why);
    this.#options.onFailed?.(why);
  }

  async close(): Promise<void> {
    for (const ws of this.#open) ws.terminate();
  }

  #dial(): WebSocket {
    const { bearer } = this.#options;
    const { url, socketPath } = this.#target;
    return new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: this.#options.handshakeLimit ?? HANDSHAKE_LIMIT,
      followRedirects: false,
      ...(bearer === undefined ? {} : { headers: { authorization: `Bearer ${bearer.reveal()}` } }),
      ...(socketPath === undefined ? {} : { createConnection: () => net.connect(socketPath) }),
    });
  }
}

interface SocketHost {
  readonly name: string;
  readonly onSkipped: SocketAppServerOptions['onSkipped'];
  /** It has said something. */
  readonly onFirst: () => void;
  /** It has closed the connection and never said anything. */
  readonly onMute: (why: string) => void;
}

class SocketConnection implements AppServerConnection {
  readonly #ws: WebSocket;
  #full = false;
  #paused = false;
  #closed = false;

  constructor(ws: WebSocket, stream: Socket, events: AppServerEvents, host: SocketHost) {
    this.#ws = ws;
    let mute = true;
    // Nothing is delivered before whoever opened it has it in hand.
    ws.pause();
    setImmediate(() => {
      if (!this.#paused) ws.resume();
    });
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.#closed) return;
      if (mute) {
        mute = false;
        host.onFirst();
      }
      if (isBinary) host.onSkipped('binary message of the app server skipped', { bytes: data.length });
      else {
        const text = data.toString();
        // Parsing each message would cost more than carrying it; what begins like this is no message at all.
        if (OBJECT.test(text)) events.onMessage(Message.written(text));
        else host.onSkipped('a message of the app server is no JSON object', { bytes: data.length });
      }
    });
    ws.on('error', () => {});
    ws.on('close', (code: number, reason: Buffer) => {
      if (this.#closed) return;
      this.#closed = true;
      const said = reason.length === 0 ? '' : `: ${cutBytes(oneLine(maskTokens(reason.toString())), 100)}`;
      const message = `The app server ${host.name} closed the connection (${closeCodeText(code)}${said}).`;
      if (mute) host.onMute(message);
      events.onClose({ reason: 'appServerClosed', message, at: Date.now() });
    });
    stream.on('drain', () => {
      if (!this.#full) return;
      this.#full = false;
      events.onDrain();
    });
  }

  send(message: Message): boolean {
    if (this.#closed) return true;
    this.#ws.send(message.text);
    if (this.#ws.bufferedAmount <= HIGH_WATER) return true;
    this.#full = true;
    return false;
  }

  pause(): void {
    this.#paused = true;
    this.#ws.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#ws.resume();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    // A paused socket would never see the answer to its close frame.
    this.#ws.resume();
    this.#ws.close(CLOSE_CODES.normal);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_LIMIT);
    timer.unref();
    this.#ws.once('close', () => clearTimeout(timer));
  }
}

const CLOSE_LIMIT = 2_000;

interface Target {
  readonly url: string;
  readonly socketPath: string | undefined;
  /** Without query and credentials. */
  readonly shown: string;
}

/** @throws EngineError `usage` for what is no such URL. */
function targetOf(url: string): Target {
  if (url.startsWith('unix://')) {
    const [path = '', query] = url.slice('unix://'.length).split('?', 2);
    if (path === '') throw new EngineError('usage', 'The URL of the app server names no path after unix://.');
    return {
      url: `ws://localhost/${query === undefined ? '' : `?${query}`}`,
      socketPath: path,
      shown: `unix://${path}`,
    };
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new EngineError('usage', 'The URL of the app server is not valid.');
  }
  if (parsed.hash !== '' || parsed.username !== '' || parsed.password !== '') {
    throw new EngineError('usage', 'The URL of the app server may hold neither a fragment nor credentials.');
  }
  return { url, socketPath: undefined, shown: `${parsed.protocol}//${parsed.host}${parsed.pathname}` };
}
