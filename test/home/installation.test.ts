import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { openHome } from '../../src/home/home.js';
import { loadInstallationId, renewInstallationId, serverName } from '../../src/home/installation.js';
import { EngineError } from '../../src/protocol/errors.js';
import { start } from '../support/children.js';
import { tmpFolder } from '../support/tmp.js';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('installation id', () => {
  it('RC-4: is a UUID, created once per home and stored in a private file (0600)', async () => {
    const home = openHome(await tmpFolder());
    const id = await loadInstallationId(home);
    expect(id).toMatch(UUID_V4);
    expect(await loadInstallationId(home)).toBe(id);
    expect(await readFile(home.installationIdFile, 'utf8')).toBe(`${id}\n`);
    expect((await stat(home.installationIdFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(home.dir)).toEqual(['installation_id']);
    expect(await loadInstallationId(openHome(await tmpFolder()))).not.toBe(id);
  });

  it('RC-4: eight concurrent processes get the same one, under any umask', async () => {
    const dir = await tmpFolder();
    const children = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        start(['installationId', dir], { before: `umask ${i % 2 ? '0277' : '0'}` }),
      ),
    );
    for (const child of children) expect(await child.line()).toBe('ready');
    for (const child of children) child.go();
    const ids = await Promise.all(children.map((child) => child.line()));
    await Promise.all(children.map((child) => child.finish()));
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(UUID_V4);
    expect(await readdir(dir)).toEqual(['installation_id']);
    expect((await stat(`${dir}/installation_id`)).mode & 0o777).toBe(0o600);
  });

  it('RC-4: a file that other users can read is made private', async () => {
    const home = openHome(await tmpFolder());
    const id = await loadInstallationId(home);
    await chmod(home.installationIdFile, 0o644);
    expect(await loadInstallationId(home)).toBe(id);
    expect((await stat(home.installationIdFile)).mode & 0o777).toBe(0o600);
  });

  it('RC-4: a UUID written by hand is used unchanged', async () => {
    const home = openHome(await tmpFolder());
    const id = '0190D3C4-7b6a-7c4e-9d2f-0123456789ab';
    await writeFile(home.installationIdFile, `  ${id}\r\n`);
    expect(await loadInstallationId(home)).toBe(id);
  });

  it.each(['', '\n', 'rubbish', 'a UUID: 0190d3c4-7b6a-7c4e-9d2f-0123456789ab', '\0'.repeat(37)])(
    'RC-4: a damaged file (%j) is an error that says how to repair it, and is not replaced',
    async (content) => {
      const home = openHome(await tmpFolder());
      await writeFile(home.installationIdFile, content);
      const error = await loadInstallationId(home).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(EngineError);
      expect(error).toMatchObject({
        code: 'homeUnusable',
        message: `The installation id ${home.installationIdFile} is damaged: it does not contain a UUID.`,
        remediation: expect.stringContaining(`Put the old UUID back into ${home.installationIdFile}`),
      });
      expect(await readFile(home.installationIdFile, 'utf8')).toBe(content);
    },
  );

  it('RC-4: a directory in its place is an error that names it', async () => {
    const home = openHome(await tmpFolder());
    await mkdir(home.installationIdFile);
    await expect(loadInstallationId(home)).rejects.toMatchObject({
      code: 'homeUnusable',
      message: expect.stringContaining(`${home.installationIdFile} cannot be used: it is a directory`),
    });
  });

  it('RC-24: is renewed on request of a repair', async () => {
    const home = openHome(await tmpFolder());
    const old = await loadInstallationId(home);
    const fresh = await renewInstallationId(home);
    expect(fresh).toMatch(UUID_V4);
    expect(fresh).not.toBe(old);
    expect(await loadInstallationId(home)).toBe(fresh);
    expect((await stat(home.installationIdFile)).mode & 0o777).toBe(0o600);
    expect(await readdir(home.dir)).toEqual(['installation_id']);
  });
});

describe('server name', () => {
  it('RC-4: is the host name', () => {
    expect(serverName()).toBe(hostname());
  });

  it('RC-4: is trimmed, without control characters and never empty', () => {
    expect(serverName(' my\u0000 ho\nst\u009f ')).toBe('my host');
    expect(serverName('büro-pc')).toBe('büro-pc');
    expect(serverName(' \t')).toBe('unnamed');
    expect(serverName('')).toBe('unnamed');
  });
});
