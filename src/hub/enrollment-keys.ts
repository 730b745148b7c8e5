import * as v from 'valibot';
import { hashToken, mintToken } from '../backend/identities.js';
import type { Secret } from '../protocol/secret.js';
import { Facts } from './state/facts.js';
import type { StateStore } from './state/state-store.js';

const Time = v.pipe(v.number(), v.integer(), v.minValue(0));
/** `owner` enrolls machines and manages their devices; `viewer` only sees them. HUB-50 */
export const KEY_ROLES = ['owner', 'viewer'] as const;
export type KeyRole = (typeof KEY_ROLES)[number];

const KeySchema = v.object({
  id: v.string(),
  account: v.string(),
  createdAt: Time,
  expiresAt: v.nullable(Time),
  /** Keys of before have none. */
  role: v.optional(v.picklist(KEY_ROLES), 'owner'),
});

/** A key without its secret. Times are wall-clock milliseconds. */
export type EnrollmentKey = v.InferOutput<typeof KeySchema>;

const ID_CHARS = 10;

/** The keys with which engines enroll at a hub. Only their hashes are stored. Throws StateUnavailableError. */
export class EnrollmentKeys {
  readonly #keys: Facts<typeof KeySchema>;
  readonly #now: () => number;

  constructor(store: StateStore, now: () => number) {
    this.#keys = new Facts(store.bucket('keys'), KeySchema);
    this.#now = now;
  }

  /** @param lifetime ms; undefined: for ever */
  async create(
    account: string,
    lifetime?: number,
    role: KeyRole = 'owner',
  ): Promise<{ readonly key: EnrollmentKey; readonly secret: Secret }> {
    const secret = mintToken('rck');
    const hash = hashToken(secret.reveal());
    const createdAt = this.#now();
    const expiresAt = lifetime === undefined ? null : createdAt + lifetime;
    const key = { id: hash.slice(0, ID_CHARS), account, createdAt, expiresAt, role };
    await this.#keys.put(hash, key);
    return { key, secret };
  }

  async list(): Promise<readonly EnrollmentKey[]> {
    return [...(await this.#keys.list())].sort((a, b) => a.createdAt - b.createdAt);
  }

  /** Machines that enrolled with it keep their identity, and cannot renew their tokens with it. False: the key does not exist. */
  async revoke(id: string): Promise<boolean> {
    const hash = await this.#keys.keyWhere((key) => key.id === id);
    if (hash === undefined) return false;
    await this.#keys.delete(hash);
    return true;
  }

  /** Undefined: the key is unknown, revoked or expired. */
  async find(secret: string): Promise<EnrollmentKey | undefined> {
    const key = (await this.#keys.get(hashToken(secret)))?.value;
    if (key === undefined || (key.expiresAt !== null && key.expiresAt <= this.#now())) return undefined;
    return key;
  }
}
