import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { HttpError, type HttpResponse, readJsonBody, refuseUpgrade, sendResponse } from '../backend/http.js';
import { matchRoute, type Routes, socketSide } from '../backend/routes.js';
import type { Side } from '../backend/sockets.js';
import { GATE_TIMEOUTS, limitConnections } from '../net/http-gate.js';
import { EngineError } from '../protocol/errors.js';
import { MAX_CHUNKED_MESSAGE_BYTES } from '../protocol/frames.js';
import type { HubListen } from './options.js';
import { CONTROLLER_PROTOCOL, pageResponse, requireOwnOrigin } from './page-response.js';
import { StateUnavailableError } from './state/state-store.js';

/** Above the largest frame that an engine may send, so that a slightly larger one is skipped and not fatal. */
const MAX_SERVER_FRAME_BYTES = 1024 * 1024;
/** Open connections without a WebSocket. */
const MAX_CONNECTIONS = 4_096;
/** `Retry-After` while the state cannot be reached, seconds. */
const STATE_RETRY = '5';

/** Decides one upgrade: throws to refuse it, or returns the function that takes the socket. */
type AcceptUpgrade = (request: IncomingMessage) => Promise<(socket: WebSocket) => void>;

export interface HubListenerDeps {
  readonly routes: Routes;
  readonly accept: Readonly<Record<Side, AcceptUpgrade>>;
  /** Answers `/healthz`, `/readyz` and `/metrics`; undefined for any other path. */
  readonly operate: (path: string) => Promise<HttpResponse | undefined>;
  /** Answers the holder of a key; undefined for any other path. */
  readonly account: (request: IncomingMessage, path: string) => Promise<HttpResponse | undefined>;
  /** The page; undefined: there is none. */
  readonly page: string | undefined;
  /** Anybody may enroll: only names of this machine count. */
  readonly open: boolean;
  /** Undefined: accepted. Else the seconds of `Retry-After`. */
  readonly admit: () => number | undefined;
  readonly onResponse: (route: string, status: number) => void;
  readonly onRefused: (side: Side, status: number, detail: string) => void;
  /** A fault that nobody expects. */
  readonly onError: (error: unknown) => void;
}

/** The HTTP server of a hub node: requests and WebSocket upgrades. */
export class HubListener {
  readonly #deps: HubListenerDeps;
  readonly #http: Server;
  readonly #secure: boolean;
  readonly #webSockets: Record<Side, WebSocketServer>;
  /** Connections of upgrades that are not decided yet. */
  readonly #upgrading = new Set<Duplex>();

  private constructor(
    deps: HubListenerDeps,
    tls: { readonly cert: string; readonly key: string } | undefined,
  ) {
    this.#deps = deps;
    this.#secure = tls !== undefined;
    const options = { ...GATE_TIMEOUTS, maxHeaderSize: 32_768 };
    const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
      void this.#onRequest(request, response);
    this.#http =
      tls === undefined
        ? createServer(options, onRequest)
        : createSecureServer({ ...options, ...tls }, onRequest);
    limitConnections(this.#http, MAX_CONNECTIONS);
    this.#http.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head));
    const common = { noServer: true, clientTracking: false, perMessageDeflate: false, autoPong: false };
    this.#webSockets = {
      server: new WebSocketServer({ ...common, maxPayload: MAX_SERVER_FRAME_BYTES }),
      controller: new WebSocketServer({
        ...{ ...common, maxPayload: MAX_CHUNKED_MESSAGE_BYTES },
        // Never the one with the token.
        handleProtocols: (offered) => (offered.has(CONTROLLER_PROTOCOL) ? CONTROLLER_PROTOCOL : false),
      }),
    };
  }

  /** Throws EngineError `listenerFailed`. */
  static async open(
    { host, port }: HubListen,
    tls: { readonly cert: string; readonly key: string } | undefined,
    deps: HubListenerDeps,
  ): Promise<HubListener> {
    const failed = (cause: unknown): EngineError =>
      new EngineError('listenerFailed', `the hub cannot listen on ${host}:${port}`, { cause });
    let listener: HubListener;
    try {
      listener = new HubListener(deps, tls);
    } catch (cause) {
      throw new EngineError('listenerFailed', 'the certificate and the key of the hub cannot be used', {
        cause,
        remediation: 'Check that --tls-cert and --tls-key are PEM files that belong together.',
      });
    }
    await new Promise<void>((resolve, reject) => {
      listener.#http.once('error', (cause) => reject(failed(cause)));
      listener.#http.listen(port, host, resolve);
    });
    return listener;
  }

  /** `https://HOST:PORT` */
  get origin(): string {
    const { address, family, port } = this.#http.address() as AddressInfo;
    return `${this.#secure ? 'https' : 'http'}://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Stops listening and ends requests in flight. Open WebSockets are closed by their owner. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    for (const socket of this.#upgrading) socket.destroy();
    await closed;
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    let route = 'none';
    let answer: HttpResponse;
    try {
      requireOwnOrigin(request, this.#deps.open);
      const url = new URL(request.url ?? '/', 'http://hub');
      const { operate, account, page } = this.#deps;
      if (page !== undefined && request.method === 'GET' && url.pathname === '/') {
        sendResponse(response, pageResponse(page, request));
        return;
      }
      const operated =
        (request.method === 'GET' ? await operate(url.pathname) : undefined) ??
        (await account(request, url.pathname));
      if (operated === undefined) {
        const match = matchRoute(request, url);
        route = match.route;
        const body = request.method === 'POST' ? await readJsonBody(request) : '';
        answer = await this.#deps.routes.handle(match, body);
      } else answer = operated;
    } catch (error) {
      answer = this.#refusal(error).response;
    }
    if (route !== 'none') this.#deps.onResponse(route, answer.status);
    sendResponse(response, answer);
  }

  async #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    this.#upgrading.add(socket);
    socket.once('close', () => this.#upgrading.delete(socket));
    const side = socketSide(request.url);
    try {
      requireOwnOrigin(request, this.#deps.open);
      if (side === undefined) throw new HttpError(404, 'Not Found');
      const wait = this.#deps.admit();
      if (wait !== undefined)
        throw new HttpError(503, 'Too many connections at once', { 'retry-after': String(wait) });
      const takeSocket = await this.#deps.accept[side](request);
      if (socket.destroyed) return;
      this.#upgrading.delete(socket);
      this.#webSockets[side].handleUpgrade(request, socket, head, takeSocket);
    } catch (error) {
      const refusal = this.#refusal(error);
      if (side !== undefined) this.#deps.onRefused(side, refusal.status, refusal.message);
      refuseUpgrade(socket, refusal.response);
    }
  }

  #refusal(error: unknown): HttpError {
    if (error instanceof HttpError) return error;
    if (error instanceof StateUnavailableError)
      return new HttpError(503, 'The state of the hub cannot be reached', { 'retry-after': STATE_RETRY });
    this.#deps.onError(error);
    return new HttpError(500, 'Internal Server Error');
  }
}
