/** Requests an identity and its server tokens. RC-9, RC-10, RC-13 */
import * as v from 'valibot';
import type { BackendRequest } from '../../net/backend-request.js';
import type { HttpAnswered } from '../../net/http-request.js';
import { parseHttpDate } from '../../net/retry-after.js';
import type { Enrollment, EnrollOutcome, RefreshOutcome, ServerToken } from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import {
  type AccountCredentials,
  accountHeader,
  HeaderValue,
  Id,
  mismatch,
  type RequestDeps,
  Time,
} from './request-parts.js';

export interface MachineIdentity {
  /** UUID. RC-4 */
  readonly installationId: string;
  /** Host name. RC-4 */
  readonly serverName: string;
  readonly appServerVersion: string;
}

interface RefreshRequest extends AccountCredentials {
  readonly enrollment: Enrollment;
}

export interface EnrollmentRequests {
  /** Requests an identity and its first server token. RC-9 */
  enroll(request: AccountCredentials, signal: AbortSignal): Promise<EnrollOutcome>;
  /** Requests a new server token. A response for another identity is `other`. RC-10 */
  refresh(request: RefreshRequest, signal: AbortSignal): Promise<RefreshOutcome>;
}

/** A larger difference between both clocks means that the one of this machine is wrong. */
const CLOCK_TOLERANCE = 60_000;

const Granted = v.object({
  server_id: HeaderValue,
  environment_id: Id,
  remote_control_token: HeaderValue,
  expires_at: Time,
});

export function enrollmentRequests(
  { requester, target, env }: RequestDeps,
  { installationId, serverName, appServerVersion }: MachineIdentity,
): EnrollmentRequests {
  const requestOf = (what: string, url: string, who: AccountCredentials, body: object): BackendRequest => ({
    what,
    method: 'POST',
    url,
    bearer: who.accessToken,
    headers: { ...accountHeader(who), 'x-codex-installation-id': installationId },
    body,
  });

  /** With a wrong clock, this machine would find each token expired, or keep using an expired one. RC-13 */
  function tokenOf({ response }: HttpAnswered, granted: v.InferOutput<typeof Granted>): ServerToken {
    const now = env.now();
    const theirs = parseHttpDate(response.header('date') ?? '') ?? now;
    const skew = Math.abs(now - theirs) > CLOCK_TOLERANCE ? now - theirs : 0;
    return { secret: new Secret(granted.remote_control_token), expiresAt: granted.expires_at + skew };
  }

  return {
    async enroll(who, signal) {
      const body = {
        name: serverName,
        os: OS,
        arch: ARCH,
        app_server_version: appServerVersion,
        installation_id: installationId,
      };
      const done = await requester.ask(requestOf('enroll', target.enroll, who, body), Granted, signal);
      if (done.kind !== 'answered') return done;
      const { server_id: serverId, environment_id: environmentId } = done.value;
      return {
        kind: 'granted',
        enrollment: { serverId, environmentId, serverName },
        token: tokenOf(done, done.value),
      };
    },

    async refresh({ enrollment, ...who }, signal) {
      const body = { server_id: enrollment.serverId, installation_id: installationId };
      const done = await requester.ask(requestOf('refresh', target.refresh, who, body), Granted, signal);
      if (done.kind !== 'answered') return done;
      // A token that has expired already is accepted: whose clock is right is not known here, the backend decides.
      return mismatch(done, done.value, enrollment) ?? { kind: 'granted', token: tokenOf(done, done.value) };
    },
  };
}

// The names of Rust's std::env::consts, which the backend expects. RC-9
const OS_NAMES: Readonly<Record<string, string>> = { darwin: 'macos', win32: 'windows', sunos: 'solaris' };
const ARCH_NAMES: Readonly<Record<string, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  ia32: 'x86',
  ppc64: 'powerpc64',
  loong64: 'loongarch64',
  mipsel: 'mips',
};
export const OS = OS_NAMES[process.platform] ?? process.platform;
export const ARCH = ARCH_NAMES[process.arch] ?? process.arch;
