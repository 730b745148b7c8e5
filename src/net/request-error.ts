/** Turns what goes wrong between us and the backend, over HTTP or the socket handshake, into outcomes. RC-11, RC-12 */

import { cutBytes, hideKnown, maskTokens, oneLine, previewBody } from '../observe/body-preview.js';
import type { Failure, RequestFailure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import { errnoOf } from '../system/errno.js';
import type { Route } from './dialer.js';
import { PROXY_ERROR_CODE } from './proxy-error.js';
import { shownUrl } from './target.js';

/** One request or handshake, as far as a message about it needs to know. */
export interface RequestContext {
  /** What was tried, to begin a sentence with: `refresh`. */
  readonly what: string;
  readonly url: string;
  readonly route: Route;
  /** Values that were sent and must not come back in a message. */
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
/** Longest Retry-After that is taken: later than this a timer overflows and would fire at once. */
const RETRY_AFTER_LIMIT = 24 * 24 * 60 * 60 * 1_000;

/** An answer with a status that is no success. */
export function responseFailure(
  attempt: RequestContext,
  answer: HttpResponse,
  refused: Reason = 'backendUnauthorized',
): RequestFailure {
  const { status } = answer;
  const fault = (kind: RequestFailure['kind'], reason: Reason): RequestFailure => ({
    kind,
    failure: responseFailureOf(attempt, answer, reason),
  });
  if (status === 401 || status === 403) return fault('unauthorized', refused);
  if (status === 404) return fault('notFound', 'backendNotFound');
  if (status === 409) return fault('conflict', 'backendConflict');
  if (status === 429) return fault('transient', 'backendRateLimited');
  if (status >= 500) return fault('transient', 'backendUnavailable');
  return fault('other', isRedirect(status) ? 'redirectRefused' : 'backendRefused');
}

/** `because` stands before the body: why an answer is no good although its status is. */
export function responseFailureOf(
  attempt: RequestContext,
  answer: HttpResponse,
  reason: Reason,
  because?: string,
): Failure {
  const at = attempt.now();
  const requestId = shownHeader(answer, 'x-request-id') ?? shownHeader(answer, 'x-oai-request-id');
  const cfRay = shownHeader(answer, 'cf-ray');
  const retryAfterAt = parseRetryAfter(answer.header('retry-after'), at);
  const location = isRedirect(answer.status) ? answer.header('location') : undefined;
  const detail = previewBody(answer.body, attempt.secrets);
  const parts = [
    `${attempt.what}: ${shownUrl(attempt.url)} answered HTTP ${answer.status}${via(attempt.route)}`,
    because,
    location === undefined
      ? undefined
      : `redirect to ${shownUrl(resolve(location, attempt.url))} not followed`,
    requestId === undefined ? undefined : `request-id ${requestId}`,
    cfRay === undefined ? undefined : `cf-ray ${cfRay}`,
    `body: ${detail}`,
  ];
  return {
    reason,
    message: line(attempt, parts.filter((part) => part !== undefined).join(', ')),
    at,
    httpStatus: answer.status,
    ...(requestId === undefined ? {} : { requestId }),
    ...(cfRay === undefined ? {} : { cfRay }),
    ...(retryAfterAt === undefined ? {} : { retryAfterAt }),
    detail,
  };
}

/** No answer came, or it broke off. Undefined for an error that is no network fault: a bug, to be thrown on. */
export function networkFailure(attempt: RequestContext, error: unknown): Failure | undefined {
  const code = errnoOf(error);
  const reason = code === undefined ? undefined : reasonOf(code);
  if (reason === undefined) return undefined;
  return plainFailure(attempt, reason, causeText(error, code));
}

/** A failure without an answer. */
export function plainFailure(attempt: RequestContext, reason: Reason, what: string): Failure {
  // The text of a proxy's failure names the proxy already.
  const route = reason === 'proxyFailed' ? '' : via(attempt.route);
  const text = `${attempt.what}: ${shownUrl(attempt.url)}: ${maskTokens(what)}${route}`;
  return { reason, message: line(attempt, text), at: attempt.now() };
}

/** Wall-clock milliseconds that a Retry-After names, when they lie in the future. RC-12 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const text = value.trim();
  const at = /^\d+$/.test(text) ? now + Number(text) * 1_000 : parseHttpDate(text);
  return at !== undefined && at > now ? Math.min(at, now + RETRY_AFTER_LIMIT) : undefined;
}

export function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** What the error says, without the words that HTTP clients put around it. */
export function causeText(error: unknown, code = errnoOf(error)): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^request to .* failed, reason: */s, '') || code || 'no reason given';
}

// Codes of OpenSSL's certificate checks, and Node's and OpenSSL's own.
const TLS_CODE =
  /^(?:CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|ERROR_IN_C|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_|HOSTNAME_|ERR_TLS_|ERR_SSL_|EPROTO$)/;
const NETWORK_CODE = /^(?:E[A-Z0-9_]+|ERR_STREAM_PREMATURE_CLOSE|ERR_SOCKET_\w+)$/;

function reasonOf(code: string): Reason | undefined {
  if (code === PROXY_ERROR_CODE) return 'proxyFailed';
  if (TLS_CODE.test(code)) return 'tlsFailed';
  // HTTP or compression that does not parse.
  if (/^(?:HPE_|Z_)/.test(code)) return 'backendBadAnswer';
  return NETWORK_CODE.test(code) && !/^ERR_(?!S)/.test(code) ? 'networkUnreachable' : undefined;
}

const HTTP_DATE = [
  /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/,
  /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/,
];

/** The three forms of RFC 9110; Date.parse alone takes far too much for a date. */
export function parseHttpDate(text: string): number | undefined {
  const form = HTTP_DATE.findIndex((pattern) => pattern.test(text));
  if (form === -1) return undefined;
  const at = Date.parse(form === 2 ? `${text} GMT` : text);
  return Number.isNaN(at) ? undefined : at;
}

function shownHeader(answer: HttpResponse, name: string): string | undefined {
  const value = answer.header(name);
  return value === undefined || value === '' ? undefined : oneLine(value).slice(0, HEADER_CHARS);
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
