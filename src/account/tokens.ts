import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { StoreAccountOutcome, TokenRefreshOutcome, TokenRefreshReason } from '../protocol/account.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import { errnoText } from '../system/errno.js';
import type { PreparedFile } from '../system/prepared-file.js';
import type { Credentials } from './credentials.js';
import { type AuthFile, contentHash } from './file/auth-file.js';
import type { SignIn, ValidSignIn } from './file/auth-json.js';
import { afterApiKey, afterSignIn, type NewSignIn } from './file/auth-json-writer.js';
import { type AuthStorage, LockError } from './file/auth-storage.js';
import type { Issuer } from './issuer/issuer.js';
import type { Grant } from './issuer/refresh-token.js';
import { UnsavedTokens } from './unsaved-tokens.js';

interface TokenStoreDeps {
  readonly file: AuthFile;
  readonly storage: AuthStorage;
  readonly credentials: Credentials;
  readonly issuer: () => Promise<Issuer>;
  readonly env: Env;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly watcher?: EngineWatcher | undefined;
}

/** A token that expires within this time is refreshed before it is used, ms. ACC-49 */
const EXPIRY_MARGIN = 5 * 60_000;
/** A token without expiry is refreshed this long after the last refresh, ms. ACC-49 */
const REFRESH_INTERVAL = 8 * 24 * 60 * 60_000;
/** How long another program may take to save the tokens that it received for a refresh token, ms. ACC-48 */
const SAVE_TIMEOUT = 1_000;
/** Between two reads of the file during that time, ms. */
const SAVE_POLL = 25;

/** Refreshes and writes the stored sign-in; only one of all engines that share the file does so at a time. */
export class TokenStore {
  #revokeFailure: Failure | null = null;
  readonly #deps: TokenStoreDeps;
  /** Generation that the watch adopted from disk: a forced refresh finds these tokens new enough. */
  #adoptedGeneration: number | undefined;

  readonly #unsaved: UnsavedTokens;

  constructor(deps: TokenStoreDeps) {
    this.#deps = deps;
    this.#unsaved = new UnsavedTokens({ ...deps, notWritable: (error) => this.#notWritable(error) });
  }

  /** Why the account file could not be written last time; null: it could. ACC-113 */
  /** Why the issuer did not revoke what the last sign-out deleted; null: it did, or nothing had to be revoked. ACC-55 */
  get revokeFailure(): Failure | null {
    return this.#revokeFailure;
  }

  get writeFailure(): Failure | null {
    return this.#unsaved.failure;
  }

  /** Tries a last time to save what is not saved. */
  close(): void {
    this.#unsaved.close();
  }

  /** The watch adopted newer tokens of the same account. */
  noteAdopted(): void {
    this.#adoptedGeneration = this.#deps.file.current?.account.generation;
  }

  /** Why the tokens in memory are due for a refresh before they are used; null: they are not. ACC-49 */
  refreshDue(): TokenRefreshReason | null {
    const { current } = this.#deps.file;
    if (current === undefined || current.refreshToken === undefined) return null;
    const now = this.#deps.env.now();
    if (current.expiresAt !== undefined) {
      return current.expiresAt - now < EXPIRY_MARGIN ? 'proactive_expiry' : null;
    }
    return current.refreshedAt !== undefined && now - current.refreshedAt > REFRESH_INTERVAL
      ? 'scheduled'
      : null;
  }

