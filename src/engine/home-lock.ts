/**
 * One engine per home directory. RC-8
 * The lock is the one of file-lock.ts. `engine.json` only names the process that holds it.
 */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { type AnyActorRef, createActor, fromPromise, toPromise } from 'xstate';
import { homeLockMachine } from '../../machines/home-lock.js';
import { type EngineInfo, isAlive, pidExists, readEngineInfo } from '../home/engine-info.js';
import type { Home } from '../home/home.js';
import type {
  FormerHolderOutcome,
  HolderOutcome,
  HomeLockOutcome,
  LockAttemptOutcome,
  StepOutcome,
} from '../protocol/engine-life.js';
import { EngineError } from '../protocol/errors.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import { type Env, SYSTEM_ENV } from '../protocol/timing.js';
import { replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { acquireFileLock, type FileLock } from '../system/file-lock.js';
import { isStopped, processToken } from '../system/processes.js';

/** An attempt is not aborted: a lock that is taken late is given back. */
const NEVER = new AbortController().signal;

/** What an engine writes about itself, beside its process. */
type OwnInfo = Pick<EngineInfo, 'startedAt' | 'controlSocket' | 'version'>;

interface HomeLockOptions {
  /** Default the clock of the system. */
  readonly env?: Env;
  /** Receives the actor of the chart before it starts. */
  readonly onActor?: ((actor: AnyActorRef) => void) | undefined;
}

export interface HomeLock {
  readonly info: EngineInfo;
  /**
   * Writes `engine.json` again when it is gone.
   * @returns false when it names another engine that runs: the lock file was deleted, and that engine has a new one
   */
  restore(): Promise<boolean>;
  /** Removes `engine.json` and releases the lock. Further calls do nothing. */
  release(): Promise<void>;
}

/**
 * Locks the home directory for this process, as the chart `homeLock` decides.
 * @throws EngineError `alreadyRunning` with the pid of the other engine; `homeUnusable` when the lock file cannot be
 * used; `sqliteMissing`
 */
export async function acquireHomeLock(
  home: Home,
  info: OwnInfo,
  { env = SYSTEM_ENV, onActor }: HomeLockOptions = {},
): Promise<HomeLock> {
  const attempt = new Attempt(home, info, env);
  const actor = createActor(homeLockMachine.provide({ actors: attempt.actors() }), {
    id: 'homeLock',
    input: { env },
  });
  onActor?.(actor);
  const ended = toPromise(actor);
  actor.start();
  return attempt.result(await ended);
}

/** The actors of one `homeLock` chart: each does one thing once, and reports how it ended. */
class Attempt {
  readonly #home: Home;
  readonly #info: OwnInfo;
  readonly #env: Env;
  readonly #token = processToken(process.pid);
  /** The error of each failure, with its cause and next step. */
  readonly #errors = new WeakMap<Failure, EngineError>();
  #fileLock: FileLock | undefined;
  #full: EngineInfo | undefined;

  constructor(home: Home, info: OwnInfo, env: Env) {
    this.#home = home;
    this.#info = info;
    this.#env = env;
    // Its error is reported where it is awaited.
    this.#token.catch(() => {});
  }

  actors() {
    return {
      tryLock: fromPromise<LockAttemptOutcome>(({ signal }) => this.#tryLock(signal)),
      readHolder: fromPromise<HolderOutcome>(async () => {
        const info = await readEngineInfo(this.#home);
        if (info === undefined || !pidExists(info.pid)) return { kind: 'unknown' };
        return { kind: 'named', failure: this.#failure(alreadyRunning(this.#home, info)) };
      }),
      checkFormer: fromPromise<FormerHolderOutcome>(async () => {
        const before = await readEngineInfo(this.#home);
        if (before === undefined || !(await isAlive(before))) return { kind: 'gone' };
        return { kind: 'alive', failure: this.#failure(alreadyRunning(this.#home, before)) };
      }),
      writeInfo: fromPromise<StepOutcome>(() => this.#writeInfo()),
      release: fromPromise<unknown>(() => this.#fileLock?.release() ?? Promise.resolve()),
    };
  }

  result(outcome: HomeLockOutcome): HomeLock {
    if (outcome.kind === 'refused') throw this.#errorOf(outcome.failure);
    if (this.#fileLock === undefined || this.#full === undefined) throw new Error('the lock was not taken');
    return lockOf(this.#home, this.#full, this.#fileLock);
  }

  async #tryLock(signal: AbortSignal): Promise<LockAttemptOutcome> {
    try {
      const taken = await acquireFileLock(this.#home.lockFile, 0, NEVER);
      if (taken === undefined) return { kind: 'busy' };
      // The chart may have left its state meanwhile.
      if (signal.aborted) await taken.release();
      else this.#fileLock = taken;
      return { kind: 'locked' };
    } catch (error) {
      const known = error instanceof EngineError ? error : lockUnusable(this.#home.lockFile, error);
      return { kind: 'failed', failure: this.#failure(known) };
    }
  }

  async #writeInfo(): Promise<StepOutcome> {
    try {
      const full: EngineInfo = { pid: process.pid, process: await this.#token, ...this.#info };
      await replaceFile(this.#home.engineFile, `${JSON.stringify(full)}\n`, false);
      this.#full = full;
      return { kind: 'done' };
    } catch (error) {
      return { kind: 'failed', failure: this.#failure(lockUnusable(this.#home.engineFile, error)) };
    }
  }

  #failure(error: EngineError): Failure {
    const reason = error.code === 'alreadyRunning' ? 'homeInUse' : 'homeLockFailed';
    const made = failure(reason, error.message, this.#env.now());
    this.#errors.set(made, error);
    return made;
  }

  #errorOf(reported: Failure): EngineError {
    const known = this.#errors.get(reported);
    if (known !== undefined) return known;
    if (reported.reason === 'homeInUse') return alreadyRunning(this.#home, undefined);
    return new EngineError(
      'homeUnusable',
      `The lock ${this.#home.lockFile} cannot be used: ${reported.message}`,
    );
  }
}

function lockOf(home: Home, info: EngineInfo, fileLock: FileLock): HomeLock {
  let released = false;
  return {
    info,
    restore: async () => {
      const found = await readEngineInfo(home);
      if (released || found?.pid === process.pid) return true;
      if (found !== undefined && (await isAlive(found))) return false;
      await replaceFile(home.engineFile, `${JSON.stringify(info)}\n`, false);
      return true;
    },
    release: async () => {
      if (released) return;
      released = true;
      try {
        if ((await readEngineInfo(home))?.pid === process.pid) await rm(home.engineFile, { force: true });
      } finally {
        await fileLock.release();
      }
    },
  };
}

function alreadyRunning(home: Home, info: EngineInfo | undefined): EngineError {
  const who = info === undefined ? 'its pid is unknown' : `pid ${info.pid}`;
  return new EngineError(
    'alreadyRunning',
    `Another engine already uses the home directory ${home.dir} (${who}).`,
    info === undefined ? {} : remediationFor(info),
  );
}

function remediationFor({ pid, controlSocket }: EngineInfo): { readonly remediation?: string } {
  if (isStopped(pid)) {
    return {
      remediation: `That process is stopped: kill -CONT ${pid} continues it. Or choose another --home.`,
    };
  }
  if (controlSocket.startsWith('\\\\') || existsSync(controlSocket)) return {};
  return {
    remediation: `Its control socket ${controlSocket} is gone; it makes it again within seconds, or stop it with kill ${pid}. Or choose another --home.`,
  };
}

function lockUnusable(path: string, error: unknown): EngineError {
  const code = errnoOf(error);
  const damaged = code === 'SQLITE_NOTADB' || code === 'SQLITE_CORRUPT';
  const why = damaged ? 'it has been overwritten' : errnoText(error);
  return new EngineError('homeUnusable', `The lock ${path} cannot be used: ${why}.`, {
    cause: error,
    ...(damaged ? { remediation: `Delete ${path} while no engine uses this home directory.` } : {}),
  });
}
