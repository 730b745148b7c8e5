import { checkAuthFile } from '../account/file/auth-permissions.js';
import { issuerAddress } from '../account/options.js';
import { AccountService } from '../account/service.js';
import { BuiltinAppServer } from '../app-server/builtin.js';
import { probeAppServer } from '../app-server/probe.js';
import { removeStaleDirectories } from '../app-server/socket-directory.js';
import { isSupervised } from '../app-server/supervised.js';
import { checkHome, type Home, openHome, resolveHome } from '../home/home.js';
import { loadInstallationId } from '../home/installation.js';
import type { ServedMetrics } from '../listener/handshake/metrics.js';
import { readCaCert } from '../net/ca-certificates.js';
import { ClockWatch, isClockWrong } from '../net/clock-watch.js';
import { createDialer, type Dialer } from '../net/dialer.js';
import { type ParsedTarget, parseTarget } from '../net/target.js';
import type { AuditRing } from '../observe/audit.js';
import type { LogRing } from '../observe/log-ring.js';
import type { EngineLogger } from '../observe/logger.js';
import type { AccountSource } from '../protocol/account-source.js';
import type { AgentProtocolSetting } from '../protocol/agent-protocol.js';
import type { AppServer } from '../protocol/app-server.js';
import { EngineError } from '../protocol/errors.js';
import type { Failure } from '../protocol/outcomes.js';
import { type Env, type Timing, wallTimeOf } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import type { ChartSteps } from '../recorder/chart-steps.js';
import { FlightRecorder, historyDirectory } from '../recorder/recorder.js';
import { addRepairMethod } from '../remote-control/repair.js';
import type { LinkCounters } from '../remote-control/status.js';
import {
  checkStorePlace,
  type EnrollmentStore,
  openEnrollmentStore,
} from '../remote-control/store/enrollment-store.js';
import type { MethodTable } from '../session/methods.js';
import type { Policy } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { createSleepDetector, type SleepDetector } from '../system/sleep-detector.js';
import { wireAccount } from './account.js';
import { followsAccount } from './app-server-account-status.js';
import { acquireHomeLock, type HomeLock } from './home-lock.js';
import { InspectorMethods } from './inspector-methods.js';
import { LocalAccess } from './local-access.js';
import { addOperateMethods, type EngineMetricsView } from './operate-methods.js';
import { DEFAULT_BASE_URL, DEFAULT_HISTORY_DAYS, type EngineOptions } from './options.js';
import { type EngineDeps, type RemoteControl, wireRemoteControl } from './remote-control.js';
import type { EngineStatus } from './status.js';
import { addEngineMethods, engineStatusOf } from './status-methods.js';

/** What an engine object has before it starts. */
export interface EngineBase {
  readonly options: EngineOptions;
  readonly env: Env;
  /** Follows the charts. */
  readonly steps: ChartSteps;
  readonly timing: Timing;
  readonly log: EngineLogger;
  readonly methods: MethodTable;
  readonly audit: AuditRing;
  readonly logs: LogRing;
  readonly policy: Policy;
  readonly counters: LinkCounters;
  readonly sessions: ReadonlySet<ClientSession>;
  /** Monotonic ms. */
  readonly startedAt: number;
}

/** What the wired parts call on the engine. */
export interface WiringHooks {
  readonly onInitialized: (session: ClientSession) => void;
  readonly onEnded: (session: ClientSession) => void;
  /** Ends clients and flushes the store before the chart stops. RC-46 */
  readonly drain: () => Promise<void>;
  /** The client over stdio has disconnected; null without an error. */
  readonly onStdioEnd: (failure: Failure | null) => void;
  readonly onFault: (error: unknown) => void;
  /** The owner stops the engine through its control socket. */
  readonly onStop: () => void;
  /** The start is complete. */
  readonly isReady: () => boolean;
  readonly isStopping: () => boolean;
  /** Undefined: the engine has no metrics. */
  readonly metrics: () => EngineMetricsView | undefined;
  /** Undefined: the listener serves no metrics. */
  readonly listenerMetrics: () => ServedMetrics | undefined;
}

/** Everything that exists between `start` and `stop`. */
export interface Running extends EngineDeps, RemoteControl {
  readonly local: LocalAccess;
  readonly lock: HomeLock;
  readonly wake: SleepDetector;
  /** Undefined: the history is switched off. */
  readonly recorder: FlightRecorder | undefined;
  readonly status: () => EngineStatus;
}

export interface CheckedOptions {
  readonly mode: 'on' | 'off' | 'preference';
  readonly target: ParsedTarget;
}

/**
 * Checks the options that can stop a start, before the start takes any resource.
 * @throws EngineError `targetRefused`, `storeMissing`, `usage`
 */
