/** A failing store is reported as an error, never as "no identity" (RC-6). The store alone: test/remote-control/store. */
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  rename,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect } from 'vitest';
import type { CliOptions, CliProcess } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';
import { holdDatabase } from '../support/sqlite.js';
import { unixOnly } from '../support/unix-only.js';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
const storeOf = (lab: Lab) => join(lab.home, 'rc-engine.sqlite');

/** Starts an engine. Expects the failure of the store in stdout, status and log, and no request to the backend. */
async function expectFault(lab: Lab, said: RegExp, options: CliOptions = {}): Promise<CliProcess> {
  const asked = lab.tap.requests.length;
  const engine = await lab.start([], {}, true, options);
  const line = await engine.line(({ status }) => status === 'errored', 'errored');
  expect(line).toMatchObject({ reason: 'storeUnavailable', environmentId: null });
  const { remoteControl, counters } = await lab.status();
  expect(remoteControl.lastFailure).toMatchObject({
    reason: 'storeUnavailable',
    message: expect.stringMatching(said),
  });
  expect(remoteControl.nextAttemptAt).toEqual(expect.any(Number));
  expect(counters).toMatchObject({ enrollRequests: 0, dials: 0 });
  expect(engine.stderr).toMatch(said);
  expect(engine.stderr).toMatch(/"level":"warn"/);
  expect(lab.tap.requests.slice(asked)).toEqual([]);
  return engine;
}

/** Enrolls on the home and stops. Returns the environment id. */
async function enrolled(lab: Lab): Promise<string> {
  const engine = await lab.connected();
  const { environmentId } = (await lab.status()).remoteControl;
  await engine.stop();
  return String(environmentId);
}

unixOnly(describe, 'file modes and limits of the shell')(
  'RC-6: an unusable store is reported, and the engine does not enroll',
  () => {
    it('a directory in its place; once it is gone, the engine continues', async ({ lab }) => {
      await lab.backend();
      await lab.signIn();
      await mkdir(storeOf(lab));
      const engine = await expectFault(lab, /rc-engine\.sqlite is a directory, not a file/);
      await rm(storeOf(lab), { recursive: true });
      await engine.connected();
      expect(lab.requests('enroll')).toBe(1);
    });

    it('a corrupt or truncated file; the identity is not given up', async ({ lab }) => {
      const environmentId = await enrolled(lab);
      await rename(storeOf(lab), `${storeOf(lab)}.good`);
      for (const [content, said] of [
        [
          'this was a database once '.repeat(400),
          /rc-engine\.sqlite .*not a (?:valid )?(?:SQLite )?database/i,
        ],
        ['', /rc-engine\.sqlite is empty/],
      ] as const) {
        await writeFile(storeOf(lab), content);
        await (await expectFault(lab, said)).stop();
      }
      await rename(`${storeOf(lab)}.good`, storeOf(lab));
      await truncate(storeOf(lab), 5_000);
      await (await expectFault(lab, /rc-engine\.sqlite/)).stop();
      expect(lab.requests('enroll')).toBe(1);
      expect(environmentId).toMatch(/^env_/);
    });

    it('a lock of another process; once it is released, the engine continues', async ({ lab }) => {
      const environmentId = await enrolled(lab);
      const held = await holdDatabase(storeOf(lab));
      // A stored identity can still be read.
      const reader = await lab.connected();
      await reader.stop();
      // That an account has no identity is accepted only with the lock.
      await lab.signIn('account-B');
      const engine = await expectFault(lab, /is locked by another process/);
      await held.release();
      const line = await engine.connected();
      expect(line.environmentId).not.toBe(environmentId);
      expect(lab.requests('enroll')).toBe(2);
    });

    it('a full disk', async ({ lab }) => {
      await lab.backend();
      await lab.signIn();
      await expectFault(lab, /rc-engine\.sqlite/, { before: 'ulimit -f 4' });
      const left = await readdir(lab.home);
      expect(left.filter((name) => name.startsWith('rc-engine.sqlite'))).toEqual([]);
    });

    it('a read-only file, or a read-only directory', async ({ lab }) => {
      // Permissions do not apply to root.
      const options = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
      await enrolled(lab);
      await lab.signIn('account-B');
      const files = (await readdir(lab.home)).map((name) => join(lab.home, name));
      if (isRoot) for (const file of [lab.folder, lab.home, ...files]) await chown(file, NOBODY, NOBODY);
      await chmod(storeOf(lab), 0o400);
      await (await expectFault(lab, /is read-only/, options)).stop();
      await chmod(storeOf(lab), 0o600);
      await chmod(lab.home, 0o500);
      const engine = await lab.start([], {}, true, options);
      const { code, stderr } = await engine.exited;
      await chmod(lab.home, 0o700);
      expect(code).toBe(1);
      expect(stderr).toMatch(/home directory .* cannot be used: .*permission/);
      expect(lab.requests('enroll')).toBe(1);
    });

    it('a store that fails after enrollment: the engine stores the same identity later and does not request another', async ({
      lab,
    }) => {
      await lab.signIn();
      const backend = await lab.backend();
      backend.fault({ action: 'answer', fault: { route: 'enroll', answer: 'truth', delayMs: 1_000 } });
      const engine = await lab.start();
      await engine.line(({ state }) => state === 'active.enrolling.requesting', 'enrolling');
      const held = await holdDatabase(storeOf(lab));
      const line = await engine.line(({ status }) => status === 'errored', 'errored');
      expect(line).toMatchObject({ reason: 'storeWriteFailed', state: 'active.enrolling.notPersisted' });
      expect(lab.tap.requests.filter((request) => request.startsWith('GET'))).toEqual([]);
      await held.release();
      await engine.connected();
      expect(lab.requests('enroll')).toBe(1);
    });
  },
);

