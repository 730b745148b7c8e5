/** `engine.json`: which engine runs on a home, as that engine wrote it. */
import { readFileSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import * as v from 'valibot';
import { errnoOf } from '../system/errno.js';
import { processToken } from '../system/processes.js';
import type { Home } from './home.js';

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

/**
 * Whether the process that wrote the file still runs. Then it has lost its lock: the lock file was deleted, and the
 * lock that was just taken is on a new file.
 */
export async function isAlive(info: EngineInfo): Promise<boolean> {
  if (info.pid === process.pid) return false;
  return info.process !== null && info.process === (await processToken(info.pid));
}

export function pidExists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
