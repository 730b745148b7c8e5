import { createActor } from 'xstate';
import { keyOf } from '../../machines/remote-control/setup.js';
import type { RemoteControlInput } from '../../machines/remote-control/types.js';
import type { Home } from '../home/home.js';
import { serverName } from '../home/installation.js';
import type { Dialer } from '../net/dialer.js';
import type { ParsedTarget } from '../net/target.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { AppServer } from '../protocol/app-server.js';
import { failure } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import type { Env, Timing } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import { RemoteMux } from '../remote-control/clients/mux.js';
import { Controllers } from '../remote-control/controllers.js';
import { type LinkCounters, type RemoteControlActor, RemoteControlService } from '../remote-control/host.js';
import type { BackendHttp } from '../remote-control/link/http.js';
import { addRemoteControlMethods, type PairingResult } from '../remote-control/methods.js';
import { type PairingActor, startPairing } from '../remote-control/pairing.js';
import { StatusBoard } from '../remote-control/status.js';
import type { EnrollmentStore } from '../remote-control/store/enrollment-store.js';
import type { MethodTable } from '../session/methods.js';
import type { Policy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { Mutex } from '../system/mutex.js';
import { DEFAULT_MAX_REMOTE_CLIENTS, type EngineOptions } from './options.js';

/** What the start has made ready before anything is plugged together. */
export interface BootstrapDeps {
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
  readonly methods: MethodTable;
  readonly audit: AuditRing;
  readonly counters: LinkCounters;
  readonly policy: Policy;
  readonly onInitialized: (session: ClientSession) => void;
  readonly onEnded: (session: ClientSession) => void;
  readonly drain: () => Promise<void>;
}

/** Remote control, plugged together and not yet started. */
export interface RemoteControl {
  readonly actor: RemoteControlActor;
  readonly board: StatusBoard;
  readonly mux: RemoteMux;
  readonly host: RemoteControlService;
  /** The pairing chart; made when it is first needed. */
  readonly pairing: () => PairingActor;
  readonly pairingIfMade: () => PairingActor | undefined;
  readonly lastPongAt: () => number | null;
  readonly pair: (manual: boolean) => Promise<PairingResult>;
}

/** Skipped frames that are written down in a second: a backend that sends nothing else must not fill the disk. RC-40 */
const SKIPS_LOGGED = 10;

/** Plugs the adapters into the charts. */
export function createRemoteControl(at: BootstrapDeps): RemoteControl {
  const { options, env, timing, log, account, store, target, installationId, audit, methods, dialer } = at;
  let lastPongAt: number | null = null;
  const name = serverName();

  const http = once(async (): Promise<BackendHttp> => {
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

  const limit = new RateLimit(SKIPS_LOGGED, 1_000, (count) =>
    log.warn({ count }, `${count} more frames of the backend skipped`),
  );
  const skipped = (why: string, fields: Readonly<Record<string, unknown>>): void => {
    if (limit.take()) log.warn(fields, why);
  };
  const mux = new RemoteMux({
    env,
    timing,
    appServer: at.appServer,
    methods,
    policy: at.policy,
    audit,
    onInitialized: at.onInitialized,
    onEnded: at.onEnded,
    watcher: options.watcher,
    maxClients: options.maxRemoteClients ?? DEFAULT_MAX_REMOTE_CLIENTS,
    onSkipped: skipped,
  });

  const host = new RemoteControlService({
    env,
    timing,
    account,
    http,
    store,
    dial: async ({ enrollment, token, cursor }, signal) => {
      const { dialBackendSocket } = await import('../remote-control/link/dial.js');
      if (!target.ok) throw new Error(target.message);
      return dialBackendSocket(
        {
          url: target.target.socketUrl,
          serverName: enrollment.serverName,
          dialer,
          env,
          timing,
          installationId,
          enrollment,
          token,
          cursor,
        },
        signal,
      );
    },
    mux,
    lock: new Mutex(),
    counters: at.counters,
    drain: at.drain,
    onPong: () => {
      lastPongAt = env.now();
    },
    onBinary: (bytes) => skipped('binary frame skipped', { bytes }),
  });

  const actor: RemoteControlActor = createActor(host.machine(), {
    id: 'remoteControl',
    input: inputOf(at, name),
  });
  options.watcher?.actor(actor);
  const board = new StatusBoard(actor, installationId, env.now);

  let made: PairingActor | undefined;
  const pairing = () => {
    made ??= startPairing({ env, timing, actor, host, http, account, audit, watcher: options.watcher });
    return made;
  };
  const pair = addRemoteControlMethods(methods, {
    actor,
    board,
    pairing,
    api: new Controllers({
      http,
      account,
      token: () => actor.getSnapshot().context.token,
      onClaimed: (code) => {
        // An older code may be asked about while another one is shown.
        const shown = made?.getSnapshot().context.code;
        const claimed = new Secret(code);
        if (claimed.equals(shown?.pairingCode) || claimed.equals(shown?.manualPairingCode)) {
          made?.send({ type: 'CLAIMED' });
        }
      },
    }),
    savePreference: async (preference) => {
      const { context } = actor.getSnapshot();
      // Off since the start, nobody has asked yet whose wish this is. RC-44
      const accountId = context.account?.accountId ?? (await accountIdOf(account));
      if (accountId === undefined || context.clientName === undefined) return 'accountUnknown';
      return store.savePreference({ ...keyOf(context), accountId }, preference);
    },
  });
  if ((options.remoteControl ?? 'on') !== 'off') warmUp(http);
  return {
    actor,
    board,
    mux,
    host,
    pairing,
    pairingIfMade: () => made,
    lastPongAt: () => lastPongAt,
    pair,
  };
}

function inputOf({ options, env, timing, target, store }: BootstrapDeps, name: string): RemoteControlInput {
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

/** Modules that the first connection needs are loaded while the disk is read. */
function warmUp(http: () => Promise<BackendHttp>): void {
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
