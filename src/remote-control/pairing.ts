import { type ActorRefFrom, createActor, fromPromise, waitFor } from 'xstate';
import { type EnsureTokenOutcome, pairingMachine } from '../../machines/pairing.js';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import type { AuditRing } from '../observe/audit.js';
import { auditDecisions } from '../observe/decisions.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { Enrollment, Failure, PairOutcome, ServerToken } from '../protocol/outcomes.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { BackendHttp } from './link/http.js';
import { renewToken } from './renew-token.js';
import type { RemoteControlService } from './service.js';
import { isSettled, type RemoteControlActor } from './status.js';

export interface PairingDeps {
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

/** Longest wait for remoteControl to get an identity before pairing gives up, ms. */
const IDENTITY_WAIT = 30_000;

/** Plugs the backend into the `pairing` chart. RC-47 */
export function startPairing(deps: PairingDeps): PairingActor {
  /** The identity that the last request was made for: a 404 is about that one, whatever has come since. RC-22 */
  let pairedFor: string | undefined;
  const actor = createActor(
    pairingMachine.provide({
      actors: {
        ensureToken: fromPromise(({ input, signal }) => ensureToken(deps, input.fresh, signal)),
        requestCode: fromPromise(({ input, signal }) => {
          const ready = readyIn(deps);
          pairedFor = ready?.enrollment.serverId;
          return requestCode(deps, ready, input.manual, signal);
        }),
        reportEnrollmentLost: fromPromise(async ({ input }) => {
          if (pairedFor === undefined || input.failure === null) return;
          deps.actor.send({ type: 'ENROLLMENT.LOST', serverId: pairedFor, failure: input.failure });
        }),
      },
    }),
    { id: 'pairing', input: { env: deps.env } },
  );
  actor.subscribe(auditDecisions(deps.audit, 'pairing'));
  deps.watcher?.actor(actor);
  return actor.start();
}

interface Ready {
  readonly enrollment: Enrollment;
  readonly token: ServerToken;
}

function readyIn(deps: PairingDeps): Ready | null {
  const { context } = deps.actor.getSnapshot();
  const enrollment = enrollmentOf(context);
  if (enrollment === null || context.token === null) return null;
  const stale = context.token.expiresAt - deps.env.now() <= deps.timing.refreshRequired;
  return stale ? null : { enrollment, token: context.token };
}

/**
 * A token to pair with. While remoteControl is on its way to one, pairing waits for it instead of asking a second
 * time; while it is connected with a token that has ended (or was refused), pairing refreshes it for both.
 */
async function ensureToken(
  deps: PairingDeps,
  fresh: boolean,
  signal: AbortSignal,
): Promise<EnsureTokenOutcome> {
  const { actor } = deps;
  if (!fresh && readyIn(deps) !== null) return { kind: 'ready' };
  const settled = await waitFor(actor, isSettled, { timeout: IDENTITY_WAIT, signal }).catch(() =>
    actor.getSnapshot(),
  );
  if (settled.hasTag('disabled')) return notReady(deps, 'disabled', 'Remote control is switched off.');
  if (!settled.hasTag('connected')) {
    if (!fresh && readyIn(deps) !== null) return { kind: 'ready' };
    const { decision, lastFailure } = settled.context;
    const why = lastFailure?.message ?? decision.detail ?? decision.reason;
    return notReady(deps, 'pairingUnavailable', `Pairing is unavailable until enrollment completes: ${why}`);
  }
  if (!fresh && readyIn(deps) !== null) return { kind: 'ready' };
  const renewed = await renewToken(deps, signal);
  if (renewed.kind === 'renewed') return { kind: 'ready' };
  if (renewed.kind === 'failed') return { kind: 'notReady', failure: renewed.failure };
  return notReady(deps, 'pairingUnavailable', 'Pairing is unavailable until enrollment completes.');
}

async function requestCode(
  deps: PairingDeps,
  ready: Ready | null,
  manual: boolean,
  signal: AbortSignal,
): Promise<PairOutcome> {
  if (ready === null) {
    const failure: Failure = {
      reason: 'pairingUnavailable',
      message: 'The server token ended while pairing.',
      at: deps.env.now(),
    };
    return { kind: 'other', failure };
  }
  const http = await deps.http();
  return http.pair({ enrollment: ready.enrollment, token: ready.token.secret, manual }, signal);
}

function notReady(deps: PairingDeps, reason: Failure['reason'], message: string): EnsureTokenOutcome {
  return { kind: 'notReady', failure: { reason, message, at: deps.env.now() } };
}
