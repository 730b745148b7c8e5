import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { cutBytes, maskTokens, oneLine } from '../observe/body-preview.js';
import { RateLimit } from '../observe/rate-limit.js';
import { errnoText } from '../system/errno.js';
import type { ChildGuard } from './child-guard.js';

export interface ChildLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Between SIGTERM and SIGKILL, ms. */
const TERM_LIMIT = 2_000;
/** How long the streams of a child that has exited may stay open (something it started may hold them), ms. */
const STREAMS_LIMIT = 500;
/** Lines of one child that reach the log in a second, and the longest, bytes. */
const LINES_A_SECOND = 20;
const MAX_LINE_BYTES = 2_048;

/**
 * A child process with a process group of its own, its stderr in the log. Its end is told once, after what it
 * wrote before has been read.
 */
export class Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when it is gone: in words, how. */
  readonly gone: Promise<string>;
  readonly #process: ChildProcess;
  #kill: NodeJS.Timeout | undefined;
  #stopping = false;

  private constructor(process: ChildProcess, pid: number, name: string, log: ChildLog, guard: ChildGuard) {
    this.#process = process;
    this.pid = pid;
    const { stdin, stdout, stderr } = process;
    if (stdin === null || stdout === null || stderr === null) throw new Error('a child without pipes');
    this.stdin = stdin;
    this.stdout = stdout;
    stdin.on('error', () => {});
    guard.add(pid);
    const errors = logLines(stderr, { app: name, pid }, log);
    this.gone = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
        const done = () => {
          clearTimeout(timer);
          this.#sweepGroup();
          guard.remove(pid);
          const last = errors.last;
          // Ended by us, it has nothing to explain.
          const explains = last !== '' && !(this.#stopping && (signal !== null || code === 0));
          resolve(explains ? `${how}: ${last}` : how);
        };
        const timer = setTimeout(done, STREAMS_LIMIT);
        process.once('close', done);
      });
    });
  }

  /** Rejects with words for people when the command cannot be started. */
  static start(
    command: { readonly program: string; readonly args: readonly string[]; readonly env?: NodeJS.ProcessEnv },
    log: ChildLog,
    guard: ChildGuard,
  ): Promise<Child> {
    const { program, args, env } = command;
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        stdio: ['pipe', 'pipe', 'pipe'],
        // A group of its own: a Ctrl-C for the engine is not one for it, and all it starts can be ended with it.
        detached: true,
        ...(env === undefined ? {} : { env: { ...process.env, ...env } }),
      });
      child.once('error', (error) => reject(new Error(`${program} cannot be started: ${errnoText(error)}`)));
      child.once('spawn', () => {
        child.on('error', () => {});
        if (child.pid !== undefined) resolve(new Child(child, child.pid, program, log, guard));
      });
    });
  }

  /** Asks it to end, and ends it when it does not. Resolves when it is gone. */
  stop(): Promise<string> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.stdin.end();
      this.#signal('SIGTERM');
      this.#kill = setTimeout(() => this.#signal('SIGKILL'), TERM_LIMIT);
    }
    return this.gone;
  }

  /** What the child started may outlive it; it belongs to the same group and ends with it. */
  #sweepGroup(): void {
    clearTimeout(this.#kill);
    this.#signal('SIGKILL');
    this.stdout.destroy();
    this.#process.stderr?.destroy();
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // There is nobody left in the group.
    }
  }
}

/** Writes what comes on a stream to the log, line by line, never too much of it. */
export function logLines(
  stream: Readable,
  fields: { readonly app: string; readonly pid: number },
  log: ChildLog,
): { readonly last: string } {
  const limit = new RateLimit(LINES_A_SECOND, 1_000, (count) =>
    log.warn({ ...fields, count }, `${count} more lines of the app server left out`),
  );
  let last = '';
  let held = '';
  let cutting = false;
  const tell = (line: string) => {
    const text = cutBytes(oneLine(maskTokens(line)).trim(), MAX_LINE_BYTES);
    if (text === '') return;
    last = cutBytes(text, 200);
    if (limit.take()) log.info(fields, text);
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = chunk.split('\n');
    for (const [index, part] of lines.entries()) {
      if (!cutting) held += part;
      if (held.length > MAX_LINE_BYTES) {
        held = held.slice(0, MAX_LINE_BYTES);
        cutting = true;
      }
      if (index === lines.length - 1) break;
      tell(held);
      held = '';
      cutting = false;
    }
  });
  stream.on('error', () => {});
  stream.on('close', () => {
    tell(held);
    held = '';
    limit.flush();
  });
  return {
    get last() {
      return last;
    },
  };
}
