import http, { IncomingMessage, type ServerResponse } from 'node:http';
import net, { Socket } from 'node:net';
import { createSecureContext, type SecureContext, TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type Admission,
  NOTHING_PRESENTED,
  type RequestKind,
  type UpgradeFacts,
  type Verdict,
} from '../protocol/authority.js';
import { errnoOf } from '../system/errno.js';
import type { ListenAddress } from './address.js';
import type { Authority, Examination } from './auth/authority.js';
import { bind } from './bind.js';
import { Handshakes } from './handshake/handshakes.js';
import { answerBytes, answerTo, type HttpAnswer } from './handshake/http-answers.js';
import {
  kindOf,
  MAX_HEADER_BYTES,
  type RequestHead,
  readUpgradeRequest,
  type UpgradeRequest,
} from './handshake/upgrade-request.js';
import type { ListenerLimits, LocalListenerDeps, TlsIdentity } from './host.js';

const MAX_WAITING = 4_096;
const MAX_WAIT = 1_000;
/** How long an answered connection may take to close. */
const LINGER = 1_000;
const NOT_EXAMINED: Examination = { credential: NOTHING_PRESENTED, expiresAt: null };

/** What is known of a connection on its way. On the stream itself: a WeakMap of as many costs each collection. */
interface Place {
  /** The TCP connection below the stream that HTTP is spoken on; under TLS these are two things. */
  readonly raw: Socket;
  answered: boolean;
}
const PLACE = Symbol('place');
type Placed = Socket & { [PLACE]?: Place };

function placeOf(stream: Placed): Place {
  const place = stream[PLACE];
  if (place === undefined) throw new Error('a stream of another listener');
  return place;
}

/**
 * The local listener: takes connections, reads each first request strictly, and turns the right ones into
 * WebSockets. One request a connection: nothing behind an answer is ever read. WSA-8, WSA-13, WSA-16
 */
export class LocalListener {
  readonly #authority: Authority;
  readonly #limits: ListenerLimits;
  readonly #host: LocalListenerDeps;
  readonly #secureContext: SecureContext | undefined;
  readonly #front: net.Server;
  readonly #http: http.Server;
  readonly #wss: WebSocketServer;
  readonly #handshakes: Handshakes;
  readonly #open = new Set<WebSocket>();
  /** One for all WebSockets. */
  readonly #onClosed = removesItself(this.#open);
  #admission: Admission = 'notReady';
  #url: string | undefined;

