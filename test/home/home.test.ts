import { chmod, chown, mkdir, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { controlSocketPath } from '../../src/home/control-socket.js';
import { checkHome, locateHome, openHome, resolveHome } from '../../src/home/home.js';
import { EngineError } from '../../src/protocol/errors.js';
import { start } from '../support/children.js';
import { tmpFolder } from '../support/tmp.js';

function errorOf(work: () => unknown): EngineError {
  try {
    work();
  } catch (error) {
    if (error instanceof EngineError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('path of the home directory', () => {
  it('is the given one, else RC_ENGINE_HOME, else ~/.rc-engine', () => {
    expect(resolveHome('/a/b/../c', {})).toBe('/a/c');
    expect(resolveHome('rel', { RC_ENGINE_HOME: '/x' })).toBe(join(process.cwd(), 'rel'));
    expect(resolveHome(undefined, { RC_ENGINE_HOME: '/x' })).toBe('/x');
    expect(resolveHome(undefined, { RC_ENGINE_HOME: '' })).toBe(join(homedir(), '.rc-engine'));
    expect(resolveHome(undefined, {})).toBe(join(homedir(), '.rc-engine'));
  });

  it('replaces ~ by the home directory of the user', () => {
    expect(resolveHome('~', {})).toBe(homedir());
    expect(resolveHome('~/x', {})).toBe(join(homedir(), 'x'));
    expect(resolveHome('~x', {})).toBe(join(process.cwd(), '~x'));
  });

  it('is not empty', () => {
    expect(errorOf(() => resolveHome('', {}))).toMatchObject({ code: 'homeUnusable' });
  });
});

describe('opening the home directory', () => {
  it('creates it and its parents, private (0700)', async () => {
    const dir = await tmpFolder();
    const home = openHome(join(dir, 'a', 'b'));
    expect((await stat(join(dir, 'a'))).mode & 0o777).toBe(0o700);
    expect((await stat(home.dir)).mode & 0o777).toBe(0o700);
    expect(await readdir(home.dir)).toEqual([]);
  });

  it('reports a parent that answers ENOENT although it exists, as /proc does', () => {
    expect(errorOf(() => openHome('/proc/a/b'))).toMatchObject({ code: 'homeUnusable' });
  });

  it.each([0o777, 0o770, 0o720, 0o702, 0o1777])(
    'RC-8c: refuses one that others can change: %o',
    async (mode) => {
      const dir = await tmpFolder();
      await chmod(dir, mode);
      const error = errorOf(() => openHome(dir));
      expect(error.code).toBe('homeUnusable');
      expect(error.message).toBe(
        `The home directory ${dir} can be changed by other users (mode ${mode.toString(8).padStart(4, '0')}).`,
      );
      expect(error.remediation).toContain(`chmod 700 ${dir}`);
      expect(await readdir(dir)).toEqual([]);
    },
  );

  it('RC-8c: refuses one that belongs to another user', async ({ skip }) => {
    if (process.getuid?.() !== 0) skip('needs root, to act as two users');
    const dir = await tmpFolder();
    await chown(dir, 65_534, 65_534);
    expect(errorOf(() => openHome(dir)).message).toContain('belongs to another user (uid 65534)');
  });

  it('RC-8c: warns about one that others can list', async () => {
    const dir = await tmpFolder();
    expect(checkHome(dir)).toBeNull();
    await chmod(dir, 0o755);
    expect(checkHome(dir)).toContain(`chmod 700 ${dir}`);
    expect(checkHome(join(dir, 'none'))).toBeNull();
  });

  it('leaves the mode of an existing one', async () => {
    const dir = await tmpFolder();
    await chmod(dir, 0o755);
    openHome(dir);
    expect((await stat(dir)).mode & 0o777).toBe(0o755);
  });

  it('makes it usable under any umask', async () => {
    const dir = join(await tmpFolder(), 'home');
    const child = await start(['openHome', dir], { before: 'umask 0277' });
    expect(await child.line()).toBe(dir);
    await child.finish();
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
  });

  it('names all its files', async () => {
    const dir = await tmpFolder();
    expect(openHome(dir)).toEqual({
      dir,
      authFile: `${dir}/auth.json`,
      configFile: `${dir}/config.json`,
      storeFile: `${dir}/rc-engine.sqlite`,
      storeUrl: `sqlite:${dir}/rc-engine.sqlite`,
      installationIdFile: `${dir}/installation_id`,
      lockFile: `${dir}/engine.lock`,
      engineFile: `${dir}/engine.json`,
      controlSocket: `${dir}/control.sock`,
    });
  });

  it('gives the paths without creating anything', async () => {
    const dir = await tmpFolder();
    expect(locateHome(join(dir, 'none')).controlSocket).toBe(`${dir}/none/control.sock`);
    expect(await readdir(dir)).toEqual([]);
  });

  it('fails with the path and the cause when it is a file or lies in one', async () => {
    const file = join(await tmpFolder(), 'file');
    await writeFile(file, '');
    const error = errorOf(() => openHome(file));
    expect(error.code).toBe('homeUnusable');
    expect(error.message).toBe(
      `The home directory ${file} cannot be used: it is a file, not a directory (EEXIST).`,
    );
    expect(error.remediation).toContain('--home');
    expect(errorOf(() => openHome(join(file, 'x'))).message).toContain('(ENOTDIR)');
  });

  it('fails when it cannot be written to', async () => {
    const dir = await tmpFolder();
    const user = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    if (user.uid !== undefined) await chown(dir, user.uid, user.uid);
    await chmod(dir, 0o500);
    for (const path of [dir, join(dir, 'new')]) {
      const child = await start(['openHome', path], user);
      expect(await child.line()).toEqual({
        code: 'homeUnusable',
        message: `The home directory ${path} cannot be used: permission denied (EACCES).`,
      });
      await child.finish();
    }
    await chmod(dir, 0o700);
  });
});

describe('control socket', () => {
  const real = '/home/me/.rc-engine';

  it('is in the home directory when its path is short enough for the platform', () => {
    const at = (bytes: number, platform: NodeJS.Platform) => {
      const dir = `/${'x'.repeat(bytes - '//control.sock'.length)}`;
      const path = controlSocketPath(dir, dir, { platform, tmpdir: '/tmp' });
      return path === join(dir, 'control.sock') && Buffer.byteLength(path) === bytes;
    };
    expect(at(107, 'linux')).toBe(true);
    expect(at(108, 'linux')).toBe(false);
    expect(at(103, 'darwin')).toBe(true);
    expect(at(104, 'darwin')).toBe(false);
  });

  it('counts bytes, not characters', () => {
    const dir = `/${'ä'.repeat(60)}`;
    const path = controlSocketPath(dir, dir, { platform: 'linux', tmpdir: '/tmp' });
    expect(path).toMatch(/^\/tmp\/rc-engine-[0-9a-f]{16}\/control\.sock$/);
  });

  it('RC-8b: a path that is too long leads to XDG_RUNTIME_DIR, else to the directory for temporary files, else to /tmp', () => {
    const dir = `/${'x'.repeat(120)}`;
    const at = (runtimeDir: string | undefined, tmpdir = '/t') =>
      controlSocketPath(dir, dir, { platform: 'linux', tmpdir, runtimeDir });
    expect(at('/run/user/1')).toMatch(/^\/run\/user\/1\/rc-engine-[0-9a-f]{16}\/control\.sock$/);
    expect(at(undefined)).toMatch(/^\/t\/rc-engine-/);
    expect(at(dir)).toMatch(/^\/t\/rc-engine-/);
    expect(at(dir, dir)).toMatch(/^\/tmp\/rc-engine-/);
  });

  it('is a named pipe on Windows', () => {
    const path = controlSocketPath('C:\\home', real, { platform: 'win32', tmpdir: 'C:\\tmp' });
    expect(path).toMatch(/^\\\\\.\\pipe\\rc-engine-[0-9a-f]{16}$/);
  });

  it('is the same for every path to a home, and different for another home', async () => {
    const dir = await tmpFolder();
    const deep = join(dir, 'x'.repeat(120));
    await mkdir(deep);
    await mkdir(`${deep}y`);
    await symlink(deep, join(dir, `l${'x'.repeat(120)}`));
    const paths = [deep, join(dir, `l${'x'.repeat(120)}`), `${deep}y`].map(
      (path) => locateHome(path).controlSocket,
    );
    expect(paths[0]).toBe(paths[1]);
    expect(paths[0]).not.toBe(paths[2]);
  });

  describe('of a home with a long path', () => {
    async function longHome() {
      const dir = join(await tmpFolder(), 'x'.repeat(120));
      const directory = dirname(locateHome(dir).controlSocket);
      onTestFinished(() => rm(directory, { recursive: true, force: true }));
      return { dir, directory };
    }

    it('is in a private directory of its own, and accepts connections', async () => {
      const { dir } = await longHome();
      const home = openHome(dir);
      const directory = dirname(home.controlSocket);
      onTestFinished(() => rm(directory, { recursive: true, force: true }));
      expect(directory.startsWith(tmpdir())).toBe(true);
      expect((await stat(directory)).mode & 0o777).toBe(0o700);
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen(home.controlSocket, resolve);
      });
      await new Promise((resolve) => server.close(resolve));
      openHome(dir);
    });

    it('is refused in a directory that other users can enter', async () => {
      const { dir } = await longHome();
      await mkdir(dir);
      const directory = dirname(locateHome(dir).controlSocket);
      onTestFinished(() => rm(directory, { recursive: true, force: true }));
      await mkdir(directory);
      await chmod(directory, 0o755);
      const error = errorOf(() => openHome(dir));
      expect(error.code).toBe('homeUnusable');
      expect(error.message).toBe(
        `The directory ${directory} of the control socket is open to other users (mode 0755).`,
      );
    });

    it('is refused in a directory that is a symbolic link or belongs to another user', async () => {
      const { dir } = await longHome();
      await mkdir(dir);
      const directory = dirname(locateHome(dir).controlSocket);
      onTestFinished(() => rm(directory, { recursive: true, force: true }));
      const elsewhere = await tmpFolder();
      await chmod(elsewhere, 0o700);
      await symlink(elsewhere, directory);
      expect(errorOf(() => openHome(dir)).message).toContain('is a symbolic link');
      if (process.getuid?.() !== 0) return;
      await rm(directory);
      await mkdir(directory, { mode: 0o700 });
      await chown(directory, 65_534, 65_534);
      expect(errorOf(() => openHome(dir)).message).toContain('belongs to another user (uid 65534)');
    });
  });
});
