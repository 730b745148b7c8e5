/** The log of `start --log-file`: JSON lines in a private file that is bounded by rotation. RC-123 */
import { closeSync, constants, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { LogRecord } from '../../observe/log-ring.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { errnoOf, errnoText } from '../../system/errno.js';
import { usageError } from '../errors.js';
import { stderr } from './terminal.js';

/** Of one file, bytes; and how many older ones there are: PATH.1 is the newest of them. */
const MAX_BYTES = 5 * 1024 * 1024;
const OLDER = 3;
const PRIVATE_FILE = 0o600;

/** Appends lines, each with its line break. A failure to write never ends the engine. */
export class LogFile {
  readonly #path: string;
  readonly #maxBytes: number;
  #fd: number;
  #bytes: number;
  #failed = false;
  #closed = false;

  /** @throws EngineError `usage` when the file cannot be opened */
  constructor(path: string, maxBytes = MAX_BYTES) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    try {
      this.#fd = openLog(path);
      this.#bytes = fstatSync(this.#fd).size;
    } catch (error) {
      throw usageError(
        `The file ${path} of --log-file cannot be opened: ${errnoText(error)}.`,
        'Choose another path, in a directory that exists and that you can write to.',
        error,
      );
    }
  }

  write(line: string): void {
    if (this.#closed) return;
    try {
      const bytes = Buffer.from(line);
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#maxBytes) this.#rotate();
      writeSync(this.#fd, bytes);
      this.#bytes += bytes.length;
      this.#failed = false;
    } catch (error) {
      // Once for each time that it stops working: a full disk must not fill the other log.
      if (!this.#failed) {
        stderr.print(`rc-engine: the log file ${this.#path} cannot be written: ${errnoText(error)}.`);
      }
      this.#failed = true;
    }
  }

  /** Further lines are not written. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }

  #rotate(): void {
    for (let at = OLDER - 1; at >= 0; at -= 1) {
      const from = at === 0 ? this.#path : `${this.#path}.${at}`;
      try {
        renameSync(from, `${this.#path}.${at + 1}`);
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw error;
      }
    }
    const next = openLog(this.#path);
    closeSync(this.#fd);
    this.#fd = next;
    this.#bytes = fstatSync(next).size;
  }
}

function openLog(path: string): number {
  // O_NONBLOCK: opening a pipe without a reader would wait for ever.
  const { O_APPEND, O_CREAT, O_NONBLOCK = 0, O_WRONLY } = constants;
  return openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, PRIVATE_FILE);
}

interface Query {
  readonly lines: number;
  readonly level: LogRecord['level'] | undefined;
}

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

/**
 * The last lines of a log file.
 * @throws EngineError `notRunning` when the file does not exist: then only a running engine has log lines
 */
export async function readLogFile(path: string, { lines, level }: Query): Promise<readonly LogRecord[]> {
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new EngineError('notRunning', `No engine runs, and ${path} cannot be read: ${errnoText(error)}.`, {
      cause: error,
      remediation: 'Start an engine; with --log-file PATH its log stays readable after its end.',
    });
  });
  const records: LogRecord[] = [];
  for (const line of content.split('\n')) {
    const record = recordOf(line, records.length + 1);
    if (record !== undefined && LEVELS.indexOf(record.level) >= LEVELS.indexOf(level ?? 'trace')) {
      records.push(record);
    }
  }
  return lines === 0 ? [] : records.slice(-lines);
}

/** Undefined for a line that is incomplete, because the disk was full. */
function recordOf(line: string, seq: number): LogRecord | undefined {
  if (line === '') return undefined;
  try {
    const value: unknown = JSON.parse(line);
    if (!isRecord(value)) return undefined;
    const { time, level, msg, ...fields } = value;
    return { seq, time: String(time), level: level as LogRecord['level'], message: String(msg), fields };
  } catch {
    return undefined;
  }
}
