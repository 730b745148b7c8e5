import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { GATE_TIMEOUTS, limitConnections, refusalOf } from '../net/http-gate.js';
import { EngineError } from '../protocol/errors.js';
import { MAX_CHUNKED_MESSAGE_BYTES } from '../protocol/frames.js';
import type { EventLog } from './events.js';
import type { AnswerFault, FaultQueue } from './faults.js';
import { HttpError, type HttpResponse, readJsonBody, refuseUpgrade, sendResponse } from './http.js';
import type { ListenAddress } from './options.js';
import { matchRoute, type RouteMatch, type RouteResponse, type Routes, socketSide } from './routes.js';
import type { Side } from './sockets.js';

/** Above the largest frame that a server may send, so that a slightly larger one is skipped and not fatal. */
const MAX_SERVER_FRAME_BYTES = 1024 * 1024;

/** Open connections without a WebSocket. */
const MAX_CONNECTIONS = 1_024;

/** Decides one upgrade: throws HttpError to refuse it, or returns the function that takes the socket. */
type AcceptUpgrade = (request: IncomingMessage) => (socket: WebSocket) => void;

export interface ListenerDeps {
  readonly routes: Routes;
  readonly faults: FaultQueue;
  readonly events: EventLog;
  /** Handles POST /__faults. Undefined: the route does not exist. */
  readonly applyFault: ((body: string) => HttpResponse) | undefined;
  readonly acceptServer: AcceptUpgrade;
  readonly acceptController: AcceptUpgrade;
}

/** The HTTP server of the backend: requests and WebSocket upgrades, with injected faults in front of both. */
export class BackendListener {
  readonly #deps: ListenerDeps;
  readonly #http: Server;
  readonly #webSockets: Record<Side, WebSocketServer>;
  readonly #stop = new AbortController();

