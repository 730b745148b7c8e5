/** The command blocks of a document, and a machine that runs them: a home directory of its own, and loopback only. */
import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cleanEnv } from './cli.js';
import { AGENT, openIssuer, writePrograms } from './document-programs.js';
import type { LoopbackIssuer } from './issuer.js';

export interface CommandBlock {
  readonly line: number;
  readonly commands: readonly string[];
  /** Why it is not run. */
  readonly notRun: string | undefined;
  /** An engine must run before it; the text says how it was started. */
  readonly besideEngine: boolean;
}

const BLOCK = /(?:^<!-- (.*) -->\n)?^```sh\n([\s\S]*?)^```$/gm;

/** @throws where the comment above a block says something else than the two forms of CONTRIBUTING.md */
export function commandBlocks(text: string): readonly CommandBlock[] {
  return [...text.matchAll(BLOCK)].map(({ 1: marker = '', 2: body = '', index }) => {
    const line = text.slice(0, index).split('\n').length;
    const reason = /^not run: (.{10,})$/.exec(marker)?.[1];
    const besideEngine = marker === 'run beside an engine';
    if (marker !== '' && reason === undefined && !besideEngine) {
      throw new Error(`line ${line}: unknown marker: ${marker}`);
    }
    const commands = body.replaceAll('\\\n', ' ').trim().split('\n');
    return { line, commands, notRun: reason, besideEngine };
  });
}

/** Ends only with a signal. */
const LONG = /^(?:[A-Z_]+=\S* +)*rc-engine (start|backend|connect(?! --list\b))/;
/** A sign-in, and a service: the engine that was started with a token must not run, and its token is not given to them. */
const WITHOUT_TOKEN = /\brc-engine (?:login|logout|whoami|service)\b/;
/** The connect URL of the reader's engine. */
const CONNECT_URL = /ws:\/\/127\.0\.0\.1:PORT(?:\/\?token=TOKEN)?/;
/** Addresses in documents. Each run has free ports in their place. */
const ADDRESS = /127\.0\.0\.1:(\d{4,5}|PORT)\b/g;
const LIMIT = 30_000;

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
    return machine;
  }

  async run({ commands, besideEngine }: CommandBlock): Promise<void> {
    if (besideEngine && this.#alive('start') === undefined)
      await this.#command('rc-engine start', this.#home);
    const home = commands.some((command) => /\brc-engine connect\b/.test(command))
      ? this.#laptop
      : this.#home;
    for (const command of commands) await this.#command(command, home);
  }

  async close(): Promise<void> {
    for (const kind of ['connect', 'start', 'backend']) await this.#end(kind);
    await this.#issuer?.close();
  }

  async #command(text: string, home: string): Promise<void> {
    const command = CONNECT_URL.test(text) ? await this.#withConnectUrl(text) : await this.#withPorts(text);
    if (WITHOUT_TOKEN.test(command)) {
      await this.#end('start');
      await this.#short(
        command,
        home,
        await this.#signInEnv(),
        command.includes('--api-key-stdin') ? 'sk-key' : '',
      );
      return;
    }
    const kind = LONG.exec(command)?.[1];
    if (kind !== 'backend' && this.#alive('backend') === undefined && !command.includes('embedded')) {
      await this.#long(
        'backend',
        await this.#withPorts('rc-engine backend --listen http://127.0.0.1:8787'),
        home,
      );
    }
    const asksForCode = /\brc-engine (?:call|connect(?! --list\b))\b/.test(command);
    const env = asksForCode ? { RC_ENGINE_PAIRING_CODE: await this.#pairingCode() } : {};
    if (kind === undefined) await this.#short(command, home, env);
    else await this.#long(kind, command, home, env);
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
      BROWSER: path.join(this.#directory, 'bin/browser'),
    };
  }

  async #pairingCode(): Promise<string> {
    const text = await this.#short('rc-engine pair --json', this.#home);
    const { manualPairingCode, pairingCode, code } = JSON.parse(text) as Record<string, string>;
    return manualPairingCode ?? pairingCode ?? code ?? '';
  }

  /** @returns what it printed */
  async #short(command: string, home: string, env: NodeJS.ProcessEnv = {}, input = ''): Promise<string> {
    const run = await this.#spawn(command, home, env);
    run.child.stdin?.end(input);
    const code = await Promise.race([run.exited, sleep(LIMIT, 'no end', { ref: false })]);
    if (code !== 0) {
      await stop(run);
      throw new Error(`${command}\nexit code: ${code}\n${run.output}`);
    }
    return run.output;
  }

  async #long(kind: string, command: string, home: string, env: NodeJS.ProcessEnv = {}): Promise<void> {
    // One engine runs on a home, and one link on a port: a document says so, and the reader stops the first.
    await this.#end(kind);
    const run = await this.#spawn(command, home, env);
    this.#running.set(kind, run);
    const ready = /local use|\b(?:unix|ws|http):\/\//;
    const deadline = Date.now() + LIMIT;
    while (!ready.test(run.output)) {
      if (this.#alive(kind) === undefined || Date.now() > deadline)
        throw new Error(`${command}\ndid not become ready:\n${run.output}`);
      await sleep(50);
    }
    if (kind === 'start' && !command.includes('--no-remote-control'))
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
