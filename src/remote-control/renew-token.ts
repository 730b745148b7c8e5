import { enrollmentOf } from '../../machines/remote-control/context.js';
import type { AccountSource } from '../protocol/account-source.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Env } from '../protocol/timing.js';
import type { RemoteControlService } from './service.js';
import type { RemoteControlActor } from './status.js';

export interface RenewTokenDeps {
  readonly env: Env;
  readonly actor: RemoteControlActor;
  readonly service: RemoteControlService;
  readonly account: AccountSource;
}

type RenewTokenOutcome =
  | { readonly kind: 'renewed' }
  /** The backend does not know the identity, which was reported to the chart; or there is none any more. */
  | { readonly kind: 'identityLost'; readonly failure: Failure }
  | { readonly kind: 'failed'; readonly failure: Failure };

/**
 * Requests a new server token for the current identity and passes it to `remoteControl`. When the account token is refused,
 * the account recovers once. RC-47
 */
export async function renewToken(deps: RenewTokenDeps, signal: AbortSignal): Promise<RenewTokenOutcome> {
  const { actor, service, account } = deps;
  for (let mayRecover = true; ; mayRecover = false) {
    const { context } = actor.getSnapshot();
    const enrollment = enrollmentOf(context);
    const outcome = await service.refresh(enrollment, context.account, signal);
    if (outcome.kind === 'granted') {
      if (enrollment === null) return { kind: 'identityLost', failure: identityMissing(deps.env.now()) };
      actor.send({ type: 'TOKEN.RENEWED', enrollment, token: outcome.token });
      return { kind: 'renewed' };
    }
    if (outcome.kind === 'notFound' && outcome.byBackend && enrollment !== null) {
      actor.send({ type: 'ENROLLMENT.LOST', serverId: enrollment.serverId, failure: outcome.failure });
      return { kind: 'identityLost', failure: outcome.failure };
    }
    if (outcome.kind !== 'unauthorized' || !mayRecover) return { kind: 'failed', failure: outcome.failure };
    const recovered = await account.recover(signal, true);
    if (recovered.kind !== 'recovered') return { kind: 'failed', failure: recovered.failure };
  }
}

export const identityMissing = (at: number): Failure =>
  failure('identityMissing', 'This machine has no identity at the backend yet.', at);
