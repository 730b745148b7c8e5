/** The adapters of one `accountTokens` chart: each does one thing once, and reports how it ended. */
import { createActor, fromPromise, toPromise } from 'xstate';
import { accountTokensMachine } from '../../machines/account-tokens/machine.js';
import type { TokenTask } from '../../machines/account-tokens/setup.js';
import type { EngineLogger } from '../observe/logger.js';
import type { EngineWatcher } from '../observe/watcher.js';
import type {
  LockAttempt,
  PlaceOutcome,
  RedeemOutcome,
  ReloadOutcome,
  StoreAccountOutcome,
  StoredLookup,
  TokenChangeOutcome,
  TokenRefreshOutcome,
  TokenRefreshReason,
} from '../protocol/account.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Env } from '../protocol/timing.js';
import type { FileLock } from '../system/file-lock.js';
import type { PreparedFile } from '../system/prepared-file.js';
import type { Credentials } from './credentials.js';
import { type AuthFile, contentHash } from './file/auth-file.js';
import type { SignIn, ValidSignIn } from './file/auth-json.js';
import { type AuthStorage, roomFor } from './file/auth-storage.js';
import type { Issuer } from './issuer/issuer.js';
import type { Grant } from './issuer/refresh-token.js';
import type { UnsavedTokens } from './unsaved-tokens.js';

export interface TokenChangeDeps {
  readonly file: AuthFile;
  readonly storage: AuthStorage;
  readonly credentials: Credentials;
  readonly issuer: () => Promise<Issuer>;
  readonly env: Env;
  readonly log: EngineLogger;
  readonly watcher?: EngineWatcher | undefined;
  readonly lockTimeout: number;
  readonly issuerTimeout: number;
  readonly unsaved: UnsavedTokens;
  readonly noSignIn: () => Failure;
  /** The failure of an error of the storage. */
  readonly notWritable: (error: unknown) => Failure;
  /** The watch adopted the tokens of this generation. */
  readonly isAdopted: (generation: number) => boolean;
  /** New tokens are in use, before they are saved. */
  readonly onIssued: () => void;
  /** Why the issuer did not revoke; null: it did. */
  readonly onRevoked: (failure: Failure | null) => void;
}

/** What a `store` writes. */
export interface NewContent {
  readonly compose: (text: string | undefined) => string;
  /** Where it is written; undefined: a place is taken now. */
  readonly prepared: PreparedFile | undefined;
}

/** Never aborted: a write that has begun is finished, and tokens that were issued are saved. */
const NEVER = new AbortController().signal;

