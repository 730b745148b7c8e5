/**
 * The metrics of an engine for Prometheus. Each label has a bounded set of values: reasons, states and methods of this
 * program; never a name, an id or an address of a peer. RC-170
 */
import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { OutboundDepth } from '../protocol/outbound-streams.js';
import { isReason } from '../protocol/reasons.js';
import type { TimedReport } from '../remote-control/status.js';
import type { EngineStatus } from './status.js';

export interface MetricsSource {
  readonly status: () => EngineStatus;
  readonly depth: () => OutboundDepth;
  /** Monotonic ms. */
  readonly monotonic: () => number;
}

const PREFIX = 'rc_engine_';
const SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800];
const METHOD_SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30];
const LINK_STATES = ['connected', 'connecting', 'errored', 'disabled'] as const;

/** Names of counters that follow a total of the status. */
const TOTALS = {
  enrollments: ['Requests for an identity', 'enrollRequests'],
  token_refreshes: ['Requests for a server token', 'refreshRequests'],
  dials: ['Attempts to open the link', 'dials'],
  links_opened: ['Links that opened', 'linksOpened'],
  auth_recoveries: ['Recoveries of the sign-in after a 401', 'authRecoveries'],
  frames_in: ['Frames from the backend', 'framesIn'],
  frames_out: ['Frames to the backend', 'framesOut'],
  frames_skipped: ['Frames from the backend that were skipped', 'framesSkipped'],
  bytes_in: ['Bytes of frames from the backend', 'bytesIn'],
  bytes_out: ['Bytes of frames to the backend', 'bytesOut'],
  remote_clients_opened: ['Streams of controllers that opened', 'clientsOpened'],
  app_server_exits: ['Exits of app-server processes that the engine did not stop', 'appServerExits'],
  history_lines: ['Lines of the history that were recorded', 'historyLines'],
  history_dropped: ['Lines of the history that could not be written', 'historyDropped'],
  app_server_failures: ['Failures of the app server, those exits included', 'appServerFailures'],
} as const;

/** Made by `createMetrics`, which loads prom-client first. */
export class EngineMetrics {
  readonly #registry: Registry;
  readonly #losses: Counter;
  readonly #failures: Counter;
  readonly #connectSeconds: Histogram;
  readonly #outageSeconds: Histogram;
  readonly #methodSeconds: Histogram;
  readonly #now: () => number;
  #connected = false;
  #everConnected = false;
  /** When the link was last lost, or when it was first tried; undefined: it is open or switched off. */
  #downSince: number | undefined;
  #lastFailureAt = 0;

  /** Loads prom-client, which most engines do not need. */
  static async create(source: MetricsSource): Promise<EngineMetrics> {
    return new EngineMetrics(await import('prom-client'), source);
  }

