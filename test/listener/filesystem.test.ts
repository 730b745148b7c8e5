/** The authority `filesystem`: a unix socket in a directory that only its owner can enter. */
import { chmod, mkdir, stat, symlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createEngine } from '../../src/engine/engine.js';
import { CliProcess, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';
import { listening, raw, upgradeText } from './rig.js';

/** Starts a listener on a unix socket; returns its process and the line that it prints. */
async function open(path: string, ...args: string[]) {
  const home = await tmpFolder();
  const listen = ['--no-remote-control', '--listen', `unix://${path}`];
  const process = new CliProcess(['start', '--json', '--home', home, ...listen, ...args]);
  const line = await process.line(({ type }) => type === 'listening', 'listening line');
  return { process, home, line };
}

async function refused(...args: string[]) {
  const home = await tmpFolder();
  const run = new CliProcess(['start', '--home', home, '--no-remote-control', ...args]);
  return run.exited;
}

/** The path of a socket in a new directory with this mode. */
async function socketIn(mode: number): Promise<string> {
  const directory = join(await tmpFolder(), 'd');
  await mkdir(directory);
  await chmod(directory, mode);
  return join(directory, 'l.sock');
}

const PRIVATE = 'filesystem established socketPrivate';

describe('a unix socket without another authority', () => {
  it('WSA-50: is established without a token, in the banner, the status and the log', async () => {
    const path = await socketIn(0o700);
    const { process, home, line } = await open(path);
    expect(line).toMatchObject({ authMode: 'filesystem', enforced: true, connectUrl: `unix://${path}` });
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    const ws = new WebSocket(`ws+unix://${path}:/`);
    await new Promise((done) => ws.once('open', done));
    const { stdout } = await cli(['status', '--json', '--home', home]);
    const status = JSON.parse(stdout);
    expect(status.connections).toMatchObject([
      { origin: 'unix', mode: 'filesystem', outcome: 'established', reason: 'socketPrivate', peer: 'unix' },
    ]);
    expect(status.listener).toMatchObject({ authMode: 'filesystem', enforced: true, degraded: false });
    ws.terminate();
    expect((await raw(path, upgradeText({ headers: [['Origin', 'https://page.test']] }))).status).toBe(403);
    const { stderr } = await process.stop();
    expect(stderr).not.toContain('degraded');
  });

  it('WSA-50: a person reads which authority it is', async () => {
    const path = await socketIn(0o700);
    const args = ['--no-remote-control', '--listen', `unix://${path}`];
    const process = new CliProcess(['start', '--home', await tmpFolder(), ...args]);
    const authority = 'only you can enter the directory of the socket';
    await process.until(() => process.stdout.includes(authority), 'banner');
    await process.stop();
    expect(process.stdout).not.toContain('Warning');
  });

  it('WSA-50: a missing directory is created with mode 0700, its parents too, whatever the umask is', async () => {
    const parent = join(await tmpFolder(), 'a');
    const path = join(parent, 'b', 'l.sock');
    const home = await tmpFolder();
    const args = ['start', '--json', '--home', home, '--no-remote-control', '--listen', `unix://${path}`];
    const process = new CliProcess(args, {}, { before: 'umask 0' });
    await process.line(({ type }) => type === 'listening', 'listening line');
    expect((await raw(path, upgradeText())).status).toBe(101);
    await process.stop();
    const modes = await Promise.all([parent, dirname(path)].map(async (each) => (await stat(each)).mode));
    expect(modes.map((mode) => mode & 0o777)).toEqual([0o700, 0o700]);
  });

  it.each([0o755, 0o750, 0o701, 0o1777, 0o710])(
    'WSA-51: a directory that others can enter stops the start (mode %o)',
    async (mode) => {
      const path = await socketIn(mode);
      for (const args of [[], ['--ws-auth', 'filesystem']]) {
        const { code, stdout, stderr } = await refused('--listen', `unix://${path}`, ...args);
        expect([code, stdout.includes('Listening')]).toEqual([1, false]);
        expect(stderr).toContain(
          `The directory ${dirname(path)} of the socket can be entered by other users`,
        );
        // With the sticky bit others use it, too: nobody should take their access away.
        expect(stderr).toContain(
          mode === 0o1777 ? 'Name a directory that does not exist yet' : `chmod 700 ${dirname(path)}`,
        );
      }
      await expect(stat(path)).rejects.toThrow('ENOENT');
      expect((await stat(dirname(path))).mode & 0o7777).toBe(mode);
    },
  );

  it('WSA-51: a link to an open directory counts as that directory', async () => {
    const path = await socketIn(0o755);
    const link = join(await tmpFolder(), 'link');
    await symlink(dirname(path), link);
    const { code, stderr } = await refused('--listen', `unix://${join(link, 'l.sock')}`);
    expect([code, stderr.includes('can be entered by other users (mode 0755)')]).toEqual([1, true]);
  });

  it('WSA-51: a directory that is opened later lets nobody in until it is closed again', async () => {
    const path = await socketIn(0o700);
    const at = await listening({ listen: `unix://${path}` });
    expect((await raw(path, upgradeText())).status).toBe(101);
    await chmod(dirname(path), 0o711);
    const { status, text } = await raw(path, upgradeText());
    expect([status, text.includes('other users can enter the directory')]).toEqual([403, true]);
    await chmod(dirname(path), 0o700);
    expect((await raw(path, upgradeText())).status).toBe(101);
    expect(at.verdicts()).toEqual([PRIVATE, 'filesystem rejected socketExposed', PRIVATE]);
  });

  it('WSA-51: a directory whose parent others can change causes a warning', async () => {
    const parent = join(await tmpFolder(), 'p');
    await mkdir(parent);
    await chmod(parent, 0o777);
    const at = await listening({ listen: `unix://${join(parent, 'd', 'l.sock')}` });
    expect(at.info.warnings.join()).toContain('Other users can replace');
  });
});

describe('another authority of a unix socket', () => {
  it('WSA-50: is used as it was named, in any directory', async () => {
    const path = await socketIn(0o755);
    const unchecked = await open(path, '--no-token-check');
    expect(unchecked.line).toMatchObject({ authMode: 'queryToken', enforced: false });
    await unchecked.process.stop();
    const capability = await open(path, '--ws-auth', 'capability-token', '--ws-token-sha256', '0'.repeat(64));
    expect(capability.line).toMatchObject({ authMode: 'capability', enforced: true });
    expect((await raw(path, upgradeText())).status).toBe(401);
    await capability.process.stop();
  });

  it.each([
    [['--listen', 'ws://127.0.0.1:0', '--ws-auth', 'filesystem'], 'it needs a unix socket'],
    [['--ws-auth', 'filesystem'], 'it needs a unix socket'],
    [['--ws-auth', 'filesystem', '--no-token-check'], '--no-token-check cannot be used'],
    [['--ws-auth', 'filesystem', '--ws-token-file', '/x'], '--ws-token-file cannot be used'],
    [['--ws-auth', 'filesystem', '--ws-issuer', 'me'], '--ws-issuer cannot be used'],
    [['--ws-auth', 'filesystem', '--ws-auth', 'filesystem'], 'given 2 times'],
  ])('WSA-52: %j is a usage error', async (args, expected) => {
    const { code, stderr } = await refused(...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(expected)]);
  });

  it('WSA-52: an embedding program gets the same error', async () => {
    const engine = createEngine({
      home: await tmpFolder(),
      listen: 'ws://127.0.0.1:0',
      remoteControl: 'off',
      authority: { mode: 'filesystem' },
    });
    await expect(engine.start()).rejects.toMatchObject({ code: 'usage' });
  });
});