  /**
   * Reads the file again, then redeems the refresh token if the file has nothing newer. ACC-48
   * @param expired Why the tokens in memory can never be refreshed; null: nothing is known against it. ACC-54
   */
  async refresh(
    reason: TokenRefreshReason,
    expired: Failure | null,
    signal: AbortSignal,
  ): Promise<TokenRefreshOutcome> {
    const { file, credentials } = this.#deps;
    const before = file.current;
    if (before === undefined) return { kind: 'skipped', failure: this.#noSignIn() };
    const early = await this.#reload(before);
    if (early !== undefined) return early;
    if (expired !== null) return { kind: 'permanent', failure: expired };
    if (before.refreshToken === undefined) {
      return {
        kind: 'permanent',
        failure: this.#failure('refreshTokenMissing', `${file.name}: it holds no refresh token`),
      };
    }
    if (reason === 'forced' && this.#adoptedGeneration === before.account.generation) {
      this.#adoptedGeneration = undefined;
      return { kind: 'reloaded', stored: credentials.stored() };
    }
    const outcome = await this.#runExclusive(signal, async () => {
      // The previous holder of the lock may have redeemed the token: then the file has newer ones.
      const late = await this.#reload(before);
      return late ?? this.#redeem(reason, before, signal);
    });
    if (outcome.kind === 'failed' && outcome.failure.reason === 'authFileNotWritable') {
      this.#unsaved.noteWritable(outcome.failure);
    }
    return outcome;
  }

  /**
   * Proves that a sign-in can be saved, before its code is used up, and takes the space for it. ACC-113
   * @returns what `storeSignIn` writes to, or why nothing can be written.
   */
  async prepareSignIn(): Promise<
    | { readonly kind: 'prepared'; readonly place: PreparedFile }
    | { readonly kind: 'failed'; readonly failure: Failure }
  > {
    const { storage } = this.#deps;
    try {
      const stored = (await storage.read()) ?? '';
      return { kind: 'prepared', place: await storage.prepare(roomFor(stored) + SIGN_IN_SIZE) };
    } catch (error) {
      return { kind: 'failed', failure: this.#notWritable(error) };
    }
  }

  storeApiKey(key: Secret, signal: AbortSignal): Promise<StoreAccountOutcome> {
    return this.#runExclusive(signal, () => this.#write((text) => afterApiKey(text, key), false, signal));
  }

  /** @param prepared What `prepareSignIn` returned; it is used up. */
  async storeSignIn(
    signIn: Omit<NewSignIn, 'at' | 'ownerId'>,
    signal: AbortSignal,
    prepared?: PreparedFile,
  ): Promise<StoreAccountOutcome> {
    const ownerId = randomBytes(32).toString('base64url');
    const at = this.#deps.env.now();
    const outcome = await this.#runExclusive(signal, () =>
      this.#write((text) => afterSignIn(text, { ...signIn, ownerId, at }), true, signal, prepared),
    );
    if (outcome.kind === 'failed') await prepared?.discard().catch(() => {});
    return outcome;
  }

  /** Revokes and deletes what is stored. The revocation is tried once and may fail. ACC-55 */
  async signOut(signal: AbortSignal): Promise<StoreAccountOutcome> {
    const { file, storage, credentials } = this.#deps;
    await this.#revoke(signal);
    if (!(await this.#exists())) {
      this.#unsaved.clear();
      await file.reload({ guarded: false });
      return { kind: 'stored', stored: credentials.stored() };
    }
    return this.#runExclusive(signal, async () => {
      try {
        await storage.remove(signal);
      } catch (error) {
        return { kind: 'failed', failure: this.#notWritable(error) };
      }
      this.#unsaved.clear();
      await file.reload({ guarded: false });
      return { kind: 'stored', stored: credentials.stored() };
    });
  }

  async #revoke(signal: AbortSignal): Promise<void> {
    const { file, log } = this.#deps;
    const grants = grantsToRevoke(file.current, file.onDisk);
    this.#revokeFailure = null;
    if (grants.length === 0) return;
    const issuer = await this.#deps.issuer();
    const failures = await Promise.all(grants.map((grant) => issuer.revoke(grant, signal)));
    for (const failed of failures) {
      if (failed === null) continue;
      this.#revokeFailure = failed;
      log.warn({ reason: failed.reason }, failed.message);
    }
  }

  /** Adopts what the file has for the same account; undefined: the same as in memory. ACC-50 */
  async #reload(before: ValidSignIn): Promise<TokenRefreshOutcome | undefined> {
    const { file, credentials } = this.#deps;
    const outcome = await file.reload({ guarded: true });
    if (outcome.kind === 'ineligible') return { kind: 'skipped', failure: outcome.failure };
    const { current } = file;
    if (current === undefined || isSame(before, current)) return undefined;
    return { kind: 'reloaded', stored: credentials.stored() };
  }

  async #redeem(
    reason: TokenRefreshReason,
    before: ValidSignIn,
    signal: AbortSignal,
  ): Promise<TokenRefreshOutcome> {
    if (before.refreshToken === undefined) return { kind: 'skipped', failure: this.#noSignIn() };
    const { credentials, storage } = this.#deps;
    const issuer = await this.#deps.issuer();
    let content: string;
    let prepared: PreparedFile | undefined;
    try {
      const stored = this.#unsaved.content ?? (await storage.read());
      if (stored === undefined) return { kind: 'skipped', failure: this.#noSignIn() };
      content = stored;
      // What is in memory only is redeemed in any case: no token on disk is lost by that.
      if (this.#unsaved.content === undefined) prepared = await storage.prepare(roomFor(stored));
      this.#unsaved.noteWritable(null);
    } catch (error) {
      return { kind: 'failed', failure: this.#notWritable(error) };
    }
    const outcome = await issuer
      .refresh({ refreshToken: before.refreshToken, clientId: before.clientId, reason }, signal)
      .catch(async (error: unknown) => {
        await prepared?.discard();
        throw error;
      });
    if (outcome.kind !== 'granted') await prepared?.discard();
    if (outcome.kind === 'permanent') {
      return (await this.#redeemedElsewhere(before, outcome.failure.reason, signal)) ?? outcome;
    }
    if (outcome.kind === 'failed') return outcome;
    this.#unsaved.hold(outcome.tokens, before, content, issuer.address.issuer);
    // Another program may have stored another account meanwhile: it is not overwritten. ACC-48
    await this.#unsaved.save(new AbortController().signal, prepared);
    return { kind: 'refreshed', stored: credentials.stored() };
  }

  /**
   * Another program on the same file may have redeemed the token, because Codex CLI holds no lock meanwhile. Then the
   * tokens that it received are in the file, or will be soon.
   */
  async #redeemedElsewhere(
    before: ValidSignIn,
    reason: Reason,
    signal: AbortSignal,
  ): Promise<TokenRefreshOutcome | undefined> {
    const deadline = performance.now() + (reason === 'refreshTokenReused' ? SAVE_TIMEOUT : 0);
    for (;;) {
      const found = await this.#reload(before);
      if (found?.kind === 'reloaded') return found;
      if (found !== undefined || performance.now() >= deadline) return undefined;
      await sleep(SAVE_POLL, undefined, { signal });
    }
  }

  /** Replaces the file and adopts the new content. `irreplaceable`: as in `AuthStorage.replace`. */
  async #write(
    compose: (text: string | undefined) => string,
    irreplaceable: boolean,
    signal: AbortSignal,
    prepared?: PreparedFile,
  ): Promise<StoreAccountOutcome> {
    const { file, storage, credentials } = this.#deps;
    try {
      const text = compose(await storage.read());
      file.noteOwnWrite(contentHash(text));
      await storage.replace(text, irreplaceable, signal, prepared);
    } catch (error) {
      return { kind: 'failed', failure: this.#notWritable(error) };
    }
    this.#unsaved.clear();
    await file.reload({ guarded: false });
    return { kind: 'stored', stored: credentials.stored() };
  }

  async #exists(): Promise<boolean> {
    return (await this.#deps.storage.read().catch(() => '')) !== undefined;
  }

  async #runExclusive<T extends { readonly kind: string }>(
    signal: AbortSignal,
    task: () => Promise<T>,
  ): Promise<T | { readonly kind: 'failed'; readonly failure: Failure }> {
    let started = false;
    try {
      return await this.#deps.storage.runExclusive(signal, () => {
        started = true;
        return task();
      });
    } catch (error) {
      if (started || signal.aborted) throw error;
      // Without the lock no token is redeemed and nothing is written.
      return { kind: 'failed', failure: this.#notWritable(error) };
    }
  }

  #noSignIn(): Failure {
    const { name, onDisk } = this.#deps.file;
    return onDisk?.kind === 'invalid'
      ? onDisk.failure
      : this.#failure('authMissing', `${name}: nobody is signed in`);
  }

  #notWritable(error: unknown): Failure {
    const { name } = this.#deps.file;
    const [path, why] = error instanceof LockError ? [error.path, error.why] : [name, errnoText(error)];
    return this.#failure('authFileNotWritable', `${path}: ${why}`);
  }

  #failure(reason: Reason, message: string): Failure {
    return failure(reason, message, this.#deps.env.now());
  }
}

