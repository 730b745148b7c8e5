import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { EngineError } from '../protocol/errors.js';
import type { Secret } from '../protocol/secret.js';
import { Browsers } from './browsers.js';
import { Gate } from './gate.js';
import { TIMELINE_VERSION, type Timeline } from './timeline.js';
import type { Hello } from './wire.js';

export const SOCKET_PATH = '/timeline';
export const STATELY_PATH = '/stately';
const STATELY = 'https://stately.ai';

/** Pages at a time; one more is told to wait. */
const MAX_PAGES = 64;
const MAX_CONNECTIONS = 256;
/** A page sends nothing; what it sends all the same is not read far. */
const MAX_PAYLOAD = 1_024;
const MAX_HEADERS = 8 * 1024;
/** Time for a request's headers, and between two looks at it, ms. */
const HEADERS_TIMEOUT = 5_000;
/** Requests that are under way at the end have this long, ms. */
const GOODBYE = 500;

export interface InspectorOptions {
  /** 0: a free one. Always of 127.0.0.1. */
  readonly port: number;
  /** The page, one file. */
  readonly pageFile: URL;
  /** The page around the Stately inspector. Absent: nothing that is served can reach another site. */
  readonly statelyFile?: URL | undefined;
  readonly timeline: Timeline;
  readonly about: Pick<Hello, 'mode' | 'engine' | 'charts' | 'file' | 'savedAt'>;
  /** Entries before this one have left. */
  readonly told?: (next: number) => void;
  /** Actors that the timeline does not show. */
  readonly notShown?: () => number;
}

/** Serves the page and the timeline to the browser of whoever holds the link. */
export class InspectorServer {
  readonly #options: InspectorOptions;
  readonly #browsers: Browsers;
  readonly #http: Server;
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_PAYLOAD,
    perMessageDeflate: false,
    clientTracking: false,
  });
  #gate: Gate | undefined;
  readonly #pages: ReadonlyMap<string, ServedPage>;

  constructor(options: InspectorOptions) {
    this.#options = options;
    const { pageFile, statelyFile } = options;
    this.#pages = new Map([
      ['/', new ServedPage(pageFile)],
      ...(statelyFile === undefined ? [] : [[STATELY_PATH, new ServedPage(statelyFile, STATELY)] as const]),
    ]);
    this.#browsers = new Browsers(options.timeline, {
      hello: () => ({ type: 'hello', version: TIMELINE_VERSION, ...options.about }),
      told: options.told ?? (() => {}),
      notShown: options.notShown ?? (() => 0),
    });
    this.#http = createServer(
      {
        maxHeaderSize: MAX_HEADERS,
        headersTimeout: HEADERS_TIMEOUT,
        requestTimeout: HEADERS_TIMEOUT,
        connectionsCheckingInterval: HEADERS_TIMEOUT,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.#http.maxConnections = MAX_CONNECTIONS;
    this.#http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
  }

  /**
   * The link to print: it opens the page in one browser; the one around the Stately inspector where there is one.
   * @throws EngineError `listenerFailed` when the port cannot be had.
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
                'Choose another port: --inspect=PORT or --inspect=stately:PORT; 0 is any free one.',
            },
          ),
        ),
      );
      this.#http.listen(port, '127.0.0.1', resolve);
    });
    this.#gate = new Gate((this.#http.address() as AddressInfo).port);
    return this.#gate.linkTo(this.#options.statelyFile === undefined ? '/' : STATELY_PATH);
  }

  /** Something was added to the timeline. */
  wake(): void {
    this.#browsers.wake();
  }

  /** Pages get what is left and are told goodbye. */
  async close(): Promise<void> {
    this.#browsers.close();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => this.#http.closeAllConnections(), GOODBYE);
      this.#http.close(() => {
        clearTimeout(timer);
        resolve();
      });
      this.#http.closeIdleConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.resume();
    const url = pathOf(request);
    const gate = this.#gate;
    if (url === undefined || gate === undefined) {
      refuse(response, 400, 'Not understood.');
      return;
    }
    const page = this.#pages.get(url.pathname);
    if (request.method !== 'GET' || page === undefined) {
      refuse(response, 404, 'Nothing is here.');
      return;
    }
    const admission = gate.admit(request, url.searchParams.get('token'));
    if (!admission.ok) {
      refuse(response, 403, admission.why);
      return;
    }
    const text = await page.read();
    if (text === undefined) {
      refuse(response, 500, 'The page of the inspector is missing from this installation.');
      return;
    }
    const nonce = randomBytes(16).toString('base64');
    response
      .writeHead(200, {
        ...SAFE_HEADERS,
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': policyOf(nonce, request.headers.host ?? '', page.frame),
        ...(admission.cookie === undefined ? {} : { 'set-cookie': gate.setCookie(admission.cookie) }),
      })
      .end(text.replaceAll('__NONCE__', nonce));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const refusal = this.#refusalOf(request);
    if (refusal === undefined) {
      this.#sockets.handleUpgrade(request, socket, head, (ws) => this.#browsers.add(ws));
    } else refuseUpgrade(socket, ...refusal);
  }

  #refusalOf(request: IncomingMessage): readonly [status: string, why: string] | undefined {
    const admission = this.#gate?.admitSocket(request);
    if (admission?.ok !== true) return ['403 Forbidden', admission?.why ?? ''];
    if (pathOf(request)?.pathname !== SOCKET_PATH) return ['404 Not Found', 'No socket is here.'];
    if (this.#browsers.size < MAX_PAGES) return undefined;
    return ['503 Service Unavailable', 'Too many pages are open: close some.'];
  }
}

/** One file, read when it is first asked for. */
class ServedPage {
  /** The one site that may stand in a frame of it. */
  readonly frame: string | undefined;
  readonly #file: URL;
  #text: Promise<string | undefined> | undefined;

  constructor(file: URL, frame?: string) {
    this.#file = file;
    this.frame = frame;
  }

  /** Undefined when it is missing. */
  read(): Promise<string | undefined> {
    this.#text ??= readFile(this.#file, 'utf8').catch(() => undefined);
    return this.#text;
  }
}

const SAFE_HEADERS = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** The page brings everything along; the only thing that it may reach is where it came from, and its frame. */
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

function refuse(response: ServerResponse, status: number, why: string): void {
  response
    .writeHead(status, { ...SAFE_HEADERS, 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
    .end(`${why}\n`);
}

function refuseUpgrade(socket: Duplex, status: string, why: string): void {
  socket.end(
    `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(why)}\r\n\r\n${why}`,
    () => socket.destroy(),
  );
}
