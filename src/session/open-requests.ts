import { isSameId, RawId, type RpcId } from '../protocol/jsonrpc.js';

/** Requests of one client that are remembered; above it the oldest is forgotten. */
const MAX_REQUESTS = 4_096;
/** UTF-16 units of their ids together. */
const MAX_CHARS = 256 * 1024;
/** A part of a longer text is copied, because it would keep the whole text in memory. */
const MAX_SHARED_TEXT = 512;

/** Equal for the same id, also when its sender and the app server write a number differently. */
type Key = string | number | bigint;

/**
 * The ids of requests without a response yet, so that each gets one when the session ends. RC-80
 *
 * Most clients have one open request or none, and there may be thousands of them: one id needs no map.
 */
export class OpenRequests {
  #only: RpcId | undefined;
  #more: Map<Key, RpcId> | undefined;
  #chars = 0;

  /** @param textLength Length of the message that the id was read from. */
  add(id: RpcId, textLength: number): void {
    const kept = typeof id === 'string' && textLength > MAX_SHARED_TEXT ? copyOf(id) : id;
    this.#chars += charsOf(kept);
    if (this.#more === undefined) {
      if (this.#only === undefined) {
        this.#only = kept;
        return;
      }
      this.#more = new Map([[keyOf(this.#only), this.#only]]);
      this.#only = undefined;
    }
    const key = keyOf(kept);
    const same = this.#more.get(key);
    if (same !== undefined) this.#chars -= charsOf(same);
    this.#more.set(key, kept);
    while (this.#more.size > 1 && (this.#more.size > MAX_REQUESTS || this.#chars > MAX_CHARS)) {
      this.#forgetOldest(this.#more);
    }
  }

  /** The request has its response. */
  delete(id: RpcId): void {
    if (this.#more === undefined) {
      if (this.#only === undefined || !isSameId(this.#only, id)) return;
      this.#only = undefined;
      this.#chars = 0;
      return;
    }
    let key = keyOf(id);
    let found = this.#more.get(key);
    if (found === undefined) {
      const rounded = this.#findRounded(this.#more, id);
      if (rounded === undefined) return;
      [key, found] = rounded;
    }
    this.#more.delete(key);
    this.#chars -= charsOf(found);
    if (this.#more.size === 0) this.#more = undefined;
  }

  /** All ids, the oldest first. */
  get ids(): readonly RpcId[] {
    if (this.#more !== undefined) return [...this.#more.values()];
    return this.#only === undefined ? [] : [this.#only];
  }

  /** An app server that reads numbers as doubles responds to 9007199254740993 with 9007199254740992. */
  #findRounded(requests: Map<Key, RpcId>, id: RpcId): readonly [Key, RpcId] | undefined {
    if (typeof id === 'string' || Number.isSafeInteger(id)) return undefined;
    for (const entry of requests) if (isSameId(entry[1], id)) return entry;
    return undefined;
  }

  #forgetOldest(requests: Map<Key, RpcId>): void {
    const oldest = requests.entries().next();
    if (oldest.done === true) return;
    const [key, id] = oldest.value;
    requests.delete(key);
    this.#chars -= charsOf(id);
  }
}

function keyOf(id: RpcId): Key {
  if (!(id instanceof RawId)) return id;
  const value = Number(id.text);
  // A bigint of thousands of digits would cost more than it tells.
  return /^-?\d{1,64}$/.test(id.text) && !Number.isSafeInteger(value) ? BigInt(id.text) : value;
}

function charsOf(id: RpcId): number {
  if (typeof id === 'string') return id.length;
  return id instanceof RawId ? id.text.length : 0;
}

function copyOf(text: string): string {
  return Buffer.from(text, 'utf16le').toString('utf16le');
}