/** What stays valid at the issuer after the file is deleted: the sign-in in memory, and that of another account on disk. */
function grantsToRevoke(current: ValidSignIn | undefined, onDisk: SignIn | undefined): Grant[] {
  const otherOnDisk =
    onDisk?.kind === 'valid' && onDisk.accountId === current?.accountId ? undefined : onDisk;
  const grants = [current, otherOnDisk].map(grantOf).filter((grant) => grant !== undefined);
  return grants.filter((grant, at) => grants.findIndex(({ token }) => token.equals(grant.token)) === at);
}

/** Revoking the refresh token ends the whole sign-in; without one only the access token can be revoked. ACC-55 */
function grantOf(signIn: Pick<SignIn, 'refreshToken' | 'accessToken'> | undefined): Grant | undefined {
  if (signIn?.refreshToken !== undefined) return { kind: 'refresh_token', token: signIn.refreshToken };
  return signIn?.accessToken === undefined ? undefined : { kind: 'access_token', token: signIn.accessToken };
}

/** Of the tokens of a new sign-in, bytes. */
const SIGN_IN_SIZE = 64 * 1024;
/** Enough for the content with new tokens, bytes. */
const roomFor = (content: string): number => Buffer.byteLength(content) * 2 + 8_192;

function isSame(one: ValidSignIn, other: ValidSignIn): boolean {
  const refresh =
    one.refreshToken === undefined
      ? other.refreshToken === undefined
      : one.refreshToken.equals(other.refreshToken);
  return refresh && one.accessToken.equals(other.accessToken) && one.refreshedAt === other.refreshedAt;
}
