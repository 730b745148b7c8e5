/** What people do with a hub: sign in with its key, start, pair, connect, call, revoke, sign out. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CliProcess, type CliResult, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const ECHO = ['engine/echo', '{"payload":1}'];
const processes: CliProcess[] = [];

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): CliProcess {
  const process = new CliProcess(args, env);
  processes.push(process);
  return process;
}

let dir: string;
let home: string;
let state: string;
/** `http://127.0.0.1:PORT` */
let hub: string;
let node: CliProcess;

async function key(account = 'team'): Promise<{ readonly key: string; readonly id: string }> {
  const made = await cli(['hub', 'key', 'create', '--account', account, '--state', state, '--json']);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(made.stdout) as { key: string; id: string };
}

async function startHub(port = '0'): Promise<void> {
  node = start(['hub', '--listen', `http://127.0.0.1:${port}`, '--state', state, '--drain', '1', '--json']);
  const line = await node.line(({ type }) => type === 'listening', 'address of the hub');
  hub = new URL(String(line.baseUrl)).origin;
}

async function stopHub(): Promise<void> {
  node.child.kill('SIGTERM');
  await node.exited;
}

const login = (secret: string, url = hub): Promise<CliResult> =>
  cli(['login', '--hub', url, '--home', home], {}, `${secret}\n`);

async function startEngine(): Promise<CliProcess> {
  const engine = start([
    'start',
    '--home',
    home,
    '--base-url',
    `${hub}/backend-api`,
    '--listen',
    'off',
    '--json',
  ]);
  await engine.connected();
  return engine;
}

async function pairingCode(): Promise<string> {
  const { stdout } = await cli(['pair', '--home', home, '--json']);
  return (JSON.parse(stdout) as { pairingCode: string }).pairingCode;
}

beforeEach(async () => {
  dir = await tmpFolder();
  home = join(dir, 'home');
  await mkdir(home, { mode: 0o700 });
  state = join(dir, 'hub.json');
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop()));
});

