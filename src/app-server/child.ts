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
const TERM_TIMEOUT = 2_000;
/** How long the streams of an exited child may stay open, ms: a process that it started may hold them. */
const STREAMS_TIMEOUT = 500;
/** Lines of one child that are logged per second, and the length at which a line is cut, bytes. */
const LINES_PER_SECOND = 20;
const MAX_LINE_BYTES = 2_048;
/** Length at which the last line is cut in an error message, bytes. */
const MAX_LAST_LINE_BYTES = 200;

/** A child process in a process group of its own, its stderr in the log. */
export class Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves once, after all output has been read, with how it ended: `exited with code 1: last line of stderr`. */
  readonly exited: Promise<string>;
  readonly #process: ChildProcess;
  #killTimer: NodeJS.Timeout | undefined;
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
    this.exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
        const done = () => {
          clearTimeout(timer);
          this.#endGroup();
          guard.remove(pid);
          // A child that we stopped has no failure to explain.
          const stopped = this.#stopping && (signal !== null || code === 0);
          resolve(errors.last === '' || stopped ? how : `${how}: ${errors.last}`);
        };
        const timer = setTimeout(done, STREAMS_TIMEOUT);
        process.once('close', done);
      });
    });
  }

  /** Rejects with a message for people when the command cannot be started. */
  static start(
    command: { readonly program: string; readonly args: readonly string[] },
    log: ChildLog,
    guard: ChildGuard,
  ): Promise<Child> {
    const { program, args } = command;
    return new Promise((resolve, reject) => {
      // In a process group of its own Ctrl-C for the engine does not reach it, and what it starts can be ended with it.
      const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
      child.once('error', (error) => reject(new Error(`${program} cannot be started: ${errnoText(error)}`)));
      child.once('spawn', () => {
        child.on('error', () => {});
        if (child.pid !== undefined) resolve(new Child(child, child.pid, program, log, guard));
      });
    });
  }

  /** Sends SIGTERM, and SIGKILL 2 s later. Resolves when the child has exited. */
  stop(): Promise<string> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.stdin.end();
      this.#signal('SIGTERM');
      this.#killTimer = setTimeout(() => this.#signal('SIGKILL'), TERM_TIMEOUT);
    }
    return this.exited;
  }

  /** Processes that the child started are in the same group and end with it. */
  #endGroup(): void {
    clearTimeout(this.#killTimer);
    this.#signal('SIGKILL');
    this.stdout.destroy();
    this.#process.stderr?.destroy();
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group is empty.
    }
  }
}

/** Logs a stream line by line, with a limit of lines per second and of bytes per line. */
export function logLines(
  stream: Readable,
  fields: { readonly app: string; readonly pid: number },
  log: ChildLog,
): { readonly last: string } {
  const limit = new RateLimit(LINES_PER_SECOND, 1_000, (count) =>
    log.warn({ ...fields, count }, `${count} more lines of the app server not logged`),
  );
  let last = '';
  let partial = '';
  let cut = false;
  const logLine = (line: string) => {
    const text = cutBytes(oneLine(maskTokens(line)).trim(), MAX_LINE_BYTES);
    if (text === '') return;
    last = cutBytes(text, MAX_LAST_LINE_BYTES);
    if (limit.take()) log.info(fields, text);
  };
  stream.setEncoding('utf8');
  stream.on('data', (chunk: string) => {
    const lines = chunk.split('\n');
    for (const [index, part] of lines.entries()) {
      if (!cut) partial += part;
      if (partial.length > MAX_LINE_BYTES) {
        partial = partial.slice(0, MAX_LINE_BYTES);
        cut = true;
      }
      if (index === lines.length - 1) break;
      logLine(partial);
      partial = '';
      cut = false;
    }
  });
  stream.on('error', () => {});
  stream.on('close', () => {
    logLine(partial);
    partial = '';
    limit.flush();
  });
  return {
    get last() {
      return last;
    },
  };
}
