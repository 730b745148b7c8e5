/** `--listen codex`: the engine as the local background server of Codex CLI. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { codexRecipe } from '../../src/cli/output/codex-recipe.js';
import { codexSocketPath } from '../../src/listener/address.js';
import { CliProcess } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import { raw, upgradeText } from './rig.js';

const { CODEX_BIN } = process.env;
const present = CODEX_BIN !== undefined && spawnSync(CODEX_BIN, ['--version']).status === 0;

async function place() {
  const codexHome = await tmpFolder();
  return { codexHome, env: { CODEX_HOME: codexHome }, path: codexSocketPath({ CODEX_HOME: codexHome }) };
}

const startArgs = async (...args: string[]) => [
  ...['start', '--json', '--home', await tmpFolder(), '--no-remote-control', '--listen', 'codex'],
  ...args,
];

async function open(env: NodeJS.ProcessEnv, ...args: string[]) {
  const run = new CliProcess(await startArgs(...args), env);
  const line = await run.line(({ type }) => type === 'listening', 'listening line');
  return { run, line };
}

const refused = async (env: NodeJS.ProcessEnv, ...args: string[]) =>
  new CliProcess(await startArgs(...args), env).exited;

describe('--listen codex', () => {
  it('WSA-56: opens the control socket of Codex CLI in a private directory, with the authority filesystem', async () => {
    const { env, path } = await place();
    const { run, line } = await open(env);
    expect(line).toMatchObject({ url: `unix://${path}`, authMode: 'filesystem', enforced: true });
    expect((await stat(dirname(path))).mode & 0o777).toBe(0o700);
    expect((await raw(path, upgradeText())).status).toBe(101);
    await run.stop();
    await expect(stat(path)).rejects.toThrow('ENOENT');
  });

  it('WSA-56: without CODEX_HOME the socket is below ~/.codex', async () => {
    const home = await tmpFolder();
    const { run, line } = await open({ HOME: home });
    expect(line.url).toBe(`unix://${home}/.codex/app-server-control/app-server-control.sock`);
    await run.stop();
  });

  it('WSA-56: a server that listens there stays, and the error names its pid', async () => {
    const { env, path } = await place();
    await mkdir(dirname(path), { mode: 0o700 });
    const target = join(await tmpFolder(), 's');
    const program = `require('net').createServer().listen(${JSON.stringify(target)}, () => console.log('up'))`;
    const other = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => void other.kill());
    await once(other.stdout, 'data');
    // As Codex CLI does it: a link to a socket elsewhere.
    await symlink(target, path);
    const { code, stderr, stdout } = await refused(env);
    expect(code).toBe(1);
    const who = process.platform === 'linux' ? ` (pid ${other.pid})` : '';
    expect(stdout + stderr).toContain(`Another process listens on the socket ${path}${who}.`);
    const probe = net.connect(path);
    await once(probe, 'connect');
    probe.destroy();
    other.kill('SIGKILL');
    await once(other, 'exit');
    const { run } = await open(env);
    expect((await raw(path, upgradeText())).status).toBe(101);
    // Only the link is replaced, not the socket that it led to.
    expect((await stat(target)).isSocket()).toBe(true);
    await run.stop();
  });

  it('WSA-56: a link that leads nowhere is replaced, a link to another file is not', async () => {
    const { env, path, codexHome } = await place();
    await mkdir(dirname(path), { mode: 0o700 });
    await symlink(join(codexHome, 'gone'), path);
    const { run } = await open(env);
    await run.stop();
    await writeFile(join(codexHome, 'precious'), 'x');
    await symlink(join(codexHome, 'precious'), path);
    const { code, stdout, stderr } = await refused(env);
    expect([code, (stdout + stderr).includes('is not a socket, so it is not replaced')]).toEqual([1, true]);
  });

  it.each([
    [['--no-token-check'], '--no-token-check cannot be used with --listen codex'],
    [
      ['--ws-auth', 'capability-token', '--ws-token-sha256', '0'.repeat(64)],
      'cannot be used with --listen codex',
    ],
    [['--tls-cert', '/x', '--tls-key', '/y'], '--tls-cert cannot be used with --listen codex'],
  ])('WSA-56: %j is a usage error', async (args, expected) => {
    const { code, stdout, stderr } = await refused({ CODEX_HOME: await tmpFolder() }, ...args);
    expect([code, stdout + stderr]).toEqual([2, expect.stringContaining(expected)]);
  });
});

describe('the recipe for Codex CLI in the banner', () => {
  const at = (url: string, authMode: string, enforced = true) => ({ url, authMode, enforced });
  it.each([
    [
      {},
      at('ws://127.0.0.1:4500/', 'queryToken'),
      'rc-engine start --listen ws://127.0.0.1:4500 --ws-auth capability-token --ws-token-file ~/.rc-engine/capability -- ',
    ],
    [{}, at('ws://127.0.0.1:4500/', 'queryToken', false), 'codex --remote ws://127.0.0.1:4500'],
    [
      { wsTokenFile: '/a b/cap' },
      at('ws://127.0.0.1:4500/', 'capability'),
      "RC_TOKEN=$(cat '/a b/cap') codex --remote ws://127.0.0.1:4500 --remote-auth-token-env RC_TOKEN",
    ],
    [
      { wsSharedSecretFile: '/s' },
      at('ws://127.0.0.1:4500/', 'signedBearer'),
      'RC_TOKEN=$(rc-engine token sign --secret-file /s --ttl 3600) codex --remote',
    ],
    [{}, at('unix:///run/x.sock', 'filesystem'), 'codex --remote unix:///run/x.sock'],
    [
      { listen: 'codex' as const },
      at('unix:///x', 'filesystem'),
      'find this engine as their local background server',
    ],
  ])('WSA-57: %j, %j', (settings, listening, expected) => {
    for (const name of ['codex app-server', '/usr/bin/codex app-server']) {
      expect(codexRecipe(name, settings, listening).join('\n')).toContain(expected);
    }
  });

  it('WSA-57: is there where Codex CLI is behind the engine or on the PATH, and names no token', async () => {
    const bin = await tmpFolder();
    const banner = async (PATH: string, ...app: string[]) => {
      const args = ['start', '--home', await tmpFolder(), '--no-remote-control', ...app];
      const run = new CliProcess(args, { PATH });
      await run.until(() => run.stdout.includes('see also'), 'banner');
      return (await run.stop()).stdout;
    };
    const nowhere = await tmpFolder();
    expect(await banner(nowhere)).not.toContain('Codex CLI');
    await writeFile(join(bin, 'codex'), '#!/bin/sh\n', { mode: 0o755 });
    const shown = await banner(bin);
    expect(shown).toContain('Codex CLI');
    const token = /token=(\S+)/.exec(shown)?.[1] ?? '';
    expect(shown.split(token)).toHaveLength(2);
    expect(await banner(nowhere, '--', join(bin, 'codex'), 'app-server')).toContain(
      '--remote-auth-token-env',
    );
  });
});

describe.skipIf(!present)(
  `Codex CLI${present ? '' : ' (skipped: CODEX_BIN does not name the executable of Codex CLI)'}`,
  () => {
    it('WSA-56: finds the engine as its background server', { timeout: 60_000 }, async () => {
      const { env, path } = await place();
      const { run } = await open(env, '--', CODEX_BIN ?? '', 'app-server');
      const codex = (...args: string[]) => {
        const { stdout, stderr } = spawnSync(CODEX_BIN ?? '', args, {
          env: { ...process.env, ...env },
          encoding: 'utf8',
          timeout: 20_000,
        });
        return stdout + stderr;
      };
      expect(codex('app-server', 'daemon', 'version')).toContain('"status":"running"');
      expect(codex('app-server', 'daemon', 'start')).toContain('"status":"alreadyRunning"');
      // The engine answers: remote control is off in this run.
      expect(codex('remote-control', 'pair', '--json')).toContain('remoteControl/pairing/start failed');
      expect(codex('app-server', '--listen', 'unix://')).toContain(`already in use at ${path}`);
      expect((await run.stop()).code).toBe(0);
    });
  },
);
