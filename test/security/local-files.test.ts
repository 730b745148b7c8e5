/** What another user of the machine can do with the files and the control socket of an engine. Needs two users: root. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished } from 'vitest';
import { locateHome } from '../../src/home/home.js';
import { processToken } from '../../src/system/processes.js';
import { CLI, cleanEnv } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';

const STRANGER = 65_534;
const KEY = 'sk-of-the-owner-0123456789abcdef';
const isRoot = process.getuid?.() === 0;

/** A home whose path is too long for a socket, so that its socket is in a directory that is shared with other users. */
function longHome(lab: Lab): { home: string; directory: string } {
  const home = join(lab.folder, 'x'.repeat(100));
  const directory = dirname(locateHome(home).controlSocket);
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return { home, directory };
}

/** A program of another user that makes `directory` (or a link to one of its own) and answers on a socket in it. */
async function squat(
  directory: string,
  kind: 'directory' | 'link',
): Promise<{ readonly received: () => string }> {
  const own = kind === 'link' ? `${directory}-own` : directory;
  const program = `
    const fs = require('fs');
    fs.mkdirSync(${JSON.stringify(own)});
    fs.chmodSync(${JSON.stringify(own)}, 0o777);
    if (${kind === 'link'}) fs.symlinkSync(${JSON.stringify(own)}, ${JSON.stringify(directory)});
    const server = require('net').createServer((socket) => {
      socket.on('error', () => {});
      socket.on('data', (data) => {
        console.log(String(data));
        for (const line of String(data).split('\\n').filter(Boolean)) {
          const { id } = JSON.parse(line);
          socket.write(JSON.stringify({ id, result: { type: 'apiKey', manualPairingCode: 'EVIL-CODE', pairingCode: 'x',
            environmentId: 'e', expiresAt: 9e9 } }) + '\\n');
        }
      });
    });
    const path = ${JSON.stringify(join(own, 'control.sock'))};
    server.listen(path, () => { fs.chmodSync(path, 0o777); console.log('READY'); });`;
  const child: ChildProcess = spawn(process.execPath, ['-e', program], {
    uid: STRANGER,
    gid: STRANGER,
    cwd: '/',
  });
  onTestFinished(() => {
    child.kill('SIGKILL');
    rmSync(own, { recursive: true, force: true });
  });
  let text = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (data: Buffer) => {
      text += String(data);
      if (text.includes('READY')) resolve();
    });
    child.once('exit', () => reject(new Error(`the other user could not listen: ${text}`)));
  });
  return { received: () => text.replace('READY\n', '') };
}

/** Runs commands that would send a secret or believe an answer. */
async function runCommands(lab: Lab, home: string): Promise<string> {
  const login = await lab.cli(['login', '--api-key-stdin', '--home', home], {}, `${KEY}\n`);
  const pair = await lab.cli(['pair', '--home', home]);
  const status = await lab.cli(['status', '--home', home]);
  return [login, pair, status].map(({ stdout, stderr }) => stdout + stderr).join('');
}

describe('a control socket of another user', () => {
  for (const kind of ['directory', 'link'] as const) {
    it(`RC-8b: gets nothing from commands while no engine runs (${kind})`, async ({ lab, skip }) => {
      if (!isRoot) skip('needs root, to act as two users');
      const { home, directory } = longHome(lab);
      const { received } = await squat(directory, kind);
      const shown = await runCommands(lab, home);
      expect(received()).toBe('');
      expect(shown).not.toContain('EVIL-CODE');
    });

    it(`RC-8b: gets nothing when it replaces that of a running engine (${kind})`, async ({ lab, skip }) => {
      if (!isRoot) skip('needs root, to act as two users');
      const { home, directory } = longHome(lab);
      const args = ['start', '--home', home, '--listen', 'off', '--json', '--auth-startup', 'recoverable'];
      const engine = lab.run([...args, '--base-url', await lab.baseUrl()]);
      // Until then, the start itself still uses the directory.
      await engine.line(({ type }) => type === 'started', 'start');
      rmSync(directory, { recursive: true });
      const { received } = await squat(directory, kind);
      const shown = await runCommands(lab, home);
      expect(received()).toBe('');
      expect(shown).not.toContain('EVIL-CODE');
      expect(shown).toContain(directory);
      expect(engine.running).toBe(true);
    });
  }

  it('RC-8b: an engine does not open its socket in a directory that another user made', async ({
    lab,
    skip,
  }) => {
    if (!isRoot) skip('needs root, to act as two users');
    const { home, directory } = longHome(lab);
    await squat(directory, 'directory');
    const { code, stderr } = await lab.cli([
      'start',
      '--home',
      home,
      '--listen',
      'off',
      '--no-remote-control',
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain(`The directory ${directory} of the control socket belongs to another user`);
  });

  it('RC-8b: engine.json cannot lead commands to a socket of another user', async ({ lab, skip }) => {
    if (!isRoot) skip('needs root, to act as two users');
    const { directory } = longHome(lab);
    const { received } = await squat(directory, 'directory');
    mkdirSync(lab.home, { mode: 0o700 });
    await writeEngineFile(lab, join(directory, 'control.sock'));
    const shown = await runCommands(lab, lab.home);
    expect(received()).toBe('');
    expect(shown).toContain('belongs to another user');
  });
});

describe('a command of another user', () => {
  it('RC-102: is refused with the cause, the owner of the home, and the advice to ask as that user', ({
    lab,
    skip,
  }) => {
    if (!isRoot) skip('needs root, to act as two users');
    chmodSync(lab.folder, 0o755);
    mkdirSync(lab.home, { mode: 0o700 });
    for (const command of ['status', 'pair', 'stop']) {
      const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, command, '--home', lab.home], {
        uid: STRANGER,
        gid: STRANGER,
        cwd: '/',
        env: cleanEnv(),
        encoding: 'utf8',
      });
      expect([command, status, stdout]).toEqual([command, 1, '']);
      expect(stderr).toContain('permission denied (EACCES), and the home belongs to the user root.');
      expect(stderr).toContain('sudo -u root');
      expect(stderr).toContain('explain homeUnusable');
    }
  });
});

