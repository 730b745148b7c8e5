import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import type { HubNodeOpened } from '../../machines/hub-node.js';
import { sessionIdOf } from '../backend/controller-sessions.js';
import { readServerUpgrade } from '../backend/handshake.js';
import { HttpError, type HttpResponse, requireBearer, unauthorized } from '../backend/http.js';
import { Routes, SERVER_NOT_FOUND } from '../backend/routes.js';
import { Sockets } from '../backend/sockets.js';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { AccountRoutes } from './account-routes.js';
import { Admission } from './admission.js';
import type { Bus, BusSubscription } from './bus/bus.js';
import { PlainController } from './controllers/plain-controller.js';
import { READ_ONLY_METHODS } from './controllers/read-only.js';
import { ControllerSocket } from './controllers/session.js';
import { type ClientFact, type DeviceRole, HubDirectory } from './directory.js';
import { EnrollmentKeys } from './enrollment-keys.js';
import { HubListener } from './listener.js';
import { HubMetrics } from './metrics.js';
import { NodeLife } from './node-life.js';
import type { HubOptions } from './options.js';
import { tokenOfProtocols } from './page-response.js';
import { HubNode } from './relay/node.js';
import type { EngineSocket } from './relay/owner.js';
import type { RelaySocket } from './relay/timing.js';
import type { StateStore } from './state/state-store.js';

/** Between two pings of a socket. A socket that sends nothing until the next ping is destroyed, ms. */
const HEARTBEAT = 30_000;
const TOKEN_LIFETIME = 3_600_000;
const MAX_SOCKETS_PER_CONTROLLER = 16;
/** `ENVIRONMENT CLIENT ROLE`: the role of a device has changed. */
const ROLES_SUBJECT = 'rc.roles';
const ROLE_CHANGED = 'the role of this device has changed';

/** What happens at a node, for logs. No tokens, codes or messages are in it. */
export type HubEvent =
  | 'listening'
  | 'brokerLost'
  | 'brokerBack'
  | 'engineConnected'
  | 'engineClosed'
  | 'controllerConnected'
  | 'controllerClosed'
  | 'refused'
  | 'revoked'
  | 'frameSkipped'
  | 'draining'
  | 'closed'
  | 'warning'
  | 'error';
type Detail = Readonly<Record<string, string | number | boolean>>;

interface HubServiceDeps {
  readonly options: HubOptions;
  readonly bus: Bus;
  readonly store: StateStore;
  /** The page at the root; undefined: there is none. */
  readonly page?: string | undefined;
  readonly onEvent: (event: HubEvent, detail: Detail) => void;
}

/** The socket of a controller at this node, for its revocation. */
interface LocalController {
  readonly environmentId: string;
  readonly clientId: string;
  readonly role: DeviceRole;
  close(code: number, reason: string): void;
}

/** One node of a hub behind its HTTP server. */
export class HubService {
  readonly #deps: HubServiceDeps;
  readonly #node: HubNode;
  readonly #directory: HubDirectory;
  readonly #sockets = new Sockets(HEARTBEAT);
  readonly #engines = new Map<WebSocket, string>();
  readonly #controllers = new Set<LocalController>();
  readonly #sessions = new Map<string, Set<ControllerSocket>>();
  readonly #metrics: HubMetrics;
  readonly #readOnly: ReadonlySet<string>;
  readonly #roles: BusSubscription;
  readonly #stopListening: () => void;
  #listener: HubListener | undefined;
  readonly #life: NodeLife;

