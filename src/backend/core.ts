import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { EngineError } from '../protocol/errors.js';
import { EventRecord } from './events.js';
import { type FaultAction, FaultQueue, FaultSchema } from './faults.js';
import type { GateParts } from './gate.js';
import { type Answer, parseBody, Refusal } from './http.js';
import { Identities } from './identities.js';
import { type BackendOptions, type BackendTiming, DEFAULT_BACKEND_TIMING } from './options.js';
import { Pairing, type PairingStarted } from './pairing.js';
import { Relay } from './relay.js';
import { Routes } from './routes.js';
import { type Side, Sockets } from './sockets.js';
import { type ServerRecord, Store } from './store.js';
import { checkControllerUpgrade, checkServerUpgrade } from './upgrades.js';

export interface ServerStatus {
  readonly serverId: string;
  readonly environmentId: string;
  readonly name: string;
  readonly connected: boolean;
}

/** Sockets of one controller token at a time. */
const MAX_SOCKETS_PER_CLIENT = 16;

/** The parts of the backend behind the listening side, and what ties them together. */
export class Core {
  readonly events: EventRecord;
  readonly #options: BackendOptions;
  readonly #timing: BackendTiming;
  readonly #now: () => number;
  readonly #store: Store;
  readonly #identities: Identities;
  readonly #pairing: Pairing;
  readonly #sockets: Sockets;
  readonly #faults = new FaultQueue();
  readonly #relays = new Map<string, Relay>();
  readonly #controllerSockets = new Map<string, number>();
  readonly #epoch = randomBytes(6).toString('hex');
  #ended = false;

  private constructor(options: BackendOptions, store: Store, events: EventRecord, now: () => number) {
    this.#options = options;
    this.#timing = { ...DEFAULT_BACKEND_TIMING, ...options.timing };
    this.#now = now;
    this.#store = store;
    this.events = events;
    this.#identities = new Identities(store, now, this.#timing.serverToken);
    this.#pairing = new Pairing(store, now, this.#timing.pairingCode);
    this.#sockets = new Sockets(this.#timing.heartbeat);
  }

  static async open(options: BackendOptions): Promise<Core> {
    const now = options.now ?? Date.now;
    const events = new EventRecord(now);
    const store = await Store.open(options.stateFile, (failure) => {
      if (failure === undefined) events.add('stateSaved');
      else events.add('stateFailed', { failure });
    });
    return new Core(options, store, events, now);
  }

  gateParts(withControl: boolean): GateParts {
    return {
      routes: new Routes({
        accounts: this.#options.accounts ?? { kind: 'any' },
        store: this.#store,
        identities: this.#identities,
        pairing: this.#pairing,
        onRevoked: ({ environmentId, clientId }) => {
          this.events.add('revoked', { environmentId, clientId });
          this.#relays.get(environmentId)?.revoke(clientId);
        },
      }),
      faults: this.#faults,
      events: this.events,
      control: withControl ? (body: string): Answer => this.#control(body) : undefined,
      acceptServer: (request: IncomingMessage) => this.#acceptServer(request),
      acceptController: (request: IncomingMessage) => this.#acceptController(request),
    };
  }