describe('a control socket without a live engine', () => {
  it('RC-8b: is not used: no engine runs', async ({ lab }) => {
    mkdirSync(lab.home, { mode: 0o700 });
    const path = join(lab.home, 'control.sock');
    let connections = 0;
    const server = createServer(() => {
      connections += 1;
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onTestFinished(() => void server.close());
    for (const info of [{}, { process: 'another boot/1' }, { pid: 4_000_000, process: null }]) {
      if ('process' in info) await writeEngineFile(lab, path, info);
      const { code, stderr } = await lab.cli(['status', '--home', lab.home]);
      expect({ code, stderr }).toMatchObject({ code: 5, stderr: expect.stringContaining('No engine runs') });
    }
    expect(connections).toBe(0);
  });
});

describe('files that other users can change', () => {
  it('RC-8c: a home is refused by start, login and status, before anything in it is read or written', async ({
    lab,
  }) => {
    mkdirSync(lab.home);
    chmodSync(lab.home, 0o777);
    writeFileSync(join(lab.home, 'config.json'), 'not read', { mode: 0o600 });
    for (const command of [['start', '--no-remote-control'], ['login', '--api-key-stdin'], ['status']]) {
      const { code, stderr } = await lab.cli([...command, '--home', lab.home], {}, `${KEY}\n`);
      expect(code).toBe(1);
      expect(stderr).toContain(`The home directory ${lab.home} can be changed by other users (mode 0777).`);
      expect(stderr).toContain(`chmod 700 ${lab.home}`);
    }
    expect(existsSync(lab.authFile)).toBe(false);
  });

  it('ACC-91a: an account file is refused by start and login, and left as it is', async ({ lab }) => {
    await lab.signIn();
    const before = readFileSync(lab.authFile, 'utf8');
    for (const mode of [0o666, 0o660, 0o602]) {
      chmodSync(lab.authFile, mode);
      for (const command of [
        ['start', '--no-remote-control'],
        ['login', '--api-key-stdin'],
      ]) {
        const { code, stderr } = await lab.cli([...command, '--home', lab.home], {}, `${KEY}\n`);
        expect(code).toBe(1);
        expect(stderr).toContain(`The account file ${lab.authFile} can be changed by other users`);
        expect(stderr).toContain(`chmod 600 ${lab.authFile}`);
      }
    }
    expect(readFileSync(lab.authFile, 'utf8')).toBe(before);
  });

  it('ACC-91a, RC-8c: start and login warn about what others can only read', async ({ lab }) => {
    await lab.signInWithApiKey();
    chmodSync(lab.authFile, 0o644);
    chmodSync(lab.home, 0o755);
    const login = await lab.cli(['login', '--api-key-stdin', '--home', lab.home], {}, `${KEY}\n`);
    expect(login.code).toBe(0);
    const warnings = [
      `The home directory ${lab.home} can be read`,
      `The account file ${lab.authFile} can be read`,
    ];
    for (const warning of warnings) expect(login.stderr).toContain(warning);
    chmodSync(lab.authFile, 0o644);
    const engine = await lab.start(['--no-remote-control', '--listen', 'ws://127.0.0.1:0']);
    await engine.line(({ type }) => type === 'listening', 'listening');
    for (const warning of warnings) expect(engine.stderr).toContain(warning);
  });

  it('ACC-91a: an account file that another user replaced through a link is not read', async ({
    lab,
    skip,
  }) => {
    if (!isRoot) skip('needs root, to act as two users');
    await lab.signIn();
    const target = join(lab.folder, 'elsewhere.json');
    writeFileSync(target, readFileSync(lab.authFile));
    chmodSync(target, 0o666);
    rmSync(lab.authFile);
    symlinkSync(target, lab.authFile);
    const { code, stderr } = await lab.cli(['start', '--home', lab.home, '--no-remote-control']);
    expect(code).toBe(1);
    expect(stderr).toContain('can be changed by other users');
    rmSync(target);
  });
});

async function writeEngineFile(lab: Lab, controlSocket: string, info: object = {}): Promise<void> {
  const { pid } = process;
  const content = {
    pid,
    process: await processToken(pid),
    startedAt: 1,
    version: '1',
    controlSocket,
    ...info,
  };
  writeFileSync(join(lab.home, 'engine.json'), JSON.stringify(content));
}
