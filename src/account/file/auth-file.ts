/**
 * The account of an auth.json that other programs write, too: one copy in memory, and a watch on the file.
 * What lies on disk never takes the account in memory away; a newer token of the same account is taken at once,
 * another account only on `reload`. RC-26, RC-29, ACC-50
 */
import { createHash } from 'node:crypto';
import { type FSWatcher, readFileSync, statSync, watch as watchFolder } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account, AuthOutcome, Failure } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import type { Secret } from '../../protocol/secret.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { noSignIn, parseAuthJson, type SignIn } from './auth-json.js';

export type AuthChange =
  /** The account in memory is another one now, or has a newer token. */
  | { readonly kind: 'usable'; readonly account: Account }
  /** Nothing is in memory, and why the file gives nothing has changed. */
  | { readonly kind: 'unusable'; readonly failure: Failure }
  /** The account in memory stays; whether the file agrees with it (`differsOnDisk`) may have changed. */
  | { readonly kind: 'diskOnly' };

export interface AuthFileOptions {
  readonly path: string;
  /** Content in memory that replaces the file: nothing is read from disk or watched then. ACC-57 */
  readonly memory?: { readonly content: Secret | undefined } | undefined;
  /** Wall-clock milliseconds. */
  readonly now: () => number;
  /** Between two looks in case the system reports no change, ms. Default 2,000. */
  readonly pollMs?: number;
  /** A change from outside. Not called for what `load` and `reload` answer, nor for announced own writes. RC-29 */
  readonly onChange: (change: AuthChange) => void;
}

/** A ChatGPT sign-in with an account id. */
export type UsableSignIn = Extract<SignIn, { kind: 'usable' }>;

export interface AuthFile {
  /** For messages: its absolute path, or what it is instead of a file. */
  readonly name: string;
  /** The sign-in in memory. */
  readonly held: (UsableSignIn & { readonly account: Account }) | undefined;
  /** What the last look at the file saw; undefined before the first. */
  readonly disk: SignIn | undefined;
  /** The account in memory; the file is read only while there is none. */
  load(): Promise<AuthOutcome>;
  /**
   * Reads the file. Guarded: takes what it says only for the account in memory, and leaves that alone otherwise
   * (ACC-50). Unguarded: whatever the file says holds, also that nobody is signed in (ACC-68).
   */
  reload(options: { readonly guarded: boolean }): Promise<AuthOutcome>;
  /** Of the account in memory; to be revealed only where it goes on the wire. */
  accessToken(): Secret | undefined;
  /** Grows with each new token in memory; 0: there has been none. */
  readonly generation: number;
  /** The file holds another account than memory, or none. As of the last look. */
  readonly differsOnDisk: boolean;
  /** Call before writing the file: content with this `contentHash` is ours and no change from outside. RC-29 */
  noteOwnWrite(hash: string): void;
  /** Starts to look for changes, until `close`. */
  watch(): void;
  close(): void;
}