/** One change of the stored sign-in, as the chart `accountTokens` decides. */
export class TokenChange {
  readonly #deps: TokenChangeDeps;
  readonly #task: TokenTask;
  readonly #content: NewContent | undefined;
  /** The sign-in whose tokens are changed. */
  readonly #before: ValidSignIn | undefined;
  #beforeText = '';
  #prepared: PreparedFile | undefined;
  #lock: FileLock | undefined;
  /** The write in progress: the lock is held until it is done. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(deps: TokenChangeDeps, task: TokenTask, content?: NewContent) {
    this.#deps = deps;
    this.#task = task;
    this.#content = content;
    this.#before = deps.file.current;
    this.#prepared = content?.prepared;
  }

  /** Runs the chart to its end. `closed`: the engine stops. */
  async run(closed: AbortSignal): Promise<TokenChangeOutcome> {
    const { env, file, watcher, lockTimeout, issuerTimeout } = this.#deps;
    const actor = createActor(accountTokensMachine.provide({ actors: this.#actors() }), {
      id: 'accountTokens',
      input: { env, file: file.name, task: this.#task, lockTimeout, issuerTimeout },
    });
    watcher?.actor(actor);
    const close = (): void => actor.send({ type: 'CLOSE' });
    closed.addEventListener('abort', close, { once: true });
    const ended = toPromise(actor);
    actor.start();
    if (closed.aborted) close();
    try {
      return await ended;
    } finally {
      closed.removeEventListener('abort', close);
    }
  }

  #actors() {
    const { file, credentials, storage, unsaved } = this.#deps;
    return {
      reload: fromPromise(() => this.#reload()),
      tryLock: fromPromise<LockAttempt>(({ signal }) => this.#tryLock(signal)),
      prepare: fromPromise(() => this.#prepare()),
      redeem: fromPromise<RedeemOutcome>(({ signal }) => this.#redeem(signal)),
      save: fromPromise<TokenRefreshOutcome>(() => this.#write(() => this.#save())),
      write: fromPromise<StoreAccountOutcome>(({ signal }) => this.#write(() => this.#replace(signal))),
      revoke: fromPromise<unknown>(({ signal }) => this.#revoke(signal)),
      lookUp: fromPromise<StoredLookup>(async () => {
        const text = await storage.read().catch(() => '');
        return { kind: text === undefined ? 'absent' : 'present' };
      }),
      remove: fromPromise<StoreAccountOutcome>(({ signal }) => this.#write(() => this.#remove(signal))),
      adopt: fromPromise<StoreAccountOutcome>(async () => {
        unsaved.clear();
        await file.reload({ guarded: false });
        return { kind: 'stored', stored: credentials.stored() };
      }),
      release: fromPromise<unknown>(() => this.#release()),
    };
  }

  async #reload(): Promise<ReloadOutcome> {
    const { file, credentials, noSignIn, isAdopted } = this.#deps;
    const before = this.#before;
    if (before === undefined) return { kind: 'skipped', failure: noSignIn() };
    const outcome = await file.reload({ guarded: true });
    if (outcome.kind === 'ineligible') return { kind: 'skipped', failure: outcome.failure };
    const { current } = file;
    const stored = credentials.stored();
    if (current !== undefined && !isSame(before, current)) return { kind: 'reloaded', stored };
    const adopted = current !== undefined && isAdopted(current.account.generation);
    return { kind: 'same', stored, refreshable: before.refreshToken !== undefined, adopted };
  }

  async #tryLock(signal: AbortSignal): Promise<LockAttempt> {
    const { storage, notWritable } = this.#deps;
    try {
      const lock = await storage.tryLock(signal);
      if ('error' in lock) return { kind: 'busy', failure: notWritable(lock.error) };
      // The chart may have left its state meanwhile.
      if (signal.aborted) await lock.release();
      else this.#lock = lock;
      return { kind: 'locked' };
    } catch (error) {
      return { kind: 'failed', failure: notWritable(error) };
    }
  }

  async #prepare(): Promise<PlaceOutcome> {
    const { storage, unsaved, notWritable, noSignIn } = this.#deps;
    try {
      const stored = unsaved.content ?? (await storage.read());
      if (stored === undefined) return { kind: 'skipped', failure: noSignIn() };
      this.#beforeText = stored;
      // What is in memory only is redeemed in any case: no token on disk is lost by that.
      if (unsaved.content === undefined) this.#prepared = await storage.prepare(roomFor(stored));
      unsaved.noteWritable(null);
      return { kind: 'prepared' };
    } catch (error) {
      return { kind: 'failed', failure: notWritable(error) };
    }
  }

  async #redeem(signal: AbortSignal): Promise<RedeemOutcome> {
    const { credentials, unsaved } = this.#deps;
    const before = this.#before;
    if (before?.refreshToken === undefined) throw new Error('there is no refresh token');
    const issuer = await this.#deps.issuer();
    const { refreshToken, clientId } = before;
    const outcome = await issuer.refresh({ refreshToken, clientId, reason: this.#reason }, signal);
    if (outcome.kind !== 'granted') return outcome;
    unsaved.hold(outcome.tokens, before, this.#beforeText, issuer.address.issuer);
    this.#deps.onIssued();
    return { kind: 'granted', stored: credentials.stored() };
  }

  /** Another program may have stored another account meanwhile: it is not overwritten. ACC-48 */
  async #save(): Promise<TokenRefreshOutcome> {
    await this.#deps.unsaved.save(NEVER, this.#takePrepared());
    return { kind: 'refreshed', stored: this.#deps.credentials.stored() };
  }

  /** Replaces the file and adopts the new content. */
  async #replace(signal: AbortSignal): Promise<StoreAccountOutcome> {
    const { file, storage } = this.#deps;
    const irreplaceable = this.#task.kind === 'store' && this.#task.irreplaceable;
    return this.#changed(async () => {
      const text = this.#content?.compose(await storage.read()) ?? '';
      file.noteOwnWrite(contentHash(text));
      // A place that was used is not discarded afterwards.
      const prepared = this.#takePrepared();
      await storage.replace(text, irreplaceable, irreplaceable ? NEVER : signal, prepared);
    });
  }

  #remove(signal: AbortSignal): Promise<StoreAccountOutcome> {
    return this.#changed(() => this.#deps.storage.remove(signal));
  }

  async #changed(change: () => Promise<void>): Promise<StoreAccountOutcome> {
    const { file, credentials, unsaved, notWritable } = this.#deps;
    try {
      await change();
    } catch (error) {
      return { kind: 'failed', failure: notWritable(error) };
    }
    unsaved.clear();
    await file.reload({ guarded: false });
    return { kind: 'stored', stored: credentials.stored() };
  }

  async #revoke(signal: AbortSignal): Promise<void> {
    const { file, log, onRevoked } = this.#deps;
    onRevoked(null);
    const grants = grantsToRevoke(file.current, file.onDisk);
    if (grants.length === 0) return;
    const issuer = await this.#deps.issuer();
    for (const failed of await Promise.all(grants.map((grant) => issuer.revoke(grant, signal)))) {
      if (failed === null) continue;
      onRevoked(failed);
      log.warn({ reason: failed.reason }, failed.message);
    }
  }

  async #release(): Promise<void> {
    await this.#writing.catch(() => {});
    await this.#takePrepared()
      ?.discard()
      .catch(() => {});
    await this.#lock?.release();
  }

  #write<T>(write: () => Promise<T>): Promise<T> {
    const writing = write();
    this.#writing = writing;
    return writing;
  }

  #takePrepared(): PreparedFile | undefined {
    const prepared = this.#prepared;
    this.#prepared = undefined;
    return prepared;
  }

  get #reason(): TokenRefreshReason {
    return this.#task.kind === 'refresh' ? this.#task.reason : 'forced';
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

function isSame(one: ValidSignIn, other: ValidSignIn): boolean {
  const refresh =
    one.refreshToken === undefined
      ? other.refreshToken === undefined
      : one.refreshToken.equals(other.refreshToken);
  return refresh && one.accessToken.equals(other.accessToken) && one.refreshedAt === other.refreshedAt;
}
