import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { EngineError } from '../protocol/errors.js';
import { ControllerSessions, sessionIdOf } from './controller-sessions.js';
import type { Directory, PairingStarted } from './directory.js';
import { EventLog } from './events.js';
import { type FaultAction, FaultQueue, FaultSchema } from './faults.js';
import { authenticateController, authenticateServer } from './handshake.js';
import { HttpError, type HttpResponse, parseBody, requireBearer, requireHeader } from './http.js';
import { Identities } from './identities.js';
import type { ListenerDeps } from './listener.js';
import {
  type BackendOptions,
  type BackendTiming,
  DEFAULT_BACKEND_TIMING,
  isAccountToken,
} from './options.js';
import { Pairing } from './pairing.js';
import { Relay } from './relay.js';
import { Routes, SERVER_NOT_FOUND } from './routes.js';
import { type Side, Sockets } from './sockets.js';
import { type ServerRecord, Store } from './store.js';
import { WrongTokens } from './wrong-tokens.js';

export interface ServerStatus {
  readonly serverId: string;
  readonly environmentId: string;
  readonly name: string;
  readonly connected: boolean;
}

/** Open sockets of one controller. */
const MAX_SOCKETS_PER_CONTROLLER = 16;

/** The backend behind its HTTP server: creates the store, identities, pairing and relays, and connects them. */
export class BackendService {
  readonly events: EventLog;
  readonly #options: BackendOptions;
  readonly #timing: BackendTiming;
  readonly #now: () => number;
  readonly #store: Store;
  readonly #identities: Identities;
  readonly #pairing: Pairing;
  readonly #wrongTokens: WrongTokens;
  readonly #sockets: Sockets;
  readonly #faults = new FaultQueue();
  readonly #relays = new Map<string, Relay>();
  readonly #controllerSockets = new Map<string, number>();
  readonly #sessions: ControllerSessions;
  #ended = false;

