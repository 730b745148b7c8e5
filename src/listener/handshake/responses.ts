import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Verdict } from '../../protocol/authority.js';
import type { UpgradeError } from './upgrade-request.js';

/** A short response after which the connection is closed. Contains nothing of the request. WSA-13 */
export interface HttpResponse {
  readonly status: number;
  /** The body, without the line break that is added to it. */
  readonly text: string;
  /** Default: plain text. */
  readonly contentType?: string;
  /** More headers, as `Name: value`. */
  readonly headers?: readonly string[];
}

const PLAIN_TEXT = 'text/plain; charset=utf-8';
const MAX_CACHED = 64;
const cache = new Map<string, string>();

/** The response as bytes, for a connection that Node's HTTP server has handed over. */
export function responseBytes(response: HttpResponse): string {
  const { status, text, headers = [] } = response;
  const key = `${status} ${headers.length} ${text}`;
  const cached = cache.get(key);
  if (cached !== undefined) return cached;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`];
  for (const [name, value] of headersOf(response)) lines.push(`${name}: ${value}`);
  const bytes = [...lines, 'Connection: close', '', `${text}\n`].join('\r\n');
  // Rejections are few and always the same, and there may be thousands a second. Health responses change.
  if (cache.size < MAX_CACHED && response.contentType === undefined) cache.set(key, bytes);
  return bytes;
}

/** Sends the response through Node's HTTP server. */
export function sendResponse(to: ServerResponse, response: HttpResponse): void {
  to.shouldKeepAlive = false;
  for (const [name, value] of headersOf(response)) to.setHeader(name, value);
  to.writeHead(response.status);
  to.end(to.req.method === 'HEAD' ? undefined : `${response.text}\n`);
}

function headersOf({ text, contentType = PLAIN_TEXT, headers = [] }: HttpResponse): [string, string][] {
  return [
    ['Content-Type', contentType],
    ['Content-Length', String(Buffer.byteLength(text) + 1)],
    ['Cache-Control', 'no-store'],
    ...headers.map((line): [string, string] => {
      const colon = line.indexOf(': ');
      return [line.slice(0, colon), line.slice(colon + 2)];
    }),
  ];
}

const RETRY_AFTER = 'Retry-After: 1';

/** The response to a rejected request. @param error What is wrong with the request, if it is malformed. */
export function rejectionResponse({ reason, mode }: Verdict, error: UpgradeError | undefined): HttpResponse {
  switch (reason) {
    case 'originRefused':
      return { status: 403, text: 'requests with an Origin header are refused' };
    case 'malformedUpgrade': {
      const status = error?.status ?? 400;
      return { status, text: error?.why ?? 'not a valid request', headers: ERROR_HEADERS[status] };
    }
    case 'socketExposed':
      return { status: 403, text: 'other users can enter the directory of the socket' };
    case 'headersTooLarge':
      return { status: 431, text: 'the header section is over 16 KiB or 100 lines' };
    case 'handshakeTooSlow':
      return { status: 408, text: 'the handshake took too long' };
    case 'tooManyHandshakes':
    case 'tooManyConnections':
      return { status: 503, text: 'too many connections', headers: [RETRY_AFTER] };
    case 'listenerNotReady':
      return { status: 503, text: 'not ready', headers: [RETRY_AFTER] };
    default:
      return {
        status: 401,
        text: CREDENTIAL_ERRORS[reason] ?? 'not authorized',
        headers: mode === 'queryToken' ? [] : ['WWW-Authenticate: Bearer'],
      };
  }
}

const ERROR_HEADERS = {
  400: [],
  403: [],
  405: ['Allow: GET'],
  426: ['Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
} as const;

/** The body of a 401. */
const CREDENTIAL_ERRORS: Partial<Record<Verdict['reason'], string>> = {
  missingToken: 'missing token',
  ambiguousToken: 'more than one token',
  invalidToken: 'invalid token',
  missingBearer: 'missing bearer token',
  malformedAuthorization: 'malformed Authorization header',
  invalidCapability: 'invalid bearer token',
  invalidJwt: 'invalid signed token',
  expiredJwt: 'expired signed token',
  jwtNotYetValid: 'signed token is not valid yet',
  issuerMismatch: 'issuer mismatch',
  audienceMismatch: 'audience mismatch',
};
