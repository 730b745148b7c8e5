import type { IncomingMessage } from 'node:http';
import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import { ControllerSession } from './controller-session.js';
import { HttpError, headerOf, requireHeader } from './http.js';
import type { Relay } from './relay.js';
import type { Sockets } from './sockets.js';
import type { ControllerRecord, ServerRecord } from './store.js';

/** Sessions of one controller, those without a socket included. */
const MAX_SESSIONS_PER_CONTROLLER = 16;
const FRAMES_VERSION = '3';
const SESSION_ID = /^[\w-]{16,64}$/;

/** The id of the session that a controller opens or continues; undefined: it sends one message in each frame. RC-91 */
export function sessionIdOf(request: IncomingMessage): string | undefined {
  const version = headerOf(request, 'x-codex-protocol-version');
  if (version === undefined) return undefined;
  if (version !== FRAMES_VERSION) throw new HttpError(400, `The protocol version must be ${FRAMES_VERSION}`);
  const id = requireHeader(request, 'x-rc-engine-session');
  if (!SESSION_ID.test(id)) throw new HttpError(400, 'The header x-rc-engine-session is not valid');
  return id;
}

interface ControllerSessionsDeps {
  readonly sockets: Sockets;
  readonly hold: number;
  readonly relayOf: (server: ServerRecord) => Relay;
  readonly isConnected: (environmentId: string) => boolean;
  readonly onOpened: (environmentId: string, clientId: string, streamId: string) => void;
}

/** The sessions of all controllers that send numbered frames. */
export class ControllerSessions {
  readonly #deps: ControllerSessionsDeps;
  readonly #byClient = new Map<string, Map<string, ControllerSession>>();
  readonly #environmentOf = new Map<ControllerSession, string>();

  constructor(deps: ControllerSessionsDeps) {
    this.#deps = deps;
  }

  /** Throws HttpError 429 when a new session has no room. */
  checkRoom({ clientId }: ControllerRecord, id: string): void {
    const sessions = this.#byClient.get(clientId);
    if (sessions === undefined || sessions.has(id) || sessions.size < MAX_SESSIONS_PER_CONTROLLER) return;
    const idle = [...sessions.values()].find((session) => !session.connected);
    if (idle === undefined) throw new HttpError(429, 'Too many sockets of this controller');
    idle.end();
  }

  /** Gives a socket to its session. */
  attach(controller: ControllerRecord, server: ServerRecord, id: string, socket: WebSocket): void {
    const { clientId, environmentId } = controller;
    const sessions = this.#byClient.get(clientId) ?? new Map<string, ControllerSession>();
    this.#byClient.set(clientId, sessions);
    let session = sessions.get(id);
    if (session === undefined) {
      const created: ControllerSession = new ControllerSession({
        clientId,
        sockets: this.#deps.sockets,
        hold: this.#deps.hold,
        relay: () => this.#deps.relayOf(server),
        isConnected: () => this.#deps.isConnected(environmentId),
        onOpened: (streamId) => this.#deps.onOpened(environmentId, clientId, streamId),
        onEnd: () => {
          sessions.delete(id);
          this.#environmentOf.delete(created);
          if (sessions.size === 0) this.#byClient.delete(clientId);
        },
      });
      session = created;
      sessions.set(id, session);
      this.#environmentOf.set(session, environmentId);
    }
    session.attach(socket);
  }

  /** The server of this environment has connected or disconnected. */
  announce(environmentId: string): void {
    const connected = this.#deps.isConnected(environmentId);
    for (const [session, environment] of this.#environmentOf) {
      if (environment === environmentId) session.announce(connected);
    }
  }

  revoke(clientId: string): void {
    for (const session of [...(this.#byClient.get(clientId)?.values() ?? [])]) {
      session.end(CLOSE_CODES.controllerRevoked, 'this controller was revoked');
    }
  }

  end(): void {
    for (const session of [...this.#environmentOf.keys()]) session.end();
  }
}
