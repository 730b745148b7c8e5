/** What passes between the engine and the backend, as the network sees it: heads of requests and bodies of responses. */
import type { End, Network } from '../world/network.js';

/** A request of the engine, or its upgrade. */
export interface WireRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface WireListener {
  onRequest(request: WireRequest): void;
  /** A complete response, with the request before it. */
  onResponse(request: WireRequest, status: number, headers: WireRequest['headers'], body: string): void;
}

/** Longest head with body that is of interest. */
const LIMIT = 16 * 1024;

interface Exchange {
  out: string;
  in: string;
  request: WireRequest | undefined;
  done: boolean;
}

export function watchWire(network: Network, listeners: readonly WireListener[]): void {
  const exchanges = new WeakMap<object, Exchange>();
  network.onTraffic = (from: End, to: End, bytes) => {
    const outward = from.process.name === 'engine' && to.process.name === 'backend';
    if (!outward && !(from.process.name === 'backend' && to.process.name === 'engine')) return;
    let exchange = exchanges.get(from.connection);
    if (exchange === undefined) {
      exchange = { out: '', in: '', request: undefined, done: false };
      exchanges.set(from.connection, exchange);
    }
    if (exchange.done) return;
    if (outward) {
      exchange.out += bytes.toString('latin1');
      if (exchange.request !== undefined) return;
      exchange.request = requestOf(exchange.out);
      if (exchange.request === undefined) return;
      for (const listener of listeners) listener.onRequest(exchange.request);
    } else {
      exchange.in += bytes.toString('latin1');
      const { request } = exchange;
      const response = responseOf(exchange.in);
      if (exchange.in.length > LIMIT) exchange.done = true;
      if (request === undefined || response === undefined) return;
      exchange.done = true;
      const { status, headers, body } = response;
      for (const listener of listeners) listener.onResponse(request, status, headers, body);
    }
  };
}

function requestOf(text: string): WireRequest | undefined {
  const message = messageOf(text);
  if (message === undefined) return undefined;
  const path = message.first.split(' ')[1] ?? '';
  return { path, headers: message.headers, body: message.body };
}

function responseOf(text: string) {
  const message = messageOf(text);
  return message === undefined
    ? undefined
    : { status: Number(message.first.split(' ')[1]), headers: message.headers, body: message.body };
}

/** Undefined: it is not complete yet. */
function messageOf(text: string) {
  const end = text.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const body = text.slice(end + 4);
  return body.length < Number(headers['content-length'] ?? 0) ? undefined : { first, headers, body };
}