export function checkOptions(options: EngineOptions): CheckedOptions {
  const mode = options.remoteControl ?? 'on';
  const target = parseTarget(options.baseUrl ?? DEFAULT_BASE_URL, { allowHosts: options.allowHosts ?? [] });
  // A bad URL stops a start that would use it; otherwise it is reported to the client that enables it. RC-2
  if (!target.ok && mode === 'on') throw new EngineError('targetRefused', target.message);
  if (options.store === 'none' && mode === 'on') {
    throw new EngineError(
      'storeMissing',
      'Remote control needs an enrollment store, and the store is switched off.',
    );
  }
  if (options.listenerMetrics === true && ['off', 'stdio://'].includes(options.listen ?? 'off')) {
    throw new EngineError('usage', 'Metrics at the listener (listenerMetrics) need a listener.');
  }
  if (options.account === undefined) issuerAddress(options);
  return { mode, target };
}

/**
 * Opens the home directory and checks who can write to it.
 * @throws EngineError `homeUnusable`, `secretFileUnusable`
 */
export function openHomeOf({ options, log }: EngineBase): Home {
  const home = openHome(resolveHome(options.home));
  warnAboutPermissions(options, home, log);
  return home;
}

/** What is opened before the home is taken. */
export interface Foundation {
  readonly store: EnrollmentStore;
  readonly clock: ClockWatch;
  readonly dialer: Dialer;
}

/**
 * Opens the store, which reads its file meanwhile.
 * @throws EngineError `usage` for a bad certificate or store, `storeUnavailable`
 */
export async function openFoundation({ options, env, log }: EngineBase, home: Home): Promise<Foundation> {
  const caCertPem = options.caCert === undefined ? undefined : readCaCert(options.caCert);
  // The default one is in the home, which has been checked. One that is off may be repaired before it is enabled.
  if (options.store !== undefined && options.remoteControl !== 'off') await checkStorePlace(options.store);
  const clock = watchClock(env, log);
  const dialer = createDialer({ env: process.env, caCertPem, clock });
  const store = openEnrollmentStore(options.store ?? home.storeUrl, {
    now: env.now,
    busyTimeoutMs: STORE_BUSY_TIMEOUT,
    onReopened: (title) =>
      log.warn({}, `${title} was removed or replaced; it has been opened and written again`),
  });
  store.prepare();
  return { store, clock, dialer };
}

/** Takes the lock while it reads the installation id. Both must be over before the start ends. */
export function takeHome({ options, env, startedAt }: EngineBase, home: Home): TakenHome {
  const info = { version: VERSION, startedAt: wallTimeOf(env, startedAt), controlSocket: home.controlSocket };
  return {
    lock: acquireHomeLock(home, info, { env, onActor: (actor) => options.watcher?.actor(actor) }),
    installationId: loadInstallationId(home),
  };
}

interface TakenHome {
  readonly lock: Promise<HomeLock>;
  readonly installationId: Promise<string>;
}

/** What the parts are wired from. */
interface Bases extends Foundation {
  readonly home: Home;
  readonly lock: HomeLock;
  readonly installationId: string;
  readonly target: ParsedTarget;
}

/** Wires all parts together; no chart of theirs has started yet. */
export async function wire(
  base: EngineBase,
  { store, clock, dialer, home, lock, installationId, target }: Bases,
  hooks: WiringHooks,
): Promise<Running> {
  const { options, env, log, methods, audit } = base;
  const recorder = startRecorder(base, home, installationId);
  const account: AccountSource =
    options.account ??
    wireAccount(options, {
      home,
      dialer,
      env,
      log,
      audit,
      methods,
      sessions: base.sessions,
      baseUrl: target.ok ? target.target.baseUrl : null,
      onFault: hooks.onFault,
      watcher: options.watcher,
    });
  const builtin = new BuiltinAppServer({ version: VERSION, home: home.dir });
  const protocol = protocolOf(options, log);
  const behind = options.appServer ?? builtin;
  superviseAppServer(behind, base, home, hooks);
  const appServer = await withAccount(behind, account, base, hooks, protocol);
  const inspector = new InspectorMethods(options.watcher, hooks.isStopping);
  const deps: EngineDeps = {
    ...{ options, env, timing: base.timing, log, methods, audit, policy: base.policy },
    ...{ counters: base.counters, home, store, account, installationId, target, dialer },
    protocol,
    appServer,
    onInitialized: hooks.onInitialized,
    onEnded: (session) => {
      inspector.ended(session);
      hooks.onEnded(session);
    },
    drain: hooks.drain,
  };
  const remoteControl = wireRemoteControl(deps);
  const local = new LocalAccess({
    ...{ ...deps, lock },
    controlAppServer: builtin,
    remoteControlStatus: () => remoteControl.board.report.status,
    metrics: hooks.listenerMetrics,
    onStdioEnd: hooks.onStdioEnd,
  });
  const wake = createSleepDetector({
    onWake: ({ kind }) => {
      if (kind === 'clock') clock.forget();
      remoteControl.actor.send({ type: kind === 'network' ? 'NETWORK.CHANGED' : 'WAKE' });
    },
  });
  const status = () =>
    engineStatusOf(
      { ...deps, ...remoteControl, local, recorder },
      { version: VERSION, startedAt: base.startedAt, ready: hooks.isReady() },
    );
  const running = { ...deps, ...remoteControl, local, lock, wake, recorder, status };
  addEngineMethods(methods, { status, audit });
  addRepairMethod(methods, running);
  inspector.add(methods);
  addOperateMethods(methods, {
    logs: base.logs,
    connectUrl: () => local.connectUrl,
    rotateToken: () => local.rotateToken(),
    stop: hooks.onStop,
    prepareRestart: options.onRestart,
    probeAppServer: (signal) => probeAppServer(appServer, protocol === 'auto' ? 'codex' : protocol, signal),
    metrics: hooks.metrics,
  });
  return running;
}

