import { STATUS_CODES } from 'node:http';
import type { Verdict } from '../../protocol/authority.js';
import type { UpgradeError } from './upgrade-request.js';

/** A short answer to a request that is not let in. Holds nothing of the request. WSA-13 */
export interface HttpAnswer {
  readonly status: number;
  readonly text: string;
  readonly headers?: readonly string[];
}

const known = new Map<string, string>();
/** More answers than there are. */
const MAX_KNOWN = 64;

/** The bytes of an answer after which the connection is closed. */
export function answerBytes({ status, text, headers = [] }: HttpAnswer): string {
  const key = `${status} ${headers.length} ${text}`;
  const before = known.get(key);
  if (before !== undefined) return before;
  const body = `${text}\n`;
  const bytes = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Error'}`,
    'Content-Type: text/plain; charset=utf-8',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Cache-Control: no-store',
    'Connection: close',
    ...headers,
    '',
    body,
  ].join('\r\n');
  // Of the few that are the same each time; what health says changes.
  if (known.size < MAX_KNOWN && status !== 200) known.set(key, bytes);
  return bytes;
}

const RETRY_AFTER = 'Retry-After: 1';

/** How a rejection is told. `fault` is what was wrong with the request, if anything was. */
export function answerTo({ reason, mode }: Verdict, fault: UpgradeError | undefined): HttpAnswer {
  switch (reason) {
    case 'originRefused':
      return { status: 403, text: 'requests with an Origin header are refused' };
    case 'malformedUpgrade': {
      const status = fault?.status ?? 400;
      return { status, text: fault?.why ?? 'not a valid request', headers: FAULT_HEADERS[status] };
    }
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
        text: CREDENTIAL_TEXT[reason] ?? 'not authorized',
        headers: mode === 'queryToken' ? [] : ['WWW-Authenticate: Bearer'],
      };
  }
}

const FAULT_HEADERS = {
  400: [],
  405: ['Allow: GET'],
  426: ['Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
} as const;

/** What a 401 says. */
const CREDENTIAL_TEXT: Partial<Record<Verdict['reason'], string>> = {
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
