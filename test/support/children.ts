import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';
import { afterAll } from 'vitest';
import { bundledKeyvSqlite } from '../../scripts/keyv-sqlite.mjs';

// Inside node_modules, so that the packages it imports are found from there.
const folder = resolve('node_modules/.cache/rc-engine-tests');
const alive = new Set<Child>();
let built: Promise<string> | undefined;

afterAll(async () => {
  await Promise.all([...alive].map((child) => child.kill()));
  if (built !== undefined) await rm(await built, { force: true });
});

/** A real process running one command of home-child.ts. */
export class Child {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: unknown[] = [];
  readonly ended: Promise<void>;
  #wake = () => {};
  #over = false;
  #stderr = '';

  constructor(process: ChildProcessWithoutNullStreams) {
    this.#process = process;
    process.stderr.on('data', (chunk) => {
      this.#stderr += String(chunk);
    });
    // The child may have ended before it reads the command.
    process.stdin.on('error', () => {});
    createInterface(process.stdout).on('line', (line) => {
      this.#lines.push(JSON.parse(line));
      this.#wake();
    });
    this.ended = new Promise((resolve) => {
      process.once('close', () => {
        this.#over = true;
        alive.delete(this);
        this.#wake();
        resolve();
      });
    });
    alive.add(this);
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** All lines so far that were not taken yet. */
  taken(): unknown[] {
    return this.#lines.splice(0);
  }

  /** The next line of the child. */
  async line(deadlineMs = 10_000): Promise<unknown> {
    const limit = Date.now() + deadlineMs;
    while (this.#lines.length === 0) {
      if (this.#over) throw new Error(`the child ended: ${this.#stderr}`);
      const left = limit - Date.now();
      if (left <= 0) throw new Error(`the child said nothing: ${this.#stderr}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#lines.shift();
  }

  go(): void {
    this.#process.stdin.write('\n');
  }

  /** Ends its stdin and waits for its end. */
  async finish(): Promise<void> {
    this.#process.stdin.end();
    await this.ended;
  }

  /** kill -9, and waits for its end. */
  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.ended;
  }
}

export interface StartOptions {
  /** Shell commands that run first in the same process: `umask 077`, `ulimit -f 64`. */
  readonly before?: string;
  readonly uid?: number;
}

/** Starts a command of home-child.ts. */
export async function start(command: string[], options: StartOptions = {}): Promise<Child> {
  built ??= bundle();
  const args = ['-c', `${options.before ?? ':'}; exec "$0" "$@"`, process.execPath, await built, ...command];
  const user = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
  return new Child(spawn('bash', ['--norc', ...args], { ...user, stdio: 'pipe' }));
}

async function bundle(): Promise<string> {
  await mkdir(folder, { recursive: true });
  const outfile = join(folder, `home-child-${process.pid}.mjs`);
  await build({
    entryPoints: [resolve('test/support/home-child.ts')],
    outfile,
    bundle: true,
    packages: 'external',
    plugins: [bundledKeyvSqlite],
    platform: 'node',
    format: 'esm',
    logLevel: 'warning',
  });
  return outfile;
}
