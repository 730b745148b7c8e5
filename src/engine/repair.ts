import * as v from 'valibot';
import { waitFor } from 'xstate';
import { enrollmentOf } from '../../machines/remote-control.setup.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { Failure } from '../protocol/outcomes.js';
import { type MethodTable, RpcFault } from './methods.js';
import { identityMissing, type RenewTokenDeps, renewToken } from './renew-token.js';
import type { StatusBoard } from './status-board.js';

export interface RepairDeps extends RenewTokenDeps {
  readonly board: StatusBoard;
}

/** From the mildest on; each is tried when the one before it did not help. RC-24 */
export const REPAIR_STEPS = ['retry', 'refresh', 'reenroll'] as const;
export type RepairStep = (typeof REPAIR_STEPS)[number];

/** Longest wait for what a step comes to, ms: an enrollment and a handshake, each at its own limit. */
const SETTLE_LIMIT = 65_000;

/**
 * `engine/repair`: one step of the way out of a link that does not come up, done because a person said so. Only over
 * the control socket: a client of the app server has no business with the identity of this machine. RC-24
 */
export function addRepairMethod(methods: MethodTable, deps: RepairDeps): void {
  methods.add('engine/repair', v.object({ step: v.picklist(REPAIR_STEPS) }), async ({ step }, session) => {
    if (session.client.origin !== 'control') {
      throw new RpcFault(RPC.refusedByPolicy, 'engine/repair is for the control socket of this home only', {
        reason: 'refusedByPolicy',
      });
    }
    if (deps.actor.getSnapshot().hasTag('disabled')) {
      throw new RpcFault(RPC.invalidRequest, 'Remote control is switched off: there is nothing to repair.', {
        reason: 'disabled',
      });
    }
    const failure = await DO[step](deps);
    await settled(deps);
    deps.board.refresh();
    return { step, failure, status: deps.board.publicStatus, report: deps.board.report };
  });
}

type Do = (deps: RepairDeps) => Promise<Failure | null>;

const DO: Readonly<Record<RepairStep, Do>> = {
  /** Cuts a pause short, and looks whether an open link is alive. A Retry-After is kept. RC-25, RC-25a */
  retry: async ({ actor }) => {
    actor.send({ type: 'WAKE' });
    return null;
  },
  /** A new server token for the same identity, then the next attempt. */
  refresh: async (deps) => {
    const { actor, env } = deps;
    if (enrollmentOf(actor.getSnapshot().context) === null) return identityMissing(env.now());
    const renewed = await renewToken(deps, AbortSignal.timeout(SETTLE_LIMIT));
    if (renewed.kind !== 'renewed') return renewed.failure;
    actor.send({ type: 'WAKE' });
    return null;
  },
  /** The stored identity is forgotten, and the backend asked for a new one. */
  reenroll: async ({ actor, env }) => {
    const enrollment = enrollmentOf(actor.getSnapshot().context);
    if (enrollment === null) return identityMissing(env.now());
    actor.send({
      type: 'ENROLLMENT.LOST',
      serverId: enrollment.serverId,
      failure: {
        reason: 'repairRequested',
        message: 'A new identity was asked for with rc-engine repair.',
        at: env.now(),
      },
    });
    return null;
  },
};

/** Where the chart comes to rest: connected, off, or waiting again. What still goes on after the limit is told as it is. */
async function settled({ actor }: RepairDeps): Promise<void> {
  await waitFor(
    actor,
    (snapshot) => snapshot.hasTag('connected') || snapshot.hasTag('disabled') || snapshot.hasTag('waiting'),
    { timeout: SETTLE_LIMIT },
  ).catch(() => undefined);
}
