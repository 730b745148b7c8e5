/**
 * The account in an auth.json that other programs write as well: one copy in memory, and a watch on the file. What
 * the file says never takes the account in memory away. A newer token of the same account is adopted at once, another
 * account only on `reload`. RC-26, RC-29, ACC-50, ACC-91
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, type AuthOutcome, type Failure, failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Secret } from '../../protocol/secret.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { writableByOthers } from '../../system/permissions.js';
import { invalidSignIn, parseAuthJson, type SignIn, type ValidSignIn } from './auth-json.js';
import { FileWatcher } from './file-watcher.js';

export type AuthChange =
  /** The account in memory is another one now, or has a newer token. */
  | { readonly kind: 'adopted'; readonly account: Account }
  /** No account is in memory, and the reason why the file gives none has changed. */
  | { readonly kind: 'invalid'; readonly failure: Failure }
  /** The account in memory stays; whether the file agrees with it (`differsOnDisk`) may have changed. */
  | { readonly kind: 'diskOnly' };

interface AuthFileOptions {
  readonly path: string;
  /** Content in memory that replaces the file: nothing is read from disk or watched then. ACC-57 */
  readonly memory?: { readonly content: Secret | undefined } | undefined;
  /** Wall-clock milliseconds. */
  readonly now: () => number;
  /** Between two checks when the system reports no change, ms. Default 2,000. */
  readonly pollMs?: number;
  /** A change from outside. Not called for what `load` and `reload` return, nor for announced own writes. RC-29 */
  readonly onChange: (change: AuthChange) => void;
}

/** The sign-in in memory. */
type CurrentSignIn = ValidSignIn & { readonly account: Account };

/** Identifies the content of an auth.json. */
export function contentHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

interface Reading {
  readonly signIn: SignIn;
  /** Equal for two readings of the same content. */
  readonly key: string;
}

const SIZE_LIMIT = 1024 * 1024;
/** A writer rarely needs longer than this from the first byte to the last, ms. */
const SETTLE = 50;
const POLL = 2_000;
const OWN_WRITES = 16;

export class AuthFile {
  /** For messages: the absolute path, or what is used instead of a file. */
  readonly name: string;
  readonly #path: string;
  readonly #options: AuthFileOptions;
  readonly #watcher: FileWatcher;
  #current: CurrentSignIn | undefined;
  /** Grows with each new token in memory. */
  #generation = 0;
  #onDisk: SignIn | undefined;
  #lastKey: string | undefined;
  /** Of a partial file that gets a second reading. */
  #partialKey: string | undefined;
  /** Sign-ins on disk that tokens in memory replace and that could not be overwritten yet. ACC-113 */
  #stale: ValidSignIn[] = [];
  /** Hashes of content that the engine wrote itself. */
  readonly #ownWrites = new Set<string>();

  constructor(options: AuthFileOptions) {
    this.#options = options;
    this.#path = resolve(options.path);
    this.name = options.memory === undefined ? this.#path : 'the memory of this engine';
    const pollMs = options.pollMs ?? POLL;
    this.#watcher = new FileWatcher({ path: this.#path, pollMs, check: () => this.#check() });
  }

