/** The command blocks of a document, and a machine that runs them: a home directory of its own, and loopback only. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnv } from './cli.js';
import { AGENT, openIssuer, writePrograms } from './document-programs.js';
import type { LoopbackIssuer } from './issuer.js';
import { recordedTimeline } from './timeline.js';

export interface CommandBlock {
  readonly line: number;
  readonly commands: readonly string[];
  /** Why it is not run. */
  readonly notRun: string | undefined;
  /**
   * What it needs: `engine`: one must run before it, and the text says how it was started; `repository`: its files, as
   * they are here; `clone`: a clone of its own, because it writes into it or installs packages; `codex`: the real Codex
   * CLI; `check`: nothing, because `.ci/run` runs these very commands.
   */
  readonly needs: keyof typeof NEEDS | undefined;
}

const NEEDS = {
  engine: 'run beside an engine',
  repository: 'run in the repository',
  clone: 'run in a clone',
  codex: 'run with Codex CLI',
  check: 'run by .ci/run',
} as const;

const BLOCK = /(?:^<!-- (.*) -->\n)?^```sh\n([\s\S]*?)^```$/gm;

/** @throws where the comment above a block says something else than the forms of CONTRIBUTING.md */
export function commandBlocks(text: string): readonly CommandBlock[] {
  return [...text.matchAll(BLOCK)].map(({ 1: marker = '', 2: body = '', index }) => {
    const line = text.slice(0, index).split('\n').length;
    const reason = /^not run: (.{10,})$/.exec(marker)?.[1];
    const needs = (Object.keys(NEEDS) as (keyof typeof NEEDS)[]).find((one) => NEEDS[one] === marker);
    if (marker !== '' && reason === undefined && needs === undefined) {
      throw new Error(`line ${line}: unknown marker: ${marker}`);
    }
    const commands = body.replaceAll('\\\n', ' ').trim().split('\n');
    return { line, commands, notRun: reason, needs };
  });
}

/** Ends only with a signal. */
const LONG =
  /^(?:[A-Z_]+=\S* +)*rc-engine (start|backend|hub(?! (?:key|config|export|import)\b)|inspect(?= --attach)|connect(?! --list\b))|^npm ci && npm (start)/;
/** A sign-in, and a service: the engine that was started with a token must not run, and its token is not given to them. */
const WITHOUT_TOKEN = /\brc-engine (?:login|logout|whoami|service)\b/;
/** The connect URL of the reader's engine. */
const CONNECT_URL = /ws:\/\/127\.0\.0\.1:PORT(?:\/\?token=TOKEN)?/;
/** Addresses in documents. Each run has free ports in their place. */
const ADDRESS = /127\.0\.0\.1:(\d{4,5}|PORT)\b/g;
const LIMIT = 30_000;
/** The name of a paired machine in documents; each run has the name of this machine. */
const MACHINE = /\bconnect build-server\b/;
/** With packages that are installed, or tests that are repeated. */
const LONG_LIMIT = 300_000;
const REPOSITORY = path.resolve(import.meta.dirname, '../..');

const NO_ENGINE_SETTINGS = {
  RC_ENGINE_BASE_URL: undefined,
  RC_ENGINE_ACCESS_TOKEN: undefined,
  RC_ENGINE_ACCOUNT_ID: undefined,
  RC_ENGINE_ISSUER: undefined,
  HTTP_PROXY: undefined,
  HTTPS_PROXY: undefined,
};

interface Running {
  readonly child: ChildProcess;
  readonly exited: Promise<number | null>;
  output: string;
}

export class DocumentMachine {
  readonly #running = new Map<string, Running>();
  readonly #ports = new Map<string, number>();
  readonly #home: string;
  readonly #laptop: string;
  readonly #directory: string;
  #issuer: LoopbackIssuer | undefined;
  /** The key of the last `hub key create`. */
  #hubKey = '';
  #clone: string | undefined;

  private constructor(directory: string) {
    this.#directory = directory;
    this.#home = path.join(directory, 'home');
    this.#laptop = path.join(directory, 'laptop');
  }

