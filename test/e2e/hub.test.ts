/** `rc-engine hub` as a program: nodes, engines and controllers are processes of their own. */
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { CliProcess, cli } from '../support/cli.js';
import { NatsServer, noNats } from '../support/nats-server.js';
import { tmpFolder } from '../support/tmp.js';

const ECHO = ['engine/echo', '{"payload":1}'];
const CERTIFICATE = join(import.meta.dirname, '../support/tls');

const processes: CliProcess[] = [];

afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop()));
});

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): CliProcess {
  const process = new CliProcess(args, env);
  processes.push(process);
  return process;
}

async function baseUrlOf(
  args: readonly string[],
  listen = 'http://127.0.0.1:0',
): Promise<{ url: string; node: CliProcess }> {
  const node = start(['hub', '--listen', listen, '--json', ...args]);
  const line = await node.line(({ type }) => type === 'listening', 'address of the hub');
  return { url: String(line.baseUrl), node };
}

describe('rc-engine hub', { timeout: 90_000 }, () => {
  it('HUB-20, HUB-24, HUB-36: enrolls an engine with a key, pairs a controller, and keeps both over a restart', async () => {
    const dir = await tmpFolder();
    const state = join(dir, 'hub.json');
    const made = await cli(['hub', 'key', 'create', '--account', 'team', '--state', state, '--json']);
    expect(made).toMatchObject({ code: 0, stderr: '' });
    const { key, id } = JSON.parse(made.stdout) as { key: string; id: string };
    expect(await readFile(state, 'utf8')).not.toContain(key);
    const { url, node } = await baseUrlOf(['--state', state]);
    const home = join(dir, 'home');
    await mkdir(home, { mode: 0o700 });
    const env = { RC_ENGINE_ACCESS_TOKEN: key, RC_ENGINE_ACCOUNT_ID: 'team' };
    const engine = start(
      ['start', '--home', home, '--base-url', new URL(url).origin, '--listen', 'off', '--json'],
      env,
    );
    await engine.connected();
    const connected = (): ReturnType<typeof cli> => cli(['wait', '--home', home, '--timeout', '20']);
    const call = (): ReturnType<typeof cli> => cli(['call', '--home', home, 'engine/echo', '{"payload":1}']);
    expect(await call()).toMatchObject({ code: 0 });
    const devices = async (): Promise<unknown[]> =>
      [...(await cli(['devices', '--home', home, '--json'])).stdout.matchAll(/cli_[\w-]+/g)].map(
        ([id]) => id,
      );
    const before = await devices();
    expect(before).toHaveLength(1);

    // The lock of the state ends with its process.
    node.child.kill('SIGKILL');
    await node.exited;
    const port = new URL(url).port;
    const second = start(['hub', '--listen', `http://127.0.0.1:${port}`, '--state', state, '--json']);
    await second.line(({ type }) => type === 'listening', 'address of the hub');
    expect(await connected()).toMatchObject({ code: 0 });
    second.child.kill('SIGTERM');
    expect(await second.exited).toMatchObject({ code: 0, stderr: '' });
    const again = start(['hub', '--listen', `http://127.0.0.1:${port}`, '--state', state, '--json']);
    await again.line(({ type }) => type === 'listening', 'address of the hub');
    expect(await connected()).toMatchObject({ code: 0 });
    expect(await call()).toMatchObject({ code: 0 });
    expect(await devices()).toEqual(before);
    expect(engine.running).toBe(true);

    const used = await cli(['hub', 'key', 'list', '--state', state]);
    expect(used).toMatchObject({ code: 1 });
    expect(used.stderr).toContain('is in use by the process');
    again.child.kill('SIGTERM');
    await again.exited;
    expect((await cli(['hub', 'key', 'list', '--state', state])).stdout).toContain(`${id}  team  owner`);
    expect(await cli(['hub', 'key', 'revoke', id, '--state', state])).toMatchObject({ code: 0 });
    expect((await cli(['hub', 'key', 'list', '--state', state])).stdout).toBe('There are no keys.\n');
  });

  it('HUB-34: exports and imports what it must not lose, without secrets and without an overwrite', async () => {
    const dir = await tmpFolder();
    const [from, to, file] = ['a.json', 'b.json', 'export.json'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ];
    await cli(['hub', 'key', 'create', '--account', 'team', '--state', from]);
    expect(await cli(['hub', 'export', file, '--state', from])).toMatchObject({ code: 0 });
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await cli(['hub', 'export', file, '--state', from])).toMatchObject({ code: 2 });
    expect((await cli(['hub', 'import', file, '--state', to])).stdout).toContain('1 of 1 entries were added');
    expect((await cli(['hub', 'import', file, '--state', to])).stdout).toContain('0 of 1 entries were added');
    expect((await cli(['hub', 'key', 'list', '--state', to])).stdout).toContain('team');
    expect(await cli(['hub', 'import', from, '--state', to])).toMatchObject({ code: 2 });
  });

  it('HUB-46: takes a flag before a variable before the file, whose paths are beside it', async () => {
    const dir = await tmpFolder();
    const config = join(dir, 'hub.config.json');
    const settings = { listen: 'http://127.0.0.1:0', state: 'hub.json', connectRate: 7, drain: 1 };
    await writeFile(config, JSON.stringify(settings), { mode: 0o600 });
    const env = { RC_ENGINE_HUB_CONFIG: config, RC_ENGINE_HUB_CONNECT_RATE: '8' };
    const shown = await cli(['hub', 'config', '--drain', '2'], env);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout).toContain(`state: ${join(dir, 'hub.json')}  (file)`);
    expect(shown.stdout).toContain('connectRate: 8  (variable)');
    expect(shown.stdout).toContain('drain: 2  (flag)');
    expect(shown.stdout).toContain('accounts: keys  (default)');
    const bus = 'nats://hub:top-secret@10.0.0.1:4222,nats://hub:top-secret@10.0.0.2:4222';
    const secret = await cli(['hub', 'config', '--json'], { RC_ENGINE_HUB_BUS: bus });
    expect(secret.stdout).toContain('nats://10.0.0.1:4222,nats://10.0.0.2:4222');
    expect(secret.stdout).not.toContain('top-secret');
    const node = start(['hub', '--config', config, '--json']);
    await node.line(({ type }) => type === 'listening', 'address of the hub');
    const used = await cli(['hub', 'key', 'list', '--state', join(dir, 'hub.json')]);
    expect(used.stderr).toContain('is in use by the process');
    for (const [text, expected] of [
      ['{"port": 1}', 'port'],
      ['{"drain": "10"}', 'must be a number'],
      ['{"accounts": "all"}', 'must be keys or any'],
    ] as const) {
      await writeFile(config, text);
      const { code, stderr } = await cli(['hub', '--config', config]);
      expect(code).toBe(2);
      expect(stderr).toContain(expected);
    }
    expect((await cli(['hub', '--config', join(dir, 'none.json')])).stderr).toContain('does not exist');
  });

  it.each([
    [['--accounts', 'any', '--listen', 'http://0.0.0.0:0'], '--accounts any'],
    [['--listen', 'http://0.0.0.0:0'], 'https://'],
    [['--listen', 'https://127.0.0.1:0'], '--tls-cert'],
    [['--listen', 'ftp://x'], '--listen ftp://x'],
    [['--bus', 'redis://x'], 'nats://HOST:PORT'],
    [['--bus', 'nats://127.0.0.1:1', '--state', 'x.json'], '--state'],
    [['--tls-cert', 'none.pem'], '--tls-key'],
    [['key', 'create', '--state', 'x.json'], '--account'],
    [['key', 'list'], '--state FILE'],
    [['key', 'remove'], 'hub key revoke ID'],
    [['--connect-rate', '0'], '--connect-rate'],
  ])('HUB-25: refuses %j in one line with the next step', async (args, expected) => {
    const { code, stdout, stderr } = await cli(['hub', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(expected);
  });

  it('serves https with a certificate', async () => {
    const tls = [
      '--tls-cert',
      join(CERTIFICATE, 'backend.pem'),
      '--tls-key',
      join(CERTIFICATE, 'backend.key.pem'),
    ];
    const { url } = await baseUrlOf(['--accounts', 'any', ...tls], 'https://127.0.0.1:0');
    expect(url).toMatch(/^https:/);
  });
});

