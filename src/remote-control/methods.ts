import * as v from 'valibot';
import { waitFor } from 'xstate';
import { isPathSegment } from '../net/target.js';
import { RPC } from '../protocol/jsonrpc.js';
import type { Failure, PairingResult, Preference, StoreOutcome } from '../protocol/outcomes.js';
import { JsonRpcError, type MethodTable } from '../session/methods.js';
import type { Controllers } from './controllers.js';
import type { PairingActor } from './pairing.js';
import type { RemoteControlActor, StatusBoard } from './status.js';

interface RemoteControlMethodDeps {
  readonly actor: RemoteControlActor;
  readonly board: StatusBoard;
  /** Loaded with the first pairing. */
  readonly pairing: () => Promise<PairingActor>;
  readonly controllers: Controllers;
  readonly savePreference: (preference: Preference) => Promise<StoreOutcome | 'accountUnknown'>;
  /** A client asks for another attempt. ACC-68 */
  readonly restartRecovery: () => void;
}

const EXPERIMENTAL = { experimental: true };
/** Longer than all requests that enabling may need: the chart ends the wait. */
const ENABLE_LIMIT = 300_000;

/** Adds `remoteControl/*` for every origin (RC-42 to RC-49). Returns the function that pairs within this process. */
export function addRemoteControlMethods(
  methods: MethodTable,
  deps: RemoteControlMethodDeps,
): (manual: boolean) => Promise<PairingResult> {
  const { board } = deps;
  methods.add('remoteControl/status/read', v.looseObject({}), () => board.publicStatus, EXPERIMENTAL);
  addEnableMethods(methods, deps);
  addControllerMethods(methods, deps.controllers);
  return addPairingMethods(methods, deps);
}

type Snapshot = ReturnType<RemoteControlActor['getSnapshot']>;

/** Enrollment has ended: with an identity that the backend accepts, in a wait, or with a refusal. */
const isEnrollmentDecided = (snapshot: Snapshot): boolean =>
  !snapshot.hasTag('beforeIdentity') || snapshot.hasTag('errored');

/** Account and store have been read, or cannot be read: the stored identity is known. */
const isStoreRead = (snapshot: Snapshot): boolean =>
  isEnrollmentDecided(snapshot) || snapshot.context.enrollment !== 'unknown';

const ephemeral = v.object({ ephemeral: v.nullish(v.boolean()) });

function addEnableMethods(
  methods: MethodTable,
  { actor, board, savePreference, restartRecovery }: RemoteControlMethodDeps,
): void {
  /** A durable preference is on disk before the response. While the account is unknown, the chart holds it. RC-44 */
  async function persist(preference: Preference): Promise<void> {
    const saved = await savePreference(preference);
    if (saved === 'accountUnknown' || saved.kind === 'done') return;
    throw new JsonRpcError(RPC.internalError, saved.failure.message, { reason: saved.failure.reason });
  }

  methods.add(
    'remoteControl/enable',
    ephemeral,
    async (params) => {
      const durable = params.ephemeral !== true;
      restartRecovery();
      actor.send({ type: 'ENABLE', by: 'request', durable });
      // A durable preference is tried while its client waits, and may be refused. ACC-69
      const decided = durable ? isEnrollmentDecided : isStoreRead;
      const snapshot = await waitFor(actor, decided, { timeout: ENABLE_LIMIT });
      board.refresh();
      if (snapshot.hasTag('disabled')) throw refusal(snapshot.context.lastFailure);
      if (durable) await persist('on');
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
      if (durable) await persist('off');
      board.refresh();
      return board.publicStatus;
    },
    EXPERIMENTAL,
  );
}

function addPairingMethods(
  methods: MethodTable,
  deps: RemoteControlMethodDeps,
): (manual: boolean) => Promise<PairingResult> {
  let lastPairing: Promise<unknown> = Promise.resolve();

  /** One at a time: each code replaces the one before. */
  function pair(manual: boolean): Promise<PairingResult> {
    const next = lastPairing.then(async () => requestCode(await deps.pairing(), manual));
    lastPairing = next.catch(() => undefined);
    return next;
  }

  methods.add(
    'remoteControl/pairing/start',
    v.object({ manualCode: v.nullish(v.boolean()) }),
    (params) => pair(params.manualCode ?? false),
    EXPERIMENTAL,
  );

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
  return pair;
}

async function requestCode(pairing: PairingActor, manual: boolean): Promise<PairingResult> {
  const { pairOnce } = await import('./pairing.js');
  const response = await pairOnce(pairing, manual);
  if (response.type === 'PAIRING.REFUSED') throw refusal(response.failure);
  const { code } = response;
  return {
    pairingCode: code.pairingCode.reveal(),
    manualPairingCode: code.manualPairingCode?.reveal() ?? null,
    environmentId: code.environmentId,
    expiresAt: Math.floor(code.expiresAt / 1000),
  };
}

/** An id that becomes part of a URL of the backend must be one path segment. RC-49 */
const pathSegment = v.pipe(v.string(), v.check(isPathSegment, 'must be an id that can be a path segment'));

/** The wire calls controllers clients. RC-49 */
function addControllerMethods(methods: MethodTable, controllers: Controllers): void {
  methods.add(
    'remoteControl/client/list',
    v.object({
      environmentId: pathSegment,
      cursor: v.nullish(v.string()),
      limit: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(100))),
      order: v.nullish(v.picklist(['asc', 'desc'])),
    }),
    (params) => controllers.list(params),
    EXPERIMENTAL,
  );
  methods.add(
    'remoteControl/client/revoke',
    v.object({ environmentId: pathSegment, clientId: pathSegment }),
    (params) => controllers.revoke(params),
    EXPERIMENTAL,
  );
}

/** The JSON-RPC error for a failure of the chart. */
function refusal(failure: Failure | null): JsonRpcError {
  if (failure === null) return new JsonRpcError(RPC.invalidRequest, 'remote control could not be enabled');
  // The request is valid, but its account has changed meanwhile. ACC-46
  const code = failure.reason === 'authChanged' ? RPC.internalError : RPC.invalidRequest;
  return new JsonRpcError(code, failure.message, { reason: failure.reason });
}
