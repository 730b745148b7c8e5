import { isRecord } from '../../../src/protocol/jsonrpc.js';
import { STORE_FILE } from '../parts/engine.js';
import { accountOf } from '../parts/tokens.js';
import type { Site } from '../site.js';
import { EPOCH } from '../world/machine.js';
import { Violation } from '../world/violation.js';
import type { Invariant } from './invariant.js';
import type { WireListener, WireRequest } from './wire.js';

const GONE = 'Remote app server not found';
/** A change of the account reaches the engine within this time, ms. */
const ACCOUNT_GRACE = 8_000;
/** A request that was sent in time arrives within this time, ms. */
const EXPIRY_GRACE = 45_000;

/** An identity that the engine got from the backend. */
interface Issued {
  readonly serverId: string;
  readonly account: string;
  /** The process that got it. */
  readonly pid: number;
}

/**
 * The identity of the machine: it is requested when there is none, it stays stored until the backend has said that it is
 * gone, and its tokens serve it alone.
 */
export class Identity implements Invariant, WireListener {
  readonly name = 'an identity is requested once, kept, and used with its own tokens';
  readonly #site: Site;
  /** The stored server ids by account. */
  #stored = new Map<string, string>();
  #version = -1;
  #data: Buffer | undefined;
  /** Server ids that the backend has called gone, or that one of its answers may have meant. */
  readonly #gone = new Set<string>();
  /** The owner of each server token. */
  readonly #owners = new Map<string, string>();
  readonly #accounts = new Map<string, string>();
  /** When each server token ends, as the backend has announced it, in ms of the world. */
  readonly #ends = new Map<string, number>();
  #issued: Issued | undefined;
  #accountChangedAt = 0;
  #account: string;

  constructor(site: Site) {
    this.#site = site;
    this.#account = [...site.accounts].join();
  }

  check(): void {
    const { host, accounts, world } = this.#site;
    const account = [...accounts].join();
    if (account !== this.#account) {
      this.#account = account;
      this.#accountChangedAt = world.scheduler.now;
    }
    if (host.disk.version === this.#version) return;
    this.#version = host.disk.version;
    const data = host.disk.find(STORE_FILE)?.data;
    if (data === this.#data) return;
    this.#data = data;
    this.#compare(storedIn(data));
  }

  /** A stored identity is never removed. It may be replaced when the backend has said that it is gone. */
  #compare(now: Map<string, string>): void {
    for (const [account, serverId] of this.#stored) {
      const next = now.get(account);
      if (next === undefined) this.#fail(`${serverId} of ${account} was removed`);
      else if (next !== serverId && !this.#gone.has(serverId)) {
        this.#fail(`${serverId} of ${account} was replaced by ${next} without proof`);
      }
    }
    this.#stored = now;
  }

  onRequest({ path, headers, body }: WireRequest): void {
    const bearer = (headers.authorization ?? '').replace(/^Bearer /, '');
    if (path.endsWith('/server/enroll')) this.#onEnroll(accountOf(bearer)?.account ?? '');
    else if (path.endsWith('/server/refresh')) this.#onRefresh(accountOf(bearer)?.account ?? '', body);
    else if (path.endsWith('/control/server')) this.#onDial(bearer, headers['x-codex-server-id'] ?? '');
  }

  #onEnroll(account: string): void {
    this.check();
    const stored = this.#stored.get(account);
    if (stored !== undefined && !this.#gone.has(stored)) {
      this.#fail(`another identity is requested for ${account}, which has ${stored}`);
    }
    const issued = this.#issued;
    const { process } = this.#site.engine;
    if (issued === undefined || issued.pid !== process?.pid || issued.account !== account) return;
    if (!this.#gone.has(issued.serverId) && !this.#accountChanged) {
      this.#fail(`another identity is requested for ${account}, which has just got ${issued.serverId}`);
    }
  }

  #onRefresh(account: string, body: string): void {
    const serverId = memberOf(body, 'server_id');
    const owner = this.#accounts.get(serverId);
    if (owner !== undefined && owner !== account) {
      this.#fail(`${serverId} of ${owner} is refreshed with the token of ${account}`);
    }
  }

  #onDial(token: string, serverId: string): void {
    this.check();
    if (![...this.#stored.values()].includes(serverId)) this.#fail(`${serverId} is used and not stored`);
    const owner = this.#owners.get(token);
    if (owner !== undefined && owner !== serverId)
      this.#fail(`${serverId} is used with the token of ${owner}`);
    const account = this.#accounts.get(serverId);
    if (account !== undefined && !this.#site.accounts.has(account) && !this.#accountChanged) {
      this.#fail(`${serverId} of ${account} is used while ${this.#account || 'nobody'} is signed in`);
    }
    const end = this.#ends.get(token);
    const { host, world } = this.#site;
    // A token that the backend has ended early is refused; one that ends as announced must not be used.
    if (end !== undefined && host.clockOffset === 0 && world.scheduler.now - end > EXPIRY_GRACE) {
      this.#fail(
        `${serverId} is used with a token that ended ${Math.round(world.scheduler.now - end)} ms ago`,
      );
    }
  }

  onResponse(
    { path, headers }: WireRequest,
    status: number,
    _headers: WireRequest['headers'],
    body: string,
  ): void {
    if (status === 404 && body.includes(GONE)) {
      for (const serverId of this.#stored.values()) this.#gone.add(serverId);
      if (this.#issued !== undefined) this.#gone.add(this.#issued.serverId);
    }
    if (status !== 200) return;
    const serverId = memberOf(body, 'server_id');
    const token = memberOf(body, 'remote_control_token');
    if (serverId === '' || token === '') return;
    this.#owners.set(token, serverId);
    const end = Date.parse(memberOf(body, 'expires_at'));
    if (!Number.isNaN(end)) this.#ends.set(token, end - EPOCH);
    if (!path.endsWith('/server/enroll')) return;
    const account = accountOf((headers.authorization ?? '').replace(/^Bearer /, ''))?.account ?? '';
    this.#accounts.set(serverId, account);
    const { process } = this.#site.engine;
    if (process !== undefined) this.#issued = { serverId, account, pid: process.pid };
  }

  get #accountChanged(): boolean {
    const { scheduler } = this.#site.world;
    return this.#accountChangedAt > 0 && scheduler.now - this.#accountChangedAt < ACCOUNT_GRACE;
  }

  #fail(message: string): void {
    this.#site.world.scheduler.fail(new Violation(this.name, message));
  }
}

/** The server ids in the store of the simulated SQLite, by account. */
function storedIn(data: Buffer | undefined): Map<string, string> {
  const stored = new Map<string, string>();
  if (data === undefined || data.length === 0) return stored;
  const rows: unknown = JSON.parse(data.toString().slice('SQLite format 3\0'.length));
  if (!isRecord(rows)) return stored;
  for (const [key, text] of Object.entries(rows)) {
    const account = /\|account=([^|]*)/.exec(key)?.[1];
    const serverId = memberOf(String(text), 'server_id');
    if (account !== undefined && serverId !== '') stored.set(account, serverId);
  }
  return stored;
}

/** A string member of JSON, wherever it is; empty: there is none. */
const memberOf = (json: string, name: string): string =>
  new RegExp(`"${name}":"([^"]+)"`).exec(json)?.[1] ?? '';
