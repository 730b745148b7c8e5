/** The programs under test. Each has its own home with a sign-in that the backend of the generator accepts. */
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { now, sleep } from './clock.mjs';
import { killTree } from './process-tree.mjs';

export const CLI = fileURLToPath(new URL('../dist/cli.js', import.meta.url));
const STOP_TIMEOUT = 8_000;
const PASSED_ON = ['PATH', 'LANG', 'TERM', 'TMPDIR'];

const COMMANDS = {
  engine: (home, site, { cli = CLI, flags = [] }) => ({
    command: process.execPath,
    args: [cli, 'start', '--json', '--home', home, '--base-url', site.baseUrl, '--listen', 'off', ...flags],
    env: {},
  }),
  codex: (home, site) => ({
    command: process.env.CODEX_BIN,
    args: ['app-server', '--remote-control', '--listen', 'off', '-c', `chatgpt_base_url="${site.baseUrl}"`],
    env: { CODEX_HOME: home },
  }),
};

/** A home directory for several processes, one after the other. */
export class Home {
  constructor() {
    this.dir = mkdtempSync(join(tmpdir(), 'rc-bench-'));
    this.home = join(this.dir, 'home');
    this.user = join(this.dir, 'user');
    mkdirSync(this.home, { mode: 0o700 });
    mkdirSync(this.user);
    writeFileSync(join(this.home, 'auth.json'), JSON.stringify(signIn()), { mode: 0o600 });
  }

  remove() {
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One process of `engine` or `codex`, or of the bare echo. */
export class Subject {
  #log;

  constructor(command, args, options, log) {
    this.#log = log;
    const out = openSync(log, 'a');
    this.startedAt = now();
    this.child = spawn(command, args, { ...options, stdio: ['ignore', out, out] });
    closeSync(out);
    this.ended = new Promise((resolve) => {
      this.child.on('exit', resolve);
      this.child.on('error', resolve);
    });
  }

  /** @param more for an engine: `{cli, flags}`, another command line than the built one, and more flags */
  static start(kind, home, site, more = {}) {
    const { command, args, env } = COMMANDS[kind](home.home, site, more);
    const inherited = Object.fromEntries(
      PASSED_ON.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]])),
    );
    return new Subject(
      command,
      args,
      {
        cwd: home.user,
        env: { ...inherited, HOME: home.user, NO_PROXY: '127.0.0.1', no_proxy: '127.0.0.1', ...env },
      },
      join(home.dir, 'output.log'),
    );
  }

  /** The bare echo on the pipe of the site. */
  static echo(home, site, corked) {
    const script = fileURLToPath(new URL('./echo.mjs', import.meta.url));
    const args = [script, site.pipeUrl, corked ? 'corked' : 'plain'];
    return new Subject(process.execPath, args, {}, join(home.dir, 'output.log'));
  }

  get pid() {
    return this.child.pid;
  }

  /** Its output so far. */
  get said() {
    return readFileSync(this.#log, 'utf8');
  }

  /** The end of its output, for an error message. */
  get lastWords() {
    return this.said.slice(-2_000);
  }

  async stop() {
    this.child.kill('SIGINT');
    const late = sleep(STOP_TIMEOUT).then(() => 'late');
    if ((await Promise.race([this.ended, late])) === 'late') {
      killTree(this.pid, 'SIGKILL');
      await this.ended;
    }
  }
}

/** The run time of an empty Node program, ms. */
export async function bareNodeMs() {
  const began = now();
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await new Promise((resolve) => child.on('exit', resolve));
  return now() - began;
}

function signIn() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = {
    email: 'bench@example.com',
    exp: Math.floor(Date.now() / 1000) + 86_400,
    'https://api.openai.com/auth': {
      chatgpt_account_id: 'account-bench',
      chatgpt_user_id: 'user-bench',
      chatgpt_plan_type: 'pro',
    },
  };
  const token = `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.sig`;
  return {
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: token,
      access_token: token,
      refresh_token: 'refresh-bench',
      account_id: 'account-bench',
    },
    last_refresh: new Date().toISOString(),
  };
}