  /** Private, so that the public declarations do not name prom-client, which is bundled. */
  private constructor(prom: typeof import('prom-client'), source: MetricsSource) {
    const registry = new prom.Registry();
    const registers = [registry];
    this.#registry = registry;
    this.#now = source.monotonic;
    this.#losses = new prom.Counter({
      ...{ name: `${PREFIX}link_losses_total`, help: 'Open links that ended, by reason', registers },
      labelNames: ['reason'],
    });
    this.#failures = new prom.Counter({
      ...{
        name: `${PREFIX}link_failures_total`,
        help: 'Failed attempts and lost links, by reason',
        registers,
      },
      labelNames: ['reason'],
    });
    this.#connectSeconds = new prom.Histogram({
      ...{
        name: `${PREFIX}link_first_connect_seconds`,
        help: 'From the start to the first open link',
        registers,
      },
      buckets: SECONDS,
    });
    this.#outageSeconds = new prom.Histogram({
      ...{
        name: `${PREFIX}link_outage_seconds`,
        help: 'From the loss of a link to the next open one',
        registers,
      },
      buckets: SECONDS,
    });
    this.#methodSeconds = new prom.Histogram({
      ...{
        name: `${PREFIX}method_seconds`,
        help: 'Time to answer a JSON-RPC method of the engine',
        registers,
      },
      ...{ buckets: METHOD_SECONDS, labelNames: ['method'] },
    });
    const gauges = gaugesOf(prom, registry);
    const totals = totalsOf(prom, registry);
    const decisions = new prom.Counter({
      ...{
        name: `${PREFIX}listener_decisions_total`,
        help: 'Upgrades of the listener, by outcome and reason',
      },
      ...{ labelNames: ['outcome', 'reason'], registers },
    });
    // Read when it is scraped: nothing is counted twice, and an idle engine does nothing for it.
    gauges.up.collect = () => {
      const status = source.status();
      setGauges(gauges, status, source.depth());
      for (const [name, total] of totals) setTotal(total, {}, status.counters[name]);
      decisions.reset();
      for (const { outcome, reason, count } of status.listener?.decisions ?? []) {
        decisions.inc({ outcome, reason }, count);
      }
    };
    prom.collectDefaultMetrics({ register: registry });
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The text format of Prometheus. */
  text(): Promise<string> {
    return this.#registry.metrics();
  }

  /** The chart reports another state. */
  onReport({ status, reason, lastFailure }: Pick<TimedReport, 'status' | 'reason' | 'lastFailure'>): void {
    const now = this.#now();
    const connected = status === 'connected';
    if (this.#connected && !connected) this.#losses.inc({ reason: labelOf(reason) });
    if (lastFailure !== null && lastFailure.at !== this.#lastFailureAt) {
      this.#lastFailureAt = lastFailure.at;
      this.#failures.inc({ reason: labelOf(lastFailure.reason) });
    }
    if (status === 'disabled') this.#downSince = undefined;
    else if (!connected) this.#downSince ??= now;
    else if (this.#downSince !== undefined) {
      const seconds = (now - this.#downSince) / 1_000;
      (this.#everConnected ? this.#outageSeconds : this.#connectSeconds).observe(seconds);
      this.#downSince = undefined;
    }
    this.#connected = connected;
    this.#everConnected ||= connected;
  }

  /** A method of the engine has been answered. @param method a name of the authority table */
  onMethod(method: string, ms: number): void {
    this.#methodSeconds.observe({ method }, ms / 1_000);
  }
}

export async function createMetrics(source: MetricsSource): Promise<EngineMetrics> {
  return EngineMetrics.create(source);
}

const labelOf = (reason: string): string => (isReason(reason) ? reason : 'other');

type Gauges = ReturnType<typeof gaugesOf>;

function gaugesOf(prom: typeof import('prom-client'), registry: Registry) {
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new prom.Gauge({ name: PREFIX + name, help, labelNames, registers: [registry] });
  return {
    up: gauge('info', 'Always 1; the version is a label', ['version']) as Gauge & { collect?: () => void },
    state: gauge('link_state', '1 for the state of the link to the backend', ['state']),
    reason: gauge('link_reason', '1 for the reason of the state', ['reason']),
    signedIn: gauge('signed_in', '1 when the account can be used'),
    tokenExpiry: gauge(
      'server_token_expiry_timestamp_seconds',
      'When the server token expires; 0 without one',
    ),
    pong: gauge('last_pong_timestamp_seconds', 'When the backend last answered a ping; 0 never'),
    start: gauge('start_timestamp_seconds', 'When the engine started'),
    remote: gauge('remote_clients', 'Streams of controllers that are open'),
    local: gauge('local_clients', 'Local clients, those of the control socket included'),
    connections: gauge('listener_connections', 'Connections of the listener'),
    held: gauge('listener_connections_held', 'Connections that are paused because their app server is busy'),
    appServer: gauge('app_server_up', '1 when a client that connects now is expected to be served'),
    children: gauge('app_server_children', 'App-server processes that run'),
    queuedFrames: gauge('outbound_unacked_frames', 'Frames to controllers that are not acknowledged'),
    queuedChars: gauge('outbound_queued_chars', 'Characters that wait for controllers'),
    certificate: gauge(
      'certificate_expiry_timestamp_seconds',
      'When the certificate of the listener ends; 0 without one',
    ),
  };
}

function setGauges(gauges: Gauges, status: EngineStatus, depth: OutboundDepth): void {
  const { remoteControl: link, account, appServerHealth: health, listener, connections } = status;
  const seconds = (ms: number | null | undefined): number => (ms == null ? 0 : ms / 1_000);
  gauges.up.reset();
  gauges.up.set({ version: status.version }, 1);
  for (const state of LINK_STATES) gauges.state.set({ state }, link.status === state ? 1 : 0);
  gauges.reason.reset();
  gauges.reason.set({ reason: labelOf(link.reason) }, 1);
  gauges.signedIn.set(account === null || (account.mode !== null && account.problem === null) ? 1 : 0);
  gauges.tokenExpiry.set(seconds(link.tokenExpiresAt));
  gauges.pong.set(seconds(link.lastPongAt));
  gauges.start.set(seconds(status.startedAt));
  gauges.remote.set(status.remoteClients.length);
  gauges.local.set(status.localClients);
  gauges.connections.set(listener?.openConnections ?? 0);
  gauges.held.set(connections.filter(({ held }) => held).length);
  gauges.appServer.set(health === null || (health.ready && health.state !== 'failing') ? 1 : 0);
  gauges.children.set(health?.children ?? 0);
  gauges.queuedFrames.set(depth.unackedFrames);
  gauges.queuedChars.set(depth.queuedChars);
  gauges.certificate.set(seconds(listener?.certificate?.validTo));
}

type TotalName = (typeof TOTALS)[keyof typeof TOTALS][1];

function totalsOf(
  prom: typeof import('prom-client'),
  registry: Registry,
): Array<readonly [TotalName, Counter]> {
  return Object.entries(TOTALS).map(([name, [help, total]]) => [
    total,
    new prom.Counter({ name: `${PREFIX}${name}_total`, help, registers: [registry] }),
  ]);
}

function setTotal(counter: Counter, labels: Record<string, string>, value: number): void {
  counter.reset();
  counter.inc(labels, value);
}