describe('rc-engine login --hub', { timeout: 90_000 }, () => {
  it('HUB-40, HUB-41, HUB-42: stores the key with mode 0600, and start, status, doctor and whoami use it', async () => {
    const { key: secret } = await key();
    await startHub();
    const signedIn = await login(secret);
    expect(signedIn).toMatchObject({ code: 0, stderr: '' });
    expect(signedIn.stdout).toContain('for the account team');
    expect(signedIn.stdout).not.toContain(secret);
    const file = join(home, 'hubs.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await readFile(file, 'utf8')).toContain(secret);

    const before = await cli(['whoami', '--home', home], { RC_ENGINE_BASE_URL: `${hub}/backend-api` });
    expect(before).toMatchObject({ code: 0, stderr: '' });
    expect(before.stdout).toContain('with the key of a hub, account team');
    const engine = await startEngine();
    const status = await cli(['status', '--home', home, '--verbose']);
    expect(status.stdout).toContain('with the key of a hub, account team');
    const doctor = await cli(['doctor', '--home', home, '--json']);
    expect(doctor.stdout).toContain('signed in with the key of a hub, account team');
    const refused = await cli(['logout', '--home', home]);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('rc-engine logout --hub URL');
    for (const { stdout, stderr } of [before, status, doctor, refused]) {
      expect(stdout + stderr).not.toContain(secret);
    }
    expect(engine.stdout + engine.stderr).not.toContain(secret);

    const out = await cli(['logout', '--hub', hub, '--home', home]);
    expect(out).toMatchObject({ code: 0, stderr: '' });
    expect(await readFile(file, 'utf8')).not.toContain(secret);
    expect(await cli(['logout', '--hub', hub, '--home', home])).toMatchObject({ code: 2 });
    expect(engine.running).toBe(true);
  });

  it('HUB-40: stores nothing when the hub refuses the key, is not there, or is none', async () => {
    const { id, key: revoked } = await key();
    await cli(['hub', 'key', 'revoke', id, '--state', state]);
    await startHub();
    for (const secret of [revoked, 'rck_wrong']) {
      const { code, stdout, stderr } = await login(secret);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('refuses this key. Nothing was changed.');
      expect(stderr).toContain('hub key create');
      expect(stderr).not.toContain(secret);
    }
    await stopHub();
    expect((await login('rck_x')).stderr).toContain('cannot be reached');
    const other = createServer((_request, response) => response.end('<p>hello'));
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    expect((await login('rck_x', `http://127.0.0.1:${port}`)).stderr).toContain('is not a hub (HTTP 200)');
    other.close();
    await expect(stat(join(home, 'hubs.json'))).rejects.toThrow('ENOENT');
  });

  it.each([
    [['login', '--hub', 'http://hub.example'], 'only https is allowed to other machines'],
    [['login', '--hub', 'hub.example'], 'it is not a URL'],
    [['login', '--hub', 'https://user:secret@hub.example'], 'it contains a user or password'],
    [['login', '--hub', 'https://hub.example', '--device'], '--device cannot be used with --hub'],
    [['login', '--hub', 'https://hub.example', '--issuer', 'https://x.example'], '--issuer cannot be used'],
    [['login', '--hub', 'http://127.0.0.1:9'], 'stdin does not hold a key'],
    [['logout', '--hub', 'https://hub.example'], 'is not signed in at https://hub.example/'],
    [['logout', '--hub', 'https://hub.example', '--all'], '--all cannot be used with --hub'],
  ])('HUB-40: refuses %j in one line with the next step', async (args, expected) => {
    const { code, stdout, stderr } = await cli([...args, '--home', home], {}, 'two words\n');
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
    expect(stderr).not.toContain('secret');
  });

  it('HUB-41: a damaged hubs.json is an error for start and login, and stays as it is', async () => {
    const { key: secret } = await key();
    await startHub();
    const file = join(home, 'hubs.json');
    await writeFile(file, '{"version":1,', { mode: 0o600 });
    const refused = await login(secret);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain(`${file} is not JSON`);
    const started = await cli(['start', '--home', home, '--base-url', `${hub}/backend-api`]);
    expect(started.code).not.toBe(0);
    expect(started.stderr).toContain('rc-engine login --hub URL');
    expect(await readFile(file, 'utf8')).toBe('{"version":1,');
  });

  it('HUB-43: the holder of a key sees the machines of its account, connected or not; nobody else does', async () => {
    const { key: secret } = await key();
    const { key: other } = await key('others');
    await startHub();
    await login(secret);
    const engine = await startEngine();
    const machines = async (token: string): Promise<Response> =>
      fetch(`${hub}/hub/machines`, { headers: { authorization: `Bearer ${token}` } });
    expect(await (await machines(secret)).json()).toMatchObject({
      account: 'team',
      machines: [{ connected: true, reason: 'connected' }],
    });
    expect(await (await machines(other)).json()).toMatchObject({ account: 'others', machines: [] });
    expect((await machines('rck_wrong')).status).toBe(401);
    expect((await fetch(`${hub}/hub/machines`)).status).toBe(401);
    await engine.stop();
    const seen = async (): Promise<unknown> => (await machines(secret)).json();
    await expect.poll(seen, { timeout: 10_000 }).toMatchObject({ machines: [{ connected: false }] });
  });
});

describe('commands through a hub', { timeout: 90_000 }, () => {
  it('HUB-42: pair, connect, call and devices reach the engine, and a revoked device is out', async () => {
    const { key: secret } = await key();
    await startHub();
    await login(secret);
    await startEngine();
    const base = ['--base-url', `${hub}/backend-api`];
    const file = join(dir, 'controller.json');
    const call = ['call', ...base, '--controller', file];
    const first = await cli([...call, '--code-stdin', ...ECHO], {}, `${await pairingCode()}\n`);
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toContain('"payload": 1');

    const phone = join(dir, 'phone');
    await mkdir(phone, { mode: 0o700 });
    const connect = start([
      'connect',
      '--home',
      phone,
      ...base,
      '--name',
      'phone',
      '--code-stdin',
      '--json',
      '--listen',
      'ws://127.0.0.1:0',
    ]);
    connect.child.stdin.end(`${await pairingCode()}\n`);
    await connect.line(
      ({ type, environmentConnected }) => type === 'status' && environmentConnected === true,
      'link of connect',
    );

    const devices = await cli(['devices', '--home', home]);
    expect(devices.stdout).toContain('phone');
    expect(await cli(['devices', 'revoke', 'phone', '--yes', '--home', home])).toMatchObject({ code: 0 });
    expect(await connect.exited).toMatchObject({ code: 1 });
    expect(connect.stderr).toContain('was revoked');
    expect(await cli([...call, ...ECHO])).toMatchObject({ code: 0 });
  });
});
