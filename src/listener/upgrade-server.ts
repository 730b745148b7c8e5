import { randomUUID } from 'node:crypto';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import net, { type Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { ACP_PATH, type AgentProtocol, protocolOfSubprotocol } from '../protocol/agent-protocol.js';
import {
  type Admission,
  NOTHING_PRESENTED,
  type RequestKind,
  type UpgradeFacts,
  type Verdict,
} from '../protocol/authority.js';
import { errnoOf } from '../system/errno.js';
import { peerOf } from './address.js';
import type { Authority, Examination } from './auth/authority.js';
import { bind, type ServerAddress } from './bind.js';
import { asPage, isPageRequest } from './handshake/browser-page.js';
import { Handshakes } from './handshake/handshakes.js';
import { type Health, healthResponse, isHealthPath } from './handshake/health.js';
import { isMetricsPath, MetricsPage, type ServedMetrics } from './handshake/metrics.js';
import { type HttpResponse, rejectionResponse, responseBytes, sendResponse } from './handshake/responses.js';
import {
  type AllowedHosts,
  MAX_HEADER_BYTES,
  readUpgradeRequest,
  requestKindOf,
  type UpgradeRequest,
  upgradeRequestFor,
} from './handshake/upgrade-request.js';

interface UpgradeServerLimits {
  /** Open connections. WSA-16 */
  readonly maxConnections: number;
  /** Largest message from a client, bytes. WSA-17 */
  readonly maxMessageBytes: number;
  /** Handshakes in progress at once. WSA-16 */
  readonly maxHandshakes: number;
  /** How long a handshake may take, ms. */
  readonly upgradeTimeout: number;
}

interface UpgradeServerOptions extends UpgradeServerLimits {
  /** Subprotocols that are selected when a client offers them. WSA-45 */
  readonly subprotocols: ReadonlySet<string>;
  /** The host names that a request may have; a page of a foreign name must not reach a loopback address. */
  readonly hosts: AllowedHosts;
  /** Called for each TLS handshake, because the certificate may be renewed; undefined: no TLS. WSA-53 */
  readonly secureContext: (() => SecureContext) | undefined;
}

/** An accepted connection with its open WebSocket. */
export interface AcceptedConnection {
  readonly ws: WebSocket;
  /** The stream below the WebSocket, for its byte counts and `drain` events. */
  readonly stream: Socket;
  /** One object for all connections that were accepted for the same reason. */
  readonly verdict: Verdict;
  /** Wall-clock ms at which the credential expires; null: it does not. */
  readonly expiresAt: number | null;
  /** What its path or its subprotocol says that the client speaks. WSA-40 */
  readonly protocol: AgentProtocol | undefined;
  /** The connection id that the client of `/acp` got. WSA-46 */
  readonly acpConnectionId: string | undefined;
}

/** What the server asks for and reports. */
interface UpgradeServerDeps {
  decide(facts: UpgradeFacts): Verdict;
  /** Decides about a request that opens no connection. Only rejections are counted. */
  decideRead(facts: UpgradeFacts): Verdict;
  /** The metrics in the text format of Prometheus; undefined: the listener serves none. WSA-68 */
  readonly metrics: ServedMetrics | undefined;
  /** `detail` is a fixed text that contains nothing of the request. */
  onRejected(verdict: Verdict, peer: string, detail: string | null): void;
  onAccepted(connection: AcceptedConnection): void;
  /** Whether a degraded connection could make room for one with the credential. WSA-61 */
  readonly hasReplaceable: () => boolean;
  /** Closes one degraded connection, and returns its WebSocket, which no longer counts. */
  readonly replaceOne: () => WebSocket | undefined;
  health(): Health;
  now(): number;
}

const MAX_WAITING = 4_096;
/** ms */
const MAX_WAIT = 1_000;
/** How long a client may take to close the connection after its response, ms. */
const LINGER_TIMEOUT = 1_000;
const NOT_EXAMINED: Examination = { credential: NOTHING_PRESENTED, expiresAt: null };

/** State of one handshake. It is a property of the stream, because a WeakMap of thousands slows each garbage collection. */
interface Handshake {
  /** The TCP connection below the stream; without TLS the stream itself. */
  readonly tcp: Socket;
  responded: boolean;
}
const HANDSHAKE = Symbol('handshake');
type HandshakeStream = Socket & { [HANDSHAKE]?: Handshake };

function handshakeOf(stream: HandshakeStream): Handshake {
  const handshake = stream[HANDSHAKE];
  if (handshake === undefined) throw new Error('a stream of another server');
  return handshake;
}

/**
 * The HTTP side of the listener: accepts connections, checks the first request of each, and upgrades the good ones to
 * WebSockets. Each connection gets one response; requests behind the first are never answered. WSA-8, WSA-13, WSA-16
 */
export class UpgradeServer {
  readonly #authority: Authority;
  readonly #limits: UpgradeServerLimits;
  readonly #subprotocols: ReadonlySet<string>;
  readonly #hosts: AllowedHosts;
  readonly #deps: UpgradeServerDeps;
  readonly #secureContext: (() => SecureContext) | undefined;
  readonly #metricsPage: MetricsPage | undefined;
  readonly #tcp: net.Server;
  /** Parses requests. It does not listen; connections are passed to it when their handshake begins. */
  readonly #http: http.Server;
  readonly #wss: WebSocketServer;
  readonly #handshakes: Handshakes;
  readonly #open = new Set<WebSocket>();
  /** One listener function for all WebSockets. */
  readonly #onClosed = deleteOnClose(this.#open);
  /** Header lines for the 101 response that is being written: `ws` writes it before `handleUpgrade` returns. */
  #upgradeHeaders: readonly string[] = [];
  #admission: Admission = 'notReady';
  #url: string | undefined;

  constructor(authority: Authority, options: UpgradeServerOptions, deps: UpgradeServerDeps) {
    const { secureContext, subprotocols, hosts, ...limits } = options;
    this.#authority = authority;
    this.#limits = limits;
    this.#subprotocols = subprotocols;
    this.#hosts = hosts;
    this.#deps = deps;
    this.#secureContext = secureContext;
    this.#metricsPage = deps.metrics && new MetricsPage(deps.metrics, authority, deps);
    this.#wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxMessageBytes,
    });
    this.#wss.on('headers', (headers) => headers.push(...this.#upgradeHeaders));
    this.#http = this.#createHttpServer();
    this.#handshakes = new Handshakes(
      {
        maxHandshakes: limits.maxHandshakes,
        maxWaiting: MAX_WAITING,
        maxWait: MAX_WAIT,
        timeout: limits.upgradeTimeout,
      },
      {
        onAdmitted: (socket) => this.#admit(socket),
        onRefused: (socket) => this.#refuse(socket, 'upgrade', 'tooManyHandshakes'),
        onTimeout: (socket) => {
          // A client that does not read its response gets no second one.
          if (handshakeOf(socket).responded) socket.destroy();
          else this.#refuse(socket, 'tooSlow', this.#admission);
        },
      },
    );
    this.#tcp = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', ignore);
      this.#handshakes.enter(socket);
    });
    this.#tcp.maxConnections = limits.maxConnections + limits.maxHandshakes + MAX_WAITING;
  }

  #createHttpServer(): http.Server {
    const server = http.createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      requireHostHeader: false, // readUpgradeRequest checks it, for requests of every kind.
      keepAlive: false,
    });
    // Node silently drops headers above its own limit, which could hide an Origin.
    server.maxHeadersCount = 0;
    const onRequest = (request: IncomingMessage, response: ServerResponse) =>
      this.#onRequest(request, response);
    server.on('request', onRequest);
    server.on('checkContinue', onRequest);
    server.on('checkExpectation', onRequest);
    server.on('upgrade', (request, stream, head) => this.#onUpgrade(request, stream as Socket, head));
    server.on('connect', (request, stream) => this.#onUpgrade(request, stream as Socket, Buffer.alloc(0)));
    server.on('clientError', (error, stream) => this.#onClientError(error, stream as Socket));
    return server;
  }

  /** The URL for clients, without the token. */
  get url(): string {
    if (this.#url === undefined) throw new Error('the server does not listen yet');
    return this.#url;
  }

  get secure(): boolean {
    return this.#secureContext !== undefined;
  }

  /**
   * Binds. Connections get 503 until `accept()`.
   * @throws EngineError `listenerFailed`
   */
  async listen(address: ServerAddress): Promise<void> {
    this.#url = await bind(this.#tcp, address, this.secure);
    this.#tcp.on('error', ignore);
  }

  /** Accepts good connections from now on. */
  accept(): void {
    this.#admission = 'open';
  }

  /** New connections get 503 from now on. Open connections stay. WSA-20 */
  refuse(): void {
    this.#admission = 'notReady';
  }

  /** Stops listening. Connections that are still open after `graceMs` are cut. */
  async close(graceMs: number): Promise<void> {
    this.refuse();
    const closed = new Promise<void>((resolve) => this.#tcp.close(() => resolve()));
    this.#handshakes.close();
    const timer = setTimeout(() => {
      for (const ws of this.#open) ws.terminate();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }

  // --- the handshake of one connection

  #admit(socket: Socket): void {
    const handshake: Handshake = { tcp: socket, responded: false };
    (socket as HandshakeStream)[HANDSHAKE] = handshake;
    if (this.#secureContext === undefined) {
      this.#http.emit('connection', socket);
      return;
    }
    socket.setNoDelay(true);
    const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#secureContext() });
    (secure as HandshakeStream)[HANDSHAKE] = handshake;
    secure.on('error', ignore);
    secure.once('error', () => {
      if (!handshake.responded) this.#reject(secure, 'malformed', 'the TLS handshake failed');
      socket.destroy();
    });
    // A client that leaves during the TLS handshake frees its place at once. Later, the HTTP server notices.
    const onEnd = () => socket.destroy();
    secure.once('end', onEnd);
    secure.once('secure', () => {
      secure.off('end', onEnd);
      this.#http.emit('connection', secure);
    });
  }

  /** Marks the connection as answered. False: it was already, so this request is not its first. */
  #isFirst(stream: HandshakeStream): boolean {
    const handshake = handshakeOf(stream);
    if (handshake.responded) return false;
    handshake.responded = true;
    return true;
  }

  /** A request that Node does not treat as an upgrade, so it is not one, whatever its headers say. */
  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const stream = request.socket;
    if (!this.#isFirst(stream)) return;
    const read = readUpgradeRequest(request, this.#hosts);
    if (!read.hasOrigin && isHealthPath(read.path)) {
      sendResponse(response, this.#health(request, read));
      return;
    }
    const metrics = this.#metrics(request, read);
    if (metrics !== undefined) {
      void metrics.then((answer) => sendResponse(response, answer));
      return;
    }
    const kind = requestKindOf(read) === 'headersTooLarge' ? 'headersTooLarge' : 'malformed';
    const verdict = this.#decide(read, kind, NOT_EXAMINED);
    this.#deps.onRejected(verdict, peerOf(stream), read.error?.why ?? null);
    const rejection = rejectionResponse(verdict, read.error);
    // Host and Origin have been checked: only a browser that was pointed here gets the page.
    sendResponse(
      response,
      rejection.status === 426 && isPageRequest(request) ? asPage(rejection) : rejection,
    );
  }

  #onUpgrade(request: IncomingMessage, stream: Socket, head: Buffer): void {
    if (!this.#isFirst(stream)) {
      stream.destroy();
      return;
    }
    const read = readUpgradeRequest(request, this.#hosts);
    // With upgrade headers too, a health path gets an ordinary response and no WebSocket. WSA-8
    if (!read.hasOrigin && isHealthPath(read.path)) {
      this.#end(stream, this.#health(request, read));
      return;
    }
    const metrics = this.#metrics(request, read);
    if (metrics !== undefined) {
      void metrics.then((answer) => this.#end(stream, answer));
      return;
    }
    const connected = stream.readable && stream.writable;
    const kind: RequestKind = connected ? requestKindOf(read) : 'gone';
    // The credential of a request that is refused anyway is not compared.
    const admission = this.#room;
    const hasRoom = admission === 'open' || admission === 'onlyEstablished';
    const examine = kind === 'upgrade' && !read.hasOrigin && hasRoom;
    const examined = examine ? this.#authority.examine(read, this.#deps.now()) : NOT_EXAMINED;
    const verdict = this.#decide(read, kind, examined);
    if (verdict.outcome === 'rejected') {
      this.#deps.onRejected(verdict, peerOf(stream), read.error?.why ?? null);
      if (connected) this.#end(stream, rejectionResponse(verdict, read.error));
      else stream.destroy();
      return;
    }
    const { expiresAt } = examined;
    const replaced = admission === 'onlyEstablished' ? this.#deps.replaceOne() : undefined;
    if (replaced !== undefined) this.#open.delete(replaced);
    const subprotocol = read.subprotocols.find((name) => this.#subprotocols.has(name));
    const acpConnectionId = read.path === ACP_PATH ? randomUUID() : undefined;
    const protocol = acpConnectionId === undefined ? protocolOfSubprotocol(subprotocol) : 'acp';
    this.#upgradeHeaders = acpConnectionId === undefined ? [] : [`Acp-Connection-Id: ${acpConnectionId}`];
    this.#wss.handleUpgrade(upgradeRequestFor(read.key, subprotocol), stream, head, (ws) => {
      this.#handshakes.leave(handshakeOf(stream).tcp);
      this.#open.add(ws);
      ws.on('close', this.#onClosed);
      this.#deps.onAccepted({ ws, stream, verdict, expiresAt, protocol, acpConnectionId });
    });
  }

  #onClientError(error: Error, stream: Socket): void {
    if (!this.#isFirst(stream)) return;
    const code = errnoOf(error);
    // The client disconnected, or we closed the connection.
    if (code === 'ECONNRESET' || !stream.writable) {
      stream.destroy();
      return;
    }
    const kind: RequestKind = code === 'HPE_HEADER_OVERFLOW' ? 'headersTooLarge' : 'malformed';
    const verdict = this.#reject(stream, kind, kind === 'malformed' ? 'it is not valid HTTP' : null);
    this.#end(stream, rejectionResponse(verdict, undefined));
  }

  /** Ends a connection that has not sent a complete request. */
  #refuse(socket: HandshakeStream, kind: RequestKind, admission: Admission): void {
    const verdict = this.#decideWithoutRequest(kind, admission);
    this.#deps.onRejected(verdict, peerOf(socket), null);
    const handshake = socket[HANDSHAKE];
    if (handshake !== undefined) handshake.responded = true;
    // With TLS a response in clear text would be useless.
    if (this.secure) socket.destroy();
    else this.#end(socket, rejectionResponse(verdict, undefined));
  }

  #reject(stream: Socket, kind: RequestKind, detail: string | null): Verdict {
    handshakeOf(stream).responded = true;
    const verdict = this.#decideWithoutRequest(kind, this.#admission);
    this.#deps.onRejected(verdict, peerOf(stream), detail);
    return verdict;
  }

  #decide(read: UpgradeRequest, request: RequestKind, { credential }: Examination): Verdict {
    const { mode, enforced } = this.#authority;
    const { hasOrigin } = read;
    return this.#deps.decide({ mode, enforced, hasOrigin, request, admission: this.#room, credential });
  }

  #decideWithoutRequest(request: RequestKind, admission: Admission): Verdict {
    const { mode, enforced } = this.#authority;
    const credential = NOTHING_PRESENTED;
    return this.#deps.decide({ mode, enforced, hasOrigin: false, request, admission, credential });
  }

  get #room(): Admission {
    if (this.#admission !== 'open') return this.#admission;
    if (this.#open.size < this.#limits.maxConnections) return 'open';
    return this.#deps.hasReplaceable() ? 'onlyEstablished' : 'tooManyConnections';
  }

  // --- responses

  #health({ method }: IncomingMessage, { path }: UpgradeRequest): HttpResponse {
    return healthResponse(method, path, () => {
      const { ready, body } = this.#deps.health();
      return { ready: ready && this.#admission === 'open', body };
    });
  }

  /** Undefined: the request is not for the metrics, or the listener serves none. */
  #metrics(request: IncomingMessage, read: UpgradeRequest): Promise<HttpResponse> | undefined {
    return isMetricsPath(read.path) ? this.#metricsPage?.answer(request, read, this.#admission) : undefined;
  }

  /** Sends a response on a stream that Node's HTTP server has handed over, and ends the connection. */
  #end(stream: Socket, response: HttpResponse): void {
    stream.end(responseBytes(response));
    const { tcp } = (stream as HandshakeStream)[HANDSHAKE] ?? { tcp: stream };
    stream.once('end', () => tcp.destroySoon());
    stream.resume();
    this.#handshakes.linger(tcp, LINGER_TIMEOUT);
  }
}

const ignore = (): void => {};

function deleteOnClose(open: Set<WebSocket>): (this: WebSocket) => void {
  return function onClose(this: WebSocket) {
    open.delete(this);
  };
}
