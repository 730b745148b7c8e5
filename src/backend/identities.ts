import { randomBytes } from 'node:crypto';
import type { Secret } from '../protocol/secret.js';
import { hashOf, mintToken } from './credentials.js';
import type { ServerRecord, Store } from './store.js';

/** Identities kept; past it the one not seen for the longest time goes, with its clients. */
const MAX_SERVERS = 1_000;
/** Good tokens of one server at a time. */
const MAX_TOKENS = 4;

export interface EnrollRequest {
  readonly accountId: string;
  readonly installationId: string;
  readonly name: string;
  readonly os: string;
  readonly arch: string;
  readonly appServerVersion: string;
}
export interface Grant {
  readonly server: ServerRecord;
  readonly token: Secret;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** Servers (enrolled machines) and their tokens. RC-9, RC-10 */
export class Identities {
  readonly #store: Store;
  readonly #now: () => number;
  /** Milliseconds that a new token lives. */
  tokenLife: number;

  constructor(store: Store, now: () => number, tokenLife: number) {
    this.#store = store;
    this.#now = now;
    this.tokenLife = tokenLife;
  }

  /** Each enrollment makes a new identity, as one installation may hold several. */
  enroll(request: EnrollRequest): Grant {
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
    this.#forgetStalest();
    return this.grant(server);
  }

  /** The server, if it belongs to that account. */
  find(serverId: string, accountId: string): ServerRecord | undefined {
    const server = this.#store.servers.get(serverId);
    return server?.accountId === accountId ? server : undefined;
  }

  /** A new token for the server. */
  grant(server: ServerRecord): Grant {
    const now = this.#now();
    const token = mintToken('rcs');
    const expiresAt = now + this.tokenLife;
    server.tokens = [
      ...server.tokens.filter((old) => old.expiresAt > now).slice(1 - MAX_TOKENS),
      { hash: hashOf(token.reveal()), expiresAt },
    ];
    this.seen(server);
    return { server, token, expiresAt };
  }

  /** The server that this token was given to, while it is good. */
  serverOf(token: string): ServerRecord | undefined {
    const hash = hashOf(token);
    const now = this.#now();
    for (const server of this.#store.servers.values()) {
      if (server.tokens.some((known) => known.hash === hash && known.expiresAt > now)) return server;
    }
    return undefined;
  }

  seen(server: ServerRecord): void {
    server.lastSeenAt = this.#now();
    this.#store.changed();
  }

  /** Makes every token given out so far end then. */
  expireTokens(at: number): void {
    for (const server of this.#store.servers.values()) {
      server.tokens = server.tokens.map((token) => ({ ...token, expiresAt: Math.min(token.expiresAt, at) }));
    }
    this.#store.changed();
  }

  forgetAll(): void {
    this.#store.servers.clear();
    this.#store.clients.clear();
    this.#store.changed();
  }

  #forgetStalest(): void {
    const { servers, clients } = this.#store;
    if (servers.size <= MAX_SERVERS) return;
    let stalest: ServerRecord | undefined;
    for (const server of servers.values()) {
      if (stalest === undefined || server.lastSeenAt < stalest.lastSeenAt) stalest = server;
    }
    if (stalest === undefined) return;
    servers.delete(stalest.serverId);
    for (const client of this.#store.clientsOf(stalest.environmentId)) clients.delete(client.clientId);
  }
}
