import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { streamKey } from '../../protocol/frames.js';
import { EdgeStream, type StreamPeer } from './edge-stream.js';
import type { Credit } from './hop.js';
import type { DownRecord, OwnerReport, UpRecord } from './records.js';
import type { RelayTiming } from './timing.js';

interface EdgeDeps {
  readonly environmentId: string;
  readonly timing: RelayTiming;
  readonly toOwner: (record: UpRecord) => void;
  /** Who the owner is; undefined: nobody. Rejects while the broker cannot be reached. */
  readonly findOwner: () => Promise<OwnerReport | undefined>;
  /** False: the broker or the state is away, so no engine can connect to any node. */
  readonly canConnect: () => Promise<boolean>;
  readonly creditOf: (node: string) => Credit;
  readonly newRoute: (stream: EdgeStream) => string;
  readonly endRoute: (route: string) => void;
  /** The environment is connected, or not. */
  readonly onPresence: (connected: boolean) => void;
  /** No stream and no listener is left. */
  readonly onIdle: () => void;
}

/** Questions without an answer after which the owner counts as gone. */
const MAX_SILENCE = 3;

/** The relay at a node that has controllers of one environment: the streams of these controllers, and who the owner is. */
export class Edge {
  readonly #deps: EdgeDeps;
  readonly #streams = new Map<string, EdgeStream>();
  readonly #routes = new Map<EdgeStream, string>();
  /** Of the newest owner that was ever seen. */
  #epoch = 0;
  #owner: OwnerReport | undefined;
  #presenceTimer: NodeJS.Timeout | undefined;
  #silence = 0;
  #asking = false;
  /** When the broker or the state was away the last time, monotonic ms. */
  #awayAt = Number.NEGATIVE_INFINITY;
  /** Sessions that want to know whether the environment is connected. */
  #users = 0;
  #ended = false;

  constructor(deps: EdgeDeps) {
    this.#deps = deps;
    this.#presenceTimer = setInterval(() => void this.ask(), deps.timing.presence);
    void this.ask();
  }

  get connected(): boolean {
    return this.#owner !== undefined;
  }

  get streams(): number {
    return this.#streams.size;
  }

  get ownerNode(): string | undefined {
    return this.#owner?.node;
  }

  /** Keeps the edge until the returned function is called. */
  use(): () => void {
    this.#users += 1;
    let used = true;
    return () => {
      if (!used) return;
      used = false;
      this.#users -= 1;
      this.#reportIdle();
    };
  }

  open(clientId: string, streamId: string, peer: StreamPeer, started: boolean): EdgeStream {
    const key = streamKey(clientId, streamId);
    const stream: EdgeStream = new EdgeStream(
      {
        ...{ clientId, streamId, peer, started },
        toOwner: this.#deps.toOwner,
        reopen: () => {
          if (this.#owner !== undefined) this.#attach(stream, this.#owner);
        },
        onEnd: () => {
          if (this.#streams.get(key) === stream) this.#streams.delete(key);
          this.#dropRoute(stream);
          this.#reportIdle();
        },
      },
      this.#deps.creditOf(''),
    );
    // A former one with the same id has left; its owner still gets its end.
    this.#streams.get(key)?.end();
    this.#streams.set(key, stream);
    if (this.#owner === undefined) this.#hold(stream);
    else this.#attach(stream, this.#owner);
    return stream;
  }

  /** Closes all streams of a controller. */
  revoke(clientId: string): void {
    for (const stream of [...this.#streams.values()]) {
      if (stream.clientId === clientId)
        stream.close(CLOSE_CODES.controllerRevoked, 'this controller was revoked');
    }
  }

  probe(): void {
    for (const stream of this.#streams.values()) stream.probe();
  }

  end(): void {
    this.#ended = true;
    clearInterval(this.#presenceTimer);
    for (const stream of [...this.#streams.values()]) stream.end();
  }

  // --- the owner

  onReport(report: OwnerReport): void {
    if (this.#ended || report.epoch < this.#epoch) return;
    if (!report.connected) {
      this.#epoch = report.epoch;
      if (this.#owner !== undefined) this.#lose();
      return;
    }
    this.#silence = 0;
    if (report.epoch === this.#epoch && this.#owner !== undefined) return;
    this.#epoch = report.epoch;
    this.#owner = report;
    for (const stream of [...this.#streams.values()]) this.#attach(stream, report);
    this.#deps.onPresence(true);
  }

  onRecord(stream: EdgeStream, record: DownRecord): void {
    if (record.epoch < this.#epoch) return;
    if (record.epoch === this.#epoch) this.#silence = 0;
    stream.onRecord(record);
  }

  /** Asks who the owner is. */
  async ask(): Promise<void> {
    if (this.#asking || this.#ended) return;
    this.#asking = true;
    try {
      const owner = await this.#deps.findOwner();
      if (owner !== undefined) this.onReport(owner);
      else if (!this.#ended && this.#owner !== undefined) this.#lose();
    } catch {
      // Without the broker nothing is known. An owner that does not answer may be stopped.
      this.#silence += 1;
      if (!this.#ended && this.#owner !== undefined && this.#silence >= MAX_SILENCE) this.#lose();
      await this.#checkAway();
    } finally {
      this.#asking = false;
    }
  }

  #lose(): void {
    this.#owner = undefined;
    this.#silence = 0;
    for (const stream of [...this.#streams.values()]) {
      this.#dropRoute(stream);
      stream.suspend(this.#deps.creditOf(''));
      this.#hold(stream);
    }
    this.#deps.onPresence(false);
  }

  #attach(stream: EdgeStream, { epoch, node }: OwnerReport): void {
    this.#dropRoute(stream);
    const route = this.#deps.newRoute(stream);
    this.#routes.set(stream, route);
    stream.attach({ epoch, node, route, credit: this.#deps.creditOf(node) });
  }

  #dropRoute(stream: EdgeStream): void {
    const route = this.#routes.get(stream);
    if (route === undefined) return;
    this.#routes.delete(stream);
    this.#deps.endRoute(route);
  }

  #hold(stream: EdgeStream): void {
    const { offlineHold, reconnectHold } = this.#deps.timing;
    clearTimeout(stream.holdTimer);
    const hold = stream.started ? reconnectHold : offlineHold;
    stream.holdTimer = setTimeout(() => void this.#giveUp(stream), hold);
  }

  async #checkAway(): Promise<void> {
    if (!(await this.#deps.canConnect())) this.#awayAt = performance.now();
  }

  /**
   * A stream that the engine has answered ends only if the engine could have come back for the whole of its time: else that starts
   * again. Just after the broker is back, the node of the engine may not be. HUB-17
   */
  async #giveUp(stream: EdgeStream): Promise<void> {
    if (stream.started) await this.#checkAway();
    const mayClose = !stream.started || performance.now() - this.#awayAt >= this.#deps.timing.reconnectHold;
    if (this.#ended || this.#owner !== undefined || this.#streams.get(streamKeyOf(stream)) !== stream) return;
    if (!mayClose) {
      this.#hold(stream);
      return;
    }
    stream.close(CLOSE_CODES.environmentOffline, 'environment offline');
    stream.end();
  }

  #reportIdle(): void {
    if (!this.#ended && this.#streams.size === 0 && this.#users === 0) this.#deps.onIdle();
  }
}

const streamKeyOf = ({ clientId, streamId }: EdgeStream): string => streamKey(clientId, streamId);