describe.skipIf(noNats !== '')(`rc-engine hub over NATS${noNats}`, { timeout: 120_000 }, () => {
  it('HUB-11, HUB-13: two nodes: the engine and the controller are at different ones, and the kill of one costs no call', async () => {
    const broker = await NatsServer.start();
    const dir = await tmpFolder();
    const bus = ['--bus', broker.url];
    const made = await cli(['hub', 'key', 'create', '--account', 'team', '--json', ...bus]);
    expect(made).toMatchObject({ code: 0 });
    const { key } = JSON.parse(made.stdout) as { key: string };
    const [a, b] = await Promise.all([baseUrlOf(bus), baseUrlOf(bus)]);
    const home = join(dir, 'home');
    await mkdir(home, { mode: 0o700 });
    const env = { RC_ENGINE_ACCESS_TOKEN: key, RC_ENGINE_ACCOUNT_ID: 'team' };
    start(['start', '--home', home, '--base-url', a.url, '--listen', 'off', '--json', '--pair'], env);
    const code = async (): Promise<string> => {
      const { stdout } = await cli(['pair', '--home', home, '--json']);
      return (JSON.parse(stdout || '{}') as { pairingCode?: string }).pairingCode ?? '';
    };
    await expect.poll(code, { timeout: 20_000, interval: 300 }).not.toBe('');
    const file = join(dir, 'controller.json');
    const args = ['call', '--base-url', b.url, '--controller', file];
    const first = await cli([...args, '--code-stdin', ...ECHO], {}, `${await code()}\n`);
    expect(first).toMatchObject({ code: 0 });
    b.node.child.kill('SIGKILL');
    await b.node.exited;
    const port = new URL(b.url).port;
    await start(['hub', '--listen', `http://127.0.0.1:${port}`, '--json', ...bus]).line(
      ({ type }) => type === 'listening',
      'address of the hub',
    );
    expect(await cli([...args, ...ECHO])).toMatchObject({ code: 0 });
  });
});