  /** The account in memory; the file is read only while there is none. */
  async load(): Promise<AuthOutcome> {
    if (this.#current !== undefined) return { kind: 'usable', account: this.#current.account };
    return this.reload({ guarded: false });
  }

  /**
   * Reads the file. Guarded: adopts the content only for the account in memory, and leaves memory alone otherwise
   * (ACC-50). Unguarded: adopts whatever the file says, also that nobody is signed in (ACC-68).
   */
  async reload({ guarded }: { readonly guarded: boolean }): Promise<AuthOutcome> {
    let reading = this.#read();
    if (reading.signIn.kind === 'invalid' && reading.signIn.partial) {
      await sleep(SETTLE);
      reading = this.#read();
    }
    this.#record(reading);
    const { signIn } = reading;
    const { account } = this.#current ?? {};
    if (signIn.kind === 'invalid') {
      // A file that cannot be read does not take away tokens that are nowhere else.
      const isOnlyCopy =
        this.#stale.length > 0 && (signIn.partial || signIn.failure.reason === 'authUnreadable');
      if (!guarded && account !== undefined && isOnlyCopy) return { kind: 'usable', account };
      if (!guarded) this.#current = undefined;
      return { kind: 'ineligible', failure: signIn.failure };
    }
    if (account !== undefined && this.#isStale(signIn)) return { kind: 'usable', account };
    if (guarded && signIn.accountId !== this.#current?.accountId) return this.#skipped();
    return { kind: 'usable', account: this.#adopt(signIn) };
  }

  /** The sign-in in memory. */
  get current(): CurrentSignIn | undefined {
    return this.#current;
  }

  /** What the last reading of the file found; undefined before the first. */
  get onDisk(): SignIn | undefined {
    return this.#onDisk;
  }

  /** Of the account in memory; to be revealed only where it goes on the wire. */
  accessToken(): Secret | undefined {
    return this.#current?.accessToken;
  }

  /** The last reading found another account than the one in memory, or none. */
  get differsOnDisk(): boolean {
    if (this.#current === undefined || this.#onDisk === undefined) return false;
    return this.#onDisk.kind === 'invalid' || this.#onDisk.accountId !== this.#current.accountId;
  }

  /**
   * Puts new tokens in use that are not in the file yet.
   * @param content What the file will hold.
   * @param before The sign-in that they renew: found on disk, it counts as no change. ACC-113
   */
  adoptUnsaved(content: string, before: ValidSignIn): void {
    const signIn = parseAuthJson(content, this.name, this.#options.now());
    this.#stale.push(before);
    // Tokens without account id cannot be used; they are saved nevertheless.
    if (signIn.kind === 'valid') this.#adopt(signIn);
  }

  /** The tokens in memory are saved, or are no longer meant to be. */
  forgetStale(): void {
    this.#stale = [];
  }

  #isStale(signIn: ValidSignIn): boolean {
    return this.#stale.some(
      ({ accountId, accessToken, refreshToken }) =>
        accountId === signIn.accountId &&
        accessToken.equals(signIn.accessToken) &&
        (refreshToken === undefined
          ? signIn.refreshToken === undefined
          : signIn.refreshToken?.equals(refreshToken) === true),
    );
  }

  /** Call before writing the file: content with this `contentHash` is no change from outside. RC-29 */
  noteOwnWrite(hash: string): void {
    this.#ownWrites.add(hash);
    for (const oldest of this.#ownWrites) {
      if (this.#ownWrites.size <= OWN_WRITES) break;
      this.#ownWrites.delete(oldest);
    }
  }

  /** Watches the file until `close`. */
  watch(): void {
    if (this.#options.memory === undefined) this.#watcher.start();
  }

  close(): void {
    this.#watcher.close();
  }

  /** Looks for a change from outside. */
  #check(): void {
    const reading = this.#read();
    const { signIn, key } = reading;
    if (key === this.#lastKey) {
      this.#partialKey = undefined;
      return;
    }
    if (signIn.kind === 'invalid' && signIn.partial && key !== this.#partialKey) {
      this.#partialKey = key;
      this.#watcher.checkSoon(SETTLE);
      return;
    }
    const differed = this.differsOnDisk;
    // The first reading finds no file: nothing has changed, although another file of the directory may have.
    const neverExisted = this.#lastKey === undefined && isMissing(signIn);
    const own = this.#record(reading) || neverExisted;
    const change = this.#apply(signIn, differed);
    if (change !== undefined && !own) this.#options.onChange(change);
  }

  #apply(signIn: SignIn, differed: boolean): AuthChange | undefined {
    const current = this.#current;
    if (signIn.kind === 'invalid') {
      return current === undefined ? { kind: 'invalid', failure: signIn.failure } : { kind: 'diskOnly' };
    }
    if (current !== undefined && !this.#isNewer(signIn, current)) {
      return differed || this.differsOnDisk ? { kind: 'diskOnly' } : undefined;
    }
    return { kind: 'adopted', account: this.#adopt(signIn) };
  }

  #isNewer(signIn: ValidSignIn, current: ValidSignIn): boolean {
    if (signIn.accountId !== current.accountId || signIn.accessToken.equals(current.accessToken))
      return false;
    if (this.#isStale(signIn)) return false;
    // An expired token from a restored backup must not replace one that still works.
    const now = this.#options.now();
    return !((signIn.expiresAt ?? now + 1) <= now && (current.expiresAt ?? now + 1) > now);
  }

  #adopt(signIn: ValidSignIn): Account {
    const current = this.#current;
    const sameToken =
      current?.accountId === signIn.accountId && signIn.accessToken.equals(current.accessToken);
    // With the same token, the refresh token or the profile may still be newer.
    if (current !== undefined && sameToken) {
      this.#current = { ...signIn, account: current.account };
      return current.account;
    }
    this.#generation += 1;
    const account = { accountId: signIn.accountId, generation: this.#generation };
    this.#current = { ...signIn, account };
    return account;
  }

  /** Records what was read; true: the engine wrote it itself. */
  #record({ signIn, key }: Reading): boolean {
    // Own content that was seen and then replaced: if it comes back, somebody else wrote it.
    if (this.#lastKey !== undefined && this.#lastKey !== key) this.#ownWrites.delete(this.#lastKey);
    this.#onDisk = signIn;
    this.#lastKey = key;
    this.#partialKey = undefined;
    return this.#ownWrites.has(key);
  }

  #skipped(): AuthOutcome {
    const current = this.#current;
    const [reason, problem]: [Reason, string] =
      current === undefined
        ? ['authMissing', 'no account is in memory that a reload could update']
        : ['accountDiffersOnDisk', `it holds another account than ${current.accountId}, which is in use`];
    return {
      kind: 'ineligible',
      failure: failure(reason, `${this.name}: ${problem}`, this.#options.now()),
    };
  }

  #read(): Reading {
    const at = this.#options.now();
    const invalid = (reason: Reason, problem: string): Reading => ({
      signIn: invalidSignIn(reason, `${this.name}: ${problem}`, at),
      key: `${reason} ${problem}`,
    });
    const { memory } = this.#options;
    if (memory !== undefined) {
      const text = memory.content?.reveal();
      if (text === undefined) return invalid('authMissing', 'nobody is signed in');
      return { signIn: parseAuthJson(text, this.name, at), key: contentHash(text) };
    }
    try {
      const stat = statSync(this.#path);
      // Reading a named pipe would block the whole process.
      if (!stat.isFile()) return invalid('authUnreadable', 'it is not a regular file');
      if (stat.size > SIZE_LIMIT) return invalid('authUnreadable', 'it is larger than 1 MiB');
      const writable = writableByOthers(stat);
      if (writable !== undefined) return invalid('authUnreadable', `it ${writable}: run chmod 600`);
      const content = readFileSync(this.#path);
      return { signIn: parseAuthJson(content.toString(), this.#path, at), key: contentHash(content) };
    } catch (error) {
      const code = errnoOf(error);
      if (code === undefined) throw error;
      return code === 'ENOENT'
        ? invalid('authMissing', 'nobody is signed in: the file does not exist')
        : invalid('authUnreadable', errnoText(error));
    }
  }
}

const isMissing = (signIn: SignIn): boolean =>
  signIn.kind === 'invalid' && signIn.failure.reason === 'authMissing';
