import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { EngineLogger } from '../observe/logger.js';
import type { StoreAccountOutcome, TokenRefreshOutcome, TokenRefreshReason } from '../protocol/account.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import { errnoText } from '../system/errno.js';
import type { Credentials } from './credentials.js';
import { type AuthFile, contentHash, type UsableSignIn } from './file/auth-file.js';
import type { SignIn } from './file/auth-json.js';
import { type AuthStorage, LockError } from './file/auth-storage.js';
import { apiKeyText, type NewSignIn, refreshedText, signInText } from './file/auth-write.js';
import type { Issuer } from './issuer/issuer.js';
import type { Grant } from './issuer/refresh-token.js';

export interface TokenStoreOptions {
  readonly file: AuthFile;
  readonly storage: AuthStorage;
  readonly credentials: Credentials;
  readonly issuer: () => Promise<Issuer>;
  readonly now: () => number;
  readonly log: EngineLogger;
}

/** A token that ends within this time is renewed before it is used, ms. ACC-49 */
const SOON = 5 * 60_000;
/** A token that does not say when it ends is renewed this long after the last time, ms. ACC-49 */
const STALE = 8 * 24 * 60 * 60_000;
/** How long another program may take to save what it got for a token that it spent, ms. */
const SAVING = 1_000;
/** Between two looks for that, ms. */
const LOOK = 25;

/** Reading, renewing and writing the stored sign-in, alone among all processes that share the file. */
export class TokenStore {
  readonly #options: TokenStoreOptions;
  /** Generation that was taken from disk by itself: whoever asks for newer tokens has them already. */
  #fresh: number | undefined;

  constructor(options: TokenStoreOptions) {
    this.#options = options;
  }

  /** The watch took newer tokens of the same account. */
  noteFresh(): void {
    this.#fresh = this.#options.file.held?.account.generation;
  }

  /** Why the tokens in memory should be renewed before they are used; null: they need not be. ACC-49 */
  due(): TokenRefreshReason | null {
    const { held } = this.#options.file;
    if (held === undefined || held.refreshToken === undefined) return null;
    const now = this.#options.now();
    if (held.expiresAt !== undefined) return held.expiresAt - now < SOON ? 'proactive_expiry' : null;
    return held.refreshedAt !== undefined && now - held.refreshedAt > STALE ? 'scheduled' : null;
  }

  /** ACC-48. `dead`: why the tokens in memory can never be renewed, where that is known. */
  async refresh(
    reason: TokenRefreshReason,
    dead: Failure | null,
    signal: AbortSignal,
  ): Promise<TokenRefreshOutcome> {
    const { file } = this.#options;
    const before = file.held;
    if (before === undefined) return { kind: 'skipped', failure: this.#nothing() };
    const early = await this.#reload(before);
    if (early !== undefined) return early;
    if (dead !== null) return { kind: 'permanent', failure: dead };
    if (before.refreshToken === undefined) {
      return {
        kind: 'permanent',
        failure: this.#failure('refreshTokenMissing', `${file.name}: it holds no refresh token`),
      };
    }
    if (reason === 'forced' && this.#fresh === before.account.generation) {
      this.#fresh = undefined;
      return { kind: 'reloaded', stored: this.#options.credentials.stored() };
    }
    return this.#alone(signal, async () => {
      // Whoever had the lock before may have spent the token: then there is a newer one to take.
      const late = await this.#reload(before);
      return late ?? this.#spend(reason, before, signal);
    });
  }

  storeApiKey(key: Secret, signal: AbortSignal): Promise<StoreAccountOutcome> {
    return this.#alone(signal, () => this.#write((text) => apiKeyText(text, key), false, signal));
  }

