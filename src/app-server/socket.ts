import type { IncomingMessage } from 'node:http';
import net, { type Socket } from 'node:net';
import { WebSocket } from 'ws';
import { cutBytes, maskTokens, oneLine } from '../observe/body-preview.js';
import type { AppServerConnection } from '../protocol/app-server.js';
import { CLOSE_CODES, closeCodeText } from '../protocol/close-codes.js';
import { EngineError } from '../protocol/errors.js';
import { Message } from '../protocol/message.js';
import { failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import { errnoText } from '../system/errno.js';
import { isLoopbackHost } from '../system/loopback-host.js';
import { ConnectError, type Connector, type ConnectorEvents } from './connector.js';

interface SocketAppServerOptions {
  /** `ws://`, `wss://` or `unix://PATH`. A query is sent, but never shown. */
  readonly url: string;
  /** Sent as `Authorization: Bearer`: over `ws://` to this machine only. */
  readonly bearer: Secret | undefined;
  /** How long an upgrade may take, ms. Default 10,000. */
  readonly handshakeTimeout?: number;
  /** A message was skipped. The arguments never contain its content. */
  readonly onSkipped: (why: string, fields: Readonly<Record<string, unknown>>) => void;
}

/** Largest message of an app server, bytes. */
const MAX_MESSAGE_BYTES = 128 * 1024 * 1024;
/** Unsent bytes above which `send` returns false. */
const HIGH_WATER = 1024 * 1024;
const HANDSHAKE_TIMEOUT = 10_000;
/** How long the app server may take to answer a close frame, ms. */
const CLOSE_TIMEOUT = 2_000;

/** Opens a WebSocket for each client to an app server at a URL. */
export class SocketConnector implements Connector {
  readonly children = 0;
  /** The URL without query and credentials. */
  readonly name: string;
  readonly #options: SocketAppServerOptions;
  readonly #target: Target;
  readonly #open = new Set<WebSocket>();

  constructor(options: SocketAppServerOptions) {
    this.#options = options;
    this.#target = targetOf(options.url);
    refuseClearText(this.#target, options.bearer);
    this.name = this.#target.displayName;
  }

  connect(events: ConnectorEvents, signal: AbortSignal): Promise<AppServerConnection> {
    return new Promise((resolve, reject) => {
      const ws = this.#dial();
      let stream: Socket | undefined;
      let refusal: string | undefined;
      const onAbort = () => ws.terminate();
      signal.addEventListener('abort', onAbort, { once: true });
      if (signal.aborted) onAbort();
      this.#open.add(ws);
      ws.once('close', () => this.#open.delete(ws));
      ws.once('upgrade', (response: IncomingMessage) => {
        stream = response.socket;
      });
      ws.once('unexpected-response', (_request, response: IncomingMessage) => {
        const hint = response.statusCode === 401 ? '; check --app-server-token-file' : '';
        refusal = `it answered HTTP ${response.statusCode}${hint}`;
        ws.terminate();
      });
      const failed = (error?: Error) => {
        signal.removeEventListener('abort', onAbort);
        ws.off('error', failed)
          .off('close', failed)
          .on('error', () => {});
        const why = refusal ?? (error === undefined ? 'it closed the connection' : errnoText(error));
        const message = `The app server ${this.name} cannot be reached: ${why}.`;
        reject(new ConnectError('appServerUnreachable', message, error));
      };
      ws.once('error', failed);
      ws.once('close', failed);
      ws.once('open', () => {
        signal.removeEventListener('abort', onAbort);
        ws.off('error', failed).off('close', failed);
        if (stream === undefined) throw new Error('an open WebSocket without a stream');
        resolve(
          new SocketConnection(ws, stream, events, {
            name: this.name,
            secrets: this.#options.bearer === undefined ? [] : [this.#options.bearer],
            onSkipped: this.#options.onSkipped,
          }),
        );
      });
    });
  }

  async close(): Promise<void> {
    for (const ws of this.#open) ws.terminate();
  }

  #dial(): WebSocket {
    const { bearer } = this.#options;
    const { url, socketPath } = this.#target;
    const timeout = this.#options.handshakeTimeout ?? HANDSHAKE_TIMEOUT;
    return new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: timeout,
      followRedirects: false,
      ...(bearer === undefined ? {} : { headers: { authorization: `Bearer ${bearer.reveal()}` } }),
      // `ws` waits for the timeout of the socket, and starts it only for sockets that it creates.
      ...(socketPath === undefined
        ? {}
        : { createConnection: () => net.connect({ path: socketPath, timeout }) }),
    });
  }
}

interface SocketDeps {
  readonly name: string;
  /** Values that the app server was sent and that no message may show. */
  readonly secrets: readonly Secret[];
  readonly onSkipped: SocketAppServerOptions['onSkipped'];
}

class SocketConnection implements AppServerConnection {
  readonly #ws: WebSocket;
  #full = false;
  #paused = false;
  #closed = false;

  constructor(ws: WebSocket, stream: Socket, events: ConnectorEvents, deps: SocketDeps) {
    this.#ws = ws;
    let silent = true;
    // `open` must have returned this connection before the first message is delivered.
    ws.pause();
    setImmediate(() => {
      if (!this.#paused) ws.resume();
    });
    ws.on('message', (data: Buffer, isBinary: boolean) => {
      if (this.#closed) return;
      silent = false;
      if (isBinary) deps.onSkipped('a binary message of the app server was skipped', { bytes: data.length });
      else {
        const message = Message.from(data.toString());
        if (message.shape.kind !== 'invalid') events.onMessage(message);
        else
          deps.onSkipped('a text of the app server that is not a message was skipped', {
            bytes: data.length,
          });
      }
    });
    ws.on('error', () => {});
    ws.on('close', (code: number, reason: Buffer) => {
      if (this.#closed) return;
      this.#closed = true;
      const text =
        reason.length === 0 ? '' : `: ${cutBytes(oneLine(maskTokens(reason.toString(), deps.secrets)), 100)}`;
      const message = `The app server ${deps.name} closed the connection (${closeCodeText(code)}${text}).`;
      const closed = failure('appServerClosed', message, Date.now());
      // One that answers nothing does not work, however well it accepts connections.
      if (silent) events.onFailed(closed, false);
      events.onClose(closed);
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
    // A paused socket would never read the response to its close frame.
    this.#ws.resume();
    this.#ws.close(CLOSE_CODES.normal);
    const timer = setTimeout(() => this.#ws.terminate(), CLOSE_TIMEOUT);
    timer.unref();
    this.#ws.once('close', () => clearTimeout(timer));
  }
}

interface Target {
  readonly url: string;
  readonly socketPath: string | undefined;
  /** For messages: without query and credentials. */
  readonly displayName: string;
}

/**
 * Everybody on the way can read what `ws://` carries, so a token goes that way to this machine only. A query is treated
 * like a token, because it may hold one. WSA-14a
 * @throws EngineError `usage`
 */
function refuseClearText({ url, displayName }: Target, bearer: Secret | undefined): void {
  const { protocol, hostname, search } = new URL(url);
  if (protocol !== 'ws:' || isLoopbackHost(hostname) || (bearer === undefined && search === '')) return;
  const what = bearer === undefined ? 'the query of that URL' : 'the token of --app-server-token-file';
  throw new EngineError(
    'usage',
    `--app-server ${displayName} would send ${what} unencrypted to another machine.`,
    {
      remediation: `Use a wss:// URL, or ws:// to this machine.`,
    },
  );
}

/** @throws EngineError `usage` when the URL is not valid. */
function targetOf(url: string): Target {
  if (url.startsWith('unix://')) {
    const [path = '', query] = url.slice('unix://'.length).split('?', 2);
    if (path === '') throw new EngineError('usage', 'The URL of the app server has no path after unix://.');
    return {
      url: `ws://localhost/${query === undefined ? '' : `?${query}`}`,
      socketPath: path,
      displayName: `unix://${path}`,
    };
  }
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new EngineError('usage', 'The URL of the app server is not valid.');
  }
  if (parsed.hash !== '' || parsed.username !== '' || parsed.password !== '') {
    throw new EngineError('usage', 'The URL of the app server must not contain a fragment or credentials.');
  }
  return { url, socketPath: undefined, displayName: `${parsed.protocol}//${parsed.host}${parsed.pathname}` };
}
