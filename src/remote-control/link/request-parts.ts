/** What the requests to the backend have in common. */
import * as v from 'valibot';
import type { Requester } from '../../net/backend-request.js';
import type { HttpAnswered } from '../../net/http-request.js';
import { responseFailure } from '../../net/request-failure.js';
import type { Target } from '../../net/target.js';
import type { Enrollment, RequestFailure } from '../../protocol/outcomes.js';
import type { Secret } from '../../protocol/secret.js';
import type { Env } from '../../protocol/timing.js';
import { parseRfc3339 } from '../../system/formats.js';

export interface RequestDeps {
  readonly requester: Requester;
  readonly target: Target;
  readonly env: Pick<Env, 'now'>;
}

/** The account that a request is made for. RC-9 */
export interface AccountCredentials {
  readonly account: { readonly accountId: string };
  readonly accessToken: Secret;
}

export function accountHeader(who: AccountCredentials): Record<string, string> {
  return { 'chatgpt-account-id': who.account.accountId };
}

/** A value that will be sent as a header: visible ASCII. */
export const HeaderValue = v.pipe(v.string(), v.regex(/^[\x21-\x7e]{1,8192}$/));
export const Id = v.pipe(v.string(), v.minLength(1));
/** RFC 3339 text, read as wall-clock milliseconds. */
export const Time = v.pipe(v.string(), v.transform(parseRfc3339), v.number());
export const OptionalText = v.nullish(v.string(), null);

/** The failure of a response for another identity than the enrolled one; undefined for the same. RC-10, RC-47 */
export function mismatch(
  { attempt, response }: HttpAnswered,
  got: { readonly server_id: string; readonly environment_id: string },
  enrolled: Enrollment,
): RequestFailure | undefined {
  if (got.server_id === enrolled.serverId && got.environment_id === enrolled.environmentId) return undefined;
  const problem =
    `it is for server ${got.server_id} in environment ${got.environment_id}, but enrolled is ` +
    `${enrolled.serverId} in ${enrolled.environmentId}`;
  return { kind: 'other', failure: responseFailure(attempt, response, 'identityMismatch', problem) };
}
