import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { RequestKind } from '../../protocol/authority.js';

/** The parts of an HTTP request that are used. The query and the Authorization header are secrets. */
export interface UpgradeRequest {
  readonly path: string;
  /** Without `?` and fragment; undefined when there is no query. */
  readonly query: string | undefined;
  readonly hasOrigin: boolean;
  /** How many Authorization headers there are. */
  readonly authorizations: number;
  /** The first Authorization header. */
  readonly authorization: string | undefined;
  /** The last Sec-WebSocket-Key header. */
  readonly key: string;
  /** The subprotocols that it offers, in its order. They may hold a secret. */
  readonly subprotocols: readonly string[];
  /** How many header lines there are. */
  readonly headers: number;
  /** Size of the header section, request line included. */
  readonly headerBytes: number;
  /** Why it is not a valid WebSocket upgrade; undefined: it is. WSA-8 */
  readonly error: UpgradeError | undefined;
}

export interface UpgradeError {
  readonly status: 400 | 403 | 405 | 426;
  /** A fixed text that contains nothing of the request. */
  readonly why: string;
  /** An ordinary request is like this. */
  readonly isNoUpgrade?: true;
}

/** Limit of the header section of one request, bytes. WSA-16 */
export const MAX_HEADER_BYTES = 16 * 1024;
/** Limit of header lines, as in Codex CLI. */
const MAX_HEADERS = 100;

export function requestKindOf({ headerBytes, headers, error }: UpgradeRequest): RequestKind {
  if (headerBytes > MAX_HEADER_BYTES || headers > MAX_HEADERS) return 'headersTooLarge';
  return error === undefined ? 'upgrade' : 'malformed';
}

const upgradeError = (status: UpgradeError['status'], why: string): UpgradeError => ({ status, why });
const notUpgrade = (status: UpgradeError['status'], why: string): UpgradeError => ({
  ...upgradeError(status, why),
  isNoUpgrade: true,
});
const ERRORS = {
  method: upgradeError(405, 'the method is not GET'),
  version: upgradeError(400, 'the request is not HTTP/1.1'),
  host: upgradeError(400, 'the request has not exactly one Host header'),
  otherHost: upgradeError(403, 'the Host header names another machine'),
  body: upgradeError(400, 'the request has a body'),
  connection: notUpgrade(426, 'the Connection header does not say Upgrade'),
  upgrade: notUpgrade(426, 'the Upgrade header does not say websocket'),
  wsVersion: notUpgrade(426, 'Sec-WebSocket-Version is not 13'),
  key: notUpgrade(400, 'Sec-WebSocket-Key is not 16 bytes in base64'),
} as const;

/** `loopback`: the names of this machine, with any port, because a tunnel may lead from another one. */
export type AllowedHosts = 'any' | 'loopback';
const LOOPBACK_HOST = /^(?:localhost|127\.\d{1,3}\.\d{1,3}\.\d{1,3}|\[::1\])(?::\d{1,5})?$/i;

const KEY = /^[+/0-9A-Za-z]{22}==$/;
const ABSOLUTE = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;
/** Lengths of the header names that are used: comparing lengths first is cheaper than lower-casing each name. */
const NAME_LENGTHS: ReadonlySet<number> = new Set(
  ['origin', 'authorization', 'host', 'connection', 'upgrade', 'sec-websocket-key', 'sec-websocket-version']
    .concat('transfer-encoding', 'content-length', 'sec-websocket-protocol')
    .map(({ length }) => length),
);
const UPGRADE_TOKEN = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/**
 * Reads the headers that Node has parsed, strictly and in one pass. It uses the raw header list, because Node's joined
 * `headers` would hide repeated headers. RFC 6455 4.2.1, RFC 9112 3.2
 * @param hosts Which host names the Host header may have.
 */
export function readUpgradeRequest(request: IncomingMessage, hosts: AllowedHosts): UpgradeRequest {
  return new HeaderReader(request, hosts);
}

