import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { endThenDestroy, GATE_TIMEOUTS, limitConnections } from '../net/http-gate.js';
import type { LinkOptions } from '../observe/watcher.js';
import { EngineError } from '../protocol/errors.js';
import type { Secret } from '../protocol/secret.js';
import { PageAccess } from './page-access.js';
import { readPageFile } from './page-file.js';
import { Subscribers } from './subscribers.js';
import { TIMELINE_VERSION, type Timeline } from './timeline.js';
import type { Hello } from './wire.js';

const SOCKET_PATH = '/timeline';
const STATELY_PATH = '/stately';
const STATELY_ORIGIN = 'https://stately.ai';

/** Open pages; further ones are refused. */
const MAX_PAGES = 64;
const MAX_CONNECTIONS = 256;
/** Bytes of a message from a page. Pages send none. */
const MAX_PAYLOAD = 1_024;
/** Browsers send all cookies of 127.0.0.1, whatever their port. */
const MAX_HEADERS = 64 * 1024;
/** How long requests in flight have when the server closes, ms. */
const CLOSE_TIMEOUT = 500;

export interface InspectorServerOptions {
  /** Port on 127.0.0.1; 0 is any free one. */
  readonly port: number;
  /** The page: one HTML file. */
  readonly pageFile: URL;
  /** The page with the Stately inspector in a frame. Without it, no served page can reach another site. */
  readonly statelyFile?: URL | undefined;
  readonly timeline: Timeline;
  readonly about: Pick<Hello, 'mode' | 'engine' | 'charts' | 'file' | 'savedAt' | 'attachedAt'>;
  /** Called before entries up to this one are sent. */
  readonly onSent?: (next: number) => void;
  /** Number of actors that the timeline does not contain. */
  readonly notShown?: () => number;
}