  private constructor(options: BackendOptions, store: Store, events: EventLog, now: () => number) {
    this.#options = options;
    this.#timing = { ...DEFAULT_BACKEND_TIMING, ...options.timing };
    this.#now = now;
    this.#store = store;
    this.events = events;
    this.#identities = new Identities(store, now, this.#timing.serverToken, ({ environmentId }) =>
      this.#isConnected(environmentId),
    );
    this.#pairing = new Pairing(store, now, this.#timing.pairingCode);
    this.#wrongTokens = new WrongTokens(now);
    this.#sockets = new Sockets(this.#timing.heartbeat);
    this.#sessions = new ControllerSessions({
      sockets: this.#sockets,
      hold: this.#timing.controllerHold,
      relayOf: (server) => this.#relayOf(server),
      isConnected: (environmentId) => this.#isConnected(environmentId),
      onOpened: (environmentId, clientId, streamId) =>
        this.events.add('streamOpened', { environmentId, clientId, streamId }),
    });
  }

  static async open(options: BackendOptions): Promise<BackendService> {
    const now = options.now ?? Date.now;
    const events = new EventLog(now);
    const store = await Store.open(options.stateFile, (failure) => {
      if (failure === undefined) events.add('stateSaved');
      else events.add('stateFailed', { failure });
    });
    return new BackendService(options, store, events, now);
  }

  listenerDeps(withFaults: boolean): ListenerDeps {
    return {
      routes: new Routes(this.#directory()),
      faults: this.#faults,
      events: this.events,
      applyFault: withFaults ? (body: string): HttpResponse => this.#applyFaultRequest(body) : undefined,
      acceptServer: (request: IncomingMessage) => this.#acceptServer(request),
      acceptController: (request: IncomingMessage) => this.#acceptController(request),
    };
  }

  #directory(): Directory {
    const accounts = this.#options.accounts ?? { kind: 'any' };
    return {
      authenticateAccount: (request) => {
        const token = requireBearer(request);
        if (!isAccountToken(accounts, token)) throw this.#wrongTokens.refusal(request, token);
        return requireHeader(request, 'chatgpt-account-id');
      },
      enroll: (request) => this.#identities.enroll(request),
      findServer: (serverId, accountId) => this.#identities.find(serverId, accountId),
      grant: ({ serverId }) => this.#identities.grant(this.#requireServer(serverId)),
      serverOfToken: (token) => this.#identities.serverOf(token),
      wrongToken: (request, token) => this.#wrongTokens.refusal(request, token),
      startPairing: (server, withManualCode) => this.#pairing.start(server, withManualCode),
      pairingStatus: (server, code) => this.#pairing.status(server, code),
      claim: (code, displayName, peer, expected) => this.#pairing.claim(code, displayName, peer, expected),
      accountOf: (environmentId) => this.#store.serverOfEnvironment(environmentId)?.accountId,
      controllersOf: (environmentId) => this.#store.controllersOf(environmentId),
      revoke: (environmentId, clientId) => this.#revoke(environmentId, clientId),
    };
  }

  #requireServer(serverId: string): ServerRecord {
    const server = this.#store.servers.get(serverId);
    if (server === undefined) throw new HttpError(404, SERVER_NOT_FOUND);
    return server;
  }

  #revoke(environmentId: string, clientId: string): boolean {
    if (this.#store.controllers.get(clientId)?.environmentId !== environmentId) return false;
    this.#store.controllers.delete(clientId);
    this.#store.scheduleSave();
    this.events.add('revoked', { environmentId, clientId });
    this.#relays.get(environmentId)?.revoke(clientId);
    this.#sessions.revoke(clientId);
    return true;
  }

  servers(): ServerStatus[] {
    return [...this.#store.servers.values()].map(({ serverId, environmentId, name }) => ({
      serverId,
      environmentId,
      name,
      connected: this.#isConnected(environmentId),
    }));
  }

  startPairing(environmentId: string): PairingStarted {
    const server = this.#store.serverOfEnvironment(environmentId);
    if (server === undefined)
      throw new EngineError('remoteRefused', `environment ${environmentId} is unknown`);
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
        this.#identities.tokenLifetime = this.#timing.serverToken;
        this.#faults.clear();
        break;
      case 'expireTokens':
        this.#identities.expireTokens(this.#now() + action.inSeconds * 1_000);
        break;
      case 'tokenLife':
        this.#identities.tokenLifetime = action.seconds * 1_000;
        break;
      case 'dropSockets':
        this.#sockets.dropAll(action.side);
        break;
      case 'closeSockets':
        this.#sockets.closeAll(action.side, action.code, 'an injected fault');
        break;
      case 'mutePongs':
        this.#sockets.mutePongs = action.muted;
        break;
      case 'forgetServers':
        this.#identities.clear();
        break;
    }
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.#sessions.end();
    for (const relay of this.#relays.values()) relay.end();
    this.#relays.clear();
    await Promise.all([this.#sockets.end(), this.#store.flush()]);
    // Sockets that closed have updated the last-seen times of their peers.
    await this.#store.flush();
  }

  #applyFaultRequest(body: string): HttpResponse {
    this.applyFault(parseBody(FaultSchema, body));
    return { status: 200, body: { queued: this.#faults.queued } };
  }

  #acceptServer(request: IncomingMessage): (socket: WebSocket) => void {
    const { server, cursor } = authenticateServer(request, this.#store, this.#identities);
    const { environmentId, serverId } = server;
    if (this.#options.onSecondSocket === 'conflict' && this.#relays.get(environmentId)?.connected) {
      throw new HttpError(409, 'This server is already connected');
    }
    return (socket) => {
      this.#reportDuplicate(server);
      this.#track('server', socket, { environmentId, serverId, resumed: cursor !== undefined });
      this.#identities.markSeen(server);
      socket.once('close', () => this.#identities.markSeen(server));
      this.#relayOf(server).attachServer(socket, cursor);
      this.#sessions.announce(environmentId);
      // After the relay has seen it.
      socket.once('close', () => this.#sessions.announce(environmentId));
    };
  }

  /** An engine closes its link before it opens the next one: a link that is still open belongs to another engine. RC-110 */
  #reportDuplicate({ installationId, serverId }: ServerRecord): void {
    for (const other of this.#store.servers.values()) {
      if (other.installationId !== installationId || !this.#isConnected(other.environmentId)) continue;
      this.events.add('duplicateInstallation', { installationId, serverId, connected: other.serverId });
    }
  }

  #acceptController(request: IncomingMessage): (socket: WebSocket) => void {
    const controller = authenticateController(request, this.#store);
    const { clientId, environmentId } = controller;
    const server = this.#store.serverOfEnvironment(environmentId);
    if (server === undefined) throw new HttpError(404, 'Environment not found');
    const sessionId = sessionIdOf(request);
    if (sessionId !== undefined) this.#sessions.checkRoom(controller, sessionId);
    const open = this.#controllerSockets.get(clientId) ?? 0;
    if (open >= MAX_SOCKETS_PER_CONTROLLER) throw new HttpError(429, 'Too many sockets of this controller');
    return (socket) => {
      this.#controllerSockets.set(clientId, (this.#controllerSockets.get(clientId) ?? 0) + 1);
      const markSeen = (): void => {
        controller.lastSeenAt = this.#now();
        this.#store.scheduleSave();
      };
      markSeen();
      this.#track('controller', socket, { environmentId, clientId });
      socket.once('close', () => {
        const remaining = (this.#controllerSockets.get(clientId) ?? 1) - 1;
        if (remaining > 0) this.#controllerSockets.set(clientId, remaining);
        else this.#controllerSockets.delete(clientId);
        markSeen();
      });
      if (sessionId !== undefined) {
        this.#sessions.attach(controller, server, sessionId, socket);
        return;
      }
      const { streamId } = this.#relayOf(server).openVirtualClient(socket, clientId);
      this.events.add('streamOpened', { environmentId, clientId, streamId });
    };
  }

  #track(side: Side, socket: WebSocket, detail: Record<string, string | boolean>): void {
    this.#sockets.add(side, socket);
    this.events.add('socketOpened', { side, ...detail });
    socket.once('close', (code) => this.events.add('socketClosed', { side, ...detail, code }));
  }

  #isConnected(environmentId: string): boolean {
    return this.#relays.get(environmentId)?.connected === true;
  }

  #relayOf({ environmentId }: ServerRecord): Relay {
    let relay = this.#relays.get(environmentId);
    if (relay === undefined) {
      const created: Relay = new Relay({
        environmentId,
        timing: this.#timing,
        events: this.events,
        recordFrames: this.#options.recordFrames === true,
        sockets: this.#sockets,
        // Of this relay alone: it counts its positions from 1, and a cursor of a former relay says nothing about them.
        epoch: randomBytes(6).toString('hex'),
        onIdle: () => {
          if (this.#ended || this.#relays.get(environmentId) !== created) return;
          created.end();
          this.#relays.delete(environmentId);
        },
      });
      relay = created;
      this.#relays.set(environmentId, relay);
    }
    return relay;
  }
}
