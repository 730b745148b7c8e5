import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import { EngineError } from '../protocol/errors.js';
import { MAX_CHUNKED_MESSAGE_BYTES } from '../protocol/frames.js';
import type { EventRecord } from './events.js';
import type { AnswerFault, FaultQueue } from './faults.js';
import { type Answer, Refusal, readBody, refuseUpgrade, sendAnswer } from './http.js';
import type { ListenAddress } from './options.js';
import {
  type Call,
  CONTROLLER_SOCKET_PATH,
  matchRoute,
  type Reply,
  type Routes,
  SERVER_SOCKET_PATH,
} from './routes.js';
import type { Side } from './sockets.js';

/** Above the largest frame that a server may send, so that one a little too big is skipped and not fatal. */
const MAX_SERVER_FRAME_BYTES = 1024 * 1024;

/** What the upgrade of one side decides: refuse by throwing, or take the socket. */
export type Accept = (request: IncomingMessage) => (socket: WebSocket) => void;

export interface GateParts {
  readonly routes: Routes;
  readonly faults: FaultQueue;
  readonly events: EventRecord;
  /** Answers POST /__faults. Absent: there is no such route. */
  readonly control: ((body: string) => Answer) | undefined;
  readonly acceptServer: Accept;
  readonly acceptController: Accept;
}

/** The listening side: HTTP requests and WebSocket upgrades, with faults put in front of both. */
export class Gate {
  readonly #parts: GateParts;
  readonly #http: Server;
  readonly #webSockets: Record<Side, WebSocketServer>;
  readonly #stop = new AbortController();