  storeSignIn(signIn: Omit<NewSignIn, 'at' | 'ownerId'>, signal: AbortSignal): Promise<StoreAccountOutcome> {
    const ownerId = randomBytes(32).toString('base64url');
    const at = this.#options.now();
    return this.#alone(signal, () =>
      this.#write((text) => signInText(text, { ...signIn, ownerId, at }), true, signal),
    );
  }

  /** Revokes and deletes what is stored. The revocation is tried once and may fail. ACC-55 */
  async signOut(signal: AbortSignal): Promise<StoreAccountOutcome> {
    const { file, storage, log, credentials } = this.#options;
    const revoked = revocable(file.held, file.disk);
    if (revoked.length > 0) {
      const issuer = await this.#options.issuer();
      const failures = await Promise.all(revoked.map((grant) => issuer.revoke(grant, signal)));
      for (const failure of failures) {
        if (failure !== null) log.warn({ reason: failure.reason }, failure.message);
      }
    }
    if (!(await this.#isThere())) {
      await file.reload({ guarded: false });
      return { kind: 'stored', stored: credentials.stored() };
    }
    return this.#alone(signal, async () => {
      try {
        await storage.remove(signal);
      } catch (error) {
        return { kind: 'failed', failure: this.#unwritable(error) };
      }
      await file.reload({ guarded: false });
      return { kind: 'stored', stored: credentials.stored() };
    });
  }

  /** Takes what the same account has on disk; undefined when that is what is in memory. ACC-50 */
  async #reload(before: UsableSignIn): Promise<TokenRefreshOutcome | undefined> {
    const { file, credentials } = this.#options;
    const outcome = await file.reload({ guarded: true });
    if (outcome.kind === 'unusable') return { kind: 'skipped', failure: outcome.failure };
    const { held } = file;
    if (held === undefined || same(before, held)) return undefined;
    return { kind: 'reloaded', stored: credentials.stored() };
  }

  async #spend(
    reason: TokenRefreshReason,
    before: UsableSignIn,
    signal: AbortSignal,
  ): Promise<TokenRefreshOutcome> {
    if (before.refreshToken === undefined) return { kind: 'skipped', failure: this.#nothing() };
    const issuer = await this.#options.issuer();
    const outcome = await issuer.refresh(
      { refreshToken: before.refreshToken, clientId: before.clientId, reason },
      signal,
    );
    if (outcome.kind === 'permanent') {
      return (await this.#spentElsewhere(before, outcome.failure.reason, signal)) ?? outcome;
    }
    if (outcome.kind === 'failed') return outcome;
    // Another program may have signed somebody else in meanwhile: that is neither overwritten nor taken. ACC-48
    const since = await this.#reload(before);
    if (since !== undefined) return since;
    const written = await this.#write(
      (text) => refreshedText(text ?? '', outcome.tokens, issuer.address.issuer, this.#options.now()),
      true,
      signal,
    );
    return written.kind === 'stored'
      ? { kind: 'refreshed', stored: written.stored }
      : { kind: 'failed', failure: written.failure };
  }

  /**
   * Another program on the same file may have spent the token: the reference client takes no lock while it does. Then
   * what it got instead is in the file, or will be in a moment.
   */
  async #spentElsewhere(
    before: UsableSignIn,
    reason: Reason,
    signal: AbortSignal,
  ): Promise<TokenRefreshOutcome | undefined> {
    const deadline = performance.now() + (reason === 'refreshTokenReused' ? SAVING : 0);
    for (;;) {
      const found = await this.#reload(before);
      if (found?.kind === 'reloaded') return found;
      if (found !== undefined || performance.now() >= deadline) return undefined;
      await sleep(LOOK, undefined, { signal });
    }
  }

  /** Replaces the file and takes over what it then says. `must`: the text holds what cannot be had again. */
  async #write(
    compose: (text: string | undefined) => string,
    must: boolean,
    signal: AbortSignal,
  ): Promise<StoreAccountOutcome> {
    const { file, storage, credentials } = this.#options;
    try {
      const text = compose(await storage.read());
      file.noteOwnWrite(contentHash(text));
      await storage.replace(text, must, signal);
    } catch (error) {
      return { kind: 'failed', failure: this.#unwritable(error) };
    }
    await file.reload({ guarded: false });
    return { kind: 'stored', stored: credentials.stored() };
  }

  async #isThere(): Promise<boolean> {
    return (await this.#options.storage.read().catch(() => '')) !== undefined;
  }

  async #alone<T extends { readonly kind: string }>(
    signal: AbortSignal,
    task: () => Promise<T>,
  ): Promise<T | { readonly kind: 'failed'; readonly failure: Failure }> {
    let inside = false;
    try {
      return await this.#options.storage.runExclusive(signal, () => {
        inside = true;
        return task();
      });
    } catch (error) {
      if (inside || signal.aborted) throw error;
      // Without the lock nothing is spent and nothing written.
      return { kind: 'failed', failure: this.#unwritable(error) };
    }
  }

  #nothing(): Failure {
    const { file } = this.#options;
    const disk = file.disk;
    return disk?.kind === 'unusable'
      ? disk.failure
      : this.#failure('authMissing', `${file.name}: nobody is signed in`);
  }

  #unwritable(error: unknown): Failure {
    const { file } = this.#options;
    const [path, why] = error instanceof LockError ? [error.path, error.why] : [file.name, errnoText(error)];
    return this.#failure('authFileNotWritable', `${path}: ${why}`);
  }

  #failure(reason: Reason, message: string): Failure {
    return { reason, message, at: this.#options.now() };
  }
}

/** What lives on at the issuer when the file is gone: that of the account in memory, and that of another on disk. */
function revocable(held: UsableSignIn | undefined, disk: SignIn | undefined): Grant[] {
  const grants = [held, disk?.kind === 'usable' && disk.accountId === held?.accountId ? undefined : disk]
    .map(grantOf)
    .filter((grant) => grant !== undefined);
  return grants.filter((grant, at) => grants.findIndex(({ token }) => token.equals(grant.token)) === at);
}

/** The refresh token ends the whole sign-in; without one there is only the access token. ACC-55 */
function grantOf(signIn: Pick<SignIn, 'refreshToken' | 'accessToken'> | undefined): Grant | undefined {
  if (signIn?.refreshToken !== undefined) return { kind: 'refresh_token', token: signIn.refreshToken };
  return signIn?.accessToken === undefined ? undefined : { kind: 'access_token', token: signIn.accessToken };
}

function same(one: UsableSignIn, other: UsableSignIn): boolean {
  const refresh =
    one.refreshToken === undefined
      ? other.refreshToken === undefined
      : one.refreshToken.equals(other.refreshToken);
  return refresh && one.accessToken.equals(other.accessToken) && one.refreshedAt === other.refreshedAt;
}
