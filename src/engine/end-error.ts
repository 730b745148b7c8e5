import { EngineError } from '../protocol/errors.js';
import type { Failure } from '../protocol/outcomes.js';

/** The error for a failure that stopped an engine without a call of `stop`. */
export function endError({ reason, message }: Failure): EngineError {
  // A start that needs a sign-in found none; over stdio this happens after the client has sent its name. RC-27
  return new EngineError(reason.startsWith('auth') ? 'authRequired' : reason, message);
}
