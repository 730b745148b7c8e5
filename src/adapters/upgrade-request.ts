import type { IncomingMessage } from 'node:http';

/** What an HTTP request says, as far as the listener looks at it. The query and Authorization are secrets. */
export interface UpgradeRequest {
  readonly path: string;
  /** Without `?` and fragment; undefined when there is no query. */
  readonly query: string | undefined;
  readonly hasOrigin: boolean;
  readonly authorizations: number;
  /** Of several, the first. */
  readonly authorization: string | undefined;
  /** How many header lines. */
  readonly headers: number;
  /** The whole header section, request line included, as it came. */
  readonly headerBytes: number;
  /** What keeps it from being a valid WebSocket upgrade; undefined: it is one. WSA-8 */
  readonly fault: UpgradeFault | undefined;
}

export interface UpgradeFault {
  readonly status: 400 | 405 | 426;
  /** Fixed text: nothing of the request is in it. */
  readonly why: string;
}

const fault = (status: UpgradeFault['status'], why: string): UpgradeFault => ({ status, why });
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
const UPGRADE_TOKEN = /(?:^|,)[ \t]*upgrade[ \t]*(?:,|$)/i;

/**
 * Reads a request strictly, one pass over its headers as they came: a name that comes twice is seen twice, which
 * Node's joined `headers` would hide. RFC 6455 4.2.1, RFC 9112 3.2
 */
export function readUpgradeRequest(request: IncomingMessage): UpgradeRequest {
  const { rawHeaders } = request;
  let hasOrigin = false;
  let authorizations = 0;
  let authorization: string | undefined;
  let hosts = 0;
  let keys = 0;
  let key = '';
  let versions = 0;
  let version = '';
  let upgrades = 0;
  let upgrade = '';
  let saysUpgrade = false;
  let hasBody = false;
  // Node's own limit leaves out what stands between names and values.
  let headerBytes =
    (request.method?.length ?? 0) + (request.url?.length ?? 0) + ' HTTP/1.1\r\n\r\n'.length + 1;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    headerBytes += name.length + value.length + ': \r\n'.length;
    switch (name) {
      case 'origin':
        hasOrigin = true;
        break;
      case 'authorization':
        authorizations += 1;
        authorization ??= value;
        break;
      case 'host':
        hosts += 1;
        break;
      case 'connection':
        saysUpgrade ||= value === 'Upgrade' || UPGRADE_TOKEN.test(value);
        break;
      case 'upgrade':
        upgrades += 1;
        upgrade = value;
        break;
      case 'sec-websocket-key':
        keys += 1;
        key = value;
        break;
      case 'sec-websocket-version':
        versions += 1;
        version = value;
        break;
      case 'transfer-encoding':
        hasBody = true;
        break;
      case 'content-length':
        hasBody ||= value !== '0';
        break;
    }
  }
  const target = splitTarget(request.url ?? '/');
  const found = (): UpgradeFault | undefined => {
    if (request.method !== 'GET') return FAULTS.method;
    if (request.httpVersion !== '1.1') return FAULTS.version;
    if (hosts !== 1) return FAULTS.host;
    if (hasBody) return FAULTS.body;
    if (!saysUpgrade) return FAULTS.connection;
    if (upgrades !== 1 || (upgrade !== 'websocket' && upgrade.toLowerCase() !== 'websocket'))
      return FAULTS.upgrade;
    if (versions !== 1 || version !== '13') return FAULTS.wsVersion;
    return keys !== 1 || !KEY.test(key) ? FAULTS.key : undefined;
  };
  return {
    ...target,
    hasOrigin,
    authorizations,
    authorization,
    headers: rawHeaders.length / 2,
    headerBytes,
    fault: found(),
  };
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
