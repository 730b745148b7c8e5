/** All requests to the backend. Each method resolves with an outcome; it rejects only for a bug or an abort. */
import { createRequester } from '../../net/backend-request.js';
import type { Dialer } from '../../net/dialer.js';
import type { Target } from '../../net/target.js';
import type { Env, Timing } from '../../protocol/timing.js';
import { type ControllerRequests, controllerRequests } from './controller-requests.js';
import { type EnrollmentRequests, enrollmentRequests, type MachineIdentity } from './enrollment-requests.js';
import { type PairingRequests, pairingRequests } from './pairing-requests.js';

export { warmUp } from '../../net/http-request.js';

export interface BackendHttp extends EnrollmentRequests, PairingRequests, ControllerRequests {}

interface BackendHttpOptions {
  readonly target: Target;
  readonly dialer: Dialer;
  readonly env: Pick<Env, 'now'>;
  readonly timing: Pick<Timing, 'requestTimeout'>;
  readonly identity: MachineIdentity;
}

export function createBackendHttp(options: BackendHttpOptions): BackendHttp {
  const { target, dialer, env, timing, identity } = options;
  const userAgent = `rc-engine/${identity.appServerVersion}`;
  const deps = { requester: createRequester({ dialer, env, timing, userAgent }), target, env };
  return { ...enrollmentRequests(deps, identity), ...pairingRequests(deps), ...controllerRequests(deps) };
}
