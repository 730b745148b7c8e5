/** One request to the backend, from the proxy to the last byte of the answer, and the check of its shape. RC-11 */
import type * as NodeFetch from 'node-fetch';
import * as v from 'valibot';
import type { RequestFailure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { Dialer } from './dialer.js';
import {
  type HttpResponse,
  networkFailure,
  plainFailure,
  type RequestContext,
  responseFailure,
  responseFailureOf,
} from './request-error.js';

export interface HttpRequest {
  /** To begin a message with: `refresh`. */
  readonly what: string;
  readonly method: 'POST' | 'GET' | 'DELETE';
  readonly url: string;
  readonly bearer: Secret;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Further values that must not show up in a message. */
  readonly secrets?: readonly Secret[];
  /** What a 401 or 403 means here; default: the account access token was refused. */
  readonly refused?: Reason;
}

export interface HttpResult {
  readonly kind: 'answered';
  readonly attempt: RequestContext;
  readonly answer: HttpResponse;
}

export interface RequesterOptions {
  readonly dialer: Dialer;
  readonly env: Pick<Env, 'now'>;
  readonly timing: Pick<Timing, 'requestTimeout'>;
  readonly userAgent: string;
}

export interface Requester {
  /** Any success is `answered`. Rejects only for a bug, or with the reason of `signal`. */
  send(call: HttpRequest, signal: AbortSignal): Promise<HttpResult | RequestFailure>;
  /** As `send`, for an answer of this shape. */
  ask<Schema extends v.GenericSchema>(
    call: HttpRequest,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<(HttpResult & { readonly value: v.InferOutput<Schema> }) | RequestFailure>;
}

/** Largest body that is read. RC-11 */
const BODY_LIMIT = 1024 * 1024;

let fetchModule: Promise<typeof NodeFetch> | undefined;

/** Starts loading the HTTP client, so that the first request finds it there. */
export function warmUp(): Promise<typeof NodeFetch> {
  fetchModule ??= import('node-fetch');
  return fetchModule;
}

export function createRequester(options: RequesterOptions): Requester {
  const { dialer, env, timing, userAgent } = options;

  async function send(call: HttpRequest, signal: AbortSignal): Promise<HttpResult | RequestFailure> {
    signal.throwIfAborted();
    const attempt: RequestContext = {
      what: call.what,
      url: call.url,
      route: dialer.routeFor(call.url),
      secrets: [call.bearer, ...(call.secrets ?? [])],
      now: env.now,
    };
    // One limit over all of it: proxy, connection, headers and body. RC-11
    const limit = new AbortController();
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      limit.abort();
    }, timing.requestTimeout);
    const onAbort = (): void => limit.abort();
    signal.addEventListener('abort', onAbort, { once: true });
    const body: Uint8Array[] = [];
    let response: NodeFetch.Response | undefined;
    const answered = (status: number): HttpResult => ({
      kind: 'answered',
      attempt,
      answer: {
        status,
        header: (name) => response?.headers.get(name) ?? undefined,
        body: Buffer.concat(body),
      },
    });
    try {
      const [{ default: fetch }, agent] = await Promise.all([
        warmUp(),
        dialer.agentFor(call.url, limit.signal),
      ]);
      // The client destroys the body of a call that was given up before, and nobody listens to that body yet.
      limit.signal.throwIfAborted();
      response = await fetch(call.url, {
        method: call.method,
        headers: {
          authorization: `Bearer ${call.bearer.reveal()}`,
          accept: 'application/json',
          'user-agent': userAgent,
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...call.headers,
        },
        ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
        agent,
        signal: limit.signal,
        // Not followed either (RC-3), and unlike 'error' it lets the status and the new address be told.
        redirect: 'manual',
        size: BODY_LIMIT,
      });
      const whole = await readBody(response, body);
      if (!whole && response.ok) {
        const { answer } = answered(response.status);
        const because = `its body is larger than ${BODY_LIMIT} bytes`;
        return { kind: 'other', failure: responseFailureOf(attempt, answer, 'backendBadAnswer', because) };
      }
    } catch (error) {
      signal.throwIfAborted();
      // A status that tells what is wrong counts even when the words to it never came.
      if (response === undefined || response.ok) {
        if (timedOut) {
          const what = `no complete answer within ${timing.requestTimeout / 1_000} s`;
          return { kind: 'transient', failure: plainFailure(attempt, 'backendTimeout', what) };
        }
        const failure = networkFailure(attempt, error);
        if (failure === undefined) throw error;
        return { kind: 'other', failure };
      }
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    }
    const done = answered(response.status);
    return response.ok ? done : responseFailure(attempt, done.answer, call.refused);
  }

  /** Sends the call and checks the shape of a good answer. */
  async function ask<Schema extends v.GenericSchema>(
    call: HttpRequest,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<(HttpResult & { readonly value: v.InferOutput<Schema> }) | RequestFailure> {
    const done = await send(call, signal);
    if (done.kind !== 'answered') return done;
    let json: unknown;
    try {
      json = JSON.parse(new TextDecoder().decode(done.answer.body));
    } catch {
      return badAnswer(done, 'it is no JSON');
    }
    const parsed = v.safeParse(schema, json, { abortEarly: true });
    // The validator's own words quote the value, which may be a token.
    if (!parsed.success)
      return badAnswer(done, `"${v.getDotPath(parsed.issues[0]) ?? 'it'}" is missing or wrong`);
    return { ...done, value: parsed.output };
  }

  return { send, ask };
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

/** An answer whose status is good and whose content is not. */
function badAnswer(done: HttpResult, because: string): RequestFailure {
  return {
    kind: 'other',
    failure: responseFailureOf(done.attempt, done.answer, 'backendBadAnswer', because),
  };
}