/** Identifies the content of an auth.json. */
export function contentHash(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

interface Look {
  readonly signIn: SignIn;
  /** Equal for two looks that saw the same. */
  readonly key: string;
}

const SIZE_LIMIT = 1024 * 1024;
/** Writers rarely take longer between the first byte and the last, ms. */
const SETTLE = 50;
/** A replacement comes as several events, ms. */
const DEBOUNCE = 20;
const OWN_WRITES = 16;
const IN_MEMORY = 'the memory of this engine';

export function createAuthFile(options: AuthFileOptions): AuthFile {
  return new WatchedAuthFile(options);
}

class WatchedAuthFile implements AuthFile {
  readonly #path: string;
  readonly #options: AuthFileOptions;
  #held: (UsableSignIn & { readonly account: Account }) | undefined;
  #generation = 0;
  #disk: SignIn | undefined;
  #seenKey: string | undefined;
  #unsettledKey: string | undefined;
  readonly #ownWrites = new Set<string>();
  #watcher: FSWatcher | undefined;
  #watchedFolder: string | undefined;
  #poll: NodeJS.Timeout | undefined;
  #pending: NodeJS.Timeout | undefined;

  constructor(options: AuthFileOptions) {
    this.#options = options;
    this.#path = resolve(options.path);
  }

  async load(): Promise<AuthOutcome> {
    if (this.#held !== undefined) return { kind: 'usable', account: this.#held.account };
    return this.reload({ guarded: false });
  }

  async reload({ guarded }: { readonly guarded: boolean }): Promise<AuthOutcome> {
    let look = this.#look();
    if (look.signIn.kind === 'unusable' && look.signIn.unsettled) {
      await sleep(SETTLE);
      look = this.#look();
    }
    this.#note(look);
    const { signIn } = look;
    if (signIn.kind === 'unusable') {
      if (!guarded) this.#held = undefined;
      return { kind: 'unusable', failure: signIn.failure };
    }
    if (guarded && signIn.accountId !== this.#held?.accountId) return this.#skipped();
    return { kind: 'usable', account: this.#take(signIn) };
  }

  get name(): string {
    return this.#options.memory === undefined ? this.#path : IN_MEMORY;
  }

  get held(): (UsableSignIn & { readonly account: Account }) | undefined {
    return this.#held;
  }

  get disk(): SignIn | undefined {
    return this.#disk;
  }

  accessToken(): Secret | undefined {
    return this.#held?.accessToken;
  }

  get generation(): number {
    return this.#generation;
  }

  get differsOnDisk(): boolean {
    if (this.#held === undefined || this.#disk === undefined) return false;
    return this.#disk.kind === 'unusable' || this.#disk.accountId !== this.#held.accountId;
  }

  noteOwnWrite(hash: string): void {
    this.#ownWrites.add(hash);
    for (const oldest of this.#ownWrites) {
      if (this.#ownWrites.size <= OWN_WRITES) break;
      this.#ownWrites.delete(oldest);
    }
  }

  watch(): void {
    if (this.#poll !== undefined || this.#options.memory !== undefined) return;
    // The folder is watched, not the file: a file that is replaced by rename takes its watch with it.
    this.#poll = setInterval(() => this.#pollNow(), this.#options.pollMs ?? 2_000);
    this.#poll.unref();
    this.#watchFolder();
    this.#checkSoon(DEBOUNCE);
  }

  close(): void {
    clearInterval(this.#poll);
    clearTimeout(this.#pending);
    this.#poll = undefined;
    this.#pending = undefined;
    this.#unwatch();
  }

  #pollNow(): void {
    this.#watchFolder();
    this.#check();
  }

  /** Watches the folder that is there now: it may have come, gone or been replaced since. */
  #watchFolder(): void {
    const folder = dirname(this.#path);
    const name = basename(this.#path);
    const identity = identityOf(folder);
    if (identity === this.#watchedFolder && this.#watcher !== undefined) return;
    this.#unwatch();
    if (identity === undefined) return;
    try {
      this.#watcher = watchFolder(folder, { persistent: false }, (_event, changed) => {
        if (changed === null || changed === name) this.#checkSoon(DEBOUNCE);
      });
      this.#watchedFolder = identity;
      // Out of watches or not supported here: the poll goes on.
      this.#watcher.on('error', () => this.#unwatch());
    } catch {
      this.#unwatch();
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watchedFolder = undefined;
  }

  /** Not put off by further events, so that a busy writer cannot put it off for ever. */
  #checkSoon(delay: number): void {
    if (this.#poll === undefined) return;
    this.#pending ??= setTimeout(() => {
      this.#pending = undefined;
      this.#check();
    }, delay).unref();
  }

  /** One look for changes from outside. */
  #check(): void {
    const look = this.#look();
    if (look.key === this.#seenKey) {
      this.#unsettledKey = undefined;
      return;
    }
    if (look.signIn.kind === 'unusable' && look.signIn.unsettled && look.key !== this.#unsettledKey) {
      this.#unsettledKey = look.key;
      this.#checkSoon(SETTLE);
      return;
    }
    const differed = this.differsOnDisk;
    // Where nobody has looked before, and there is nothing, nothing has changed: other files of the folder have.
    const neverThere = this.#seenKey === undefined && isMissing(look.signIn);
    const own = this.#note(look) || neverThere;
    const change = this.#apply(look.signIn, differed);
    if (change !== undefined && !own) this.#options.onChange(change);
  }

  #apply(signIn: SignIn, differed: boolean): AuthChange | undefined {
    const held = this.#held;
    if (signIn.kind === 'unusable') {
      return held === undefined ? { kind: 'unusable', failure: signIn.failure } : { kind: 'diskOnly' };
    }
    if (held !== undefined && !this.#isNewer(signIn, held)) {
      return differed || this.differsOnDisk ? { kind: 'diskOnly' } : undefined;
    }
    return { kind: 'usable', account: this.#take(signIn) };
  }

  #isNewer(signIn: UsableSignIn, held: UsableSignIn): boolean {
    if (signIn.accountId !== held.accountId || signIn.accessToken.equals(held.accessToken)) return false;
    // A restored old file must not push out a token that still works.
    const now = this.#options.now();
    return !((signIn.expiresAt ?? now + 1) <= now && (held.expiresAt ?? now + 1) > now);
  }

  #take(signIn: UsableSignIn): Account {
    const held = this.#held;
    if (
      held !== undefined &&
      held.accountId === signIn.accountId &&
      signIn.accessToken.equals(held.accessToken)
    ) {
      // The refresh token or the profile beside it may be newer.
      this.#held = { ...signIn, account: held.account };
      return held.account;
    }
    this.#generation += 1;
    const account = { accountId: signIn.accountId, generation: this.#generation };
    this.#held = { ...signIn, account };
    return account;
  }

  /** Remembers what was seen; true when we wrote it ourselves. */
  #note(look: Look): boolean {
    // Our content has been seen and replaced: should it come back, then somebody else brought it back.
    if (this.#seenKey !== undefined && this.#seenKey !== look.key) this.#ownWrites.delete(this.#seenKey);
    this.#disk = look.signIn;
    this.#seenKey = look.key;
    this.#unsettledKey = undefined;
    return this.#ownWrites.has(look.key);
  }

  #skipped(): AuthOutcome {
    const held = this.#held;
    const [reason, what]: [Reason, string] =
      held === undefined
        ? ['authMissing', 'there is no account in memory that it could renew']
        : ['accountDiffersOnDisk', `it holds another account than ${held.accountId}, which is in use`];
    return {
      kind: 'unusable',
      failure: { reason, message: `${this.name}: ${what}`, at: this.#options.now() },
    };
  }

  #look(): Look {
    const at = this.#options.now();
    const fault = (reason: Reason, what: string): Look => ({
      signIn: noSignIn(reason, `${this.name}: ${what}`, at),
      key: `${reason} ${what}`,
    });
    const { memory } = this.#options;
    if (memory !== undefined) {
      const text = memory.content?.reveal();
      if (text === undefined) return fault('authMissing', 'nobody is signed in');
      return { signIn: parseAuthJson(text, this.name, at), key: contentHash(text) };
    }
    try {
      const { size, isFile } = statOf(this.#path);
      // A pipe in its place would hold up the whole process.
      if (!isFile) return fault('authUnreadable', 'it is no file');
      if (size > SIZE_LIMIT) return fault('authUnreadable', 'it is far too large');
      const content = readFileSync(this.#path);
      return { signIn: parseAuthJson(content.toString(), this.#path, at), key: contentHash(content) };
    } catch (error) {
      const code = errnoOf(error);
      if (code === undefined) throw error;
      return code === 'ENOENT'
        ? fault('authMissing', 'nobody is signed in: the file is not there')
        : fault('authUnreadable', errnoText(error));
    }
  }
}

const isMissing = (signIn: SignIn): boolean =>
  signIn.kind === 'unusable' && signIn.failure.reason === 'authMissing';

function statOf(path: string): { size: number; isFile: boolean } {
  const stat = statSync(path);
  return { size: stat.size, isFile: stat.isFile() };
}

function identityOf(folder: string): string | undefined {
  try {
    const { dev, ino } = statSync(folder);
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
