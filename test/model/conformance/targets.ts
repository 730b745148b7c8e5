/** The clients under test. Each runs as a process that speaks JSON-RPC over stdio. */
import { existsSync } from 'node:fs';
import path from 'node:path';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export interface Setup {
  readonly home: string;
  readonly baseUrl: string;
  /** Enables remote control at the start. */
  readonly on: boolean;
}

export interface Target {
  readonly name: string;
  command(setup: Setup): Command;
}

/** A proxy that refuses everything, so that only this machine is reachable. */
const LOCAL_ONLY = {
  HTTPS_PROXY: 'http://127.0.0.1:9',
  HTTP_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
};

export const TARGETS = ['codex', 'rc-engine'] as const;

/** @throws Error with the next step when the program does not exist. */
export function targetOf(
  name: string,
  options: { readonly command?: string; readonly env: NodeJS.ProcessEnv; readonly root: string },
): Target {
  if (name === 'codex') return codex(options.command ?? options.env.CODEX_BIN);
  if (name === 'rc-engine') return rcEngine(options.command, options.root);
  throw new Error(`Unknown target ${name}. Use one of: ${TARGETS.join(', ')}.`);
}

function codex(file: string | undefined): Target {
  if (file === undefined || file === '') {
    throw new Error('CODEX_BIN is not set. Set it to the path of Codex CLI, or use --command.');
  }
  if (!existsSync(file))
    throw new Error(`Codex CLI does not exist at ${file}. Check CODEX_BIN or --command.`);
  return {
    name: 'codex',
    command: ({ home, baseUrl, on }) => ({
      file,
      args: ['app-server', ...(on ? ['--remote-control'] : []), '-c', `chatgpt_base_url="${baseUrl}"`],
      env: { ...LOCAL_ONLY, CODEX_HOME: home },
    }),
  };
}

/** `command` may have several words, for example `node dist/cli.js`. */
function rcEngine(command: string | undefined, root: string): Target {
  const built = path.join(root, 'dist/cli.js');
  const [file = '', ...words] = command?.split(' ').filter((word) => word !== '') ?? [
    process.execPath,
    built,
  ];
  if (command === undefined && !existsSync(built)) {
    throw new Error(`${built} does not exist. Run "npm run build" first, or use --command.`);
  }
  if (file === '') throw new Error('--command is empty. Use a program, for example "node dist/cli.js".');
  if (file.includes('/') && !existsSync(file))
    throw new Error(`The program ${file} does not exist. Check --command.`);
  return {
    name: 'rc-engine',
    command: ({ home, baseUrl, on }) => ({
      file,
      args: [
        ...words,
        ...['start', '--home', home, '--base-url', baseUrl, '--listen', 'stdio://'],
        ...['--auth-startup', 'recoverable', '--remote-control', on ? 'on' : 'off'],
      ],
      env: LOCAL_ONLY,
    }),
  };
}
