import { randomBytes } from 'node:crypto';
import { CLOSE_CODES } from '../../protocol/close-codes.js';
import { type Bus, type BusSubscription, NoRespondersError } from '../bus/bus.js';
import type { StateStore } from '../state/state-store.js';
import { Edge } from './edge.js';
import type { EdgeStream } from './edge-stream.js';
import { Credit } from './hop.js';
import { type EngineSocket, Owner } from './owner.js';
import { type DownRecord, decodeRecord, encodeRecord, type OwnerReport, type UpRecord } from './records.js';
import { DEFAULT_RELAY_TIMING, NODE_CREDIT, type RelayTiming } from './timing.js';

/** How long an edge waits for the answer of an owner, ms. */
const ASK_TIMEOUT = 2_000;
const ASK = '?';

interface HubNodeOptions {
  readonly bus: Bus;
  readonly store: StateStore;
  readonly timing?: Partial<RelayTiming>;
  /** The environment is connected to some node, or not. */
  readonly onPresence?: (environmentId: string, connected: boolean) => void;
  readonly onRevoked?: (environmentId: string, clientId: string) => void;
  readonly onSkipped?: (environmentId: string, bytes: number) => void;
}

interface LocalOwner {
  readonly owner: Owner;
  readonly socket: EngineSocket;
  readonly subscriptions: readonly BusSubscription[];
  /** When each other node was last heard, on the monotonic clock. */
  readonly heard: Map<string, number>;
}

interface LocalEdge {
  readonly edge: Edge;
  readonly subscriptions: readonly BusSubscription[];
}

/** One node of a hub: the owners of the engines and the edges of the controllers that are connected to it. */
export class HubNode {
  readonly id = `n${randomBytes(8).toString('hex')}`;
  readonly #bus: Bus;
  readonly #store: StateStore;
  readonly #timing: RelayTiming;
  readonly #options: HubNodeOptions;
  readonly #owners = new Map<string, LocalOwner>();
  readonly #edges = new Map<string, LocalEdge>();
  readonly #routes = new Map<string, { readonly edge: Edge; readonly stream: EdgeStream }>();
  readonly #credits = new Map<string, Credit>();
  readonly #own = new Credit(Number.POSITIVE_INFINITY);
  readonly #probes: NodeJS.Timeout;
  readonly #subscription: BusSubscription;
  readonly #stopListening: () => void;
  #routeCount = 0;
  #ended = false;

