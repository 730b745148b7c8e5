import * as v from 'valibot';
import type { ActorRefFrom } from 'xstate';
import { waitFor } from 'xstate';
import type { pairingMachine } from '../../machines/pairing.js';
import { isPathSegment } from '../net/target.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { Failure, PairingResult, Preference, StoreOutcome } from '../protocol/outcomes.js';
import { JsonRpcError, type MethodTable } from '../session/methods.js';
import type { Controllers } from './controllers.js';
import type { RemoteControlActor, StatusBoard } from './status.js';

export interface RemoteControlMethodDeps {
  readonly actor: RemoteControlActor;
  readonly board: StatusBoard;
  readonly pairing: () => ActorRefFrom<typeof pairingMachine>;
  readonly controllers: Controllers;
  readonly savePreference: (preference: Preference) => Promise<StoreOutcome | 'accountUnknown'>;
}

const EXPERIMENTAL = { experimental: true };
/** Longer than every request that enabling may take: the chart itself ends the wait. */
const ENABLE_LIMIT = 300_000;

/** An id that can stand in a path. RC-49 */
const pathPart = v.pipe(v.string(), v.check(isPathSegment, 'must be an id that can stand in a path'));

const ephemeral = v.object({ ephemeral: v.nullish(v.boolean()) });

const said = (failure: Failure | null): string =>
  failure === null ? 'remote control could not be enabled' : failure.message;

const refuse = (failure: Failure | null): JsonRpcError => {
  // The account that was to be enabled is not there any more: no fault of the request. ACC-46
  const code = failure?.reason === 'authChanged' ? RPC.internalError : RPC.invalidRequest;
  return new JsonRpcError(code, said(failure), failure === null ? undefined : { reason: failure.reason });
};

type Snapshot = ReturnType<RemoteControlActor['getSnapshot']>;

/** It has an identity that the backend takes, or waits for something, or was refused. */
const isTried = (snapshot: Snapshot): boolean =>
  !snapshot.hasTag('beforeIdentity') || snapshot.hasTag('errored');

/** It is known whether there is an identity: the account and the store have been read, or cannot be. */
const isLookedUp = (snapshot: Snapshot): boolean =>
  isTried(snapshot) || snapshot.context.enrollment !== 'unknown';

/** `remoteControl/*`, for every origin (RC-42 … RC-49). Answers a way to pair from within the process. */
export function addRemoteControlMethods(
  methods: MethodTable,
  deps: RemoteControlMethodDeps,
): (manual: boolean) => Promise<PairingResult> {
  const { actor, board } = deps;

  methods.add('remoteControl/status/read', v.looseObject({}), () => board.publicStatus, EXPERIMENTAL);

  methods.add(
    'remoteControl/enable',
    ephemeral,
    async (params) => {
      const durable = params.ephemeral !== true;
      actor.send({ type: 'ENABLE', by: 'request', durable });
      // A wish for good is tried out while its asker waits, and may be refused. ACC-69
      const settled = await waitFor(actor, durable ? isTried : isLookedUp, { timeout: ENABLE_LIMIT });
      board.refresh();
      if (settled.hasTag('disabled')) throw refuse(settled.context.lastFailure);
      if (durable) await keep('on');
      return board.publicStatus;
    },
    EXPERIMENTAL,
  );

  methods.add(
    'remoteControl/disable',
    ephemeral,
    async (params) => {
      const durable = params.ephemeral !== true;
      actor.send({ type: 'DISABLE', durable });
      if (durable) await keep('off');
      board.refresh();
      return board.publicStatus;
    },
    EXPERIMENTAL,
  );

  /** The durable wish is on disk before it is answered; where the account is unknown yet, the chart keeps it. RC-44 */
  async function keep(preference: Preference): Promise<void> {
    const kept = await deps.savePreference(preference);
    if (kept === 'accountUnknown' || kept.kind === 'done') return;
    throw new JsonRpcError(RPC.internalError, kept.failure.message, { reason: kept.failure.reason });
  }

  let pairingTurn: Promise<unknown> = Promise.resolve();
  methods.add(
    'remoteControl/pairing/start',
    v.object({ manualCode: v.nullish(v.boolean()) }),
    (params) => pair(params.manualCode ?? false),
    EXPERIMENTAL,
  );

  /** One at a time: each code replaces the one before. */
  function pair(manual: boolean): Promise<PairingResult> {
    const turn = pairingTurn.then(() => startPairing(manual));
    pairingTurn = turn.catch(() => undefined);
    return turn;
  }

  async function startPairing(manual: boolean): Promise<PairingResult> {
    const pairing = deps.pairing();
    pairing.send({ type: 'START', manual });
    const settled = await waitFor(pairing, (snapshot) => !snapshot.hasTag('busy'), {
      timeout: ENABLE_LIMIT,
    });
    const { code, lastFailure } = settled.context;
    if (code === null) throw refuse(lastFailure);
    return {
      pairingCode: code.pairingCode.reveal(),
      manualPairingCode: code.manualPairingCode?.reveal() ?? null,
      environmentId: code.environmentId,
      expiresAt: Math.floor(code.expiresAt / 1000),
    };
  }

  methods.add(
    'remoteControl/pairing/status',
    v.pipe(
      v.object({ pairingCode: v.nullish(v.string()), manualPairingCode: v.nullish(v.string()) }),
      v.check(
        (input) => (input.pairingCode == null) !== (input.manualPairingCode == null),
        'give exactly one of pairingCode and manualPairingCode',
      ),
    ),
    async (params) => ({
      claimed: await deps.controllers.pairStatus({
        pairingCode: params.pairingCode ?? null,
        manualPairingCode: params.manualPairingCode ?? null,
      }),
    }),
    EXPERIMENTAL,
  );

  methods.add(
    'remoteControl/client/list',
    v.object({
      environmentId: pathPart,
      cursor: v.nullish(v.string()),
      limit: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100))),
      order: v.nullish(v.picklist(['asc', 'desc'])),
    }),
    (params) => deps.controllers.list(params),
    EXPERIMENTAL,
  );

  methods.add(
    'remoteControl/client/revoke',
    v.object({
      environmentId: pathPart,
      clientId: pathPart,
    }),
    (params) => deps.controllers.revoke(params),
    EXPERIMENTAL,
  );
  return pair;
}
