/** The programs that the paths are played against, each as a process that speaks JSON-RPC over stdio. */
import { existsSync } from 'node:fs';
import path from 'node:path';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Place {
  readonly home: string;
  readonly baseUrl: string;
  /** Remote control is on from the start. */
  readonly on: boolean;
}

export interface Target {
  readonly name: string;
  command(place: Place): Command;
}

/** Nobody can be reached who is not on this machine. */
const NO_WAY_OUT = {
  HTTPS_PROXY: 'http://127.0.0.1:9',
  HTTP_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
};

export const TARGETS = ['codex', 'rc-engine'] as const;
export type TargetName = (typeof TARGETS)[number];

/** Throws an Error that says what to do when the program is not there. */
export function targetOf(
  name: string,
  options: { readonly command?: string; readonly env: NodeJS.ProcessEnv; readonly root: string },
): Target {
  if (name === 'codex') return codex(options.command ?? options.env.CODEX_BIN);
  if (name === 'rc-engine') return rcEngine(options.command, options.root);
  throw new Error(`There is no target ${name}. There is: ${TARGETS.join(', ')}.`);
}

function codex(file: string | undefined): Target {
  if (file === undefined || file === '') {
    throw new Error(
      'CODEX_BIN is not set: name the binary of the reference client (Codex CLI 0.169.0) in it, or with --command.',
    );
  }
  if (!existsSync(file))
    throw new Error(`The reference client is not there: ${file} (CODEX_BIN or --command).`);
  return {
    name: 'codex',
    command: ({ home, baseUrl, on }) => ({
      file,
      args: ['app-server', ...(on ? ['--remote-control'] : []), '-c', `chatgpt_base_url="${baseUrl}"`],
      env: { ...NO_WAY_OUT, CODEX_HOME: home },
    }),
  };
}

/** `command` may hold leading words, as `node dist/cli.js`. */
function rcEngine(command: string | undefined, root: string): Target {
  const built = path.join(root, 'dist/cli.js');
  const [file = '', ...words] = command?.split(' ').filter((word) => word !== '') ?? [
    process.execPath,
    built,
  ];
  if (command === undefined && !existsSync(built)) {
    throw new Error(
      `${built} is not there: run "npm run build" first, or name another command with --command.`,
    );
  }
  if (file === '') throw new Error('--command is empty: name a program, as "node dist/cli.js".');
  if (file.includes('/') && !existsSync(file))
    throw new Error(`The program is not there: ${file} (--command).`);
  return {
    name: 'rc-engine',
    command: ({ home, baseUrl, on }) => ({
      file,
      args: [
        ...words,
        ...['start', '--home', home, '--base-url', baseUrl, '--listen', 'stdio://'],
        ...['--auth-startup', 'recoverable', '--remote-control', on ? 'on' : 'off'],
      ],
      env: NO_WAY_OUT,
    }),
  };
}
