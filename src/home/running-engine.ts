/** The engine that runs on a home. Its lock is the truth: `engine.json` and the control socket can be deleted. RC-100 */
import { existsSync, statSync } from 'node:fs';
import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from '../system/errno.js';
import { acquireFileLock } from '../system/file-lock.js';
import { userName } from '../system/permissions.js';
import { processToken } from '../system/processes.js';
import { type EngineInfo, readEngineFile } from './engine-info.js';
import type { Home } from './home.js';

export interface RunningEngine {
  /** Null: `engine.json` is gone, so only the lock shows that an engine runs. */
  readonly pid: number | null;
  readonly controlSocket: string;
  /** Wall-clock ms; undefined without `engine.json`. */
  readonly startedAt?: number;
}

/**
 * @returns undefined when no engine runs on this home
 * @throws EngineError `homeUnusable` when this user may not read the home
 */
export async function findEngine(home: Home): Promise<RunningEngine | undefined> {
  const info = await readEngineFile(home).catch((error: unknown) => {
    const code = errnoOf(error);
    if (code !== 'EACCES' && code !== 'EPERM') return undefined;
    const owner = ownerOf(home.dir);
    const whose = owner === undefined ? '' : `, and the home belongs to the user ${owner}`;
    throw new EngineError('homeUnusable', `${home.engineFile} cannot be read: ${errnoText(error)}${whose}.`, {
      cause: error,
      remediation: `Ask as ${owner === undefined ? 'the user that the engine runs as' : `that user (sudo -u ${owner} …)`}, or choose another --home.`,
    });
  });
  if (info !== undefined && (await runs(info))) return info;
  return (await isLocked(home)) ? { pid: null, controlSocket: home.controlSocket } : undefined;
}

/** Undefined: it is this user, or cannot be known. */
function ownerOf(directory: string): string | undefined {
  try {
    const { uid } = statSync(directory);
    return uid === process.getuid?.() ? undefined : userName(uid);
  } catch {
    return undefined;
  }
}

async function runs({ pid, process: token }: EngineInfo): Promise<boolean> {
  return token === null ? mayBeSignaled(pid) : token === (await processToken(pid));
}

/** Takes the lock for a moment, and only where there is one: an engine that starts now tries again. */
async function isLocked(home: Home): Promise<boolean> {
  if (!existsSync(home.lockFile)) return false;
  try {
    const lock = await acquireFileLock(home.lockFile, 0, new AbortController().signal);
    await lock?.release();
    return lock === undefined;
  } catch {
    // A lock that cannot be used: starting an engine reports that.
    return false;
  }
}

/** False for a process of another user. */
function mayBeSignaled(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