  private constructor(deps: HubServiceDeps, metrics: HubMetrics) {
    this.#deps = deps;
    this.#metrics = metrics;
    const { bus, store, options } = deps;
    this.#node = new HubNode({
      ...{ bus, store },
      onPresence: (environmentId, connected) => {
        for (const session of this.#sessions.get(environmentId) ?? []) session.announce(connected);
      },
      onRevoked: (environmentId, clientId) => this.#closeRevoked(environmentId, clientId),
      onSkipped: (environmentId, bytes) => this.#event('frameSkipped', { environmentId, bytes }),
    });
    this.#directory = new HubDirectory({
      store,
      accounts:
        options.accounts === 'any'
          ? { kind: 'any' }
          : { kind: 'keys', keys: new EnrollmentKeys(store, Date.now) },
      now: Date.now,
      tokenLifetime: TOKEN_LIFETIME,
      onRevoke: (environmentId, clientId) => {
        this.#event('revoked', { environmentId, clientId });
        this.#node.revoke(environmentId, clientId);
      },
    });
    this.#readOnly = new Set(options.readOnlyMethods ?? READ_ONLY_METHODS);
    this.#roles = bus.subscribe(ROLES_SUBJECT, (payload) => this.#onRoleChanged(payload));
    this.#life = new NodeLife({
      drain: options.drain,
      open: (signal) => this.#open(signal),
      closeSockets: (signal) => this.#closeSockets(signal),
      end: () => this.#end(),
      checkControllers: () => void this.#checkControllers(),
    });
    this.#stopListening = bus.onConnection((connected) => {
      this.#event(connected ? 'brokerBack' : 'brokerLost', {});
      this.#life.onBroker(connected);
    });
  }

  /** Throws EngineError `listenerFailed`, BusUnavailableError. */
  static async open(deps: HubServiceDeps): Promise<HubService> {
    const service = new HubService(deps, await HubMetrics.create());
    await service.#life.start();
    service.#event('listening', { url: service.origin, node: service.#node.id });
    return service;
  }

  get origin(): string {
    return this.#listener?.origin ?? '';
  }

  /** Engines and controllers that are connected to this node. */
  get counts(): { readonly engines: number; readonly controllers: number; readonly streams: number } {
    return { engines: this.#engines.size, controllers: this.#controllers.size, streams: this.#node.streams };
  }

  /**
   * Leaves the load balancer, and closes the sockets spread over `drain`, so that their peers connect to other nodes one
   * after the other. A second call ends it at once.
   */
  async close(): Promise<void> {
    if (await this.#life.stop()) this.#event('closed', {});
  }

  async #open(signal: AbortSignal): Promise<HubNodeOpened> {
    await this.#node.ready();
    const listener = await this.#listen();
    if (signal.aborted) await listener.close();
    else this.#listener = listener;
    return { connected: this.#deps.bus.connected };
  }

  async #closeSockets(signal: AbortSignal): Promise<void> {
    const { drain } = this.#deps.options;
    const sockets = [...this.#engines.keys()];
    const controllers = [...this.#controllers];
    this.#event('draining', { engines: sockets.length, controllers: controllers.length, ms: drain });
    const why = 'this node of the hub is stopping';
    const closings = [
      ...sockets.map((socket) => () => this.#sockets.close(socket, CLOSE_CODES.serviceRestart, why)),
      ...controllers.map((controller) => () => controller.close(CLOSE_CODES.serviceRestart, why)),
    ];
    const between = drain / (closings.length - 1);
    signal.addEventListener('abort', () => {
      for (const close of closings.splice(0)) close();
    });
    for (let close = closings.shift(); close !== undefined; close = closings.shift()) {
      close();
      if (closings.length > 0) await pause(between, signal);
    }
  }

  async #end(): Promise<void> {
    this.#stopListening();
    this.#roles.end();
    this.#node.end();
    await Promise.all([this.#listener?.close(), this.#sockets.end()]);
  }

  #listen(): Promise<HubListener> {
    const { options } = this.#deps;
    const accounts = new AccountRoutes({
      directory: this.#directory,
      isConnected: (environmentId) => this.#node.isConnected(environmentId),
      onRoleChanged: (environmentId, clientId, role) => {
        const payload = `${environmentId} ${clientId} ${role}`;
        this.#onRoleChanged(payload);
        this.#deps.bus.publish(ROLES_SUBJECT, payload);
      },
    });
    const admission = new Admission(options.connectRate, () => performance.now());
    return HubListener.open(options.listen, options.tls, {
      routes: new Routes(this.#directory),
      accept: {
        server: (request) => this.#acceptEngine(request),
        controller: (request) => this.#acceptController(request),
      },
      operate: (path) => this.#operate(path),
      ...{ page: this.#deps.page, open: options.accounts === 'any' },
      account: (request, path) => accounts.handle(request, path),
      admit: () => admission.admit(),
      onResponse: (route, status) => this.#metrics.requests.inc({ route, status }),
      onRefused: (side, status, detail) => {
        this.#metrics.refused.inc({ side, status });
        this.#event('refused', { side, status, detail });
      },
      onError: (error) =>
        this.#event('error', { message: error instanceof Error ? error.message : 'unknown' }),
    });
  }

  async #operate(path: string): Promise<HttpResponse | undefined> {
    switch (path) {
      case '/healthz':
        return { status: 200, body: { status: 'ok' } };
      case '/readyz': {
        const { problem } = this.#life;
        return { status: problem === undefined ? 200 : 503, body: { status: problem ?? 'ready' } };
      }
      case '/metrics': {
        if (!this.#deps.options.listen.loopback) return undefined;
        const { engines, controllers, streams } = this.counts;
        this.#metrics.engines.set(engines);
        this.#metrics.controllers.set(controllers);
        this.#metrics.streams.set(streams);
        this.#metrics.broker.set(this.#deps.bus.connected ? 1 : 0);
        const { text, contentType } = await this.#metrics.render();
        return { status: 200, body: text, headers: { 'content-type': contentType } };
      }
      default:
        return undefined;
    }
  }

  // --- engines

  async #acceptEngine(request: IncomingMessage): Promise<(socket: WebSocket) => void> {
    const { token, serverId, name, installationId, cursor } = readServerUpgrade(request);
    this.#refuseWhileDraining();
    const owner = await this.#directory.serverOfToken(token);
    if (owner === undefined) {
      if ((await this.#directory.serverOf(serverId)) === undefined)
        throw new HttpError(404, SERVER_NOT_FOUND);
      throw unauthorized();
    }
    if (owner.serverId !== serverId) {
      if ((await this.#directory.serverOf(serverId)) === undefined)
        throw new HttpError(404, SERVER_NOT_FOUND);
      throw new HttpError(403, 'The token belongs to another server');
    }
    if (owner.installationId !== installationId)
      throw new HttpError(403, 'The installation id does not match');
    const { environmentId } = owner;
    const epoch = await this.#node.claim(environmentId);
    await this.#directory.markSeen(serverId, name);
    return (socket) => this.#takeEngine(socket, environmentId, epoch, cursor !== undefined);
  }

  #takeEngine(socket: WebSocket, environmentId: string, epoch: number, resumed: boolean): void {
    this.#sockets.add('server', socket);
    this.#engines.set(socket, environmentId);
    const link: EngineSocket = {
      ...this.#relaySocket(socket),
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
      ping: (text) => {
        if (socket.readyState === socket.OPEN) socket.ping(text);
      },
    };
    const attached = this.#node.attachEngine(environmentId, epoch, link, resumed);
    socket.on('message', (data, isBinary) => {
      if (!isBinary) attached.onText(String(data));
    });
    socket.on('pong', (data) => attached.onPong(String(data)));
    this.#event('engineConnected', { environmentId, epoch, resumed });
    socket.once('close', (code) => {
      this.#engines.delete(socket);
      attached.onClosed();
      this.#event('engineClosed', { environmentId, code });
    });
  }

  // --- controllers

  async #acceptController(request: IncomingMessage): Promise<(socket: WebSocket) => void> {
    this.#refuseWhileDraining();
    const controller = await this.#directory.controllerOfToken(
      tokenOfProtocols(request) ?? requireBearer(request),
    );
    if (controller === undefined) throw unauthorized();
    const { clientId, role } = controller;
    const sessionId = sessionIdOf(request);
    const open = [...this.#controllers].filter((one) => one.clientId === clientId).length;
    if (sessionId !== undefined && role === 'read-only')
      throw new HttpError(403, 'A read-only device must send one message in each frame');
    if (open >= MAX_SOCKETS_PER_CONTROLLER) throw new HttpError(429, 'Too many sockets of this controller');
    const number = sessionId === undefined ? undefined : await this.#node.claimSession(clientId, sessionId);
    await this.#directory.markControllerSeen(controller);
    return (socket) => this.#takeController(socket, controller, number);
  }

  #takeController(
    socket: WebSocket,
    { environmentId, clientId, role }: ClientFact,
    number: number | undefined,
  ): void {
    this.#sockets.add('controller', socket);
    const link: RelaySocket = {
      ...this.#relaySocket(socket),
      get bufferedAmount() {
        return socket.bufferedAmount;
      },
    };
    const edge = this.#node.edgeOf(environmentId);
    const local: LocalController = {
      ...{ environmentId, clientId, role },
      close: (code, reason) => this.#sockets.close(socket, code, reason),
    };
    this.#controllers.add(local);
    const end =
      number === undefined
        ? this.#plain(
            socket,
            new PlainController(
              ...([link, edge, clientId, randomUUID()] as const),
              role === 'read-only' ? this.#readOnly : undefined,
            ),
          )
        : this.#session(socket, environmentId, new ControllerSocket(link, edge, clientId, number));
    // Its role may have changed, and it may have been revoked, while it was accepted.
    void this.#check(local);
    this.#event('controllerConnected', { environmentId, clientId, session: number !== undefined });
    socket.once('close', (code) => {
      this.#controllers.delete(local);
      end();
      this.#event('controllerClosed', { environmentId, clientId, code });
    });
  }

  #plain(socket: WebSocket, controller: PlainController): () => void {
    socket.on('message', (data, isBinary) => {
      if (isBinary) controller.receiveBinary();
      else controller.receive(String(data));
    });
    return () => controller.onClosed();
  }

  #session(socket: WebSocket, environmentId: string, session: ControllerSocket): () => void {
    const sessions = this.#sessions.get(environmentId) ?? new Set();
    this.#sessions.set(environmentId, sessions);
    sessions.add(session);
    socket.on('message', (data, isBinary) => {
      if (!isBinary) session.receive(String(data));
    });
    return () => {
      sessions.delete(session);
      if (sessions.size === 0) this.#sessions.delete(environmentId);
      session.onClosed();
    };
  }

  #closeRevoked(environmentId: string, clientId: string): void {
    for (const one of [...this.#controllers]) {
      if (one.environmentId === environmentId && one.clientId === clientId)
        one.close(CLOSE_CODES.controllerRevoked, 'this controller was revoked');
    }
  }

  /** The device has another role at every node. Its open sockets have the old one. */
  #onRoleChanged(payload: string): void {
    const [environmentId, clientId, role] = payload.split(' ');
    for (const one of [...this.#controllers]) {
      if (one.environmentId === environmentId && one.clientId === clientId && one.role !== role)
        one.close(CLOSE_CODES.serviceRestart, ROLE_CHANGED);
    }
  }

  /** Closes a socket whose device was revoked, or has another role. Throws StateUnavailableError. */
  async #compare(local: LocalController): Promise<void> {
    const { environmentId, clientId, role } = local;
    const controller = await this.#directory.controller(environmentId, clientId);
    if (controller === undefined) this.#node.revoke(environmentId, clientId);
    else if (controller.role !== role) local.close(CLOSE_CODES.serviceRestart, ROLE_CHANGED);
  }

  async #check(local: LocalController): Promise<void> {
    try {
      await this.#compare(local);
    } catch {
      // The state cannot be reached: the return of the broker checks again.
    }
  }

  /** While the broker was away, a revocation may not have been heard. */
  async #checkControllers(): Promise<void> {
    for (const local of [...this.#controllers]) {
      try {
        await this.#compare(local);
      } catch {
        // The state is not back yet. The next return of the broker checks again.
        return;
      }
    }
  }

  // ---

  #relaySocket(socket: WebSocket): Omit<RelaySocket, 'bufferedAmount'> {
    return {
      send: (text, onWritten) => {
        socket.send(text, (error) => {
          // With an error the peer is gone, and the relay learns it from the end of the socket.
          if (error == null) onWritten?.();
        });
      },
      close: (code, reason) => this.#sockets.close(socket, code, reason),
    };
  }

  #refuseWhileDraining(): void {
    // Without `Retry-After`, with which engines would add up to 30 s: another node, or this one after a restart, takes them soon.
    if (this.#life.stopping) throw new HttpError(503, 'This node of the hub is stopping');
  }

  #event(event: HubEvent, detail: Detail): void {
    this.#deps.onEvent(event, detail);
  }
}

/** Ends early, without an error, when the signal is aborted. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms > 0) await setTimeout(ms, undefined, { signal }).catch(() => {});
}
