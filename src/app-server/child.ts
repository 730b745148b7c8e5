import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { errnoText } from '../system/errno.js';
import type { ChildGuard } from './child-guard.js';
import { ChildLines, type ChildLog } from './child-log.js';
import { CHILD_MARK, type Descendants } from './descendants.js';

export type { ChildLog } from './child-log.js';

/** Between SIGTERM and SIGKILL, ms. */
const TERM_TIMEOUT = 2_000;
/** How long the search for descendants may delay SIGTERM, ms. */
const SEARCH_TIMEOUT = 250;
/** How long the streams of an exited child may stay open, ms: a process that it started may hold them. */
const STREAMS_TIMEOUT = 500;

/** Processes that a log line names. */
const MAX_NAMES = 10;

/** A child process in a process group of its own, its stderr in the log. */
export class Child {
  readonly pid: number;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves once, after all output has been read, with how it ended: `exited with code 1: TypeError: …`. */
  readonly exited: Promise<string>;
  /** Resolves once all that it started has ended, too. WSA-59 */
  readonly gone: Promise<void>;
  /** What it writes into the log. */
  readonly log: ChildLines;
  readonly #process: ChildProcess;
  readonly #descendants: Descendants;
  #terminated: number | undefined;
  #killTimer: NodeJS.Timeout | undefined;
  #stopping = false;
  /** Its process group is empty, and the number may be in use again. */
  #groupEnded = false;

  private constructor(
    process: ChildProcess,
    pid: number,
    name: string,
    log: ChildLog,
    guard: ChildGuard,
    mark: string,
  ) {
    this.#process = process;
    this.pid = pid;
    const { stdin, stdout, stderr } = process;
    if (stdin === null || stdout === null || stderr === null) throw new Error('a child without pipes');
    this.stdin = stdin;
    this.stdout = stdout;
    stdin.on('error', () => {});
    this.#descendants = guard.add(pid, mark);
    this.log = new ChildLines({ app: name, pid }, log);
    this.log.follow(stderr);
    let resolveGone: (gone: Promise<void>) => void = () => {};
    this.gone = new Promise((resolve) => {
      resolveGone = resolve;
    });
    this.exited = new Promise((resolve) => {
      process.once('exit', (code, signal) => {
        const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
        const done = () => {
          clearTimeout(timer);
          if (this.#groupEnded) return;
          this.#endGroup();
          const gone = this.#endDescendants();
          guard.remove(pid, gone);
          resolveGone(gone);
          // A child that we stopped has no failure to explain.
          const stopped = this.#stopping && (signal !== null || code === 0);
          const { explanation } = this.log;
          resolve(explanation === '' || stopped ? how : `${how}: ${explanation}`);
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
      const mark = guard.nextMark();
      const child = spawn(program, args, {
        stdio: ['pipe', 'pipe', 'pipe'],
        detached: true,
        env: { ...process.env, [CHILD_MARK]: mark },
      });
      child.once('error', (error) => {
        reject(new Error(`${program} cannot be started: ${errnoText(error)}`, { cause: error }));
      });
      child.once('spawn', () => {
        child.on('error', () => {});
        if (child.pid !== undefined) resolve(new Child(child, child.pid, program, log, guard, mark));
      });
    });
  }

  /** Sends SIGTERM, and SIGKILL 2 s later. Resolves when the child and all that it started have ended. */
  async stop(): Promise<void> {
    if (!this.#stopping) {
      this.#stopping = true;
      this.#terminated = performance.now();
      this.#killTimer = setTimeout(() => this.#signal('SIGKILL'), TERM_TIMEOUT);
      // Once the child has ended, descendants without its mark cannot be found.
      await Promise.race([this.#descendants.find(), delay(SEARCH_TIMEOUT, undefined, { ref: false })]);
      this.stdin.end();
      this.#signal('SIGTERM');
      this.#descendants.terminate();
    }
    await this.gone;
  }

  /** Processes that the child started are in the same group and end with it. */
  #endGroup(): void {
    clearTimeout(this.#killTimer);
    this.#signal('SIGKILL');
    this.#groupEnded = true;
    this.stdout.destroy();
    this.#process.stderr?.destroy();
  }

  /** Those in other sessions keep what is left of the time between SIGTERM and SIGKILL. */
  async #endDescendants(): Promise<void> {
    const used = this.#terminated === undefined ? 0 : performance.now() - this.#terminated;
    const ended = await this.#descendants.end(Math.max(TERM_TIMEOUT - used, 0));
    if (ended.length > 0) {
      const names = ended.slice(0, MAX_NAMES).map(({ name, pid }) => `${name} (${pid})`);
      const more = ended.length > MAX_NAMES ? ` and ${ended.length - MAX_NAMES} more` : '';
      this.log.note(`ended the processes that it had started in other sessions: ${names.join(', ')}${more}`);
    }
    this.log.close();
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#groupEnded) return;
    try {
      process.kill(-this.pid, signal);
    } catch {
      // The group is empty.
    }
  }
}
