/** The rules that the HTTP servers of this machine share: whom they answer, and which connections they keep. */
import type { IncomingMessage, Server, ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Time for the headers of a request, ms. */
const HEADERS_TIMEOUT = 5_000;
/** Time for a whole request, body included, ms. */
const REQUEST_TIMEOUT = 10_000;
/** Between two checks of these times, ms. */
const CHECK_INTERVAL = 1_000;
/** How long a refused client may take to close its side of the connection, ms. */
const LINGER_TIMEOUT = 1_000;

/** Deadlines of seconds, for `http.createServer`. */
export const GATE_TIMEOUTS = {
  headersTimeout: HEADERS_TIMEOUT,
  requestTimeout: REQUEST_TIMEOUT,
  connectionsCheckingInterval: CHECK_INTERVAL,
} as const satisfies ServerOptions;

/** What is wrong with a request. The message contains nothing of the request. */
interface GateRefusal {
  readonly status: 400 | 403;
  readonly message: string;
}

/**
 * Decides whether a server on this machine may answer a request. A page of another site can send requests to this
 * machine, and can give its own name the address of this machine (DNS rebinding).
 * @param ownPage Whether the server serves pages, which may send its own origin. Otherwise every `Origin` is refused.
 */
export function refusalOf(request: IncomingMessage, ownPage: boolean): GateRefusal | undefined {
  const { host: hosts = [], origin: origins = [] } = request.headersDistinct;
  const host = hosts.length === 1 ? hosts[0]?.toLowerCase() : undefined;
  const own = host !== undefined && isOwnHost(host, request.socket);
  if (origins.length > 0 && !(ownPage && own && origins.length === 1 && origins[0] === `http://${host}`)) {
    return { status: 403, message: 'Requests of other web pages are refused.' };
  }
  if (!own) {
    return {
      status: 403,
      message: 'Wrong host name: use 127.0.0.1 or localhost with the port of this server.',
    };
  }
  // The absolute form has a second host name.
  if (request.url?.startsWith('/') !== true)
    return { status: 400, message: 'The path must begin with a slash.' };
  return undefined;
}

function isOwnHost(host: string, { localAddress = '', localPort }: Socket): boolean {
  const address = localAddress.replace(/^::ffff:/i, '');
  const names = ['localhost', '127.0.0.1', '[::1]', address.includes(':') ? `[${address}]` : address];
  return names.some((name) => host === `${name}:${localPort}` || (localPort === 80 && host === name));
}

/**
 * Limits the open connections of a server. A connection over the limit replaces the oldest one without a complete
 * request, so silent connections do not keep others out. Upgraded connections do not count: their owner limits them.
 */
export function limitConnections(server: Server, maxConnections: number): void {
  const open = new Set<Socket>();
  /** Without a complete request, the oldest first. */
  const silent = new Set<Socket>();
  const remove = (socket: Socket): void => {
    open.delete(socket);
    silent.delete(socket);
  };
  server.on('connection', (socket) => {
    open.add(socket);
    silent.add(socket);
    socket.once('close', () => remove(socket));
    if (open.size <= maxConnections) return;
    const [oldest = socket] = silent;
    remove(oldest);
    oldest.destroy();
  });
  server.prependListener('request', (request, response) => {
    const { socket } = request;
    const onComplete = (): void => {
      if (!response.writableEnded) silent.delete(socket);
    };
    if (hasBody(request)) request.once('end', onComplete);
    else onComplete();
    // A kept connection is silent again. It becomes the newest one.
    response.once('finish', () => {
      if (open.has(socket)) silent.add(socket);
    });
  });
  server.prependListener('upgrade', (_request, stream) => remove(stream as Socket));
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/** Sends the last bytes on a connection and destroys it, also when the client keeps its side open. */
export function endThenDestroy(socket: Duplex, bytes: string): void {
  const timer = setTimeout(() => socket.destroy(), LINGER_TIMEOUT);
  socket.once('close', () => clearTimeout(timer));
  // Unread bytes would reset the connection before the client has read its answer.
  socket.once('end', () => socket.destroy());
  socket.resume();
  socket.end(bytes);
}
