import type { IncomingMessage } from 'node:http';
import type { RequestKind } from '../../protocol/authority.js';

/** The first part of an HTTP request, as it came. */
export type RequestHead = Pick<IncomingMessage, 'method' | 'url' | 'httpVersion' | 'rawHeaders'>;

/** What an HTTP request says, as far as the listener looks at it. The query and Authorization are secrets. */
export interface UpgradeRequest {
  readonly path: string;
  /** Without `?` and fragment; undefined when there is no query. */
  readonly query: string | undefined;
  readonly hasOrigin: boolean;
  readonly authorizations: number;
  /** Of several, the first. */
  readonly authorization: string | undefined;
  /** Of the WebSocket handshake; of several, the last. */
  readonly key: string;
  /** How many header lines. */
  readonly headers: number;
  /** The whole header section, request line included, as it came. */
  readonly headerBytes: number;
  /** What keeps it from being a valid WebSocket upgrade; undefined: it is one. WSA-8 */
  readonly fault: UpgradeError | undefined;
}

/** The header section of one request, bytes. WSA-16 */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Header lines; what clients of the reference know to live with. */
const MAX_HEADERS = 100;

export function kindOf({ headerBytes, headers, fault }: UpgradeRequest): RequestKind {
  if (headerBytes > MAX_HEADER_BYTES || headers > MAX_HEADERS) return 'headersTooLarge';
  return fault === undefined ? 'upgrade' : 'malformed';
}

export interface UpgradeError {
  readonly status: 400 | 405 | 426;
  /** Fixed text: nothing of the request is in it. */
  readonly why: string;
}

const fault = (status: UpgradeError['status'], why: string): UpgradeError => ({ status, why });
const FAULTS = {
  method: fault(405, 'the method is not GET'),
  version: fault(400, 'the request is not HTTP/1.1'),
  host: fault(400, 'the request has not exactly one Host header'),
  body: fault(400, 'the request has a body'),
  connection: fault(426, 'the Connection header does not say Upgrade'),
  upgrade: fault(426, 'the Upgrade header does not say websocket'),
  wsVersion: fault(426, 'Sec-WebSocket-Version is not 13'),
  key: fault(400, 'Sec-WebSocket-Key is not 16 bytes in base64'),
} as const;

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;
/** Of the names that are looked at. */
const LENGTHS: ReadonlySet<number> = new Set(
  ['origin', 'authorization', 'host', 'connection', 'upgrade', 'sec-websocket-key', 'sec-websocket-version']
    .concat('transfer-encoding', 'content-length')
    .map(({ length }) => length),
);
const UPGRADE_TOKEN = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/**
 * Reads a request strictly, one pass over its headers as they came: a name that comes twice is seen twice, which
 * Node's joined `headers` would hide. RFC 6455 4.2.1, RFC 9112 3.2
 */
export function readUpgradeRequest(request: RequestHead): UpgradeRequest {
  return new Reading(request);
}

/** One object for each request, and nothing besides: thousands of them may come in a second. */
class Reading implements UpgradeRequest {
  readonly path: string;
  readonly query: string | undefined;
  readonly headers: number;
  readonly fault: UpgradeError | undefined;
  hasOrigin = false;
  authorizations = 0;
  authorization: string | undefined = undefined;
  key = '';
  headerBytes: number;
  #hosts = 0;
  #keys = 0;
  #versions = 0;
  #version = '';
  #upgrades = 0;
  #upgrade = '';
  #saysUpgrade = false;
  #hasBody = false;

  constructor(request: RequestHead) {
    const { rawHeaders, method = '', url = '/' } = request;
    // Node's own limit leaves out what stands between names and values.
    this.headerBytes = method.length + url.length + ' HTTP/1.1'.length + 1 + 4;
    this.headers = rawHeaders.length / 2;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      const value = rawHeaders[at + 1] ?? '';
      this.headerBytes += name.length + value.length + 4;
      if (LENGTHS.has(name.length)) this.#take(name.toLowerCase(), value);
    }
    const { path, query } = splitTarget(url);
    this.path = path;
    this.query = query;
    this.fault = this.#findFault(method, request.httpVersion);
  }

  #take(name: string, value: string): void {
    switch (name) {
      case 'origin':
        this.hasOrigin = true;
        return;
      case 'authorization':
        this.authorizations += 1;
        this.authorization ??= value;
        return;
      case 'host':
        this.#hosts += 1;
        return;
      case 'connection':
        this.#saysUpgrade ||= value === 'Upgrade' || UPGRADE_TOKEN.test(value);
        return;
      case 'upgrade':
        this.#upgrades += 1;
        this.#upgrade = value;
        return;
      case 'sec-websocket-key':
        this.#keys += 1;
        this.key = value;
        return;
      case 'sec-websocket-version':
        this.#versions += 1;
        this.#version = value;
        return;
      case 'transfer-encoding':
        this.#hasBody = true;
        return;
      case 'content-length':
        this.#hasBody ||= value !== '0';
        return;
    }
  }

  #findFault(method: string, httpVersion: string): UpgradeError | undefined {
    if (method !== 'GET') return FAULTS.method;
    if (httpVersion !== '1.1') return FAULTS.version;
    if (this.#hosts !== 1) return FAULTS.host;
    if (this.#hasBody) return FAULTS.body;
    if (!this.#saysUpgrade) return FAULTS.connection;
    if (this.#upgrades !== 1 || this.#upgrade.toLowerCase() !== 'websocket') return FAULTS.upgrade;
    if (this.#versions !== 1 || this.#version !== '13') return FAULTS.wsVersion;
    return this.#keys !== 1 || !KEY.test(this.key) ? FAULTS.key : undefined;
  }
}

/** The path and the query of a request target; a fragment has no place there and is not looked at. */
export function splitTarget(target: string): { readonly path: string; readonly query: string | undefined } {
  const origin = target.startsWith('/') ? target : target.replace(ABSOLUTE, '');
  const hash = origin.indexOf('#');
  const whole = hash < 0 ? origin : origin.slice(0, hash);
  const mark = whole.indexOf('?');
  if (mark < 0) return { path: whole === '' ? '/' : whole, query: undefined };
  return { path: mark === 0 ? '/' : whole.slice(0, mark), query: whole.slice(mark + 1) };
}
