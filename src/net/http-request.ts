/**
 * The one HTTP request function. Everything that the engine requests over HTTP goes through it: the backend
 * (backend-request.ts), the account issuer and the claim of a pairing code. It sets the limits and reports typed
 * outcomes; what a status means is for the caller to decide.
 */
import type * as NodeFetch from 'node-fetch';
import type { Failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import type { Dialer } from './dialer.js';
import {
  causeText,
  type HttpResponse,
  networkFailure,
  plainFailure,
  type RequestContext,
} from './request-failure.js';

/** What all requests of one client share. */
export interface HttpDeps {
  readonly dialer: Dialer;
  readonly env: Pick<Env, 'now'>;
  readonly userAgent: string;
}

export interface HttpRequest {
  /** First word of each message about this request: `refresh`. */
  readonly what: string;
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: { readonly json: unknown } | { readonly form: Readonly<Record<string, string>> };
  /** Values that are sent and must not appear in a message. */
  readonly secrets: readonly Secret[];
  /** Limit of the whole request, ms: proxy, connection, headers and body. RC-11 */
  readonly timeout: number;
}

/** A complete response, whatever its status. */
export interface HttpAnswered {
  readonly kind: 'answered';
  readonly attempt: RequestContext;
  readonly response: HttpResponse;
}

interface HttpFailed {
  readonly kind: 'failed';
  readonly problem: 'timeout' | 'tooLarge' | 'network';
  readonly failure: Failure;
  readonly attempt: RequestContext;
  /** Present when the status arrived and the body did not, or not completely. */
  readonly response?: HttpResponse;
}

/** Largest response body that is read, bytes. Counted after decompression. RC-11 */
export const BODY_LIMIT = 1024 * 1024;

let fetchModule: Promise<typeof NodeFetch> | undefined;

/** Loads the HTTP client ahead of the first request. */
export async function warmUp(): Promise<void> {
  await httpClient();
}

/** Not exported: node-fetch is bundled, so the public declarations must not name it. */
function httpClient(): Promise<typeof NodeFetch> {
  fetchModule ??= import('node-fetch');
  return fetchModule;
}

/** Sends one request. Rejects only for a bug, or with the reason of `signal`. Redirects are not followed. */
export async function sendRequest(
  { dialer, env, userAgent }: HttpDeps,
  request: HttpRequest,
  signal: AbortSignal,
): Promise<HttpAnswered | HttpFailed> {
  signal.throwIfAborted();
  const { what, method, url, secrets, timeout } = request;
  const attempt: RequestContext = { what, url, route: dialer.routeFor(url), secrets, now: env.now };
  const limit = new AbortController();
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    limit.abort();
  }, timeout);
  const onAbort = (): void => limit.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  const body: Uint8Array[] = [];
  let head: NodeFetch.Response | undefined;
  const failed = (problem: HttpFailed['problem'], failure: Failure): HttpFailed => ({
    kind: 'failed',
    problem,
    failure,
    attempt,
    ...(head === undefined ? {} : { response: responseOf(head, body) }),
  });
  try {
    const [{ default: fetch }, agent] = await Promise.all([httpClient(), dialer.agentFor(url, limit.signal)]);
    const observe = dialer.clock?.begin();
    // node-fetch destroys the body of a request that was aborted before, and nobody listens to that body yet.
    limit.signal.throwIfAborted();
    const encoded = encodeBody(request.body);
    head = await fetch(url, {
      method,
      headers: {
        accept: 'application/json',
        'user-agent': userAgent,
        ...encoded.headers,
        ...request.headers,
      },
      ...(encoded.body === undefined ? {} : { body: encoded.body }),
      agent,
      signal: limit.signal,
      // A redirect would take credentials elsewhere (RC-3). Unlike 'error', 'manual' gives status and location.
      redirect: 'manual',
    });
    const { headers } = head;
    observe?.((name) => headers.get(name) ?? undefined);
    if (await readBody(head, body)) return { kind: 'answered', attempt, response: responseOf(head, body) };
    const cause = `its answer is larger than ${BODY_LIMIT} bytes`;
    return failed('tooLarge', plainFailure(attempt, 'backendBadAnswer', cause));
  } catch (error) {
    signal.throwIfAborted();
    if (timedOut) {
      const cause = `no complete answer within ${timeout / 1_000} s`;
      return failed('timeout', plainFailure(attempt, 'backendTimeout', cause));
    }
    const failure = networkFailure(attempt, error);
    if (failure !== undefined) return failed('network', failure);
    // A status that says what is wrong counts, whatever broke its body.
    if (head === undefined || head.ok) throw error;
    return failed('network', plainFailure(attempt, 'networkUnreachable', causeText(error)));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

export const isSuccess = (status: number): boolean => status >= 200 && status < 300;

/** The body as JSON; undefined when it is not JSON. */
export function jsonOf(response: HttpResponse): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(response.body));
  } catch {
    return undefined;
  }
}

function encodeBody(body: HttpRequest['body']): { headers?: Record<string, string>; body?: string } {
  if (body === undefined) return {};
  return 'json' in body
    ? { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body.json) }
    : {
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(body.form).toString(),
      };
}

function responseOf(head: NodeFetch.Response, body: readonly Uint8Array[]): HttpResponse {
  return {
    status: head.status,
    header: (name) => head.headers.get(name) ?? undefined,
    body: Buffer.concat(body),
  };
}

/** Collects at most `BODY_LIMIT` bytes; false when there is more. */
async function readBody(response: NodeFetch.Response, into: Uint8Array[]): Promise<boolean> {
  if (response.body === null) return true;
  let room = BODY_LIMIT;
  for await (const part of response.body) {
    const bytes = typeof part === 'string' ? Buffer.from(part) : part;
    into.push(bytes.subarray(0, room));
    room -= bytes.length;
    if (room < 0) return false;
  }
  return true;
}