/** Serves the page and the timeline to the browser that opened the link. */
export class InspectorServer {
  readonly #options: InspectorServerOptions;
  readonly #subscribers: Subscribers;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_PAYLOAD,
    perMessageDeflate: false,
    clientTracking: false,
  });
  #access: PageAccess | undefined;
  readonly #pages: ReadonlyMap<string, ServedPage>;

  constructor(options: InspectorServerOptions) {
    this.#options = options;
    const { pageFile, statelyFile } = options;
    this.#pages = new Map([
      ['/', new ServedPage(pageFile)],
      ...(statelyFile === undefined
        ? []
        : [[STATELY_PATH, new ServedPage(statelyFile, STATELY_ORIGIN)] as const]),
    ]);
    this.#subscribers = new Subscribers(options.timeline, {
      hello: () => ({ type: 'hello', version: TIMELINE_VERSION, ...options.about }),
      onSent: options.onSent ?? (() => {}),
      notShown: options.notShown ?? (() => 0),
    });
    this.#http = createServer(
      {
        ...GATE_TIMEOUTS,
        maxHeaderSize: MAX_HEADERS,
      },
      (request, response) => void this.#onRequest(request, response),
    );
    limitConnections(this.#http, MAX_CONNECTIONS);
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#onUpgrade(request, socket, head),
    );
  }

  /**
   * Starts to listen, and returns the link to print. The link opens the page in one browser: the page with the Stately
   * inspector when there is one.
   * @throws EngineError `listenerFailed` when the port is not available.
   */
  async listen(): Promise<Secret> {
    const { port } = this.#options;
    await new Promise<void>((resolve, reject) => {
      this.#http.once('error', (error: NodeJS.ErrnoException) =>
        reject(
          new EngineError(
            'listenerFailed',
            `The inspector cannot listen on 127.0.0.1:${port} (${error.code}).`,
            {
              cause: error,
              remediation:
                'Choose another port with --inspect=PORT or --inspect=stately:PORT; 0 is any free port.',
            },
          ),
        ),
      );
      this.#http.listen(port, '127.0.0.1', resolve);
    });
    this.#access = new PageAccess((this.#http.address() as AddressInfo).port);
    return this.#access.newLink(this.#path);
  }

  /** A link for one more browser. Not before `listen`. */
  newLink(options?: LinkOptions): Secret {
    if (this.#access === undefined) throw new Error('the inspector does not listen yet');
    return this.#access.newLink(this.#path, options);
  }

  get #path(): string {
    return this.#options.statelyFile === undefined ? '/' : STATELY_PATH;
  }

  /** Call it for each new entry of the timeline. */
  notify(): void {
    this.#subscribers.notify();
  }

  /** Sends the remaining entries to the pages, then closes them, with a message, and the server. */
  async close(message = 'The engine has stopped.'): Promise<void> {
    this.#subscribers.close(message);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#http.closeAllConnections(), CLOSE_TIMEOUT);
      this.#http.close(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#http.closeIdleConnections();
    });
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const url = pathOf(request);
    const access = this.#access;
    if (url === undefined || access === undefined) {
      refuse(response, 400, 'Bad request.');
      return;
    }
    const page = this.#pages.get(url.pathname);
    if (request.method !== 'GET' || page === undefined) {
      refuse(response, 404, 'Not found.');
      return;
    }
    const decision = access.authorize(request, url.searchParams);
    if (!decision.ok) {
      refuse(response, 403, decision.message);
      return;
    }
    const text = await page.read();
    if (text === undefined) {
      refuse(response, 500, 'The inspector page is missing from this installation. Install rc-engine again.');
      return;
    }
    const nonce = randomBytes(16).toString('base64');
    response
      .writeHead(200, {
        ...SECURITY_HEADERS,
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policyOf(nonce, request.headers.host ?? '', page.frame),
      })
      .end(
        text
          .replaceAll('__NONCE__', nonce)
          .replaceAll('__PAGE_KEY__', access.pageKey.reveal())
          .replaceAll('__SESSION__', decision.session?.reveal() ?? ''),
      );
  }

  #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refusal = this.#refusalOf(request);
    if (refusal === undefined) {
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#subscribers.add(ws));
    } else refuseUpgrade(socket, ...refusal);
  }

  #refusalOf(request: IncomingMessage): readonly [status: string, message: string] | undefined {
    const decision = this.#access?.authorizeSocket(request);
    if (decision?.ok !== true) return ['403 Forbidden', decision?.message ?? ''];
    if (pathOf(request)?.pathname !== SOCKET_PATH) return ['404 Not Found', 'Not found.'];
    if (this.#subscribers.size < MAX_PAGES) return undefined;
    return ['503 Service Unavailable', 'Too many pages are open. Close some.'];
  }
}

/** One file, read at the first request. */
class ServedPage {
  /** The only origin that the page may show in a frame. */
  readonly frame: string | undefined;
  readonly #file: URL;
  #text: Promise<string | undefined> | undefined;

  constructor(file: URL, frame?: string) {
    this.#file = file;
    this.frame = frame;
  }

  /** Undefined when it is missing. */
  read(): Promise<string | undefined> {
    this.#text ??= readPageFile(this.#file).catch(() => undefined);
    return this.#text;
  }
}

const SECURITY_HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** The page contains everything that it needs. It may reach only its own server and the origin of its frame. */
const policyOf = (nonce: string, host: string, frame: string | undefined): string =>
  [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    "style-src 'unsafe-inline'",
    'img-src data:',
    `connect-src 'self' ws://${host}`,
    ...(frame === undefined ? [] : [`frame-src ${frame}`]),
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');

function pathOf(request: IncomingMessage): URL | undefined {
  const base = 'http://inspector';
  const { url = '' } = request;
  return URL.canParse(url, base) ? new URL(url, base) : undefined;
}

function refuse(response: ServerResponse, status: number, message: string): void {
  response
    .writeHead(status, {
      ...SECURITY_HEADERS,
      'content-type': 'text/plain; charset=utf-8',
      connection: 'close',
    })
    .end(`${message}\n`);
}

function refuseUpgrade(socket: Duplex, status: string, message: string): void {
  endThenDestroy(
    socket,
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(message)}\r\n\r\n${message}`,
  );
}
