import * as v from 'valibot';
import { waitFor } from 'xstate';
import { enrollmentOf } from '../../machines/remote-control/context.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { Failure } from '../protocol/outcomes.js';
import { JsonRpcError, type MethodTable } from '../session/methods.js';
import { identityMissing, type RenewTokenDeps, renewToken } from './renew-token.js';
import type { StatusBoard } from './status.js';
import { isSettled } from './status.js';

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
      throw new JsonRpcError(
        RPC.refusedByPolicy,
        'engine/repair is for the control socket of this home only',
        {
          reason: 'refusedByPolicy',
        },
      );
    }
    if (deps.actor.getSnapshot().hasTag('disabled')) {
      throw new JsonRpcError(
        RPC.invalidRequest,
        'Remote control is switched off: there is nothing to repair.',
        {
          reason: 'disabled',
        },
      );
    }
    const failure = await DO[step](deps);
    // What still goes on after the limit is told as it is.
    await waitFor(deps.actor, isSettled, { timeout: SETTLE_LIMIT }).catch(() => undefined);
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
    const failure = await renewWhileOn(deps);
    if (failure === null) actor.send({ type: 'WAKE' });
    return failure;
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

/** Renews until it is done, remote control is switched off, or the engine stops. RC-43, RC-46 */
async function renewWhileOn(deps: RepairDeps): Promise<Failure | null> {
  const { actor, env } = deps;
  const gaveUp = new AbortController();
  const timer = setTimeout(() => gaveUp.abort(), SETTLE_LIMIT);
  const watch = actor.subscribe((snapshot) => {
    if (snapshot.hasTag('disabled')) gaveUp.abort();
  });
  try {
    const renewed = await renewToken(deps, gaveUp.signal);
    return renewed.kind === 'renewed' ? null : renewed.failure;
  } catch (error) {
    if (!gaveUp.signal.aborted) throw error;
    const off = actor.getSnapshot().hasTag('disabled');
    return off
      ? { reason: 'disabled', message: 'Remote control was switched off meanwhile.', at: env.now() }
      : { reason: 'backendTimeout', message: 'There was no new server token in time.', at: env.now() };
  } finally {
    clearTimeout(timer);
    watch.unsubscribe();
  }
}
