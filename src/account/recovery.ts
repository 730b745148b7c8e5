import { createActor, fromPromise, waitFor } from 'xstate';
import { authRecoveryMachine, type RecoveryMode } from '../../machines/auth-recovery.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { Recovery } from '../protocol/account-source.js';
import type { RecoveryOutcome } from '../protocol/outcomes.js';
import type { Env } from '../protocol/timing.js';

export interface RecoverySteps {
  readonly env: Env;
  readonly mode: RecoveryMode;
  readonly accountId: string | null;
  readonly watcher?: EngineWatcher | undefined;
  reload(): Promise<RecoveryOutcome>;
  refresh(): Promise<RecoveryOutcome>;
  ask(): Promise<RecoveryOutcome>;
}

/** Plugs the steps into the `authRecovery` chart. */
export function startRecovery(steps: RecoverySteps): Recovery {
  const { env, mode, accountId } = steps;
  const actor = createActor(
    authRecoveryMachine.provide({
      actors: {
        reload: fromPromise(() => steps.reload()),
        refresh: fromPromise(() => steps.refresh()),
        requestExternalTokens: fromPromise(() => steps.ask()),
      },
    }),
    { id: 'authRecovery', input: { env, mode, accountId } },
  );
  steps.watcher?.actor(actor);
  actor.start();
  return {
    async next(signal, renewedTokenRejected = false) {
      actor.send({ type: 'NEXT', renewedTokenRejected });
      const settled = await waitFor(actor, (snapshot) => !snapshot.hasTag('busy'), { timeout: FOR_EVER });
      signal.throwIfAborted();
      const { outcome } = settled.context;
      if (outcome === null) throw new Error('a recovery step ended without an outcome');
      return outcome;
    },
    stop: () => {
      actor.stop();
    },
  };
}

const FOR_EVER = Number.POSITIVE_INFINITY;
