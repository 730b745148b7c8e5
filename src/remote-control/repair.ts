import * as v from 'valibot';
import { waitFor } from 'xstate';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import { RPC } from '../protocol/jsonrpc.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import { JsonRpcError, type MethodTable } from '../session/methods.js';
import { identityMissing, type RenewTokenDeps, renewToken } from './renew-token.js';
import type { StatusBoard } from './status.js';
import { isSettled } from './status.js';

interface RepairDeps extends RenewTokenDeps {
  readonly board: StatusBoard;
}

/** From the mildest to the strongest; each is meant for when the one before did not help. RC-24 */
const REPAIR_STEPS = ['retry', 'refresh', 'reenroll'] as const;
type RepairStep = (typeof REPAIR_STEPS)[number];

/** Longest wait for the result of a step, ms: an enrollment and a handshake, each at its own limit. */
const SETTLE_LIMIT = 65_000;

/**
 * `engine/repair`: one step to repair a link that does not connect, on request of a person. The authority table allows it
 * on the control socket only: a client of the app server must not change the identity of this machine. RC-24
 */
export function addRepairMethod(methods: MethodTable, deps: RepairDeps): void {
  methods.add('engine/repair', v.object({ step: v.picklist(REPAIR_STEPS) }), async ({ step }) => {
    if (deps.actor.getSnapshot().hasTag('disabled')) {
      const message = 'Remote control is switched off: there is nothing to repair.';
      throw new JsonRpcError(RPC.invalidRequest, message, { reason: 'disabled' });
    }
    deps.account.restartRecovery?.();
    const failed = await RUN[step](deps);
    // After the limit, the response shows the state as it is then.
    await waitFor(deps.actor, isSettled, { timeout: SETTLE_LIMIT }).catch(() => undefined);
    deps.board.refresh();
    return { step, failure: failed, status: deps.board.publicStatus, report: deps.board.report };
  });
}

type RunStep = (deps: RepairDeps) => Promise<Failure | null>;

const RUN: Readonly<Record<RepairStep, RunStep>> = {
  /** Ends a pause, and checks an open link. A Retry-After is still honored. RC-25, RC-25a */
  retry: async ({ actor }) => {
    actor.send({ type: 'WAKE' });
    return null;
  },
  /** Gets a new server token for the same identity, then starts the next attempt. */
  refresh: async (deps) => {
    const { actor, env } = deps;
    if (enrollmentOf(actor.getSnapshot().context) === null) return identityMissing(env.now());
    const failed = await renewWhileEnabled(deps);
    if (failed === null) actor.send({ type: 'WAKE' });
    return failed;
  },
  /** Clears the stored identity and requests a new one. */
  reenroll: async ({ actor, env }) => {
    const enrollment = enrollmentOf(actor.getSnapshot().context);
    if (enrollment === null) return identityMissing(env.now());
    actor.send({
      type: 'ENROLLMENT.LOST',
      serverId: enrollment.serverId,
      failure: failure('repairRequested', 'A new identity was requested with rc-engine repair.', env.now()),
    });
    return null;
  },
};

/** Renews the token, unless remote control is disabled or the engine stops meanwhile. RC-43, RC-46 */
async function renewWhileEnabled(deps: RepairDeps): Promise<Failure | null> {
  const { actor, env } = deps;
  const aborting = new AbortController();
  const timer = setTimeout(() => aborting.abort(), SETTLE_LIMIT);
  const subscription = actor.subscribe((snapshot) => {
    if (snapshot.hasTag('disabled')) aborting.abort();
  });
  try {
    const renewed = await renewToken(deps, aborting.signal);
    return renewed.kind === 'renewed' ? null : renewed.failure;
  } catch (error) {
    if (!aborting.signal.aborted) throw error;
    const isDisabled = actor.getSnapshot().hasTag('disabled');
    return isDisabled
      ? failure('disabled', 'Remote control was switched off meanwhile.', env.now())
      : failure('backendTimeout', 'The backend sent no new server token in time.', env.now());
  } finally {
    clearTimeout(timer);
    subscription.unsubscribe();
  }
}