  static async create(directory: string): Promise<DocumentMachine> {
    const machine = new DocumentMachine(directory);
    await mkdir(path.join(directory, 'bin'));
    for (const home of [machine.#home, machine.#laptop]) await mkdir(home);
    await writePrograms(path.join(directory, 'bin'));
    await writeFile(path.join(directory, 'home/my-agent'), AGENT);
    await chmod(path.join(directory, 'home/my-agent'), 0o755);
    await mkdir(path.join(directory, 'home/my-project'));
    await writeFile(path.join(directory, 'home/my-project/package.json'), '{ "private": true }');
    for (const name of ['before', 'after'])
      await writeFile(path.join(directory, `home/${name}.json`), JSON.stringify(recordedTimeline({})));
    return machine;
  }

  async run({ commands, needs }: CommandBlock): Promise<void> {
    if (needs === 'repository' || needs === 'codex' || needs === 'clone') {
      const place = needs === 'clone' ? await this.#cloned() : REPOSITORY;
      for (const command of commands) await this.#inTree(command, place);
      return;
    }
    if (needs === 'engine' && this.#alive('start') === undefined)
      await this.#command('rc-engine start', this.#home);
    const home = commands.some((command) => /\brc-engine connect\b/.test(command))
      ? this.#laptop
      : this.#home;
    for (const command of commands) await this.#command(command, home);
  }

  /** What the command that npm link installed prints. */
  installedCommand(args: readonly string[]): Promise<string> {
    const command = path.join(this.#directory, 'prefix/bin/rc-engine');
    return this.#short([command, ...args].join(' '), this.#home);
  }

  async close(): Promise<void> {
    for (const kind of ['inspect', 'connect', 'start', 'backend', 'hub']) await this.#end(kind);
    await this.#issuer?.close();
  }

  /** A command of the repository itself. It has none of the settings with which the engine of a reader runs. */
  async #inTree(text: string, tree: string): Promise<void> {
    const { CODEX_BIN = '' } = process.env;
    const command = text.replace('=/path/to/codex', `=${CODEX_BIN}`).replace('/path/to/', `${tree}/`);
    // Packages come from the registry that this machine is set up for.
    const own = Object.entries(process.env).filter(([name]) => !/^(?:RC_|npm_|VITEST|NODE_ENV)/.test(name));
    const env = {
      ...NO_ENGINE_SETTINGS,
      ...Object.fromEntries(own),
      HOME: this.#home,
      npm_config_userconfig: path.join(homedir(), '.npmrc'),
      npm_config_cache: process.env.npm_config_cache ?? path.join(homedir(), '.npm'),
      // npm link puts the command there, and not into the system.
      npm_config_prefix: path.join(this.#directory, 'prefix'),
    };
    const kind = LONG.exec(command)?.[2];
    if (kind === undefined) await this.#short(command, tree, env, '', LONG_LIMIT);
    else {
      await this.#long(kind, command, tree, env, LONG_LIMIT);
      await this.#end(kind);
    }
  }

  /** A clone of this repository, with what is not committed yet. */
  async #cloned(): Promise<string> {
    if (this.#clone !== undefined) return this.#clone;
    const clone = path.join(this.#directory, 'clone');
    const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: REPOSITORY,
      encoding: 'utf8',
    });
    for (const file of files.split('\0')) {
      if (file === '' || !existsSync(path.join(REPOSITORY, file))) continue;
      await cp(path.join(REPOSITORY, file), path.join(clone, file), { recursive: true });
    }
    this.#clone = clone;
    return clone;
  }

  async #command(words: string, home: string): Promise<void> {
    const text = words.replace(MACHINE, `connect ${hostname()}`);
    const command = CONNECT_URL.test(text) ? await this.#withConnectUrl(text) : await this.#withPorts(text);
    if (WITHOUT_TOKEN.test(command)) {
      await this.#end('start');
      await this.#short(
        command,
        home,
        await this.#signInEnv(),
        command.includes('--api-key-stdin') ? 'sk-key' : command.includes('--hub') ? this.#hubKey : '',
      );
      return;
    }
    const kind = LONG.exec(command)?.[1];
    const ownBackend = kind === 'backend' || kind === 'hub' || /\bembedded\b|\brc-engine hub\b/.test(command);
    if (!ownBackend && this.#alive('backend') === undefined && this.#alive('hub') === undefined) {
      await this.#long(
        'backend',
        await this.#withPorts('rc-engine backend --listen http://127.0.0.1:8787'),
        home,
      );
    }
    const asksForCode = /\brc-engine (?:call|connect(?! --list\b))\b/.test(command);
    const env = {
      ...(asksForCode ? { RC_ENGINE_PAIRING_CODE: await this.#pairingCode() } : {}),
      // The sign-in at the hub is what the reader uses.
      ...(this.#alive('hub') === undefined ? {} : NO_ENGINE_SETTINGS),
    };
    if (kind === undefined) {
      const output = await this.#short(command, home, env);
      this.#hubKey = /\brck_[\w-]+/.exec(output)?.[0] ?? this.#hubKey;
    } else await this.#long(kind, command, home, env);
    if (command.includes('--open')) await this.#pageOpened(home);
  }

  /** The browser has fetched the page to which the command led it. */
  async #pageOpened(home: string): Promise<void> {
    const deadline = Date.now() + LIMIT;
    for (;;) {
      const seen = await readFile(path.join(home, 'browser.log'), 'utf8').catch(() => '');
      if (seen.includes('200')) return;
      if (Date.now() > deadline) throw new Error(`the browser saw no page: ${seen}`);
      await sleep(50);
    }
  }

  async #withConnectUrl(text: string): Promise<string> {
    if (this.#alive('start') === undefined) await this.#command('rc-engine start', this.#home);
    return text.replace(CONNECT_URL, (await this.#short('rc-engine url', this.#home)).trim());
  }

  async #signInEnv(): Promise<NodeJS.ProcessEnv> {
    this.#issuer ??= await openIssuer();
    const token = { RC_ENGINE_ACCESS_TOKEN: undefined, RC_ENGINE_ACCOUNT_ID: undefined };
    return {
      ...token,
      RC_ENGINE_ISSUER: this.#issuer.origin,
    };
  }

  async #pairingCode(): Promise<string> {
    const text = await this.#short('rc-engine pair --json', this.#home);
    const { manualPairingCode, pairingCode, code } = JSON.parse(text) as Record<string, string>;
    return manualPairingCode ?? pairingCode ?? code ?? '';
  }

  /** @returns what it printed */
  async #short(
    command: string,
    home: string,
    env: NodeJS.ProcessEnv = {},
    input = '',
    limit = LIMIT,
  ): Promise<string> {
    const run = await this.#spawn(command, home, env);
    run.child.stdin?.end(input);
    const code = await Promise.race([run.exited, sleep(limit, 'no end', { ref: false })]);
    if (code !== 0) {
      await stop(run);
      throw new Error(`${command}\nexit code: ${code}\n${run.output}`);
    }
    return run.output;
  }

  async #long(
    kind: string,
    command: string,
    home: string,
    env: NodeJS.ProcessEnv = {},
    limit = LIMIT,
  ): Promise<void> {
    // One engine runs on a home, and one link on a port: a document says so, and the reader stops the first.
    await this.#end(kind);
    const run = await this.#spawn(command, home, env);
    this.#running.set(kind, run);
    const ready = /local use|\b(?:unix|ws|http):\/\//;
    const deadline = Date.now() + limit;
    while (!ready.test(run.output)) {
      if (this.#alive(kind) === undefined || Date.now() > deadline)
        throw new Error(`${command}\ndid not become ready:\n${run.output}`);
      await sleep(50);
    }
    if (kind === 'start' && !/--no-remote-control|^npm/.test(command))
      await this.#short(`rc-engine wait --timeout 20 ${/--home \S+/.exec(command)?.[0] ?? ''}`, home);
  }

  #alive(kind: string): Running | undefined {
    const found = this.#running.get(kind);
    return found?.child.exitCode === null && found.child.signalCode === null ? found : undefined;
  }

