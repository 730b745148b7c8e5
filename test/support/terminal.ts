/** The built command on a pseudo terminal of a given size. Needs script(1) of util-linux. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { CLI, cleanEnv } from './cli.js';

export const hasTerminal = process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;

const running = new Set<ChildProcess>();

export interface Terminal {
  readonly child: ChildProcess;
  /** All that it wrote, with its control sequences. */
  readonly shown: string;
  /** Without colours. */
  readonly plain: string;
  /** The lines without control sequences; what was overwritten is a line of its own. */
  readonly lines: readonly string[];
  until(find: (shown: string) => boolean, what: string, limitMs?: number): Promise<void>;
  type(keys: string): void;
  /** Resolves when the command has ended. */
  readonly exited: Promise<number | null>;
}

export function onTerminal(
  args: readonly string[],
  { rows = 24, columns = 80, env = {} }: { rows?: number; columns?: number; env?: NodeJS.ProcessEnv } = {},
): Terminal {
  const words = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qefc', `stty rows ${rows} cols ${columns}; exec ${words}`, '/dev/null'], {
    env: { ...cleanEnv(), NO_COLOR: undefined, TERM: 'xterm', LANG: 'C.UTF-8', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  running.add(child);
  let shown = '';
  const lookers = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    shown += text;
    for (const look of [...lookers]) look();
  });
  const exited = once(child, 'close').then(([code]: unknown[]) => {
    running.delete(child);
    return typeof code === 'number' ? code : null;
  });
  return {
    child,
    get shown() {
      return shown;
    },
    get plain() {
      return plainOf(shown);
    },
    get lines() {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the sequences
      return shown.replaceAll(/\u001b\[[\d;?]*[A-Za-z]/g, '\n').split(/[\r\n]+/);
    },
    until: (find, what, limitMs = 15_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(
          () => reject(new Error(`no ${what} within ${limitMs} ms:\n${shown}`)),
          limitMs,
        );
        const look = () => {
          if (!find(plainOf(shown))) return;
          clearTimeout(timer);
          lookers.delete(look);
          resolve();
        };
        lookers.add(look);
        look();
      }),
    type: (keys) => child.stdin.write(keys),
    exited,
  };
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the colours
const plainOf = (shown: string): string => shown.replaceAll(/\u001b\[[\d;]*m/g, '');

/** Ends what is left. */
export async function closeTerminals(): Promise<void> {
  for (const child of running) {
    child.stdin?.end('\u0003');
    const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
    await once(child, 'close');
    clearTimeout(timer);
  }
}