  /** @throws whatever Node says of a certificate or key that cannot be used. */
  constructor(authority: Authority, limits: ListenerLimits, host: LocalListenerDeps, tls?: TlsIdentity) {
    this.#authority = authority;
    this.#limits = limits;
    this.#host = host;
    this.#secureContext =
      tls === undefined ? undefined : createSecureContext({ ...tls, minVersion: 'TLSv1.2' });
    this.#wss = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: limits.maxMessageBytes,
    });
    this.#http = http.createServer({
      maxHeaderSize: MAX_HEADER_BYTES,
      insecureHTTPParser: false,
      requireHostHeader: false, // Checked here, for upgrades and other requests alike.
      keepAlive: false,
    });
    // Node drops headers past its own limit without a word; a hidden Origin must not be possible.
    this.#http.maxHeadersCount = 0;
    this.#http.on('request', (request, response) => this.#onRequest(request, response));
    this.#http.on('upgrade', (request, stream, head) => this.#onUpgrade(request, stream as Socket, head));
    this.#http.on('connect', (request, stream) =>
      this.#onUpgrade(request, stream as Socket, Buffer.alloc(0)),
    );
    this.#http.on('checkContinue', (request, response) => this.#onRequest(request, response));
    this.#http.on('checkExpectation', (request, response) => this.#onRequest(request, response));
    this.#http.on('clientError', (error, stream) => this.#onClientError(error, stream as Socket));
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
        onTooSlow: (socket) => {
          // One that does not take its answer has had its say already.
          if (placeOf(socket).answered) socket.destroy();
          else this.#refuse(socket, 'tooSlow', this.#admission);
        },
      },
    );
    this.#front = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', ignore);
      this.#handshakes.enter(socket);
    });
    this.#front.maxConnections = limits.maxConnections + limits.maxHandshakes + MAX_WAITING;
  }

  /** Where it listens, as clients write it; without the token. */
  get url(): string {
    if (this.#url === undefined) throw new Error('it does not listen yet');
    return this.#url;
  }

  get secure(): boolean {
    return this.#secureContext !== undefined;
  }

  get openConnections(): number {
    return this.#open.size;
  }

  /**
   * Binds. Connections get 503 until `accept()`.
   * @throws EngineError `listenerFailed`
   */
  async listen(address: Extract<ListenAddress, { kind: 'tcp' | 'unix' }>): Promise<void> {
    this.#url = await bind(this.#front, address, this.secure);
    this.#front.on('error', ignore);
  }

  /** From now on good connections are let in. */
  accept(): void {
    this.#admission = 'open';
  }

  /** From now on everything new gets 503. Open connections stay. WSA-20 */
  refuse(): void {
    this.#admission = 'notReady';
  }

  /** Stops listening; what is still open after `graceMs` is cut. */
  async close(graceMs: number): Promise<void> {
    this.refuse();
    const closed = new Promise<void>((resolve) => this.#front.close(() => resolve()));
    this.#handshakes.close();
    const timer = setTimeout(() => {
      for (const ws of this.#open) ws.terminate();
    }, graceMs);
    await closed;
    clearTimeout(timer);
  }

  // --- a connection on its way to a WebSocket

  #admit(socket: Socket): void {
    const place: Place = { raw: socket, answered: false };
    (socket as Placed)[PLACE] = place;
    if (this.#secureContext === undefined) {
      this.#http.emit('connection', socket);
      return;
    }
    socket.setNoDelay(true);
    const secure = new TLSSocket(socket, { isServer: true, secureContext: this.#secureContext });
    (secure as Placed)[PLACE] = place;
    secure.on('error', ignore);
    secure.once('error', () => {
      if (!place.answered) this.#reject(secure, 'malformed', 'the TLS handshake failed');
      socket.destroy();
    });
    secure.once('secure', () => this.#http.emit('connection', secure));
  }

  /** Only the first request of a connection counts. True when this is not the first. */
  #isSecond(stream: Placed): boolean {
    const place = placeOf(stream);
    if (place.answered) return true;
    place.answered = true;
    return false;
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const stream = request.socket;
    if (this.#isSecond(stream)) return;
    response.shouldKeepAlive = false;
    const read = readUpgradeRequest(request);
    if (!read.hasOrigin && isHealth(read.path)) {
      this.#answerHealth(request, read.path, response);
      return;
    }
    // Node took it for no upgrade, so it is none, whatever its headers say.
    const tooLarge = kindOf(read) === 'headersTooLarge';
    const verdict = this.#decide(read, tooLarge ? 'headersTooLarge' : 'malformed', NOT_EXAMINED);
    const answer = answerTo(verdict, read.fault);
    this.#host.onRejected(verdict, peerOf(stream), read.fault?.why ?? null);
    response.writeHead(answer.status, {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(answer.text) + 1,
      'cache-control': 'no-store',
      ...Object.fromEntries((answer.headers ?? []).map((line) => line.split(': ', 2) as [string, string])),
    });
    response.end(request.method === 'HEAD' ? undefined : `${answer.text}\n`);
  }

  #onUpgrade(request: RequestHead, stream: Socket, head: Buffer): void {
    if (this.#isSecond(stream)) {
      stream.destroy();
      return;
    }
    const read = readUpgradeRequest(request);
    if (!read.hasOrigin && isHealth(read.path)) {
      this.#answerHealthRaw(request, read.path, stream);
      return;
    }
    const alive = stream.readable && stream.writable;
    const kind: RequestKind = !alive ? 'gone' : kindOf(read);
    // Nobody compares credentials for a request that is refused before it comes to that.
    const wanted = kind === 'upgrade' && !read.hasOrigin && this.#room === 'open';
    const examined = wanted ? this.#authority.examine(read, this.#host.now()) : NOT_EXAMINED;
    const verdict = this.#decide(read, kind, examined);
    if (verdict.outcome === 'rejected') {
      this.#host.onRejected(verdict, peerOf(stream), read.fault?.why ?? null);
      if (!alive) stream.destroy();
      else this.#end(stream, answerTo(verdict, read.fault));
      return;
    }
    this.#open101(read.key, stream, head, verdict, examined);
  }

  #open101(key: string, stream: Socket, head: Buffer, verdict: Verdict, { expiresAt }: Examination): void {
    this.#wss.handleUpgrade(handshakeOf(key), stream, head, (ws) => {
      this.#handshakes.leave(placeOf(stream).raw);
      this.#open.add(ws);
      ws.on('close', this.#onClosed);
      this.#host.onAccepted({ ws, stream, verdict, expiresAt });
    });
  }

  #onClientError(error: Error, stream: Socket): void {
    if (this.#isSecond(stream)) return;
    const code = errnoOf(error);
    // Went away, or was cut by us.
    if (code === 'ECONNRESET' || !stream.writable) {
      stream.destroy();
      return;
    }
    const kind: RequestKind = code === 'HPE_HEADER_OVERFLOW' ? 'headersTooLarge' : 'malformed';
    const verdict = this.#reject(stream, kind, kind === 'malformed' ? 'it is not valid HTTP' : null);
    this.#end(stream, answerTo(verdict, undefined));
  }

  /** Ends a connection that has sent no request. */
  #refuse(socket: Socket, kind: RequestKind, admission: Admission): void {
    const verdict = this.#host.decide({
      ...this.#facts,
      hasOrigin: false,
      request: kind,
      admission,
      credential: NOTHING_PRESENTED,
    });
    this.#host.onRejected(verdict, peerOf(socket), null);
    const place = (socket as Placed)[PLACE];
    if (place !== undefined) place.answered = true;
    // Under TLS there is nothing to say in clear text.
    if (this.secure) socket.destroy();
    else this.#end(socket, answerTo(verdict, undefined));
  }

  #reject(stream: Socket, kind: RequestKind, detail: string | null): Verdict {
    placeOf(stream).answered = true;
    const verdict = this.#host.decide({
      ...this.#facts,
      hasOrigin: false,
      request: kind,
      admission: this.#admission,
      credential: NOTHING_PRESENTED,
    });
    this.#host.onRejected(verdict, peerOf(stream), detail);
    return verdict;
  }

  #decide(read: UpgradeRequest, request: RequestKind, { credential }: Examination): Verdict {
    return this.#host.decide({
      mode: this.#authority.mode,
      enforced: this.#authority.enforced,
      hasOrigin: read.hasOrigin,
      request,
      admission: this.#room,
      credential,
    });
  }

  get #facts(): Pick<UpgradeFacts, 'mode' | 'enforced'> {
    return { mode: this.#authority.mode, enforced: this.#authority.enforced };
  }

  get #room(): Admission {
    if (this.#admission !== 'open') return this.#admission;
    return this.#open.size >= this.#limits.maxConnections ? 'tooManyConnections' : 'open';
  }

  // --- answers

  /** Writes an answer and ends the connection; what else comes on it is thrown away. */
  #end(stream: Socket, answer: HttpAnswer): void {
    stream.end(answerBytes(answer));
    this.#linger(stream);
  }

  #linger(stream: Socket): void {
    const raw = (stream as Placed)[PLACE]?.raw ?? stream;
    stream.once('end', () => raw.destroySoon());
    stream.resume();
    this.#handshakes.linger(raw, LINGER);
  }

  #answerHealth(request: IncomingMessage, path: string, response: ServerResponse): void {
    const { status, text, allow } = this.#healthOf(request.method, path);
    response.writeHead(status, {
      'content-type': 'application/json; charset=utf-8',
      'content-length': Buffer.byteLength(text),
      'cache-control': 'no-store',
      ...(allow ? { allow: 'GET, HEAD' } : {}),
    });
    response.end(request.method === 'HEAD' ? undefined : text);
  }

  /** The same on a connection that asked for an upgrade beside it: answered as plain HTTP, no socket. WSA-8 */
  #answerHealthRaw(request: RequestHead, path: string, stream: Socket): void {
    const { status, text, allow } = this.#healthOf(request.method, path);
    this.#end(stream, { status, text: text.trimEnd(), ...(allow ? { headers: ['Allow: GET, HEAD'] } : {}) });
  }

  #healthOf(method: string | undefined, path: string) {
    if (method !== 'GET' && method !== 'HEAD') {
      return { status: 405, text: `${JSON.stringify({ error: 'method not allowed' })}\n`, allow: true };
    }
    if (path === '/healthz')
      return { status: 200, text: `${JSON.stringify({ status: 'ok' })}\n`, allow: false };
    const { ready, body } = this.#host.health();
    const status = ready && this.#admission === 'open' ? 200 : 503;
    return { status, text: `${JSON.stringify(body)}\n`, allow: false };
  }
}

const ignore = (): void => {};

/** What `ws` looks at of a request, which has been read already. It keeps nothing of it, so that one serves all. */
const handshake = new IncomingMessage(new Socket());
handshake.method = 'GET';

/** No subprotocol and no extension is spoken here. */
function handshakeOf(key: string): IncomingMessage {
  handshake.headers = { upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': key };
  return handshake;
}

function removesItself(open: Set<WebSocket>): (this: WebSocket) => void {
  return function removeItself(this: WebSocket) {
    open.delete(this);
  };
}

const isHealth = (path: string): boolean => path === '/healthz' || path === '/readyz';

/** `ADDRESS:PORT`, or `unix`. Asks the system, so only when it is needed. */
export function peerOf(socket: Socket): string {
  const { remoteAddress, remotePort } = socket;
  if (remoteAddress === undefined) return 'unix';
  return remoteAddress.includes(':') ? `[${remoteAddress}]:${remotePort}` : `${remoteAddress}:${remotePort}`;
}
