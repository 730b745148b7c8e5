import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, symlinkSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** The built command line, as a user has it; RC_ENGINE_TEST_CLI names another build. */
export const CLI = path.resolve(
  process.env.RC_ENGINE_TEST_CLI ?? path.join(import.meta.dirname, '../../dist/cli.js'),
);

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  /** A shell command that runs first, for example to set a limit. */
  readonly before?: string;
  readonly uid?: number;
  readonly gid?: number;
}

/** A directory with the command `rc-engine`, as an installed package has it. */
function binDirectory(): string {
  const name = createHash('sha256').update(CLI).digest('hex').slice(0, 12);
  const directory = path.join(os.tmpdir(), `rc-engine-bin-${name}-${process.getuid?.() ?? 0}`);
  mkdirSync(directory, { recursive: true });
  try {
    symlinkSync(CLI, path.join(directory, 'rc-engine'));
  } catch {
    // Another test file has made it.
  }
  return directory;
}

/** Environment of the child: nothing of the caller's settings, and `rc-engine` on the PATH. */
export function cleanEnv(extra: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { PATH, LANG, TMPDIR } = process.env;
  const bin = `${binDirectory()}${path.delimiter}${PATH ?? ''}`;
  return { PATH: bin, LANG, TMPDIR, NO_COLOR: '1', ...extra };
}

/** A running `rc-engine` with its collected output. It is killed at the end of its test. */
export class CliProcess {
  readonly child: ChildProcessWithoutNullStreams;
  stdout = '';
  stderr = '';
  readonly #lookers = new Set<() => void>();
  readonly exited: Promise<CliResult>;
  #code: number | null | undefined;

  constructor(args: readonly string[], env: NodeJS.ProcessEnv = {}, options: CliOptions = {}) {
    if (!existsSync(CLI))
      throw new Error(`${CLI} is not there: run "npm run build" first ("npm test" does).`);
    const { before, ...rest } = options;
    const shell = ['-c', `${before}; exec "$0" "$@"`, process.execPath, CLI, ...args];
    this.child =
      before === undefined
        ? spawn(process.execPath, [CLI, ...args], { env: cleanEnv(env), ...rest })
        : spawn('sh', shell, { env: cleanEnv(env), ...rest });
    this.child.stdin.on('error', () => {});
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#look();
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#look();
    });
    this.exited = once(this.child, 'close').then(([code]: unknown[]) => {
      this.#code = typeof code === 'number' ? code : null;
      this.#look();
      return { code: this.#code, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get running(): boolean {
    return this.#code === undefined;
  }

  /** The JSON objects in stdout so far. */
  get lines(): Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Waits for a condition on the output. Fails with the output after a timeout or when the process ends. */
  async until<T>(find: () => T | undefined | false, what: string, limitMs = 10_000): Promise<T> {
    const found = find();
    if (found !== undefined && found !== false) return found;
    return new Promise((resolve, reject) => {
      const done = () => {
        clearTimeout(timer);
        this.#lookers.delete(look);
      };
      const fail = (why: string) => {
        done();
        reject(new Error(`${why}: no ${what}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`));
      };
      const look = () => {
        const value = find();
        if (value !== undefined && value !== false) {
          done();
          resolve(value);
        } else if (!this.running) fail(`the process ended with ${this.#code}`);
      };
      const timer = setTimeout(() => fail(`not within ${limitMs} ms`), limitMs);
      this.#lookers.add(look);
      look();
    });
  }

  line(match: (line: Record<string, unknown>) => boolean, what: string, limitMs?: number) {
    return this.until(() => this.lines.find(match), what, limitMs);
  }

  connected(limitMs?: number) {
    return this.line(
      (line) => line.type === 'status' && line.status === 'connected',
      'connected status',
      limitMs,
    );
  }

  /** Stops it as Ctrl-C would; kills it when that takes too long. */
  async stop(signal: NodeJS.Signals = 'SIGINT', limitMs = 8_000): Promise<CliResult> {
    if (this.running) this.child.kill(signal);
    const timer = setTimeout(() => this.child.kill('SIGKILL'), limitMs);
    const result = await this.exited;
    clearTimeout(timer);
    return result;
  }

  #look(): void {
    for (const look of [...this.#lookers]) look();
  }
}

/** Runs a command to its end. */
export async function cli(
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
  input = '',
): Promise<CliResult> {
  const run = new CliProcess(args, env);
  run.child.stdin.end(input);
  return run.exited;
}
