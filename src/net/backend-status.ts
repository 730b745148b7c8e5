/** What an HTTP status of the backend means, for a request and for the upgrade of the socket. RC-12, RC-19 to RC-24 */
import type { DialOutcome, RequestFailure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { type HttpResponse, isRedirect, type RequestContext, responseFailure } from './request-failure.js';

/**
 * A request that was answered with a status other than success.
 * @param unauthorized the reason of a 401 or 403
 */
export function failedRequest(
  attempt: RequestContext,
  response: HttpResponse,
  unauthorized: Reason = 'backendUnauthorized',
): RequestFailure {
  const { status } = response;
  const failed = (kind: Exclude<RequestFailure['kind'], 'notFound'>, reason: Reason): RequestFailure => ({
    kind,
    failure: responseFailure(attempt, response, reason),
  });
  if (status === 401 || status === 403) return failed('unauthorized', unauthorized);
  if (status === 404) {
    const byBackend = detailOf(response.body) !== undefined;
    return { kind: 'notFound', byBackend, failure: responseFailure(attempt, response, 'backendNotFound') };
  }
  if (status === 409) return failed('conflict', 'backendConflict');
  if (status === 429) return failed('transient', 'backendRateLimited');
  if (status >= 500) return failed('transient', 'backendUnavailable');
  return failed('other', isRedirect(status) ? 'redirectRefused' : 'backendRefused');
}

export type FailedUpgrade = Exclude<DialOutcome, { readonly kind: 'open' }>;

/** An upgrade request that was answered with a status other than 101. */
export function failedUpgrade(attempt: RequestContext, response: HttpResponse): FailedUpgrade {
  const { status } = response;
  const failed = (kind: FailedUpgrade['kind'], reason: Reason): FailedUpgrade => ({
    kind,
    failure: responseFailure(attempt, response, reason),
  });
  if (status === 401 || status === 403) return failed('tokenRejected', 'tokenRejected');
  if (status === 404) {
    // Only the backend's exact statement drops an identity: the 404 of a proxy looks the same otherwise. RC-20, RC-21
    return detailOf(response.body) === GONE_DETAIL
      ? failed('serverGone', 'serverGone')
      : failed('ambiguousNotFound', 'ambiguousNotFound');
  }
  if (status === 409) return failed('conflict', 'connectionConflict');
  if (status === 429) return failed('failed', 'backendRateLimited');
  if (status >= 500) return failed('failed', 'backendUnavailable');
  return failed('failed', isRedirect(status) ? 'redirectRefused' : 'handshakeFailed');
}

const GONE_DETAIL = 'Remote app server not found';

/** `detail` of the backend's error body; undefined for any other body, such as a page of a proxy. */
function detailOf(body: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(body));
    return typeof value === 'object' && value !== null && 'detail' in value ? value.detail : undefined;
  } catch {
    return undefined;
  }
}
