import * as v from 'valibot';
import { waitFor } from 'xstate';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import { RPC } from '../protocol/jsonrpc.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import { JsonRpcError, type MethodTable } from '../session/methods.js';
import type { StatusBoard } from './status.js';
import { isSettled } from './status.js';
import type { TokenRenewalDeps } from './token-renewal.js';

interface RepairDeps extends TokenRenewalDeps {
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
    const { renewToken } = await import('./token-renewal.js');
    const renewed = await renewToken(deps);
    if (renewed.kind !== 'ready') return renewed.failure;
    deps.actor.send({ type: 'WAKE' });
    return null;
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

const identityMissing = (at: number): Failure =>
  failure('identityMissing', 'This machine has no identity at the backend yet.', at);
