/** Requests to the OAuth issuer, and the failures that its responses stand for. */
import type { Dialer } from '../../net/dialer.js';
import { type HttpRequest, jsonOf, sendRequest } from '../../net/http-request.js';
import { plainFailure, type RequestContext, TLS_REASONS } from '../../net/request-failure.js';
import { parseRetryAfter } from '../../net/retry-after.js';
import { type Failure, failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Secret } from '../../protocol/secret.js';
import type { Env } from '../../protocol/timing.js';
import type { IssuerAddress } from './address.js';
import { errorMessageIn, shownMessage } from './response.js';

export interface IssuerOptions {
  readonly address: IssuerAddress;
  readonly dialer: Dialer;
  readonly env: Pick<Env, 'now'>;
  readonly userAgent: string;
  /** Limit of one request, body included, ms. Default 30,000. ACC-92 */
  readonly requestTimeout?: number;
}

interface IssuerRequest {
  /** First words of each message about this request. */
  readonly what: string;
  readonly url: string;
  readonly body: NonNullable<HttpRequest['body']>;
  /** Values that are sent and must not appear in a message. */
  readonly secrets: readonly Secret[];
  /** Default: the limit of the client, ms. */
  readonly timeout?: number;
}

/** A complete response, whatever its status. */
export interface IssuerResponse {
  readonly kind: 'answered';
  readonly status: number;
  /** Undefined: the body is not JSON. */
  readonly json: unknown;
  /** How long the issuer asks to wait before the next request, ms; 0: it does not ask. RC-12 */
  readonly retryAfter: number;
  readonly context: RequestContext;
}

export interface IssuerFailed {
  readonly kind: 'failed';
  readonly failure: Failure;
}

const REQUEST_TIMEOUT = 30_000;

export class IssuerClient {
  readonly address: IssuerAddress;
  readonly #options: IssuerOptions;

  constructor(options: IssuerOptions) {
    this.#options = options;
    this.address = options.address;
  }

  /** Sends a POST request. Rejects only for a bug, or with the reason of `signal`. */
  async post(request: IssuerRequest, signal: AbortSignal): Promise<IssuerResponse | IssuerFailed> {
    const timeout = request.timeout ?? this.#options.requestTimeout ?? REQUEST_TIMEOUT;
    const done = await sendRequest(this.#options, { ...request, method: 'POST', timeout }, signal);
    if (done.kind === 'answered') {
      const { attempt, response } = done;
      const now = attempt.now();
      const retryAt = parseRetryAfter(response.header('retry-after'), now) ?? now;
      return {
        kind: 'answered',
        status: response.status,
        json: jsonOf(response),
        retryAfter: retryAt - now,
        context: attempt,
      };
    }
    // A proxy or certificate failure keeps its own reason; in all other cases the issuer is unreachable. ACC-92
    const { reason } = done.failure;
    const keepsReason = reason === 'proxyFailed' || TLS_REASONS.has(reason);
    return {
      kind: 'failed',
      failure: keepsReason ? done.failure : { ...done.failure, reason: 'issuerUnreachable' },
    };
  }

  /**
   * The failure of a response whose status is not 2xx.
   * @param lead Stands before the status; the message of the issuer follows it, masked and cut.
   */
  rejection({ status, json, context }: IssuerResponse, reason: Reason, lead: string): Failure {
    const words = errorMessageIn(json);
    const said = words === undefined ? '' : `: ${shownMessage(words, context.secrets)}`;
    return failure(reason, `${lead} ${status}${said}`, context.now(), { httpStatus: status });
  }

  /** The failure of a 2xx response whose body lacks what was requested. */
  badBody({ status, context }: IssuerResponse, reason: Reason = 'issuerFailed'): Failure {
    return plainFailure(context, reason, `answered HTTP ${status} without the expected members`);
  }
}
