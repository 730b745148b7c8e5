/** A backend with one enrolled server and one paired controller, and short delays. */
import { afterEach, beforeEach } from 'vitest';
import { WebSocket } from 'ws';
import { type Backend, createBackend } from '../../src/backend/index.js';
import type { ClaimedController } from '../../src/controller/claim.js';
import type { Controller } from '../../src/controller/controller.js';
import {
  connectController,
  controlUrl,
  dial,
  enroll,
  type Frame,
  type Identity,
  pair,
  ServerPeer,
} from './peers.js';

class RelayRig {
  backend!: Backend;
  identity!: Identity;
  claimed!: ClaimedController;

  async open(): Promise<void> {
    this.backend = await createBackend({
      timing: { offlineHold: 150, reconnectHold: 400, deliveryCheck: 20, streamPing: 50 },
    });
    this.identity = await enroll(this.backend);
    this.claimed = await pair(this.backend, this.identity);
  }

  openServer(cursor?: string): Promise<ServerPeer> {
    const extra = cursor === undefined ? {} : { 'x-codex-subscribe-cursor': cursor };
    return ServerPeer.open(this.backend, this.identity, extra);
  }

  openController(): Promise<Controller> {
    return connectController(this.backend, this.claimed);
  }

  /** A plain WebSocket of the controller, for tests of the exact text. */
  openSocket(): Promise<WebSocket> {
    return openControllerSocket(this.backend, this.claimed.token.reveal());
  }
}

/** Opens a backend before each test and closes it afterwards. */
export function relayRig(): RelayRig {
  const rig = new RelayRig();
  beforeEach(() => rig.open());
  afterEach(() => rig.backend.close());
  return rig;
}

export async function openControllerSocket(backend: Backend, token: string): Promise<WebSocket> {
  const socket = await dial(controlUrl(backend, 'client'), { authorization: `Bearer ${token}` });
  if (!(socket instanceof WebSocket)) throw new Error(`refused: ${socket.status}`);
  return socket;
}

export function closing(socket: WebSocket): Promise<[number, string]> {
  return new Promise((resolve) => socket.once('close', (code, reason) => resolve([code, reason.toString()])));
}

/** Opens the virtual client as an app server would, and returns the request that opened it. */
export async function initialize(server: ServerPeer, controller: Controller): Promise<Frame> {
  const response = controller.request('initialize', { clientInfo: { name: 'test' } });
  const request = await server.request('initialize');
  server.answer(request, 1);
  await response;
  return request;
}
