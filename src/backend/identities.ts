import { createHash, randomBytes } from 'node:crypto';
import { Secret } from '../protocol/secret.js';
import type { EnrollRequest } from './directory.js';
import type { ServerRecord, Store } from './store.js';

/** Stored identities. Above it one that is not connected is removed, with its controllers. */
const MAX_SERVERS = 1_000;
/** Valid tokens of one server at a time. */
const MAX_TOKENS = 4;

export interface Grant {
  readonly server: ServerRecord;
  readonly token: Secret;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** A new token of 256 random bits. */
export function mintToken(prefix: string): Secret {
  return new Secret(`${prefix}_${randomBytes(32).toString('base64url')}`);
}

/** The form in which a token is stored. Tokens are random, so a plain hash is enough: it cannot be reversed by guessing. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** Servers (enrolled machines) and their tokens, as enroll and refresh create them. RC-9, RC-10 */
export class Identities {
  readonly #store: Store;
  readonly #now: () => number;
  /** Lifetime of a new token, milliseconds. */
  tokenLifetime: number;

  readonly #isConnected: (server: ServerRecord) => boolean;

  constructor(
    store: Store,
    now: () => number,
    tokenLifetime: number,
    isConnected: (server: ServerRecord) => boolean,
  ) {
    this.#store = store;
    this.#now = now;
    this.tokenLifetime = tokenLifetime;
    this.#isConnected = isConnected;
  }

  /**
   * Creates an identity. Each enrollment creates a new one, because one installation may hold several. Undefined: the
   * store is full and every server in it is connected.
   */
  enroll(request: EnrollRequest): Grant | undefined {
    if (!this.#makeRoom()) return undefined;
    const now = this.#now();
    const server: ServerRecord = {
      serverId: `srv_${randomBytes(12).toString('hex')}`,
      environmentId: `env_${randomBytes(12).toString('hex')}`,
      ...request,
      createdAt: now,
      lastSeenAt: now,
      tokens: [],
    };
    this.#store.servers.set(server.serverId, server);
    return this.grant(server);
  }

  /** The server, if it belongs to that account. */
  find(serverId: string, accountId: string): ServerRecord | undefined {
    const server = this.#store.servers.get(serverId);
    return server?.accountId === accountId ? server : undefined;
  }

  /** Issues a new token for the server. */
  grant(server: ServerRecord): Grant {
    const now = this.#now();
    const token = mintToken('rcs');
    const expiresAt = now + this.tokenLifetime;
    server.tokens = [
      ...server.tokens.filter((old) => old.expiresAt > now).slice(1 - MAX_TOKENS),
      { hash: hashToken(token.reveal()), expiresAt },
    ];
    this.markSeen(server);
    return { server, token, expiresAt };
  }

  /** The server that owns this token; undefined when it is unknown or expired. */
  serverOf(token: string): ServerRecord | undefined {
    const hash = hashToken(token);
    const now = this.#now();
    for (const server of this.#store.servers.values()) {
      if (server.tokens.some((known) => known.hash === hash && known.expiresAt > now)) return server;
    }
    return undefined;
  }

  markSeen(server: ServerRecord): void {
    server.lastSeenAt = this.#now();
    this.#store.scheduleSave();
  }

  /** Makes every token issued so far expire at this time or earlier. */
  expireTokens(at: number): void {
    for (const server of this.#store.servers.values()) {
      server.tokens = server.tokens.map((token) => ({ ...token, expiresAt: Math.min(token.expiresAt, at) }));
    }
    this.#store.scheduleSave();
  }

  clear(): void {
    this.#store.servers.clear();
    this.#store.controllers.clear();
    this.#store.scheduleSave();
  }

  /**
   * Removes an identity when the store is full: the least recent one without controllers, else the least recent one. A
   * connected server keeps its identity, however many others enroll. False: all servers are connected. RC-53
   */
  #makeRoom(): boolean {
    const { servers, controllers } = this.#store;
    if (servers.size < MAX_SERVERS) return true;
    const paired = new Set([...controllers.values()].map(({ environmentId }) => environmentId));
    const rank = (server: ServerRecord): readonly [number, number] => [
      paired.has(server.environmentId) ? 1 : 0,
      server.lastSeenAt,
    ];
    let removed: ServerRecord | undefined;
    for (const server of servers.values()) {
      if (this.#isConnected(server)) continue;
      if (removed === undefined || isLess(rank(server), rank(removed))) removed = server;
    }
    if (removed === undefined) return false;
    servers.delete(removed.serverId);
    for (const { clientId } of this.#store.controllersOf(removed.environmentId)) controllers.delete(clientId);
    return true;
  }
}

function isLess(a: readonly [number, number], b: readonly [number, number]): boolean {
  return a[0] === b[0] ? a[1] < b[1] : a[0] < b[0];
}
