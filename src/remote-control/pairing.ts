import { type ActorRefFrom, createActor, fromPromise } from 'xstate';
import { type PairingResponse, pairingMachine } from '../../machines/pairing.js';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import { auditDecisions } from '../observe/decisions.js';
import { type Enrollment, failure, type PairOutcome, type ServerToken } from '../protocol/outcomes.js';
import type { BackendHttp } from './link/http.js';
import { type TokenRenewalDeps, tokenRenewalWith } from './token-renewal.js';

interface PairingDeps extends TokenRenewalDeps {
  readonly http: () => Promise<BackendHttp>;
}

export type PairingActor = ActorRefFrom<typeof pairingMachine>;

/** Starts the `pairing` chart with its requests to the backend. RC-47 */
export function startPairing(deps: PairingDeps): PairingActor {
  /** The server id of the last request: a 404 is about this identity, even when there is a newer one now. RC-22 */
  let requestedFor: string | undefined;
  const actor = createActor(
    pairingMachine.provide({
      actors: {
        tokenRenewal: tokenRenewalWith(deps),
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
    { id: 'pairing', input: { env: deps.env, timing: deps.timing } },
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
 * Requests a code and waits for the response of the chart. START is ignored while a request is in progress, so there may
 * be only one at a time.
 */
export function pairOnce(actor: PairingActor, manual: boolean): Promise<PairingResponse> {
  return new Promise((resolve, reject) => {
    const respond = (response: PairingResponse) => {
      stopListening();
      resolve(response);
    };
    const subscriptions = [
      actor.on('PAIRING.GRANTED', respond),
      actor.on('PAIRING.REFUSED', respond),
      actor.subscribe({
        complete: () => reject(new Error('The engine stopped before the backend sent a pairing code.')),
        error: reject,
      }),
    ];
    const stopListening = () => {
      for (const subscription of subscriptions) subscription.unsubscribe();
    };
    actor.send({ type: 'START', manual });
  });
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