  constructor(options: HubNodeOptions) {
    this.#options = options;
    this.#bus = options.bus;
    this.#store = options.store;
    this.#timing = { ...DEFAULT_RELAY_TIMING, ...options.timing };
    this.#subscription = this.#bus.subscribe(`rc.node.${this.id}`, (payload) => {
      const record = decodeRecord(payload);
      if (record !== undefined && isDown(record)) this.#onDown(record);
    });
    this.#stopListening = this.#bus.onConnection((connected) => {
      if (connected) void this.#onBusBack();
    });
    this.#probes = setInterval(() => this.#probe(), this.#timing.probe);
  }

  /** Resolves when other nodes can reach this one. Throws BusUnavailableError. */
  ready(): Promise<void> {
    return this.#bus.flush();
  }

  /** Engines that are connected here. */
  get engines(): number {
    return this.#owners.size;
  }

  get streams(): number {
    let count = 0;
    for (const { edge } of this.#edges.values()) count += edge.streams;
    return count;
  }

  /** The engine is connected to some node. @throws BusUnavailableError, and when its owner does not answer */
  async isConnected(environmentId: string): Promise<boolean> {
    return (await this.#findOwner(environmentId)) !== undefined;
  }

  hasEngine(environmentId: string): boolean {
    return this.#owners.has(environmentId);
  }

  // --- engines

  /**
   * The epoch of a new owner of this environment. Every owner before is void from now on.
   * @throws StateUnavailableError
   */
  claim(environmentId: string): Promise<number> {
    return this.#store.bucket('owners').put(environmentId, this.id);
  }

  /**
   * Takes the socket of an engine. The caller passes on its frames and pongs, and reports its end.
   * @param epoch of `claim`
   */
  attachEngine(environmentId: string, epoch: number, socket: EngineSocket, resumed: boolean): AttachedEngine {
    const former = this.#owners.get(environmentId);
    if (former !== undefined && former.owner.epoch > epoch) {
      // A newer connection was accepted while this one was.
      socket.close(CLOSE_CODES.normal, 'replaced by a newer connection');
      return { onText: () => {}, onPong: () => {}, onClosed: () => {} };
    }
    if (former !== undefined) this.#fence(environmentId, former);
    const owner = new Owner({
      ...{ environmentId, epoch, resumed, socket, timing: this.#timing },
      toEdge: (node, record) => this.#toNode(node, record),
      creditOf: (node) => this.#creditOf(node),
      onSkipped: (bytes) => this.#options.onSkipped?.(environmentId, bytes),
    });
    const heard = new Map<string, number>();
    const local: LocalOwner = {
      ...{ owner, socket, heard },
      subscriptions: [
        this.#bus.subscribe(`rc.env.${environmentId}.in`, (payload, respond) => {
          if (payload.startsWith(ASK)) {
            heard.set(payload.slice(ASK.length), performance.now());
            respond(encodeRecord(this.#report(owner.epoch, true)));
            return;
          }
          const record = decodeRecord(payload);
          if (record === undefined || !isUp(record)) return;
          if (record.epoch > owner.epoch) this.#fence(environmentId, local);
          else owner.onRecord(record);
        }),
        this.#bus.subscribe(`rc.env.${environmentId}.up`, (payload) => {
          const record = decodeRecord(payload);
          if (record?.kind === 'owner' && record.epoch > owner.epoch) this.#fence(environmentId, local);
        }),
      ],
    };
    this.#owners.set(environmentId, local);
    void this.#announce(environmentId, local);
    return {
      onText: (text) => owner.onText(text),
      onPong: (text) => owner.onPong(text),
      onClosed: () => {
        if (this.#owners.get(environmentId) === local) this.#endOwner(environmentId, local);
      },
    };
  }

  /** Edges learn it once the subscription of this owner counts. */
  async #announce(environmentId: string, local: LocalOwner): Promise<void> {
    const report = this.#report(local.owner.epoch, true);
    this.#edges.get(environmentId)?.edge.onReport(report);
    try {
      await this.#bus.flush();
    } catch {
      // The broker is away: its return announces the owner.
      return;
    }
    if (this.#owners.get(environmentId) === local)
      this.#bus.publish(`rc.env.${environmentId}.up`, encodeRecord(report));
  }

  #report(epoch: number, connected: boolean): OwnerReport {
    return { kind: 'owner', epoch, node: this.id, connected };
  }

  /** Another node has a higher epoch. */
  #fence(environmentId: string, local: LocalOwner): void {
    if (this.#owners.get(environmentId) !== local) return;
    this.#removeOwner(environmentId, local);
    local.socket.close(CLOSE_CODES.normal, 'replaced by a newer connection');
  }

  #endOwner(environmentId: string, local: LocalOwner): void {
    this.#removeOwner(environmentId, local);
    const report = this.#report(local.owner.epoch, false);
    this.#edges.get(environmentId)?.edge.onReport(report);
    this.#bus.publish(`rc.env.${environmentId}.up`, encodeRecord(report));
  }

  #removeOwner(environmentId: string, { owner, subscriptions }: LocalOwner): void {
    this.#owners.delete(environmentId);
    for (const subscription of subscriptions) subscription.end();
    owner.end();
  }

  // --- controllers

  /** The edge of an environment, for a controller that is connected here. */
  edgeOf(environmentId: string): Edge {
    return (this.#edges.get(environmentId) ?? this.#createEdge(environmentId)).edge;
  }

  /**
   * A number for a new socket of a session, above those of all sockets of this session before.
   * @throws StateUnavailableError
   */
  claimSession(clientId: string, sessionId: string): Promise<number> {
    return this.#store.bucket('sessions').put(`${clientId}.${sessionId}`, this.id);
  }

  #createEdge(environmentId: string): LocalEdge {
    const edge: Edge = new Edge({
      ...{ environmentId, timing: this.#timing },
      toOwner: (record) => this.#toOwner(environmentId, record),
      findOwner: () => this.#findOwner(environmentId),
      canConnect: () => this.#canConnect(environmentId),
      creditOf: (node) => this.#creditOf(node),
      newRoute: (stream) => {
        this.#routeCount += 1;
        const route = `${this.id}.${this.#routeCount}`;
        this.#routes.set(route, { edge, stream });
        return route;
      },
      endRoute: (route) => this.#routes.delete(route),
      onPresence: (connected) => this.#options.onPresence?.(environmentId, connected),
      onIdle: () => this.#endEdge(environmentId),
    });
    const local = {
      edge,
      subscriptions: [
        this.#bus.subscribe(`rc.env.${environmentId}.up`, (payload) => {
          const record = decodeRecord(payload);
          if (record?.kind === 'owner') edge.onReport(record);
        }),
        this.#bus.subscribe(`rc.revoked.${environmentId}`, (clientId) =>
          this.#onRevoked(environmentId, clientId),
        ),
      ],
    };
    this.#edges.set(environmentId, local);
    return local;
  }

  #endEdge(environmentId: string): void {
    const local = this.#edges.get(environmentId);
    if (local === undefined) return;
    this.#edges.delete(environmentId);
    for (const subscription of local.subscriptions) subscription.end();
    local.edge.end();
  }

  async #findOwner(environmentId: string): Promise<OwnerReport | undefined> {
    const local = this.#owners.get(environmentId);
    if (local !== undefined) return this.#report(local.owner.epoch, true);
    try {
      const payload = await this.#bus.request(`rc.env.${environmentId}.in`, `${ASK}${this.id}`, ASK_TIMEOUT);
      const record = decodeRecord(payload);
      return record?.kind === 'owner' ? record : undefined;
    } catch (error) {
      if (error instanceof NoRespondersError) return undefined;
      throw error;
    }
  }

  async #canConnect(environmentId: string): Promise<boolean> {
    if (!this.#bus.connected) return false;
    try {
      await this.#store.bucket('owners').get(environmentId);
      return true;
    } catch {
      return false;
    }
  }

  /** Closes the streams of a controller at every node. */
  revoke(environmentId: string, clientId: string): void {
    this.#onRevoked(environmentId, clientId);
    this.#bus.publish(`rc.revoked.${environmentId}`, clientId);
  }

  #onRevoked(environmentId: string, clientId: string): void {
    this.#edges.get(environmentId)?.edge.revoke(clientId);
    this.#options.onRevoked?.(environmentId, clientId);
  }

  // --- between nodes

  #toOwner(environmentId: string, record: UpRecord): void {
    const local = this.#owners.get(environmentId);
    if (local?.owner.epoch === record.epoch) queueMicrotask(() => local.owner.onRecord(record));
    else this.#bus.publish(`rc.env.${environmentId}.in`, encodeRecord(record));
  }

  #toNode(node: string, record: DownRecord): void {
    if (node === this.id) queueMicrotask(() => this.#onDown(record));
    else if (node !== '') this.#bus.publish(`rc.node.${node}`, encodeRecord(record));
  }

  #onDown(record: DownRecord): void {
    const route = this.#routes.get(record.route);
    route?.edge.onRecord(route.stream, record);
  }

  #creditOf(node: string): Credit {
    if (node === this.id || node === '') return this.#own;
    let credit = this.#credits.get(node);
    if (credit === undefined) {
      credit = new Credit(NODE_CREDIT);
      this.#credits.set(node, credit);
    }
    return credit;
  }

  #probe(): void {
    if (!this.#bus.connected) {
      // Nobody can be heard now: the time counts from the return of the broker.
      for (const { heard } of this.#owners.values()) heard.clear();
    }
    const limit = performance.now() - this.#timing.presence * 3.5;
    for (const { owner, heard } of this.#owners.values()) {
      owner.probe();
      if (!this.#bus.connected) continue;
      for (const node of owner.nodes) {
        if (node === this.id) continue;
        const at = heard.get(node);
        if (at === undefined) heard.set(node, performance.now());
        else if (at < limit) owner.onNodeGone(node);
      }
    }
    for (const { edge } of this.#edges.values()) edge.probe();
  }

  /** The broker is back: others may have become owners meanwhile. */
  async #onBusBack(): Promise<void> {
    for (const [environmentId, local] of [...this.#owners]) {
      try {
        const entry = await this.#store.bucket('owners').get(environmentId);
        if (entry !== undefined && entry.revision > local.owner.epoch) {
          this.#fence(environmentId, local);
          continue;
        }
      } catch {
        // The state is not back yet. Its own report or a record of an edge fences an old owner, too.
      }
      void this.#announce(environmentId, local);
    }
    for (const { edge } of this.#edges.values()) void edge.ask();
  }

  /** Ends all relays. The sockets are the caller's. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#probes);
    this.#stopListening();
    for (const [environmentId, local] of [...this.#owners]) this.#endOwner(environmentId, local);
    for (const environmentId of [...this.#edges.keys()]) this.#endEdge(environmentId);
    this.#subscription.end();
  }
}

/** What the listener passes on from the socket of an engine. */
export interface AttachedEngine {
  onText(text: string): void;
  onPong(text: string): void;
  onClosed(): void;
}

function isUp(record: { readonly kind: string }): record is UpRecord {
  return ['open', 'detach', 'up', 'upProbe', 'downStatus'].includes(record.kind);
}

function isDown(record: { readonly kind: string }): record is DownRecord {
  return ['opened', 'ended', 'down', 'downProbe', 'upStatus'].includes(record.kind);
}
