/** The page at the root of a hub: one file that holds its script and style, and may reach this hub only. HUB-44 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { HttpError, type HttpResponse, headerOf } from '../backend/http.js';

const HOST = /^[\w.-]+(?::\d{1,5})?$|^\[[0-9a-f:.]+\](?::\d{1,5})?$/i;
const LOOPBACK = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/;

/** The part of the list of protocols with which a browser opens the socket of a controller, because it cannot set headers. */
export const CONTROLLER_PROTOCOL = 'rc-engine.controller';
const BEARER_PROTOCOL = 'rc-engine.bearer.';

/** The response to `GET /`. `page` is the text of the built file. */
export function pageResponse(page: string, request: IncomingMessage): HttpResponse {
  const nonce = randomBytes(16).toString('base64');
  const host = headerOf(request, 'host') ?? '';
  // Browsers of before 2022 do not count a WebSocket to this host as 'self'.
  const sockets = HOST.test(host) ? ` ws://${host} wss://${host}` : '';
  return {
    status: 200,
    body: page.replaceAll('__NONCE__', nonce),
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': [
        "default-src 'none'",
        `script-src 'nonce-${nonce}'`,
        `style-src 'nonce-${nonce}'`,
        'img-src data:',
        `connect-src 'self'${sockets}`,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
      ].join('; '),
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    },
  };
}

/**
 * A page of another site must not reach the hub with what its visitor may reach. The own page may.
 * @param open Anybody may enroll here, so only names of this machine count: a name that leads here from outside would give
 * a foreign page this origin.
 * @throws HttpError 403
 */
export function requireOwnOrigin(request: IncomingMessage, open: boolean): void {
  const host = headerOf(request, 'host') ?? '';
  const { origin } = request.headers;
  if (open && URL.canParse(`http://${host}`) && !LOOPBACK.test(new URL(`http://${host}`).hostname))
    throw refused('With --accounts any this hub answers under names of this machine only.');
  if (origin === undefined) return;
  if (!URL.canParse(origin) || new URL(origin).host !== host.toLowerCase())
    throw refused('Requests of other web pages are refused.');
}

const refused = (detail: string): HttpError => new HttpError(403, detail, { connection: 'close' });

/** The bearer token in the list of protocols; undefined: there is none. */
export function tokenOfProtocols(request: IncomingMessage): string | undefined {
  const offered = (headerOf(request, 'sec-websocket-protocol') ?? '').split(',').map((one) => one.trim());
  if (!offered.includes(CONTROLLER_PROTOCOL)) return undefined;
  const found = offered.find((one) => one.startsWith(BEARER_PROTOCOL));
  return found?.slice(BEARER_PROTOCOL.length) || undefined;
}
