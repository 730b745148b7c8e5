import { type ActorRefFrom, createActor, fromPromise, waitFor } from 'xstate';
import { type EnsureTokenOutcome, pairingMachine } from '../../machines/pairing.js';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import type { AuditRing } from '../observe/audit.js';
import { auditDecisions } from '../observe/decisions.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AccountSource } from '../protocol/account-source.js';
import { type Enrollment, failure, type PairOutcome, type ServerToken } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { BackendHttp } from './link/http.js';
import { renewToken } from './renew-token.js';
import type { RemoteControlService } from './service.js';
import { isSettled, type RemoteControlActor } from './status.js';

interface PairingDeps {
  readonly env: Env;
  readonly timing: Timing;
  readonly actor: RemoteControlActor;
  readonly service: RemoteControlService;
  readonly http: () => Promise<BackendHttp>;
  readonly account: AccountSource;
  readonly audit: AuditRing;
  readonly watcher?: EngineWatcher | undefined;
}

export type PairingActor = ActorRefFrom<typeof pairingMachine>;

/** Longest wait of pairing until remoteControl has an identity, ms. */
const IDENTITY_WAIT = 30_000;

/** Starts the `pairing` chart with its requests to the backend. RC-47 */
export function startPairing(deps: PairingDeps): PairingActor {
  /** The server id of the last request: a 404 is about this identity, even when there is a newer one now. RC-22 */
  let requestedFor: string | undefined;
  const actor = createActor(
    pairingMachine.provide({
      actors: {
        ensureToken: fromPromise(({ input, signal }) => ensureToken(deps, input.fresh, signal)),
        requestCode: fromPromise(({ input, signal }) => {
          const identity = usableIdentity(deps);
          requestedFor = identity?.enrollment.serverId;
          return requestCode(deps, identity, input.manual, signal);
        }),
        reportEnrollmentLost: fromPromise(async ({ input }) => {
          if (requestedFor === undefined || input.failure === null) return;
          deps.actor.send({ type: 'ENROLLMENT.LOST', serverId: requestedFor, failure: input.failure });
        }),
      },
    }),
    { id: 'pairing', input: { env: deps.env } },
  );
  actor.subscribe(auditDecisions(deps.audit, 'pairing'));
  deps.watcher?.actor(actor);
  return actor.start();
}

interface UsableIdentity {
  readonly enrollment: Enrollment;
  readonly token: ServerToken;
}

/** The enrollment with a server token that is valid long enough. */
function usableIdentity(deps: PairingDeps): UsableIdentity | null {
  const { context } = deps.actor.getSnapshot();
  const enrollment = enrollmentOf(context);
  if (enrollment === null || context.token === null) return null;
  const expiresSoon = context.token.expiresAt - deps.env.now() <= deps.timing.refreshRequired;
  return expiresSoon ? null : { enrollment, token: context.token };
}

/**
 * Waits for a token to pair with. While remoteControl gets one, pairing waits for that one instead of requesting its own.
 * While remoteControl is connected with a token that has expired or was refused, pairing refreshes it for both.
 */
async function ensureToken(
  deps: PairingDeps,
  fresh: boolean,
  signal: AbortSignal,
): Promise<EnsureTokenOutcome> {
  const { actor } = deps;
  // An identity stays known while remote control is off, but nobody may be let in then. RC-103
  const off = actor.getSnapshot().hasTag('disabled');
  if (!off && !fresh && usableIdentity(deps) !== null) return { kind: 'ready' };
  const settled = await waitFor(actor, isSettled, { timeout: IDENTITY_WAIT, signal }).catch(() =>
    actor.getSnapshot(),
  );
  if (settled.hasTag('disabled')) return notReady(deps, 'disabled', 'Remote control is switched off.');
  if (!settled.hasTag('connected')) {
    if (!fresh && usableIdentity(deps) !== null) return { kind: 'ready' };
    const { decision, lastFailure } = settled.context;
    const cause = lastFailure?.message ?? decision.detail ?? decision.reason;
    return notReady(
      deps,
      'pairingUnavailable',
      `Pairing is unavailable until enrollment completes: ${cause}`,
    );
  }
  if (!fresh && usableIdentity(deps) !== null) return { kind: 'ready' };
  const renewed = await renewToken(deps, signal);
  if (renewed.kind === 'renewed') return { kind: 'ready' };
  if (renewed.kind === 'failed') return { kind: 'notReady', failure: renewed.failure };
  return notReady(deps, 'pairingUnavailable', 'Pairing is unavailable until enrollment completes.');
}

async function requestCode(
  deps: PairingDeps,
  identity: UsableIdentity | null,
  manual: boolean,
  signal: AbortSignal,
): Promise<PairOutcome> {
  if (identity === null) {
    const expired = 'The server token expired while pairing.';
    return { kind: 'other', failure: failure('pairingUnavailable', expired, deps.env.now()) };
  }
  const http = await deps.http();
  return http.pair({ enrollment: identity.enrollment, token: identity.token.secret, manual }, signal);
}

function notReady(deps: PairingDeps, reason: Reason, message: string): EnsureTokenOutcome {
  return { kind: 'notReady', failure: failure(reason, message, deps.env.now()) };
}
