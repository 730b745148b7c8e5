/**
 * One engine per home directory. RC-8
 * The lock is the one of file-lock.ts. `engine.json` only names the process that holds it.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { EngineError } from '../protocol/errors.js';
import { replaceFile } from '../system/atomic-file.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { acquireFileLock, type FileLock } from '../system/file-lock.js';
import { isStopped, processToken } from '../system/processes.js';
import type { Home } from './home.js';

/** Two engines that start at the same moment block each other briefly; one succeeds within this time. Milliseconds. */
const LOCK_TIMEOUT_MS = 250;
/** How long the engine that holds the lock may take to write `engine.json`. Milliseconds. */
const INFO_TIMEOUT_MS = 1_000;
const INFO_POLL_MS = 20;

const infoSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  /** Distinguishes a process from a later one with the same pid; null where the system has no such value. */
  process: v.nullable(v.string()),
  /** Wall-clock milliseconds. */
  startedAt: v.number(),
  controlSocket: v.string(),
  version: v.string(),
});

/** The content of `engine.json`, written by the running engine. */
export type EngineInfo = Readonly<v.InferOutput<typeof infoSchema>>;

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

const never = new AbortController().signal;

/**
 * Locks the home directory for this process.
 * @throws EngineError `alreadyRunning` with the pid of the other engine; `homeUnusable` when the lock file cannot be
 * used; `sqliteMissing`
 */
export async function acquireHomeLock(
  home: Home,
  info: Pick<EngineInfo, 'startedAt' | 'controlSocket' | 'version'>,
): Promise<HomeLock> {
  const [token, fileLock] = await Promise.all([processToken(process.pid), lock(home)]);
  try {
    const before = await readEngineInfo(home);
    if (before !== undefined && (await isAlive(before))) throw alreadyRunning(home, before);
    const full: EngineInfo = {
      pid: process.pid,
      process: token,
      ...info,
    };
    await replaceFile(home.engineFile, `${JSON.stringify(full)}\n`, false);
    return lockOf(home, full, fileLock);
  } catch (error) {
    await fileLock.release();
    if (error instanceof EngineError) throw error;
    throw lockUnusable(home.engineFile, error);
  }
}

/**
 * The content of `engine.json`; undefined when it is missing or invalid. The engine that it names may have crashed: only
 * its control socket can tell.
 */
export async function readEngineInfo(home: Home): Promise<EngineInfo | undefined> {
  try {
    return await readEngineFile(home);
  } catch {
    // Missing, truncated by a power failure, or not ours. Nothing depends on it.
    return undefined;
  }
}

/** Like `readEngineInfo`, but throws when the file cannot be read or is not JSON. */
export async function readEngineFile(home: Home): Promise<EngineInfo | undefined> {
  return parseInfo(await readFile(home.engineFile, 'utf8'));
}

/** For a process that ends at once: removes the control socket and `engine.json`, if this process wrote it. RC-106 */
export function removeOwnFiles(home: Home): void {
  const info = parseInfo(readFileSync(home.engineFile, 'utf8'));
  if (info?.pid !== process.pid) return;
  rmSync(info.controlSocket, { force: true });
  rmSync(home.engineFile, { force: true });
}

function parseInfo(text: string): EngineInfo | undefined {
  const parsed = v.safeParse(infoSchema, JSON.parse(text));
  return parsed.success ? parsed.output : undefined;
}

async function lock(home: Home): Promise<FileLock> {
  for (let lastTry = false; ; lastTry = true) {
    const taken = await acquireFileLock(home.lockFile, LOCK_TIMEOUT_MS, never).catch((error: unknown) => {
      if (error instanceof EngineError) throw error;
      throw lockUnusable(home.lockFile, error);
    });
    if (taken !== undefined) return taken;
    const info = await waitForInfo(home);
    // Locked without `engine.json`: an engine that was just stopping. Try once more.
    if (info !== undefined || lastTry) throw alreadyRunning(home, info);
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

/** The engine that holds the lock writes `engine.json` right after it got the lock. */
async function waitForInfo(home: Home): Promise<EngineInfo | undefined> {
  const limit = performance.now() + INFO_TIMEOUT_MS;
  for (;;) {
    const info = await readEngineInfo(home);
    if (info !== undefined && pidExists(info.pid)) return info;
    if (performance.now() > limit) return undefined;
    await delay(INFO_POLL_MS);
  }
}

/**
 * Whether the process that wrote the file still runs. Then it has lost its lock: the lock file was deleted, and the
 * lock that was just taken is on a new file.
 */
async function isAlive(info: EngineInfo): Promise<boolean> {
  if (info.pid === process.pid) return false;
  return info.process !== null && info.process === (await processToken(info.pid));
}

function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
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
