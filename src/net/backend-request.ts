/** Requests to the backend: an outcome for each status, and the check of what a success contains. RC-11, RC-12 */
import * as v from 'valibot';
import type { RequestFailure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import { failedRequest } from './backend-status.js';
import {
  BODY_LIMIT,
  type HttpAnswered,
  type HttpDeps,
  type HttpRequest,
  isSuccess,
  jsonOf,
  sendRequest,
} from './http-request.js';
import { responseFailure } from './request-failure.js';

export interface BackendRequest extends Pick<HttpRequest, 'what' | 'method' | 'url' | 'headers'> {
  readonly bearer: Secret;
  /** Sent as JSON. */
  readonly body?: unknown;
  /** Further values that must not appear in a message. */
  readonly secrets?: readonly Secret[];
  /** The reason of a 401 or 403. Default `backendUnauthorized`: the account access token was refused. */
  readonly refused?: Reason;
}

interface RequesterOptions extends HttpDeps {
  /** Limit of one request, ms. */
  readonly timing: { readonly requestTimeout: number };
}

export interface Requester {
  /** Any success is `answered`. Rejects only for a bug, or with the reason of `signal`. */
  send(request: BackendRequest, signal: AbortSignal): Promise<HttpAnswered | RequestFailure>;
  /** Like `send`; a success whose body does not match `schema` is `backendBadAnswer`. */
  ask<Schema extends v.GenericSchema>(
    request: BackendRequest,
    schema: Schema,
    signal: AbortSignal,
  ): Promise<(HttpAnswered & { readonly value: v.InferOutput<Schema> }) | RequestFailure>;
}

export function createRequester(options: RequesterOptions): Requester {
  async function send(
    { what, method, url, headers, bearer, body, secrets = [], refused }: BackendRequest,
    signal: AbortSignal,
  ): Promise<HttpAnswered | RequestFailure> {
    const result = await sendRequest(
      options,
      {
        what,
        method,
        url,
        headers: { authorization: `Bearer ${bearer.reveal()}`, ...headers },
        ...(body === undefined ? {} : { body: { json: body } }),
        secrets: [bearer, ...secrets],
        timeout: options.timing.requestTimeout,
      },
      signal,
    );
    const { attempt, response } = result;
    // A status that says what is wrong counts even when its body never arrived completely.
    if (response !== undefined && !isSuccess(response.status)) {
      return failedRequest(attempt, response, refused);
    }
    if (result.kind === 'answered') return result;
    if (result.problem === 'timeout') return { kind: 'transient', failure: result.failure };
    if (result.problem === 'tooLarge' && response !== undefined) {
      const problem = `its body is larger than ${BODY_LIMIT} bytes`;
      return { kind: 'other', failure: responseFailure(attempt, response, 'backendBadAnswer', problem) };
    }
    return { kind: 'other', failure: result.failure };
  }

  return {
    send,
    async ask(request, schema, signal) {
      const done = await send(request, signal);
      if (done.kind !== 'answered') return done;
      const json = jsonOf(done.response);
      if (json === undefined) return badAnswer(done, 'it is not JSON');
      const parsed = v.safeParse(schema, json, { abortEarly: true });
      if (parsed.success) return { ...done, value: parsed.output };
      // The path only: the validator's own message quotes the value, which may be a token.
      return badAnswer(done, `"${v.getDotPath(parsed.issues[0]) ?? 'it'}" is missing or wrong`);
    },
  };
}

/** A response whose status is good and whose content is not. */
function badAnswer({ attempt, response }: HttpAnswered, problem: string): RequestFailure {
  return { kind: 'other', failure: responseFailure(attempt, response, 'backendBadAnswer', problem) };
}