  async #end(kind: string): Promise<void> {
    const found = this.#running.get(kind);
    this.#running.delete(kind);
    if (found !== undefined) await stop(found);
  }

  async #spawn(command: string, home: string, extra: NodeJS.ProcessEnv): Promise<Running> {
    const { PATH, ...clean } = cleanEnv();
    const backend = await this.#withPorts('http://127.0.0.1:8787/backend-api');
    const env = {
      ...clean,
      PATH: `${path.join(this.#directory, 'bin')}${path.delimiter}${PATH}`,
      HOME: home,
      BROWSER: path.join(this.#directory, 'bin/browser'),
      RC_ENGINE_BASE_URL: backend,
      RC_ENGINE_ISSUER: backend,
      RC_ENGINE_ACCESS_TOKEN: 'dev',
      RC_ENGINE_ACCOUNT_ID: 'me',
      // Nothing may leave this machine.
      HTTP_PROXY: 'http://127.0.0.1:9',
      HTTPS_PROXY: 'http://127.0.0.1:9',
      ...extra,
    };
    const child = spawn('sh', ['-c', command], {
      cwd: home,
      env,
      detached: true,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    child.stdin?.on('error', () => {});
    const exited = new Promise<number | null>((resolve) => child.once('close', resolve));
    const run: Running = { child, exited, output: '' };
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        run.output += text;
      });
    }
    return run;
  }

  async #withPorts(text: string): Promise<string> {
    for (const [, name = ''] of text.matchAll(ADDRESS)) {
      if (!this.#ports.has(name))
        this.#ports.set(name, name === 'PORT' ? await this.#port('8787') : await freePort());
    }
    return text.replace(ADDRESS, (_all, name: string) => `127.0.0.1:${this.#ports.get(name)}`);
  }

  async #port(name: string): Promise<number> {
    const port = this.#ports.get(name) ?? (await freePort());
    this.#ports.set(name, port);
    return port;
  }
}

async function stop({ child, exited }: Running): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, 'SIGTERM');
  await exited;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
