/** Describes a failed request or handshake for people and for the log. RC-11, RC-12 */
import { cutBytes, maskTokens, oneLine, previewBody } from '../observe/body-preview.js';
import { hideKnown } from '../observe/known-secrets.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import { errnoOf } from '../system/errno.js';
import type { Route } from './dialer.js';
import { PROXY_ERROR_CODE } from './proxy-rules.js';
import { parseRetryAfter, RETRY_AFTER_LIMIT } from './retry-after.js';
import { shownUrl } from './target.js';

/** What a message about one request or handshake needs to know. */
export interface RequestContext {
  /** What was tried, the first word of the message: `refresh`. */
  readonly what: string;
  readonly url: string;
  readonly route: Route;
  /** Values that were sent and must not appear in a message. */
  readonly secrets: readonly Secret[];
  readonly now: () => number;
}

export interface HttpResponse {
  readonly status: number;
  header(name: string): string | undefined;
  /** As much of it as was read. */
  readonly body: Uint8Array;
}

const MESSAGE_BYTES = 600;
const HEADER_CHARS = 128;

/** A response that is a failure. `problem` is why, when the status alone does not say it; it stands before the body. */
export function responseFailure(
  attempt: RequestContext,
  response: HttpResponse,
  reason: Reason,
  problem?: string,
): Failure {
  const at = attempt.now();
  const requestId =
    shownHeader(attempt, response, 'x-request-id') ?? shownHeader(attempt, response, 'x-oai-request-id');
  const cfRay = shownHeader(attempt, response, 'cf-ray');
  const retryAfterAt = parseRetryAfter(response.header('retry-after'), at);
  const isCut = retryAfterAt === at + RETRY_AFTER_LIMIT;
  const location = isRedirect(response.status) ? response.header('location') : undefined;
  const detail = previewBody(response.body, attempt.secrets);
  const parts = [
    `${attempt.what}: ${shownUrl(attempt.url)} answered HTTP ${response.status}${via(attempt.route)}`,
    problem,
    location === undefined
      ? undefined
      : `redirect to ${shownUrl(resolve(location, attempt.url))} not followed`,
    requestId === undefined ? undefined : `request-id ${requestId}`,
    cfRay === undefined ? undefined : `cf-ray ${cfRay}`,
    isCut ? 'its Retry-After is too long and is cut to 1 h' : undefined,
    `body: ${detail}`,
  ];
  const message = line(attempt, parts.filter((part) => part !== undefined).join(', '));
  return failure(reason, message, at, {
    httpStatus: response.status,
    ...(requestId === undefined ? {} : { requestId }),
    ...(cfRay === undefined ? {} : { cfRay }),
    ...(retryAfterAt === undefined ? {} : { retryAfterAt }),
    detail,
  });
}

/** No response, or an incomplete one. Undefined for an error that is not a network error: a bug, to be rethrown. */
export function networkFailure(attempt: RequestContext, error: unknown): Failure | undefined {
  const code = errnoOf(error);
  const reason = code === undefined ? undefined : reasonOf(code);
  if (reason === undefined) return undefined;
  const cause = causeText(error, code);
  if (reason !== 'certificateTimeInvalid') return plainFailure(attempt, reason, cause);
  const clock = new Date(attempt.now()).toISOString();
  return plainFailure(attempt, reason, `${cause}; the clock of this machine shows ${clock}`);
}

/** A failure without a response. */
export function plainFailure(attempt: RequestContext, reason: Reason, problem: string): Failure {
  // The message of a proxy error names the proxy already.
  const route = reason === 'proxyFailed' ? '' : via(attempt.route);
  const text = `${attempt.what}: ${shownUrl(attempt.url)}: ${maskTokens(problem, attempt.secrets)}${route}`;
  return failure(reason, line(attempt, text), attempt.now());
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** The message of an error, without the words that HTTP clients put around it. */
export function causeText(error: unknown, code = errnoOf(error)): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^request to .* failed, reason: */s, '') || code || 'no reason given';
}

// Codes of OpenSSL's certificate checks.
const TLS_CODE =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_C|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_)/;
/** OpenSSL could not agree with the other side, which often speaks no TLS at all. */
const HANDSHAKE_CODE = /^(?:ERR_SSL_|ERR_TLS_|EPROTO$)/;
const NETWORK_CODE = /^(?:E[A-Z0-9_]+|ERR_STREAM_PREMATURE_CLOSE|ERR_SOCKET_\w+)$/;

function reasonOf(code: string): Reason | undefined {
  if (code === PROXY_ERROR_CODE) return 'proxyFailed';
  if (/^CERT_(?:NOT_YET_VALID|HAS_EXPIRED)$/.test(code)) return 'certificateTimeInvalid';
  if (/^(?:ERR_TLS_CERT_ALTNAME_|HOSTNAME_)/.test(code)) return 'certificateNameInvalid';
  if (HANDSHAKE_CODE.test(code)) return 'tlsHandshakeFailed';
  if (TLS_CODE.test(code)) return 'tlsFailed';
  // HTTP or compression that cannot be parsed.
  if (/^(?:HPE_|Z_)/.test(code)) return 'backendBadAnswer';
  return NETWORK_CODE.test(code) && !/^ERR_(?!S)/.test(code) ? 'networkUnreachable' : undefined;
}

function shownHeader(attempt: RequestContext, response: HttpResponse, name: string): string | undefined {
  const value = response.header(name);
  return value === undefined || value === ''
    ? undefined
    : oneLine(hideKnown(value, attempt.secrets)).slice(0, HEADER_CHARS);
}

function resolve(location: string, base: string): string {
  return URL.canParse(location, base) ? new URL(location, base).href : location;
}

function via(route: Route): string {
  return route.kind === 'proxy' ? ` (through proxy ${route.proxy})` : '';
}

function line(attempt: RequestContext, text: string): string {
  return cutBytes(oneLine(hideKnown(text, attempt.secrets)), MESSAGE_BYTES);
}

/** What the TLS step of a connection can end with. */
export const TLS_REASONS: ReadonlySet<Reason> = new Set<Reason>([
  'tlsFailed',
  'tlsHandshakeFailed',
  'certificateNameInvalid',
  'certificateTimeInvalid',
]);
