import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { errnoText } from '../system/errno.js';
import type { ChildGuard } from './child-guard.js';
import { ChildLines, type ChildLog } from './child-log.js';

export type { ChildLog } from './child-log.js';

/** Between SIGTERM and SIGKILL, ms. */
const TERM_TIMEOUT = 2_000;
/** How long the streams of an exited child may stay open, ms: a process that it started may hold them. */
const STREAMS_TIMEOUT = 500;

/** A child process in a process group of its own, its stderr in the log. */
export class Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves once, after all output has been read, with how it ended: `exited with code 1: last line of stderr`. */
  readonly exited: Promise<string>;
  /** What it writes into the log. */
  readonly log: ChildLines;
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
    this.log = new ChildLines({ app: name, pid }, log);
    this.log.follow(stderr);
    this.exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
        const done = () => {
          clearTimeout(timer);
          this.#endGroup();
          guard.remove(pid);
          this.log.close();
          // A child that we stopped has no failure to explain.
          const stopped = this.#stopping && (signal !== null || code === 0);
          const { last } = this.log;
          resolve(last === '' || stopped ? how : `${how}: ${last}`);
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
      child.once('error', (error) => {
        reject(new Error(`${program} cannot be started: ${errnoText(error)}`, { cause: error }));
      });
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
