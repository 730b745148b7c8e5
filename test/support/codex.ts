/** Codex CLI behind the engine of a lab, with a scripted model server. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CliProcess } from './cli.js';
import type { Lab } from './lab.js';
import { ModelServer } from './model-server.js';

export const { CODEX_BIN = '' } = process.env;
export const codexSkipped =
  CODEX_BIN !== '' && spawnSync(CODEX_BIN, ['--version']).status === 0
    ? ''
    : ' (skipped: CODEX_BIN does not name the executable of Codex CLI)';
export const hasTmux = spawnSync('tmux', ['-V']).status === 0;

export const codexHome = (lab: Lab): string => join(lab.folder, 'codex');

/** For the engine and Codex CLI. Nothing of these tests may leave this machine. */
export const codexEnvironment = (lab: Lab): Record<string, string> => ({
  HOME: lab.folder,
  CODEX_HOME: codexHome(lab),
  MODEL_KEY: 'key-of-the-model-server',
  HTTPS_PROXY: 'http://127.0.0.1:9',
  HTTP_PROXY: 'http://127.0.0.1:9',
  NO_PROXY: '127.0.0.1,localhost',
});

export async function modelServer(lab: Lab, options: { chatgpt?: boolean } = {}): Promise<ModelServer> {
  const model = await ModelServer.start();
  await mkdir(codexHome(lab), { recursive: true });
  await model.configure(codexHome(lab), options);
  return model;
}

interface Running {
  readonly run: CliProcess;
  readonly url: string;
  readonly connectUrl: string;
}

export async function startedWithCodex(
  lab: Lab,
  args: readonly string[] = [],
  env: NodeJS.ProcessEnv = {},
): Promise<Running> {
  const listen = args.includes('--listen') ? [] : ['--listen', 'ws://127.0.0.1:0'];
  const run = await lab.start([...listen, ...args, '--', CODEX_BIN, 'app-server'], {
    ...codexEnvironment(lab),
    ...env,
  });
  const line = await run.line(({ type }) => type === 'listening', 'listening line');
  return { run, url: String(line.url), connectUrl: String(line.connectUrl) };
}

/** The processes of the app server and of the wrapper that started it. Linux only. */
export const appServerPids = (lab: Lab): number[] =>
  readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => fileOf(pid, 'cmdline').includes('app-server\0--listen'))
    .filter((pid) =>
      fileOf(pid, 'environ')
        .split('\0')
        .includes(`CODEX_HOME=${codexHome(lab)}`),
    )
    .map(Number);

function fileOf(pid: string, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return '';
  }
}

/** Runs Codex CLI to its end. */
export async function codex(
  lab: Lab,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: unknown; output: string }> {
  const child = spawn(CODEX_BIN, args, {
    cwd: lab.folder,
    env: { PATH: process.env.PATH, ...codexEnvironment(lab), MODEL_KEY: 'unused', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const timer = setTimeout(() => child.kill('SIGKILL'), 40_000);
  const [code] = (await once(child, 'close')) as unknown[];
  clearTimeout(timer);
  return { code, output };
}
