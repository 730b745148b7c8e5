import { randomBytes } from 'node:crypto';
import type { TokenTask } from '../../machines/account-tokens/setup.js';
import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type {
  StoreAccountOutcome,
  TokenChangeOutcome,
  TokenRefreshOutcome,
  TokenRefreshReason,
} from '../protocol/account.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import type { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import { errnoText } from '../system/errno.js';
import type { PreparedFile } from '../system/prepared-file.js';
import type { Credentials } from './credentials.js';
import type { AuthFile } from './file/auth-file.js';
import { afterApiKey, afterSignIn, type NewSignIn } from './file/auth-json-writer.js';
import { type AuthStorage, LockError, roomFor } from './file/auth-storage.js';
import type { Issuer } from './issuer/issuer.js';
import type { NewContent, TokenChangeDeps } from './token-change.js';
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
  /** New tokens are in use, before they are saved. */
  readonly onIssued: () => void;
  /** How long another process may hold a lock of the account file, ms. ACC-59 */
  readonly lockTimeout: number;
  /** Limit of one request to the issuer, ms. ACC-92 */
  readonly issuerTimeout: number;
}

/** A token that expires within this time is refreshed before it is used, ms. ACC-49 */
const EXPIRY_MARGIN = 5 * 60_000;
/** A token without expiry is refreshed this long after the last refresh, ms. ACC-49 */
const REFRESH_INTERVAL = 8 * 24 * 60 * 60_000;

/** Refreshes and writes the stored sign-in, each time by the chart `accountTokens`. */
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

  /** Why the issuer did not revoke what the last sign-out deleted; null: it did, or nothing had to be revoked. ACC-55 */
  get revokeFailure(): Failure | null {
    return this.#revokeFailure;
  }

  /** Why the account file could not be written last time; null: it could. ACC-113 */
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
    closed: AbortSignal,
  ): Promise<TokenRefreshOutcome> {
    const outcome = await this.#change({ kind: 'refresh', reason, expired }, closed);
    if (outcome.kind === 'stored') throw new Error('a refresh ended as a write');
    if (outcome.kind === 'reloaded') this.#adoptedGeneration = undefined;
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

  storeApiKey(key: Secret, closed: AbortSignal): Promise<StoreAccountOutcome> {
    const compose = (text: string | undefined) => afterApiKey(text, key);
    return this.#store(false, { compose, prepared: undefined }, closed);
  }

  /** @param prepared What `prepareSignIn` returned; it is used up. */
  storeSignIn(
    signIn: Omit<NewSignIn, 'at' | 'ownerId'>,
    closed: AbortSignal,
    prepared?: PreparedFile,
  ): Promise<StoreAccountOutcome> {
    const ownerId = randomBytes(32).toString('base64url');
    const at = this.#deps.env.now();
    const compose = (text: string | undefined) => afterSignIn(text, { ...signIn, ownerId, at });
    return this.#store(true, { compose, prepared }, closed);
  }

  /** Revokes and deletes what is stored. The revocation is tried once and may fail. ACC-55 */
  async signOut(closed: AbortSignal): Promise<StoreAccountOutcome> {
    return stored(await this.#change({ kind: 'signOut' }, closed));
  }

  async #store(
    irreplaceable: boolean,
    content: NewContent,
    closed: AbortSignal,
  ): Promise<StoreAccountOutcome> {
    return stored(await this.#change({ kind: 'store', irreplaceable }, closed, content));
  }

  async #change(task: TokenTask, closed: AbortSignal, content?: NewContent): Promise<TokenChangeOutcome> {
    // Most starts change no tokens.
    const { TokenChange } = await import('./token-change.js');
    const deps: TokenChangeDeps = {
      ...this.#deps,
      unsaved: this.#unsaved,
      noSignIn: () => this.#noSignIn(),
      notWritable: (error) => this.#notWritable(error),
      isAdopted: (generation) => this.#adoptedGeneration === generation,
      onRevoked: (failure) => {
        this.#revokeFailure = failure;
      },
    };
    return new TokenChange(deps, task, content).run(closed);
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

/** Of the tokens of a new sign-in, bytes. */
const SIGN_IN_SIZE = 64 * 1024;

function stored(outcome: TokenChangeOutcome): StoreAccountOutcome {
  if (outcome.kind === 'stored' || outcome.kind === 'failed') return outcome;
  throw new Error(`a write ended as ${outcome.kind}`);
}