unixOnly(describe, 'file modes and limits of the shell')(
  'RC-107: the database is the one at the path',
  () => {
    const isStore = (name: string) => name.startsWith('rc-engine.sqlite');

    async function removeStore(lab: Lab): Promise<void> {
      for (const name of await readdir(lab.home)) if (isStore(name)) await rm(join(lab.home, name));
    }

    it('an identity that is written after the file was removed is there at the next start', async ({
      lab,
    }) => {
      const engine = await lab.connected();
      await removeStore(lab);
      const client = await lab.control();
      expect(await client.call('remoteControl/enable', {})).toHaveProperty('result');
      client.close();
      expect((await readdir(lab.home)).filter(isStore)).toContain('rc-engine.sqlite');
      expect(engine.stderr).toMatch(/was removed or replaced; it has been opened and written again/);
      await engine.stop();
      await (await lab.connected()).stop();
      expect(lab.requests('enroll')).toBe(1);
    });

    it('an engine that only stops writes its identity again, too', async ({ lab }) => {
      const engine = await lab.connected();
      await removeStore(lab);
      expect((await engine.stop()).code).toBe(0);
      await (await lab.connected()).stop();
      expect(lab.requests('enroll')).toBe(1);
    });
  },
);

unixOnly(describe, 'file modes and limits of the shell')(
  'RC-108: a store path that can never work ends the start with exit code 1',
  () => {
    it.for([
      ['a directory that is not there', 'none/x.sqlite', /its directory .*none: no such file or directory/],
      ['a file in place of the directory', 'file/x.sqlite', /file is a file, not a directory/],
      ['a directory in its place', 'directory', /it is a directory, not a file/],
      ['a device in its place', '/dev/null', /it is a device, pipe or socket/],
      ['a file that is no database', 'text', /it is a file of another kind, not an SQLite database/],
      ['an empty file', 'file', /it is empty/],
      ['a link to a directory that is not there', 'link', /it is a link to .*gone.x: its directory/],
      ['links in a circle', 'circle', /too many symbolic links/],
      ['a name that is too long', 'x'.repeat(300), /the name is too long/],
    ] as const)('%s', async ([, path, said], { lab }) => {
      await lab.signIn();
      await writeFile(join(lab.folder, 'file'), '');
      await writeFile(join(lab.folder, 'text'), 'Not a database. '.repeat(200));
      await mkdir(join(lab.folder, 'directory'));
      await symlink(join(lab.folder, 'gone/x'), join(lab.folder, 'link'));
      await symlink(join(lab.folder, 'circle'), join(lab.folder, 'circle'));
      const engine = await lab.start(['--store', `sqlite:${resolve(lab.folder, path)}`]);
      const { code, stderr } = await engine.exited;
      expect([code, stderr]).toEqual([1, expect.stringMatching(said)]);
      expect(await readdir(lab.home)).not.toContain('engine.json');
    });

    it('a link to a file that is not there yet works, and stays a link', async ({ lab }) => {
      await lab.signIn();
      await mkdir(join(lab.folder, 'stores'));
      await symlink(join(lab.folder, 'stores/x.sqlite'), join(lab.folder, 'link'));
      const engine = await lab.connected(['--store', `sqlite:${join(lab.folder, 'link')}`]);
      await engine.stop();
      expect(await readdir(join(lab.folder, 'stores'))).toContain('x.sqlite');
      expect((await lstat(join(lab.folder, 'link'))).isSymbolicLink()).toBe(true);
      await (await lab.connected(['--store', `sqlite:${join(lab.folder, 'link')}`])).stop();
      expect(lab.requests('enroll')).toBe(1);
    });
  },
);
