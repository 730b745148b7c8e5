/** The processes of the listener's benchmarks: bare servers, rc-engine in each mode, Codex CLI, and the clients. */
import { spawn } from 'node:child_process';
import { createHash, createHmac } from 'node:crypto';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { now, sleep } from '../clock.mjs';
import { CLI } from '../subjects.mjs';

const TOKEN = 'bench-capability-token';
const SECRET = 'bench-shared-secret-0123456789abcdef';
const script = (name) => fileURLToPath(new URL(`./${name}.mjs`, import.meta.url));

function jwt() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ exp: Math.floor(Date.now() / 1000) + 3_600 })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}

/** For each mode the flags, and the headers of good and bad clients. */
export const MODES = {
  queryToken: { flags: () => [], bad: (url) => ({ url: `${url}?token=${'x'.repeat(43)}`, headers: {} }) },
  capability: {
    flags: () => [
      '--ws-auth',
      'capability-token',
      '--ws-token-sha256',
      createHash('sha256').update(TOKEN).digest('hex'),
    ],
    good: () => ({ Authorization: `Bearer ${TOKEN}` }),
    bad: (url) => ({ url, headers: { Authorization: 'Bearer wrong' } }),
  },
  signedBearer: {
    flags: (dir) => {
      const file = `${dir}/secret`;
      writeFileSync(file, SECRET, { mode: 0o600 });
      return ['--ws-auth', 'signed-bearer-token', '--ws-shared-secret-file', file];
    },
    good: () => ({ Authorization: `Bearer ${jwt()}` }),
    bad: (url) => ({ url, headers: { Authorization: `Bearer ${jwt().slice(0, -2)}AA` } }),
  },
};

class ServerProcess {
  constructor(command, args, env, dir) {
    const log = openSync(`${dir}/listener.log`, 'a');
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', log], env, cwd: dir });
    closeSync(log);
    this.lines = createInterface({ input: this.child.stdout });
    this.ended = new Promise((resolve) => this.child.on('exit', resolve));
  }

  get pid() {
    return this.child.pid;
  }

  /** The first result of `find` for a line of stdout. */
  line(find) {
    return new Promise((resolve, reject) => {
      this.ended.then(() =>
        reject(new Error('a process of the benchmark exited at its start; see listener.log')),
      );
      this.lines.on('line', (text) => {
        const found = text.startsWith('{') ? find(JSON.parse(text)) : undefined;
        if (found !== undefined) resolve(found);
      });
    });
  }

  async stop() {
    this.child.kill('SIGINT');
    const late = sleep(5_000).then(() => 'late');
    if ((await Promise.race([this.ended, late])) === 'late') this.child.kill('SIGKILL');
    await this.ended;
  }
}

const env = (extra = {}) => ({ PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1', ...extra });

export async function startBare(dir, mode, upstream) {
  const part = new ServerProcess(process.execPath, [script('bare'), mode, upstream ?? ''], env(), dir);
  return { part, url: await part.line(({ url }) => url), headers: {} };
}

/** rc-engine (`cli`: of another build) with a listener in one mode, in front of `appServer` (or the built-in one). */
export async function startEngine(dir, mode, { appServer, args = [], cli = CLI } = {}) {
  const { flags, good } = MODES[mode];
  const part = new ServerProcess(
    process.execPath,
    [
      ...[cli, 'start', '--json', '--home', `${dir}/home-${now()}`, '--listen', 'ws://127.0.0.1:0'],
      ...['--no-remote-control', '--max-connections', '8192', '--log-level', 'warn', ...flags(dir)],
      ...(appServer === undefined ? [] : ['--app-server', appServer]),
      ...args,
    ],
    env(),
    dir,
  );
  const { url, connectUrl } = await part.line((line) => (line.type === 'listening' ? line : undefined));
  return { part, url: connectUrl, bareUrl: url, headers: good?.() ?? {} };
}

/** The listener of Codex CLI, in capability mode. */
export async function startCodex(dir) {
  const home = `${dir}/codex-${now()}`;
  const { mkdirSync } = await import('node:fs');
  mkdirSync(home);
  const { createServer } = await import('node:net');
  const port = await new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port: free } = probe.address();
      probe.close(() => resolve(free));
    });
  });
  const part = new ServerProcess(
    process.env.CODEX_BIN,
    ['app-server', '--listen', `ws://127.0.0.1:${port}`, ...MODES.capability.flags()],
    env({ CODEX_HOME: home }),
    dir,
  );
  const url = `ws://127.0.0.1:${port}/`;
  for (let i = 0; ; i += 1) {
    const up = await fetch(`http://127.0.0.1:${port}/readyz`)
      .then((a) => a.ok)
      .catch(() => false);
    if (up) break;
    if (i > 200) throw new Error('Codex CLI does not listen');
    await sleep(50);
  }
  return { part, url, bareUrl: url, headers: MODES.capability.good() };
}

/** The process of the clients. */
export class Load {
  #part;
  #waiting = [];

  constructor(dir) {
    this.#part = new ServerProcess(process.execPath, [script('load')], env(), dir);
    this.#part.lines.on('line', (text) => this.#waiting.shift()?.(JSON.parse(text)));
  }

  async do(task, params) {
    const { result, error } = await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#part.child.stdin.write(`${JSON.stringify({ task, ...params })}\n`);
    });
    if (error !== undefined) throw new Error(error);
    return result;
  }

  stop() {
    this.#part.child.stdin.end();
    return this.#part.ended;
  }
}
