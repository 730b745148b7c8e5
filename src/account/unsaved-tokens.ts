/** Tokens that the issuer has issued and that are not in the account file yet. ACC-113 */
import { type ActorRefFrom, createActor, fromPromise } from 'xstate';
import { type TokenSavingEvent, tokenSavingMachine } from '../../machines/token-saving.js';
import type { AuditRing } from '../observe/audit.js';
import { auditDecisions } from '../observe/decisions.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type { Failure, StoreOutcome } from '../protocol/outcomes.js';
import { Secret } from '../protocol/secret.js';
import type { Env } from '../protocol/timing.js';
import type { PreparedFile } from '../system/prepared-file.js';
import { type AuthFile, contentHash } from './file/auth-file.js';
import type { ValidSignIn } from './file/auth-json.js';
import { afterRefresh } from './file/auth-json-writer.js';
import type { AuthStorage } from './file/auth-storage.js';
import type { IssuedTokens } from './issuer/refresh-token.js';

interface UnsavedTokensDeps {
  readonly file: AuthFile;
  readonly storage: AuthStorage;
  readonly env: Env;
  readonly log: EngineLogger;
  readonly audit: AuditRing;
  readonly watcher?: EngineWatcher | undefined;
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

/** Puts new tokens in use at once, and saves them. The chart `tokenSaving` decides when that is tried again. */
export class UnsavedTokens {
  readonly #deps: UnsavedTokensDeps;
  readonly #actor: ActorRefFrom<typeof tokenSavingMachine>;
  #unsaved: Unsaved | undefined;

  constructor(deps: UnsavedTokensDeps) {
    this.#deps = deps;
    this.#actor = createActor(
      tokenSavingMachine.provide({ actors: { saveTokens: fromPromise(() => this.#retry()) } }),
      { id: 'tokenSaving', input: { env: deps.env } },
    );
    const record = auditDecisions(deps.audit, 'tokenSaving');
    let wasUnsaved = false;
    this.#actor.subscribe((snapshot) => {
      const isUnsaved = snapshot.hasTag('unsaved');
      if (isUnsaved !== wasUnsaved) this.#report(isUnsaved);
      wasUnsaved = isUnsaved;
      // Nobody needs to know that a write is possible.
      if (isUnsaved || snapshot.context.decision.reason !== 'starting') record(snapshot);
    });
    deps.watcher?.actor(this.#actor);
    this.#actor.start();
  }

  /** The content of the file with the tokens; undefined: all are saved. */
  get content(): string | undefined {
    return this.#unsaved?.content.reveal();
  }

  /** Why the last write failed; null: it succeeded. */
  get failure(): Failure | null {
    return this.#actor.getSnapshot().context.lastFailure;
  }

  /** A write was refused before anything was redeemed; null: it is possible now. */
  noteWritable(failure: Failure | null): void {
    this.#send(failure === null ? { type: 'WRITABLE' } : { type: 'REFUSED', failure });
  }

  /**
   * Puts the tokens in use. They replace those of an earlier refresh that are not saved.
   * @param before The sign-in that they renew.
   * @param content The content of the file before, unsaved tokens included.
   */
  hold(tokens: IssuedTokens, before: ValidSignIn, content: string, issuer: string): void {
    const earlier = this.#unsaved?.tokens;
    const at = this.#deps.env.now();
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

  /** Saves what is held; the chart tries again if that fails. The caller has the lock of the file. */
  async save(signal: AbortSignal, prepared?: PreparedFile): Promise<void> {
    const outcome = await this.#save(signal, prepared);
    if (outcome.kind === 'failed') this.#send({ type: 'UNSAVED', failure: outcome.failure });
  }

  /** The file holds the tokens, or another sign-in, or none: nothing is left to save. */
  clear(): void {
    this.#unsaved = undefined;
    this.#deps.file.forgetStale();
    this.#send({ type: 'SAVED' });
  }

  /** Tries a last time. */
  close(): void {
    this.#send({ type: 'CLOSE' });
  }

  #send(event: TokenSavingEvent): void {
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send(event);
  }

  #report(isUnsaved: boolean): void {
    const { log, file } = this.#deps;
    const { failure } = this;
    if (!isUnsaved || failure === null) {
      if (failure === null) log.info({ path: file.name }, 'the new account tokens are saved');
      return;
    }
    const what = 'the new account tokens are in memory only and will be saved as soon as possible';
    log.error({ reason: failure.reason }, `${failure.message}; ${what}`);
  }

  async #save(signal: AbortSignal, prepared?: PreparedFile): Promise<StoreOutcome> {
    const unsaved = this.#unsaved;
    if (unsaved === undefined) return { kind: 'done' };
    try {
      if (!(await this.#write(unsaved, signal, prepared))) return { kind: 'done' };
      this.clear();
      await this.#deps.file.reload({ guarded: false });
      return { kind: 'done' };
    } catch (error) {
      return { kind: 'failed', failure: this.#deps.notWritable(error) };
    }
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

  async #retry(): Promise<StoreOutcome> {
    // Never aborted: a write that has begun is finished.
    const { signal } = new AbortController();
    try {
      return await this.#deps.storage.runExclusive(signal, () => this.#save(signal));
    } catch (error) {
      return { kind: 'failed', failure: this.#deps.notWritable(error) };
    }
  }
}