/** Records the charts from their first step on; only the holder of the lock writes in the home. */
function startRecorder(
  { options, steps, timing, log }: EngineBase,
  home: Home,
  installation: string,
): FlightRecorder | undefined {
  const { historySize = 0, historyDays = DEFAULT_HISTORY_DAYS } = options;
  if (historySize === 0) {
    steps.sink = undefined;
    return undefined;
  }
  return new FlightRecorder({
    ...{ steps, installation, timing, log, directory: historyDirectory(home.dir) },
    ...{ maxBytes: historySize * MIB, maxAge: historyDays * DAY },
  });
}

const MIB = 1024 * 1024;
const DAY = 86_400_000;

function watchClock(env: Env, log: EngineLogger): ClockWatch {
  return new ClockWatch(env, (difference) => {
    const seconds = Math.round(difference / 1_000);
    if (isClockWrong(difference)) {
      const where = seconds > 0 ? 'ahead of' : 'behind';
      log.warn(
        { seconds },
        `the clock of this machine is ${Math.abs(seconds)} s ${where} the server: set it, or tokens expire at the wrong time`,
      );
    } else log.info({ seconds }, 'the clock of this machine agrees with the server again');
  });
}

/** The chart of the app server decides with the clock and the delays of the engine, and its decisions are audited. */
function superviseAppServer(
  appServer: AppServer,
  { options, env, timing, audit }: EngineBase,
  home: Home,
  hooks: WiringHooks,
): void {
  if (!isSupervised(appServer)) return;
  removeStaleDirectories(home.dir);
  appServer.attach({
    ...{ env, timing, home: home.dir, watcher: options.watcher },
    onDecision: (state, decision) => audit.addDecision('appServer', state, decision),
    onFault: hooks.onFault,
  });
}

/** With a command behind the engine, both have one account. ACC-101 */
async function withAccount(
  appServer: AppServer,
  account: AccountSource,
  { options, env, timing, log, audit }: EngineBase,
  { onFault }: WiringHooks,
  protocol: AgentProtocolSetting,
): Promise<AppServer> {
  if (!(account instanceof AccountService) || !followsAccount(appServer)) return appServer;
  const { AccountAppServer } = await import('./app-server-account.js');
  const following = new AccountAppServer(appServer, {
    ...{ account, env, timing, log, audit, onFault, watcher: options.watcher },
    maySpeakAccount: protocol === 'auto' || protocol === 'codex',
  });
  account.follow(following);
  return following;
}

/**
 * The home itself has been checked when it was opened; what others may only read is a warning. RC-8c, ACC-91a
 * @throws EngineError `secretFileUnusable` for an account file that other users can change
 */
function warnAboutPermissions(options: EngineOptions, home: Home, log: EngineLogger): void {
  const { account, accessToken, authStore, authFile = home.authFile } = options;
  const usesFile = account === undefined && accessToken === undefined && authStore !== 'ephemeral';
  for (const warning of [checkHome(home.dir), usesFile ? checkAuthFile(authFile) : null]) {
    if (warning !== null) log.warn({}, warning);
  }
}

/** What the app server speaks, with a log line that says why. The built-in one is `codex`. WSA-40 */
function protocolOf(
  { appServer, appServerProtocol = 'auto' }: EngineOptions,
  log: EngineLogger,
): AgentProtocolSetting {
  if (appServer === undefined) return 'codex';
  if (appServerProtocol !== 'auto') return appServerProtocol;
  const { protocol } = appServer;
  log.info(
    { protocol: protocol ?? 'auto' },
    protocol === undefined
      ? 'each client says what it speaks; --app-server-protocol decides otherwise'
      : `the app server speaks ${protocol}, as its command says; --app-server-protocol decides otherwise`,
  );
  return protocol ?? 'auto';
}

/** A shutdown waits for the call in progress: less than a shutdown may take, ms. RC-46 */
const STORE_BUSY_TIMEOUT = 2_000;
