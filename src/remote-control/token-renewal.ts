import { createActor, fromCallback, fromPromise, toPromise } from 'xstate';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import { outcomeOf } from '../../machines/shared/outcome.js';
import {
  type LinkFacts,
  type TokenRenewalEvent,
  type TokenRenewalOutput,
  tokenRenewalMachine,
} from '../../machines/token-renewal.js';
import type { AuditRing } from '../observe/audit.js';
import { auditDecisions } from '../observe/decisions.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { Env, Timing } from '../protocol/timing.js';
import type { RemoteControlService } from './service.js';
import { isSettled, type RemoteControlActor } from './status.js';

export interface TokenRenewalDeps {
  readonly env: Env;
  readonly timing: Timing;
  readonly actor: RemoteControlActor;
  readonly service: RemoteControlService;
  readonly account: AccountSource;
  readonly audit: AuditRing;
  readonly watcher?: EngineWatcher | undefined;
}

/** The chart `tokenRenewal` with its requests, and with `remoteControl` as the owner of identity and token. RC-47 */
export function tokenRenewalWith({ actor, service, account }: TokenRenewalDeps): typeof tokenRenewalMachine {
  return tokenRenewalMachine.provide({
    actors: {
      watchLink: fromCallback<TokenRenewalEvent>(({ sendBack }) => {
        const report = () => sendBack({ type: 'LINK.CHANGED', facts: factsOf(actor.getSnapshot()) });
        const subscription = actor.subscribe(report);
        report();
        return () => subscription.unsubscribe();
      }),
      refresh: fromPromise(({ input, signal }) => service.refresh(input.enrollment, input.account, signal)),
      // A client waits for the result.
      recoverAuth: fromPromise(({ signal }) => account.recover(signal, true)),
    },
    actions: {
      reportRenewed: ({ context: { enrollment }, event }) => {
        const got = outcomeOf(event);
        if (enrollment === null || got?.kind !== 'granted' || !('token' in got)) return;
        actor.send({ type: 'TOKEN.RENEWED', enrollment, token: got.token });
      },
      reportIdentityLost: ({ context: { enrollment, result } }) => {
        if (enrollment === null || result.kind !== 'identityLost') return;
        actor.send({ type: 'ENROLLMENT.LOST', serverId: enrollment.serverId, failure: result.failure });
      },
    },
  });
}

/** Renews the token for a person. RC-24 */
export async function renewToken(deps: TokenRenewalDeps): Promise<TokenRenewalOutput> {
  const { env, timing, audit, watcher } = deps;
  const renewal = createActor(tokenRenewalWith(deps), {
    id: 'tokenRenewal',
    input: { env, timing, purpose: 'renew' },
  });
  renewal.subscribe(auditDecisions(audit, 'tokenRenewal'));
  watcher?.actor(renewal);
  const renewed = toPromise(renewal);
  renewal.start();
  return renewed;
}

function factsOf(snapshot: ReturnType<RemoteControlActor['getSnapshot']>): LinkFacts {
  const { account, token, decision, lastFailure } = snapshot.context;
  return {
    phase: phaseOf(snapshot),
    enrollment: enrollmentOf(snapshot.context),
    account,
    tokenExpiresAt: token?.expiresAt ?? null,
    cause: lastFailure?.message ?? decision.detail ?? decision.reason,
  };
}

function phaseOf(snapshot: ReturnType<RemoteControlActor['getSnapshot']>): LinkFacts['phase'] {
  // An identity stays known while remote control is off.
  if (snapshot.hasTag('disabled')) return 'off';
  if (snapshot.hasTag('connected')) return 'connected';
  return isSettled(snapshot) ? 'resting' : 'working';
}
