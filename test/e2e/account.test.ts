/** Sign-in and sign-out with the built command line. */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { CLI, CliProcess, type CliResult, cli } from '../support/cli.js';
import { granted, LoopbackIssuer, MARK, oauthError, token } from '../support/issuer.js';
import { decoded, modules } from '../support/qr.js';
import { tmpFolder } from '../support/tmp.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));
const GIVEN = {
  json: { authorization_code: `code-${MARK}`, code_challenge: 'x', code_verifier: `ver-${MARK}` },
};

interface World {
  readonly home: string;
  readonly at: LoopbackIssuer;
  readonly auth: string;
  readonly run: (args: readonly string[], env?: NodeJS.ProcessEnv, input?: string) => Promise<CliResult>;
  readonly start: (args: readonly string[], env?: NodeJS.ProcessEnv) => CliProcess;
}

async function world(): Promise<World> {
  const home = join(await tmpFolder(), 'home');
  const at = await LoopbackIssuer.start();
  const full = (args: readonly string[]) => [...args, '--home', home];
  return {
    home,
    at,
    auth: join(home, 'auth.json'),
    run: (args, env, input) => cli(full(args), env, input),
    start: (args, env) => {
      const started = new CliProcess(full(args), env);
      onTestFinished(() => void started.child.kill('SIGKILL'));
      return started;
    },
  };
}

const engineArgs = (at: LoopbackIssuer): string[] => [
  'start',
  '--json',
  '--listen',
  'off',
  '--auth-startup',
  'recoverable',
  '--issuer',
  at.origin,
  '--base-url',
  `${at.origin}/backend-api`,
];

/** Whether another program holds the port of the callback server. */
async function portsHeld(): Promise<boolean> {
  const { createServer } = await import('node:net');
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(true));
    probe.listen(1455, '127.0.0.1', () => probe.close(() => resolve(false)));
  });
}

describe('on a machine without a browser', () => {
  it('ACC-79, RC-28: a device sign-in works, a revoked one is explained, and after a new one the engine connects within 2 s', async () => {
    const { at, run, start, auth } = await world();
    at.always('devicePoll', GIVEN);
    at.always('exchange', () => granted(token({ plan: 'plus' })));
    const first = await run(['login', '--device', '--issuer', at.origin]);
    expect([first.code, first.stdout]).toEqual([0, expect.stringContaining('ABCD-1234')]);
    expect(first.stdout).toContain(`${at.origin}/codex/device`);
    expect(first.stdout).toContain('Signed in with ChatGPT as user@example.com, plan plus.');

    // The issuer revokes the sign-in: neither the backend nor a refresh accepts it.
    const good = token({ plan: 'team' });
    at.always('enroll', ({ bearer }) => (bearer === good ? { json: enrolled() } : { status: 401 }));
    at.always('refresh', oauthError(400, 'refresh_token_invalidated'));
    const engine = start(engineArgs(at));
    await engine.line((line) => line.reason === 'refreshTokenRevoked', 'the reason');
    const status = await run(['status', '--verbose']);
    expect(status.stdout).toMatch(/reason\s+refreshTokenRevoked: /);
    expect(status.stdout).toMatch(/next step\s+Sign in again with rc-engine login/);

    at.always('exchange', granted(good));
    const again = await run(['login', '--device']);
    const signedInAt = Date.now();
    expect(again.stdout).toContain('The running engine uses it now.');
    await engine.line((line) => line.environmentId === 'env-1', 'the identity', 2_000);
    expect(Date.now() - signedInAt).toBeLessThan(2_000);
    expect((await run(['whoami', '--json'])).stdout).toContain('"plan":"team"');
    const ended = await engine.stop();
    const everything = [first, status, again, ended].map(({ stdout, stderr }) => stdout + stderr).join('');
    expect(everything).not.toContain(MARK);
    expect(readFileSync(auth, 'utf8')).toContain(good);
  }, 40_000);

  it('ACC-80, ACC-90: a refused code fails with the reason and exit code 1', async () => {
    const { at, run, auth } = await world();
    at.always('devicePoll', { status: 400, json: { error: 'expired_token' } });
    const { code, stderr } = await run(['login', '--device', '--issuer', at.origin]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('device auth failed with status 400')]);
    expect(existsSync(auth)).toBe(false);
  });

  it('RC-106: a login that is killed ends its sign-in in the running engine', async ({ skip }) => {
    if (await portsHeld()) skip('another program holds port 1455');
    const { at, start } = await world();
    const engine = start(engineArgs(at));
    await engine.line((line) => line.reason === 'authMissing', 'authMissing');
    const login = start(['login', '--no-browser']);
    await login.until(() => login.stdout.includes('/oauth/authorize'), 'the address');
    expect(await portsHeld()).toBe(true);
    await login.stop('SIGKILL');
    await expect.poll(portsHeld, { timeout: 5_000 }).toBe(false);
    await engine.stop();
  });

  it('ACC-82, ACC-90: Ctrl-C cancels the sign-in with exit code 130, and nothing is stored', async () => {
    const { at, start, auth } = await world();
    const login = start(['login', '--device', '--issuer', at.origin]);
    await login.until(() => login.stdout.includes('ABCD-1234'), 'the code');
    const { code, stdout } = await login.stop('SIGINT');
    expect([code, stdout]).toEqual([130, expect.stringContaining('Cancelled')]);
    expect(existsSync(auth)).toBe(false);
  });
});