  private constructor(deps: ListenerDeps) {
    this.#deps = deps;
    this.#http = createServer(
      {
        ...GATE_TIMEOUTS,
        maxHeaderSize: 32_768,
      },
      (request, response) => void this.#onRequest(request, response),
    );
    limitConnections(this.#http, MAX_CONNECTIONS);
    this.#http.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head));
    const common = { noServer: true, clientTracking: false, perMessageDeflate: false, autoPong: false };
    this.#webSockets = {
      server: new WebSocketServer({ ...common, maxPayload: MAX_SERVER_FRAME_BYTES }),
      controller: new WebSocketServer({ ...common, maxPayload: MAX_CHUNKED_MESSAGE_BYTES }),
    };
  }

  /** Throws EngineError `listenerFailed`. */
  static async open(address: ListenAddress, deps: ListenerDeps): Promise<BackendListener> {
    const listener = new BackendListener(deps);
    await new Promise<void>((resolve, reject) => {
      listener.#http.once('error', (cause) => {
        const { host, port } = address;
        reject(
          new EngineError('listenerFailed', `the embedded backend cannot listen on ${host}:${port}`, {
            cause,
          }),
        );
      });
      listener.#http.listen(address.port, address.host, resolve);
    });
    return listener;
  }

  /** `http://HOST:PORT` */
  get origin(): string {
    const { address, family, port } = this.#http.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Stops listening and ends requests in flight. Open WebSockets are closed by their owner. */
  async close(): Promise<void> {
    this.#stop.abort();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    try {
      requireOwnHost(request);
      const url = new URL(request.url ?? '/', 'http://backend');
      if (url.pathname === '/__faults' && this.#deps.applyFault !== undefined) {
        sendResponse(response, await this.#onFaultRequest(request, this.#deps.applyFault));
        return;
      }
      await this.#onApiRequest(matchRoute(request, url), response);
    } catch (error) {
      if (error instanceof HttpError) sendResponse(response, error.response);
      // The peer disconnected, or the backend stops: nobody waits for a response.
      else if (!response.destroyed && !this.#stop.signal.aborted) {
        sendResponse(response, { status: 500, body: { detail: 'Internal Server Error' } });
      }
    }
  }

  async #onFaultRequest(
    request: IncomingMessage,
    applyFault: (body: string) => HttpResponse,
  ): Promise<HttpResponse> {
    if (request.method !== 'POST') throw new HttpError(405, 'Method Not Allowed', { allow: 'POST' });
    return applyFault(await readJsonBody(request));
  }

  async #onApiRequest(match: RouteMatch, target: ServerResponse): Promise<void> {
    const { request } = match;
    const body = request.method === 'POST' ? await readJsonBody(request) : '';
    const fault = await this.#takeFault(match.route);
    if (fault?.answer === 'hang') return;
    if (fault?.answer === 'drop') {
      request.socket.destroy();
      return;
    }
    let response = faultResponse(fault);
    if (response === undefined) {
      response = await this.#handle(match, body);
      if (fault !== undefined) response = alterResponse(response, fault);
    }
    this.#deps.events.add('request', { route: match.route, status: response.status, ...response.detail });
    sendResponse(target, response);
  }

  async #handle(match: RouteMatch, body: string): Promise<RouteResponse> {
    try {
      return await this.#deps.routes.handle(match, body);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      return { ...error.response, detail: { refused: error.message } };
    }
  }

  async #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    // The HTTP server does not close upgraded connections.
    const destroy = (): void => void socket.destroy();
    this.#stop.signal.addEventListener('abort', destroy);
    socket.once('close', () => this.#stop.signal.removeEventListener('abort', destroy));
    const side = socketSide(request.url);
    try {
      requireOwnHost(request);
      if (side === undefined) throw new HttpError(404, 'Not Found');
      const fault = await this.#takeFault(side === 'server' ? 'socket' : 'controllerSocket');
      if (fault?.answer === 'hang') return;
      if (fault?.answer === 'drop') {
        socket.destroy();
        return;
      }
      const response = faultResponse(fault);
      if (response !== undefined) {
        this.#deps.events.add('socketRefused', { side, status: response.status, ...response.detail });
        refuseUpgrade(socket, response);
        return;
      }
      const takeSocket =
        side === 'server' ? this.#deps.acceptServer(request) : this.#deps.acceptController(request);
      this.#webSockets[side].handleUpgrade(request, socket, head, (webSocket) => {
        // From here on its owner closes the socket, with a close frame.
        this.#stop.signal.removeEventListener('abort', destroy);
        takeSocket(webSocket);
        if (fault?.answer === 'closeAfter') this.#closeAfter(webSocket, fault.ms, fault.code);
      });
    } catch (error) {
      if (!(error instanceof HttpError)) {
        socket.destroy();
        return;
      }
      this.#deps.events.add('socketRefused', {
        side: side ?? 'unknown',
        status: error.status,
        refused: error.message,
      });
      refuseUpgrade(socket, error.response);
    }
  }

  #closeAfter(socket: WebSocket, ms: number, code: number): void {
    if (ms === 0) {
      socket.close(code);
      return;
    }
    const timer = setTimeout(() => socket.close(code), ms);
    socket.once('close', () => clearTimeout(timer));
  }

  /** Takes the fault of this request from the queue and waits for its delay. */
  async #takeFault(route: AnswerFault['route']): Promise<AnswerFault | undefined> {
    const fault = this.#deps.faults.take(route);
    if (fault === undefined) return undefined;
    this.#deps.events.add('fault', { route, answer: fault.answer, delayMs: fault.delayMs });
    if (fault.delayMs > 0) await sleep(fault.delayMs, undefined, { signal: this.#stop.signal });
    return fault;
  }
}

/** Throws HttpError for a request of a web page and for one to another host name. RC-51 */
function requireOwnHost(request: IncomingMessage): void {
  const refusal = refusalOf(request, false);
  if (refusal !== undefined) throw new HttpError(refusal.status, refusal.message, { connection: 'close' });
}

/** The response of a fault that replaces the handler; undefined for any other fault. */
function faultResponse(fault: AnswerFault | undefined): RouteResponse | undefined {
  if (fault?.answer === 'status') {
    const { status, headers, body = { detail: 'An injected fault' } } = fault;
    return { status, headers, body, detail: { fault: 'status' } };
  }
  if (fault?.answer === 'garbage') {
    return { status: 200, body: '<html>{"this is": no JSON', detail: { fault: 'garbage' } };
  }
  return undefined;
}

/** The normal response with the members that the fault replaces. */
function alterResponse(response: RouteResponse, fault: AnswerFault): RouteResponse {
  const members =
    fault.answer === 'patch'
      ? fault.members
      : fault.answer === 'otherServer'
        ? { server_id: 'srv_of_somebody_else', environment_id: 'env_of_somebody_else' }
        : undefined;
  if (members === undefined || typeof response.body !== 'object') return response;
  const body = Object.entries({ ...response.body, ...members }).filter(([, value]) => value !== null);
  return { ...response, body: Object.fromEntries(body), detail: { ...response.detail, fault: fault.answer } };
}
