/** Tokens that the issuer has issued and that are not in the account file yet. ACC-113 */
import type { EngineLogger } from '../observe/logger.js';
import type { Failure } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import type { PreparedFile } from '../system/prepared-file.js';
import { type AuthFile, contentHash } from './file/auth-file.js';
import type { ValidSignIn } from './file/auth-json.js';
import { afterRefresh } from './file/auth-json-writer.js';
import type { AuthStorage } from './file/auth-storage.js';
import type { IssuedTokens } from './issuer/refresh-token.js';

interface UnsavedTokensDeps {
  readonly file: AuthFile;
  readonly storage: AuthStorage;
  readonly now: () => number;
  readonly log: EngineLogger;
  /** The failure of an error of the storage. */
  readonly notWritable: (error: unknown) => Failure;
}

interface Unsaved {
  readonly tokens: IssuedTokens;
  readonly issuer: string;
  readonly at: number;
  /** The whole content of the file with these tokens. */
  readonly content: Secret;
}

/** Between two attempts to save: doubles up to the most, ms. */
const RETRY = { first: 1_000, most: 30_000 };

/** Puts new tokens in use at once, and saves them as soon as that is possible. */
export class UnsavedTokens {
  readonly #deps: UnsavedTokensDeps;
  #unsaved: Unsaved | undefined;
  #failure: Failure | null = null;
  #delay = RETRY.first;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(deps: UnsavedTokensDeps) {
    this.#deps = deps;
  }

  /** The content of the file with the tokens; undefined: all are saved. */
  get content(): string | undefined {
    return this.#unsaved?.content.reveal();
  }

  /** Why the last write failed; null: it succeeded. */
  get failure(): Failure | null {
    return this.#failure;
  }

  /** A write was refused before anything was redeemed; null: it is possible now. */
  noteWritable(failure: Failure | null): void {
    if (this.#unsaved === undefined) this.#failure = failure;
  }

  /**
   * Puts the tokens in use. They replace those of an earlier refresh that are not saved.
   * @param before The sign-in that they renew.
   * @param content The content of the file before, unsaved tokens included.
   */
  hold(tokens: IssuedTokens, before: ValidSignIn, content: string, issuer: string): void {
    const earlier = this.#unsaved?.tokens;
    const at = this.#deps.now();
    const renewed = afterRefresh(content, tokens, issuer, at);
    this.#unsaved = {
      tokens: {
        idToken: tokens.idToken ?? earlier?.idToken,
        accessToken: tokens.accessToken ?? earlier?.accessToken,
        refreshToken: tokens.refreshToken ?? earlier?.refreshToken,
      },
      issuer,
      at,
      content: new Secret(renewed),
    };
    this.#deps.file.adoptUnsaved(renewed, before);
  }

  /** Saves what is held, and plans the next attempt if that fails. The caller has the lock of the file. */
  async save(signal: AbortSignal, prepared?: PreparedFile): Promise<void> {
    const unsaved = this.#unsaved;
    if (unsaved === undefined) return;
    const { file, log } = this.#deps;
    const hadFailed = this.#failure !== null;
    try {
      if (!(await this.#write(unsaved, signal, prepared))) return;
      this.clear();
      await file.reload({ guarded: false });
      if (hadFailed) log.info({ path: file.name }, 'the new account tokens are saved');
    } catch (error) {
      this.#failure = this.#deps.notWritable(error);
      if (!hadFailed) {
        log.error(
          { reason: this.#failure.reason },
          `${this.#failure.message}; the new account tokens are in memory only and will be saved as soon as possible`,
        );
      }
      this.#retryLater();
    }
  }

  /** The file holds another sign-in now, or none: nothing is left to save. */
  clear(): void {
    clearTimeout(this.#timer);
    this.#unsaved = undefined;
    this.#failure = null;
    this.#delay = RETRY.first;
    this.#deps.file.forgetStale();
  }

  /** Tries a last time. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closed = true;
    if (this.#unsaved !== undefined) void this.#retry();
  }

  /** False: there is nothing to save any more. */
  async #write(unsaved: Unsaved, signal: AbortSignal, prepared?: PreparedFile): Promise<boolean> {
    const { file, storage } = this.#deps;
    const before = file.current;
    const found = await file.reload({ guarded: true });
    if (found.kind === 'ineligible' && found.failure.reason === 'authUnreadable') {
      await prepared?.discard();
      throw new Error(found.failure.message);
    }
    const text = await storage.read();
    // A full disk leaves an empty file behind, and what is in memory is then the only copy.
    const isEmpty = text !== undefined && text.trim() === '';
    // Another program stored another account, or newer tokens of this one, or signed out. ACC-48
    if ((found.kind === 'ineligible' && !isEmpty) || file.current !== before) {
      await prepared?.discard();
      this.clear();
      return false;
    }
    const content = isEmpty
      ? unsaved.content.reveal()
      : afterRefresh(text ?? '', unsaved.tokens, unsaved.issuer, unsaved.at);
    file.noteOwnWrite(contentHash(content));
    await storage.replace(content, true, signal, prepared);
    return true;
  }

  #retryLater(): void {
    clearTimeout(this.#timer);
    if (this.#closed) return;
    this.#timer = setTimeout(() => void this.#retry(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, RETRY.most);
  }

  async #retry(): Promise<void> {
    const { signal } = new AbortController();
    const { storage, notWritable } = this.#deps;
    try {
      await storage.runExclusive(signal, () => this.save(signal));
    } catch (error) {
      this.#failure = notWritable(error);
      this.#retryLater();
    }
  }
}
