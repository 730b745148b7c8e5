/** Requests pairing codes, and whether one was claimed. RC-47, RC-48 */
import * as v from 'valibot';
import type { Enrollment, PairOutcome, PairStatusOutcome } from '../../protocol/outcomes.js';
import { Secret } from '../../protocol/secret.js';
import { Id, mismatch, OptionalText, type RequestDeps, Time } from './request-parts.js';

interface PairRequest {
  readonly enrollment: Enrollment;
  /** The server token. */
  readonly token: Secret;
  /** Also request a code that a person can type. */
  readonly manual: boolean;
}

/** Exactly one of the codes is given. */
interface PairStatusRequest {
  /** The server token. */
  readonly token: Secret;
  readonly pairingCode: Secret | null;
  readonly manualPairingCode: Secret | null;
}

export interface PairingRequests {
  /** Requests a pairing code for this identity. RC-47 */
  pair(request: PairRequest, signal: AbortSignal): Promise<PairOutcome>;
  /** Requests the status of a code. `notFound` (404 or 410): the backend does not know the code, or it expired. RC-48 */
  pairStatus(request: PairStatusRequest, signal: AbortSignal): Promise<PairStatusOutcome>;
}

const Paired = v.object({
  pairing_code: Id,
  manual_pairing_code: OptionalText,
  server_id: Id,
  environment_id: Id,
  expires_at: Time,
});
const Claimed = v.object({ claimed: v.boolean() });

export function pairingRequests({ requester, target }: RequestDeps): PairingRequests {
  return {
    async pair({ enrollment, token, manual }, signal) {
      const done = await requester.ask(
        {
          what: 'pairing',
          method: 'POST',
          url: target.pair,
          bearer: token,
          body: { manual_code: manual },
          refused: 'tokenRejected',
        },
        Paired,
        signal,
      );
      if (done.kind !== 'answered') return done;
      const otherIdentity = mismatch(done, done.value, enrollment);
      if (otherIdentity !== undefined) return otherIdentity;
      const { pairing_code, manual_pairing_code, environment_id, expires_at } = done.value;
      return {
        kind: 'granted',
        code: {
          pairingCode: new Secret(pairing_code),
          manualPairingCode: manual_pairing_code === null ? null : new Secret(manual_pairing_code),
          environmentId: environment_id,
          expiresAt: expires_at,
        },
      };
    },

    async pairStatus({ token, pairingCode, manualPairingCode }, signal) {
      const done = await requester.ask(
        {
          what: 'pairing status',
          method: 'POST',
          url: target.pairStatus,
          bearer: token,
          body: {
            ...(pairingCode === null ? {} : { pairing_code: pairingCode.reveal() }),
            ...(manualPairingCode === null ? {} : { manual_pairing_code: manualPairingCode.reveal() }),
          },
          secrets: [pairingCode, manualPairingCode].filter((code) => code !== null),
          refused: 'tokenRejected',
        },
        Claimed,
        signal,
      );
      if (done.kind === 'answered') return { kind: 'known', claimed: done.value.claimed };
      return done.failure.httpStatus === 410
        ? { kind: 'notFound', byBackend: true, failure: done.failure }
        : done;
    },
  };
}
