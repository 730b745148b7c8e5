import { createActor } from 'xstate';
import { keyOf } from '../../machines/remote-control/context.js';
import type { RemoteControlInput } from '../../machines/remote-control/types.js';
import type { Home } from '../home/home.js';
import { serverName } from '../home/installation.js';
import type { Dialer } from '../net/dialer.js';
import type { ParsedTarget } from '../net/target.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import { failure, type PairingResult, type Preference, type StoreOutcome } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import { RemoteMux } from '../remote-control/clients/mux.js';
import { Controllers } from '../remote-control/controllers.js';
import type { BackendHttp } from '../remote-control/link/http.js';
import { addRemoteControlMethods } from '../remote-control/methods.js';
import type { PairingActor } from '../remote-control/pairing.js';
import { type RemoteControlDeps, RemoteControlService } from '../remote-control/service.js';
import type { LinkCounters, RemoteControlActor } from '../remote-control/status.js';
import { StatusBoard } from '../remote-control/status.js';
import type { EnrollmentStore } from '../remote-control/store/enrollment-store.js';
import type { MethodTable } from '../session/methods.js';
import type { Policy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { Mutex } from '../system/mutex.js';
import { DEFAULT_MAX_CHILDREN, DEFAULT_MAX_REMOTE_CLIENTS, type EngineOptions } from './options.js';

/** What remote control and the local access are wired from. */
export interface EngineDeps {
  readonly options: EngineOptions;
  readonly env: Env;
  readonly timing: Timing;
  readonly log: EngineLogger;
  readonly home: Home;
  readonly store: EnrollmentStore;
  readonly account: AccountSource;
  readonly installationId: string;
  readonly target: ParsedTarget;
  readonly dialer: Dialer;
  readonly appServer: AppServer;
  readonly protocol: AgentProtocolSetting;
  readonly methods: MethodTable;
  readonly audit: AuditRing;
  readonly counters: LinkCounters;
  readonly policy: Policy;
  readonly onInitialized: (session: ClientSession) => void;
  readonly onEnded: (session: ClientSession) => void;
  readonly drain: () => Promise<void>;
}

/** Remote control with all its parts wired, not started. */
export interface RemoteControl {
  readonly actor: RemoteControlActor;
  readonly board: StatusBoard;
  readonly mux: RemoteMux;
  readonly service: RemoteControlService;
  /** The pairing chart; undefined until the first pairing. */
  readonly pairingIfMade: () => PairingActor | undefined;
  readonly lastPongAt: () => number | null;
  readonly pair: (manual: boolean) => Promise<PairingResult>;
}

type BackendHttpSource = () => Promise<BackendHttp>;
type Skipped = (why: string, fields: Readonly<Record<string, unknown>>) => void;

/** Skipped frames logged per second: a backend that sends only such frames must not fill the disk. RC-40 */
const SKIPS_LOGGED = 10;

/** Connects the `remoteControl` chart with the backend, the store, the account and the remote clients. */
export function wireRemoteControl(deps: EngineDeps): RemoteControl {
  const { options, env, account, installationId } = deps;
  const name = serverName();
  const http = backendHttp(deps, name);
  const skipped = skippedFrameLog(deps.log);
  const mux = createMux(deps, skipped);
  let lastPongAt: number | null = null;
  const service = createService(deps, {
    http,
    mux,
    onPong: () => {
      lastPongAt = env.now();
    },
    onBinary: (bytes) => skipped('binary frame skipped', { bytes }),
  });
  const actor: RemoteControlActor = createActor(service.machine(), {
    id: 'remoteControl',
    input: inputOf(deps, name),
  });
  options.watcher?.actor(actor);
  const board = new StatusBoard(actor, installationId, env);

  let pairingActor: PairingActor | undefined;
  const { timing, audit } = deps;
  // Loaded when it is needed: most starts pair nobody.
  const pairing = async () => {
    const { startPairing } = await import('../remote-control/pairing.js');
    pairingActor ??= startPairing({
      ...{ env, timing, actor, service, http, account, audit },
      watcher: options.watcher,
    });
    return pairingActor;
  };
  const pairingIfMade = () => pairingActor;
  const pair = addRemoteControlMethods(deps.methods, {
    actor,
    board,
    pairing,
    controllers: new Controllers({
      env,
      timing,
      http,
      account,
      token: () => actor.getSnapshot().context.token,
      onClaimed: (code) => reportClaim(pairingActor, code),
    }),
    savePreference: (preference) => savePreference(deps, actor, preference),
    restartRecovery: () => account.restartRecovery?.(),
  });
  if ((options.remoteControl ?? 'on') !== 'off') warmUp(http);
  return { actor, board, mux, service, pairingIfMade, lastPongAt: () => lastPongAt, pair };
}

/** Loaded when it is first needed: an engine that stays off never loads the HTTP client. */
function backendHttp({ target, dialer, env, timing, installationId }: EngineDeps, name: string) {
  return once(async (): Promise<BackendHttp> => {
    const { createBackendHttp } = await import('../remote-control/link/http.js');
    if (!target.ok) throw new Error(target.message);
    return createBackendHttp({
      target: target.target,
      dialer,
      env,
      timing,
      identity: { installationId, serverName: name, appServerVersion: VERSION },
    });
  });
}

function skippedFrameLog(log: EngineLogger): Skipped {
  const limit = new RateLimit(SKIPS_LOGGED, 1_000, (count) =>
    log.warn({ count }, `${count} more frames of the backend skipped`),
  );
  return (why, fields) => {
    if (limit.take()) log.warn(fields, why);
  };
}

function createMux(deps: EngineDeps, onSkipped: Skipped): RemoteMux {
  const { options, env, timing, appServer, protocol, methods, policy, audit, onInitialized, onEnded } = deps;
  return new RemoteMux({
    ...{ env, timing, appServer, protocol, methods, policy, audit, onInitialized, onEnded },
    watcher: options.watcher,
    maxClients: options.maxRemoteClients ?? DEFAULT_MAX_REMOTE_CLIENTS,
    maxChildren: options.maxChildren ?? DEFAULT_MAX_CHILDREN,
    onSkipped,
  });
}

function createService(
  deps: EngineDeps,
  link: Pick<RemoteControlDeps, 'http' | 'mux' | 'onPong' | 'onBinary'>,
): RemoteControlService {
  const { env, timing, account, store, target, dialer, installationId, counters, drain } = deps;
  return new RemoteControlService({
    ...{ env, timing, account, store, counters, drain },
    ...link,
    dial: async ({ enrollment, token, cursor }, signal) => {
      const { dialBackendSocket } = await import('../remote-control/link/dial.js');
      if (!target.ok) throw new Error(target.message);
      const { serverName } = enrollment;
      const url = target.target.socketUrl;
      return dialBackendSocket(
        { url, serverName, dialer, env, timing, installationId, enrollment, token, cursor },
        signal,
      );
    },
    lock: new Mutex(),
  });
}

/** Ends the pairing when `code` is the one that is shown; an older code may be claimed while another is shown. */
function reportClaim(pairing: PairingActor | undefined, code: string): void {
  const shown = pairing?.getSnapshot().context.code;
  const claimed = new Secret(code);
  if (claimed.equals(shown?.pairingCode) || claimed.equals(shown?.manualPairingCode)) {
    pairing?.send({ type: 'CLAIMED' });
  }
}

async function savePreference(
  { account, store }: EngineDeps,
  actor: RemoteControlActor,
  preference: Preference,
): Promise<StoreOutcome | 'accountUnknown'> {
  const { context } = actor.getSnapshot();
  // The chart has not loaded the account when remote control has been off since the start. RC-44
  const accountId = context.account?.accountId ?? (await accountIdOf(account));
  if (accountId === undefined || context.clientName === undefined) return 'accountUnknown';
  return store.savePreference({ ...keyOf(context), accountId }, preference);
}

function inputOf({ options, env, timing, target, store }: EngineDeps, name: string): RemoteControlInput {
  const onlyTransport = (options.listen ?? 'off') === 'off';
  return {
    env,
    timing,
    target: target.ok
      ? { ok: true, socketUrl: target.target.socketUrl }
      : { ok: false, failure: failure('targetRefused', target.message, env.now()) },
    store: store.kind === 'none' ? 'missing' : 'present',
    serverName: name,
    clientName: options.clientName ?? (options.listen === 'stdio://' ? undefined : null),
    authStartup: options.authStartup ?? (onlyTransport ? 'ready' : 'recoverable'),
    onConflict: options.onConflict ?? 'wait',
  };
}

async function accountIdOf(account: AccountSource): Promise<string | undefined> {
  const loaded = await account.load();
  return loaded.kind === 'usable' ? loaded.account.accountId : undefined;
}

/** Loads the modules that the first connection needs while the disk is read. */
function warmUp(http: BackendHttpSource): void {
  void http().catch(() => {});
  void import('../remote-control/link/http.js').then((module) => module.warmUp());
  void import('../remote-control/link/dial.js').then((module) => module.warmUp());
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