  servers(): ServerStatus[] {
    return [...this.#store.servers.values()].map(({ serverId, environmentId, name }) => ({
      serverId,
      environmentId,
      name,
      connected: this.#relays.get(environmentId)?.connected === true,
    }));
  }

  startPairing(environmentId: string): PairingStarted {
    const server = this.#store.serverOfEnvironment(environmentId);
    if (server === undefined)
      throw new EngineError('remoteRefused', `there is no environment ${environmentId}`);
    return this.#pairing.start(server, true);
  }

  applyFault(action: FaultAction): void {
    this.events.add('fault', { action: action.action });
    switch (action.action) {
      case 'answer':
        this.#faults.add(action.fault);
        break;
      case 'clear':
        this.#sockets.mutePongs = false;
        this.#identities.tokenLife = this.#timing.serverToken;
        this.#faults.clear();
        break;
      case 'expireTokens':
        this.#identities.expireTokens(this.#now() + action.inSeconds * 1_000);
        break;
      case 'tokenLife':
        this.#identities.tokenLife = action.seconds * 1_000;
        break;
      case 'dropSockets':
        this.#sockets.dropAll(action.side);
        break;
      case 'closeSockets':
        this.#sockets.closeAll(action.side, action.code, 'a fault was asked for');
        break;
      case 'mutePongs':
        this.#sockets.mutePongs = action.muted;
        break;
      case 'forgetServers':
        this.#identities.forgetAll();
        break;
    }
  }

  async end(): Promise<void> {
    this.#ended = true;
    for (const relay of this.#relays.values()) relay.end();
    this.#relays.clear();
    await Promise.all([this.#sockets.end(), this.#store.flush()]);
    // Sockets that ended have marked their peers as seen.
    await this.#store.flush();
  }

  #control(body: string): Answer {
    this.applyFault(parseBody(FaultSchema, body));
    return { status: 200, body: { queued: this.#faults.queued } };
  }

  #acceptServer(request: IncomingMessage): (socket: WebSocket) => void {
    const { server, cursor } = checkServerUpgrade(request, this.#store, this.#identities);
    const { environmentId, serverId } = server;
    if (this.#options.onSecondSocket === 'conflict' && this.#relays.get(environmentId)?.connected) {
      throw new Refusal(409, 'This server is connected already');
    }
    return (socket) => {
      this.#take('server', socket, { environmentId, serverId, resumed: cursor !== undefined });
      this.#identities.seen(server);
      this.#relayOf(server).attach(socket, cursor);
    };
  }

  #acceptController(request: IncomingMessage): (socket: WebSocket) => void {
    const client = checkControllerUpgrade(request, this.#store);
    const { clientId, environmentId } = client;
    const server = this.#store.serverOfEnvironment(environmentId);
    if (server === undefined) throw new Refusal(404, 'Environment not found');
    const open = this.#controllerSockets.get(clientId) ?? 0;
    if (open >= MAX_SOCKETS_PER_CLIENT) throw new Refusal(429, 'Too many sockets of this client');
    return (socket) => {
      this.#controllerSockets.set(clientId, (this.#controllerSockets.get(clientId) ?? 0) + 1);
      const seen = (): void => {
        client.lastSeenAt = this.#now();
        this.#store.changed();
      };
      seen();
      this.#take('controller', socket, { environmentId, clientId });
      socket.once('close', () => {
        const left = (this.#controllerSockets.get(clientId) ?? 1) - 1;
        if (left > 0) this.#controllerSockets.set(clientId, left);
        else this.#controllerSockets.delete(clientId);
        seen();
      });
      const { streamId } = this.#relayOf(server).addController(socket, clientId);
      this.events.add('streamOpened', { environmentId, clientId, streamId });
    };
  }

  #take(side: Side, socket: WebSocket, detail: Record<string, string | boolean>): void {
    this.#sockets.add(side, socket);
    this.events.add('socketOpened', { side, ...detail });
    socket.once('close', (code) => this.events.add('socketClosed', { side, ...detail, code }));
  }

  #relayOf({ environmentId }: ServerRecord): Relay {
    let relay = this.#relays.get(environmentId);
    if (relay === undefined) {
      const made: Relay = new Relay({
        environmentId,
        timing: this.#timing,
        events: this.events,
        recordFrames: this.#options.recordFrames === true,
        sockets: this.#sockets,
        epoch: this.#epoch,
        onIdle: () => {
          if (this.#ended || this.#relays.get(environmentId) !== made) return;
          made.end();
          this.#relays.delete(environmentId);
        },
      });
      relay = made;
      this.#relays.set(environmentId, relay);
    }
    return relay;
  }
}
