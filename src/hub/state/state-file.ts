import { readFile, rm } from 'node:fs/promises';
import * as v from 'valibot';
import { EngineError } from '../../protocol/errors.js';
import { replaceFile } from '../../system/atomic-file.js';
import { errnoOf } from '../../system/errno.js';
import type { FileLock } from '../../system/file-lock.js';
import { BUCKET_NAMES } from './state-store.js';

const Count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const FileSchema = v.object({
  version: v.literal(1),
  revision: Count,
  entries: v.array(
    v.object({
      bucket: v.picklist(BUCKET_NAMES),
      key: v.string(),
      value: v.string(),
      revision: Count,
      at: Count,
    }),
  ),
});
export type StateFileContent = v.InferOutput<typeof FileSchema>;

/** Two programs that start together block each other for a moment, ms. */
const LOCK_LIMIT = 500;

/**
 * The JSON file with the state of a hub. Two processes on one file would overwrite each other's changes, so the process
 * holds a lock of the operating system, which ends with it. A second file names the process for the message of another one.
 */
export class StateFile {
  readonly content: StateFileContent | undefined;
  readonly #path: string;
  readonly #lock: FileLock;

  private constructor(path: string, lock: FileLock, content: StateFileContent | undefined) {
    this.#path = path;
    this.#lock = lock;
    this.content = content;
  }

  /** Throws EngineError `storeUnavailable`. */
  static async open(path: string): Promise<StateFile> {
    const lock = await takeLock(path);
    try {
      return new StateFile(path, lock, await readState(path));
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /** Resolves when the content is on disk. */
  async replace(content: StateFileContent): Promise<void> {
    await replaceFile(this.#path, `${JSON.stringify(content)}\n`, true);
  }

  async close(): Promise<void> {
    await rm(pidFileOf(this.#path), { force: true });
    await this.#lock.release();
  }
}

const pidFileOf = (path: string): string => `${path}.pid`;

async function takeLock(path: string): Promise<FileLock> {
  const { acquireFileLock } = await import('../../system/file-lock.js');
  let lock: FileLock | undefined;
  try {
    lock = await acquireFileLock(`${path}.lock`, LOCK_LIMIT, new AbortController().signal);
    if (lock !== undefined) await replaceFile(pidFileOf(path), String(process.pid), false);
  } catch (cause) {
    await lock?.release();
    throw new EngineError('storeUnavailable', `the state file ${path} of the hub cannot be locked`, {
      cause,
      remediation: `Check that its directory exists and can be written, and that ${path}.lock is an empty file.`,
    });
  }
  if (lock !== undefined) return lock;
  const pid = await readFile(pidFileOf(path), 'utf8').catch(() => '');
  const holder = /^\d{1,10}$/.test(pid) ? `the process ${pid}` : 'another process';
  throw new EngineError('storeUnavailable', `the state file ${path} is in use by ${holder}`, {
    remediation: 'Stop that hub first, or use a broker, which several processes can share.',
  });
}

async function readState(file: string): Promise<StateFileContent | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new EngineError('storeUnavailable', `the state file ${file} of the hub cannot be read`, {
      cause,
      remediation: 'Check the owner and mode of the file, or choose another file.',
    });
  }
  try {
    return v.parse(FileSchema, JSON.parse(text));
  } catch (cause) {
    throw new EngineError('storeUnavailable', `the state file ${file} of the hub is not valid`, {
      cause,
      remediation: 'Restore it from a backup. Remove it only to start without identities.',
    });
  }
}