  private constructor(parts: GateParts) {
    this.#parts = parts;
    this.#http = createServer(
      {
        requestTimeout: 30_000,
        headersTimeout: 10_000,
        connectionsCheckingInterval: 5_000,
        maxHeaderSize: 32_768,
      },
      (request, response) => void this.#onRequest(request, response),
    );
    this.#http.on('upgrade', (request, socket, head) => void this.#onUpgrade(request, socket, head));
    const common = { noServer: true, clientTracking: false, perMessageDeflate: false, autoPong: false };
    this.#webSockets = {
      server: new WebSocketServer({ ...common, maxPayload: MAX_SERVER_FRAME_BYTES }),
      controller: new WebSocketServer({ ...common, maxPayload: MAX_CHUNKED_MESSAGE_BYTES }),
    };
  }

  /** Throws EngineError `listenerFailed`. */
  static async open(address: ListenAddress, parts: GateParts): Promise<Gate> {
    const gate = new Gate(parts);
    await new Promise<void>((resolve, reject) => {
      gate.#http.once('error', (cause) => {
        const { host, port } = address;
        reject(
          new EngineError('listenerFailed', `the embedded backend cannot listen on ${host}:${port}`, {
            cause,
          }),
        );
      });
      gate.#http.listen(address.port, address.host, resolve);
    });
    return gate;
  }

  /** `http://HOST:PORT` */
  get origin(): string {
    const { address, family, port } = this.#http.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  /** Takes nothing any more and ends requests in flight. Open WebSockets are their owner's. */
  async close(): Promise<void> {
    this.#stop.abort();
    const closed = new Promise<void>((resolve) => this.#http.close(() => resolve()));
    this.#http.closeAllConnections();
    await closed;
  }

  async #onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on('error', () => {});
    try {
      const url = new URL(request.url ?? '/', 'http://backend');
      if (url.pathname === '/__faults' && this.#parts.control !== undefined) {
        sendAnswer(response, await this.#onControl(request, this.#parts.control));
        return;
      }
      await this.#onCall(matchRoute(request, url), response);
    } catch (error) {
      if (error instanceof Refusal) sendAnswer(response, error.answer);
      // The peer went away, or the backend stops: there is nobody to answer.
      else if (!response.destroyed && !this.#stop.signal.aborted) {
        sendAnswer(response, { status: 500, body: { detail: 'Internal Server Error' } });
      }
    }
  }

  async #onControl(request: IncomingMessage, control: (body: string) => Answer): Promise<Answer> {
    // A web page may send requests here without being asked; it cannot hide that it is one.
    if (request.headers.origin !== undefined) throw new Refusal(403, 'Not for web pages');
    if (request.method !== 'POST') throw new Refusal(405, 'Method Not Allowed', { allow: 'POST' });
    return control(await readBody(request));
  }

  async #onCall(call: Call, response: ServerResponse): Promise<void> {
    const { request } = call;
    const body = await readBody(request);
    const fault = await this.#meetFault(call.route);
    if (fault?.answer === 'hang') return;
    if (fault?.answer === 'drop') {
      request.socket.destroy();
      return;
    }
    let reply = faultReply(fault);
    if (reply === undefined) {
      reply = this.#reply(call, body);
      if (fault !== undefined) reply = distort(reply, fault);
    }
    this.#parts.events.add('request', { route: call.route, status: reply.status, ...reply.detail });
    sendAnswer(response, reply);
  }

  #reply(call: Call, body: string): Reply {
    try {
      return this.#parts.routes.answer(call, body);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { ...error.answer, detail: { refused: error.message } };
    }
  }

  async #onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on('error', () => socket.destroy());
    // Upgraded connections are no longer the HTTP server's to close.
    const destroy = (): void => void socket.destroy();
    this.#stop.signal.addEventListener('abort', destroy);
    socket.once('close', () => this.#stop.signal.removeEventListener('abort', destroy));
    const side = sideOf(request.url);
    try {
      if (side === undefined) throw new Refusal(404, 'Not Found');
      const fault = await this.#meetFault(side === 'server' ? 'socket' : 'controllerSocket');
      if (fault?.answer === 'hang') return;
      if (fault?.answer === 'drop') {
        socket.destroy();
        return;
      }
      const reply = faultReply(fault);
      if (reply !== undefined) {
        this.#parts.events.add('socketRefused', { side, status: reply.status, ...reply.detail });
        refuseUpgrade(socket, reply);
        return;
      }
      const take =
        side === 'server' ? this.#parts.acceptServer(request) : this.#parts.acceptController(request);
      this.#webSockets[side].handleUpgrade(request, socket, head, (webSocket) => {
        // From here on the socket is ended by its owner, with a goodbye.
        this.#stop.signal.removeEventListener('abort', destroy);
        take(webSocket);
        if (fault?.answer === 'closeAfter') this.#closeAfter(webSocket, fault.ms, fault.code);
      });
    } catch (error) {
      if (!(error instanceof Refusal)) {
        socket.destroy();
        return;
      }
      this.#parts.events.add('socketRefused', {
        side: side ?? 'unknown',
        status: error.status,
        refused: error.message,
      });
      refuseUpgrade(socket, error.answer);
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

  /** Takes the fault of this request and sits out its delay. */
  async #meetFault(route: AnswerFault['route']): Promise<AnswerFault | undefined> {
    const fault = this.#parts.faults.take(route);
    if (fault === undefined) return undefined;
    this.#parts.events.add('fault', { route, answer: fault.answer, delayMs: fault.delayMs });
    if (fault.delayMs > 0) await sleep(fault.delayMs, undefined, { signal: this.#stop.signal });
    return fault;
  }
}

function sideOf(path: string | undefined): Side | undefined {
  switch (path?.replace(/\?.*$/, '')) {
    case SERVER_SOCKET_PATH:
      return 'server';
    case CONTROLLER_SOCKET_PATH:
      return 'controller';
    default:
      return undefined;
  }
}

/** What is answered in place of the truth, if that is not asked at all. */
function faultReply(fault: AnswerFault | undefined): Reply | undefined {
  if (fault?.answer === 'status') {
    const { status, headers, body = { detail: 'A fault was asked for' } } = fault;
    return { status, headers, body, detail: { fault: 'status' } };
  }
  if (fault?.answer === 'garbage') {
    return { status: 200, body: '<html>{"this is": no JSON', detail: { fault: 'garbage' } };
  }
  return undefined;
}

/** The truth with the members that the fault puts in. */
function distort(reply: Reply, fault: AnswerFault): Reply {
  const members =
    fault.answer === 'patch'
      ? fault.members
      : fault.answer === 'otherServer'
        ? { server_id: 'srv_of_somebody_else', environment_id: 'env_of_somebody_else' }
        : undefined;
  if (members === undefined || typeof reply.body !== 'object') return reply;
  const body = Object.entries({ ...reply.body, ...members }).filter(([, value]) => value !== null);
  return { ...reply, body: Object.fromEntries(body), detail: { ...reply.detail, fault: fault.answer } };
}