const NONE: readonly string[] = [];

/** One object per request and no others, because there may be thousands of requests a second. */
class HeaderReader implements UpgradeRequest {
  readonly path: string;
  readonly query: string | undefined;
  readonly headers: number;
  readonly error: UpgradeError | undefined;
  hasOrigin = false;
  authorizations = 0;
  authorization: string | undefined = undefined;
  key = '';
  subprotocols: readonly string[] = NONE;
  headerBytes: number;
  #hosts = 0;
  #host = '';
  #keys = 0;
  #versions = 0;
  #version = '';
  #upgrades = 0;
  #upgrade = '';
  #hasUpgradeToken = false;
  #hasBody = false;

  constructor({ rawHeaders, method = '', url = '/', httpVersion }: IncomingMessage, hosts: AllowedHosts) {
    // Node's own limit does not count the separators.
    this.headerBytes = method.length + url.length + ' HTTP/1.1'.length + 1 + 4;
    this.headers = rawHeaders.length / 2;
    for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? '';
      const value = rawHeaders[at + 1] ?? '';
      this.headerBytes += name.length + value.length + 4;
      if (NAME_LENGTHS.has(name.length)) this.#read(name.toLowerCase(), value);
    }
    const { path, query } = splitTarget(url);
    this.path = path;
    this.query = query;
    this.error = this.#findError(method, httpVersion, hosts);
  }

  #read(name: string, value: string): void {
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
        this.#host = value;
        return;
      case 'connection':
        this.#hasUpgradeToken ||= value === 'Upgrade' || UPGRADE_TOKEN.test(value);
        return;
      case 'upgrade':
        this.#upgrades += 1;
        this.#upgrade = value;
        return;
      case 'sec-websocket-key':
        this.#keys += 1;
        this.key = value;
        return;
      case 'sec-websocket-protocol':
        this.subprotocols = [...this.subprotocols, ...value.split(',').map((name) => name.trim())];
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

  #findError(method: string, httpVersion: string, hosts: AllowedHosts): UpgradeError | undefined {
    if (method !== 'GET') return ERRORS.method;
    if (httpVersion !== '1.1') return ERRORS.version;
    if (this.#hosts !== 1) return ERRORS.host;
    if (hosts === 'loopback' && !LOOPBACK_HOST.test(this.#host)) return ERRORS.otherHost;
    if (this.#hasBody) return ERRORS.body;
    if (!this.#hasUpgradeToken) return ERRORS.connection;
    if (this.#upgrades !== 1 || this.#upgrade.toLowerCase() !== 'websocket') return ERRORS.upgrade;
    if (this.#versions !== 1 || this.#version !== '13') return ERRORS.wsVersion;
    return this.#keys !== 1 || !KEY.test(this.key) ? ERRORS.key : undefined;
  }
}

/** Path and query of a request target, without a fragment, which does not belong there. */
function splitTarget(target: string): { readonly path: string; readonly query: string | undefined } {
  const origin = target.startsWith('/') ? target : target.replace(ABSOLUTE, '');
  const hash = origin.indexOf('#');
  const whole = hash < 0 ? origin : origin.slice(0, hash);
  const mark = whole.indexOf('?');
  if (mark < 0) return { path: whole === '' ? '/' : whole, query: undefined };
  return { path: mark === 0 ? '/' : whole.slice(0, mark), query: whole.slice(mark + 1) };
}

/** The request that `ws` completes, reduced to what it needs. `ws` does not keep it, so one object serves all. */
const upgradeRequest = new IncomingMessage(new Socket());
upgradeRequest.method = 'GET';

/** Without extensions, which the listener does not support, and with the one subprotocol that it selects. */
export function upgradeRequestFor(key: string, subprotocol: string | undefined): IncomingMessage {
  upgradeRequest.headers = {
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': key,
    ...(subprotocol === undefined ? {} : { 'sec-websocket-protocol': subprotocol }),
  };
  return upgradeRequest;
}