/** Runs a command in a terminal of this width. Undefined when this machine has no `script`. */
function inTerminal(
  args: readonly string[],
  columns: number,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const quoted = [process.execPath, CLI, ...args].map((word) => `'${word}'`).join(' ');
  const command = `stty cols ${columns} rows 40 && exec ${quoted}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm-256color', LANG: 'C.UTF-8', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 20_000,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  return new Promise((resolve) => {
    child.once('error', () => resolve(undefined));
    child.once('close', () => resolve(output));
  });
}

describe('in a terminal', () => {
  it('ACC-79: shows the address as a QR code, unless the terminal is too narrow or an option forbids it', async ({
    skip,
  }) => {
    const { at, home } = await world();
    at.always('usercode', {
      json: {
        device_auth_id: `dev-${MARK}`,
        user_code: 'ABCD-1234',
        verification_uri_complete: `${at.origin}/codex/device?user_code=ABCD-1234`,
      },
    });
    at.always('devicePoll', GIVEN);
    at.always('exchange', () => granted(token()));
    const login = ['login', '--device', '--issuer', at.origin, '--home', home];
    const wide = await inTerminal(login, 80, {});
    if (wide === undefined) return skip('this machine has no script(1)');
    expect(decoded(modules(wide.split(/\r?\n/).filter((line) => /[▀▄█]/.test(line))))).toBe(
      `${at.origin}/codex/device?user_code=ABCD-1234`,
    );
    expect(wide).toMatch(/Scan the QR code, or open .*codex\/device/);
    expect(wide).toMatch(/Enter this code: .*ABCD-1234/);
    for (const [more, columns, env] of [
      [[], 30, {}],
      [['--no-qr'], 80, {}],
      [['--json'], 80, {}],
      [[], 80, { NO_COLOR: '1' }],
    ] as const) {
      const plain = await inTerminal([...login, ...more], columns, env);
      expect(plain).toContain('ABCD-1234');
      expect(plain).not.toMatch(/[▀▄█]/);
    }
  }, 60_000);
});

describe('with an API key', () => {
  it('ACC-28, ACC-56, ACC-90: login reads it from stdin, whoami shows it as a problem, logout removes it', async () => {
    const { run, auth } = await world();
    expect((await run(['whoami'])).code).toBe(3);
    const login = await run(['login', '--api-key-stdin'], {}, `sk-${MARK}\n`);
    expect([login.code, login.stdout]).toEqual([0, expect.stringContaining('Signed in with an API key.')]);
    expect(JSON.parse(readFileSync(auth, 'utf8'))).toMatchObject({ OPENAI_API_KEY: `sk-${MARK}` });
    const who = await run(['whoami']);
    expect([who.code, who.stdout]).toEqual([3, expect.stringContaining('authApiKeyOnly')]);
    expect((await run(['logout'])).code).toBe(0);
    expect((await run(['logout'])).code).toBe(0);
    expect(existsSync(auth)).toBe(false);
    expect(login.stdout + who.stdout + who.stderr).not.toContain(MARK);
  });

  it('login refuses it where ChatGPT is forced, and reports a malformed one as a usage error', async () => {
    const { run } = await world();
    const env = { RC_ENGINE_FORCED_LOGIN_METHOD: 'chatgpt' };
    const refused = await run(['login', '--api-key-stdin'], env, `sk-${MARK}`);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining('API key login is disabled')]);
    expect((await run(['login', '--api-key-stdin'], {}, 'two words')).code).toBe(2);
    expect((await run(['login', '--api-key-stdin', '--device'])).code).toBe(2);
    expect((await run(['login', '--issuer', 'http://id.example'])).code).toBe(2);
  });
});

describe('with a running engine', () => {
  it('ACC-112: another account file or store than the engine uses is refused, ACC-121: and logout names the file', async () => {
    const { at, start, run, auth, home } = await world();
    const other = join(home, '..', 'other.json');
    writeFileSync(other, '{}', { mode: 0o600 });
    const engine = start(engineArgs(at));
    await engine.line((line) => line.type === 'started', 'the start');
    const key = `sk-${MARK}`;
    for (const [args, env] of [
      [['--auth-file', other], {}],
      [[], { RC_ENGINE_AUTH_FILE: other }],
      [['--auth-store', 'ephemeral'], {}],
    ] as const) {
      const refused = await run(['login', '--api-key-stdin', ...args], env, key);
      expect([refused.code, refused.stderr]).toEqual([
        2,
        expect.stringContaining(`uses the account file ${auth}`),
      ]);
    }
    expect([existsSync(auth), readFileSync(other, 'utf8')]).toEqual([false, '{}']);
    expect((await run(['login', '--api-key-stdin', '--auth-file', auth], {}, key)).code).toBe(0);
    expect((await run(['logout'])).stdout).toContain(`Signed out. Deleted ${auth}.\n`);
    expect((await run(['logout'])).stdout).toBe('Nobody was signed in. Nothing was deleted.\n');
  }, 30_000);
});

describe('with an account file that is mounted alone', () => {
  const [unshare, ...mounts] = ['unshare', '-m', 'sh', '-c'] as const;
  const canMount = spawnSync(unshare, [...mounts, 'mount --bind /tmp /tmp']).status === 0;

  it.runIf(canMount)('ACC-114: it is written in place, and a sign-out empties it', async () => {
    const { home, auth } = await world();
    const outside = join(await tmpFolder(), 'outside.json');
    mkdirSync(home, { mode: 0o700 });
    for (const path of [auth, outside]) writeFileSync(path, '', { mode: 0o600 });
    const run = (args: readonly string[], input = '') => {
      const script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
      const command = [script, 'sh', outside, auth, process.execPath, CLI, ...args, '--home', home];
      return spawnSync(unshare, [...mounts, ...command], { input, encoding: 'utf8' });
    };
    const login = run(['login', '--api-key-stdin'], `sk-${MARK}`);
    expect([login.status, login.stderr]).toEqual([0, '']);
    expect(JSON.parse(readFileSync(outside, 'utf8'))).toMatchObject({ OPENAI_API_KEY: `sk-${MARK}` });
    const logout = run(['logout']);
    expect([logout.status, readFileSync(outside, 'utf8')]).toEqual([0, '']);
    expect(readdirSync(home).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});

describe('with a sign-in in memory only', () => {
  it('ACC-57: the running engine uses it, and it is nowhere on disk', async () => {
    const { at, start, run, auth, home } = await world();
    at.always('devicePoll', GIVEN);
    at.always('exchange', () => granted(token({ plan: 'plus' })));
    const alone = await run(['login', '--device', '--auth-store', 'ephemeral', '--issuer', at.origin]);
    expect([alone.code, alone.stderr]).toEqual([
      2,
      expect.stringMatching(/Run rc-engine start --auth-store ephemeral --home \S+ first/),
    ]);
    expect(at.seen).toEqual([]);

    const engine = start([...engineArgs(at), '--auth-store', 'ephemeral']);
    await engine.line((line) => line.type === 'started', 'the start');
    expect((await run(['login', '--device'])).code).toBe(0);
    await engine.line((line) => line.environmentId === 'env-1', 'the identity');
    const who = await run(['whoami']);
    expect([who.code, who.stdout]).toEqual([0, expect.stringContaining('until the engine stops')]);
    expect(existsSync(auth)).toBe(false);
    await engine.stop();
    const kept = readdirSync(home, { recursive: true, withFileTypes: true }).filter(
      (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(MARK),
    );
    expect(kept).toEqual([]);
    expect((await run(['whoami'])).code).toBe(3);
  }, 30_000);
});

describe('with a token from the environment', () => {
  it('start uses it and never shows it', async () => {
    const { at, start, run } = await world();
    const access = token({ account: 'acct-ci' });
    const engine = start(engineArgs(at), { RC_ENGINE_ACCESS_TOKEN: access });
    await engine.line((line) => line.environmentId === 'env-1', 'the identity');
    expect(at.of('enroll')[0]?.bearer).toBe(access);
    const who = await run(['whoami', '--json']);
    expect(JSON.parse(who.stdout)).toMatchObject({ source: 'environment', accountId: 'acct-ci' });
    const { stdout, stderr } = await engine.stop();
    expect(stdout + stderr + who.stdout).not.toContain(MARK);
  });
});

describe('with a browser', () => {
  it('over SSH, login prints the address and how to forward the port', async ({ skip }) => {
    if (await portsHeld()) skip('another program holds port 1455');
    const { at, start } = await world();
    const login = start(['login', '--issuer', at.origin], { SSH_CONNECTION: '1 2 3 4' });
    await login.until(() => login.stdout.includes('Press Ctrl-C to cancel'), 'the address');
    expect(login.stdout).toContain(`${at.origin}/oauth/authorize?`);
    expect(login.stdout).toContain('ssh -L 1455:127.0.0.1:1455');
    expect((await login.stop('SIGINT')).code).toBe(130);
  });

  it('ACC-70 … ACC-77: login passes the address to the command in BROWSER, and the sign-in completes', async ({
    skip,
  }) => {
    if (await portsHeld()) skip('another program holds port 1455');
    const { at, run, home } = await world();
    at.always('exchange', granted(token({ plan: 'plus' })));
    // A minimal browser: it follows redirects.
    const browser = `${home}-browser.mjs`;
    writeFileSync(browser, `#!${process.execPath}\nawait fetch(process.argv[2]);\n`);
    chmodSync(browser, 0o755);
    const { code, stdout } = await run(['login', '--issuer', at.origin], { BROWSER: browser });
    expect([code, stdout]).toEqual([0, expect.stringContaining('plan plus')]);
    expect(stdout).not.toContain(MARK);
  });

  it('ACC-70 … ACC-77: the sign-in works in chromium, through a running engine', async ({ skip }) => {
    if (CHROMIUM === undefined) skip('chromium is not installed');
    if (await portsHeld()) skip('another program holds port 1455');
    const { at, start, run, home } = await world();
    const access = token({ plan: 'team' });
    at.always('exchange', granted(access));
    const engine = start(engineArgs(at));
    await engine.line((line) => line.type === 'started', 'the start');
    const login = start(['login', '--json', '--no-browser']);
    const begun = await login.line((line) => line.type === 'login', 'the address');
    const page = await dump(String(CHROMIUM), String(begun.authUrl), `${home}-profile`);
    expect(page).toContain('Signed in');
    expect(page).not.toContain(MARK);
    const ended = await login.exited;
    expect([ended.code, login.lines.at(-1)]).toMatchObject([0, { type: 'completed', plan: 'team' }]);
    await engine.line((line) => line.environmentId === 'env-1', 'the identity');
    expect(at.of('enroll')[0]?.bearer).toBe(access);
    expect((await run(['whoami'])).stdout).toContain('with ChatGPT as user@example.com, plan team');
    await engine.stop();
  }, 60_000);
});

/** The HTML of the page after all redirects, from a real browser. */
function dump(browser: string, url: string, profile: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(
      browser,
      [
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-background-networking',
        '--no-first-run',
        `--user-data-dir=${profile}`,
        '--dump-dom',
        url,
      ],
      { stdio: ['ignore', 'pipe', 'ignore'], timeout: 45_000 },
    );
    let page = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      page += text;
    });
    child.once('error', reject);
    child.once('close', () => resolve(page));
  });
}

const enrolled = () => ({
  server_id: 'srv-1',
  environment_id: 'env-1',
  remote_control_token: `server-${MARK}`,
  expires_at: new Date(Date.now() + 3_600_000).toISOString(),
});
