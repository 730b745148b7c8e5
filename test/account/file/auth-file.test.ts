import { writeFileSync } from 'node:fs';
import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type AuthChange, AuthFile, contentHash } from '../../../src/account/file/auth-file.js';
import { tmpFolder } from '../../support/tmp.js';
import { chatgpt, DAY, tokenOf } from './auth-content.js';

const files: AuthFile[] = [];
afterEach(() => {
  for (const file of files.splice(0)) file.close();
});

async function setup(content?: string, pollMs?: number) {
  const directory = await tmpFolder();
  const path = join(directory, 'auth.json');
  if (content !== undefined) await writeFile(path, content);
  const changes: AuthChange[] = [];
  const now = vi.fn(Date.now);
  const file = new AuthFile({
    path,
    now,
    onChange: (change) => changes.push(change),
    ...(pollMs === undefined ? {} : { pollMs }),
  });
  files.push(file);
  /** As Codex CLI writes: another file, then a rename. */
  const replace = async (text: string): Promise<void> => {
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  };
  const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 });
  /** Each reading takes the time: resolves after some more readings. Needs a short poll interval. */
  const polled = (): Promise<void> => {
    const before = now.mock.calls.length;
    return until(() => expect(now.mock.calls.length).toBeGreaterThan(before + 4));
  };
  return { directory, path, file, changes, replace, until, polled };
}

async function loaded(content: string, pollMs?: number) {
  const at = await setup(content, pollMs);
  expect(await at.file.load()).toMatchObject({ kind: 'usable' });
  at.file.watch();
  return at;
}

const accounts = (changes: readonly AuthChange[]) =>
  changes.flatMap((change) => (change.kind === 'adopted' ? [change.account] : []));

describe('load and reload', () => {
  it('ACC-91a: a file that other users can change is not adopted until its mode is repaired', async () => {
    const at = await setup(chatgpt('A'), 10);
    await chmod(at.path, 0o666);
    expect(await at.file.load()).toMatchObject({
      kind: 'ineligible',
      failure: { reason: 'authUnreadable', message: expect.stringContaining('(mode 0666): run chmod 600') },
    });
    at.file.watch();
    await chmod(at.path, 0o600);
    await at.until(() => expect(accounts(at.changes)).toHaveLength(1));
  });

  it('RC-26: without a file nobody is signed in', async () => {
    const { file } = await setup();
    expect(await file.load()).toMatchObject({ kind: 'ineligible', failure: { reason: 'authMissing' } });
    expect(file.current).toBeUndefined();
  });

  it('RC-26: a missing directory is no sign-in, a file in its place is an error', async () => {
    const { directory } = await setup('');
    const at = (path: string) => new AuthFile({ path, now: Date.now, onChange: () => {} }).load();
    expect(await at(join(directory, 'gone', 'auth.json'))).toMatchObject({
      failure: { reason: 'authMissing' },
    });
    expect(await at(join(directory, 'auth.json', 'auth.json'))).toMatchObject({
      failure: { reason: 'authUnreadable' },
    });
  });

  it('RC-26: a directory in its place is unreadable', async () => {
    const { file, path } = await setup();
    await mkdir(path);
    expect(await file.load()).toMatchObject({ failure: { reason: 'authUnreadable' } });
  });

  it('RC-26: a symbolic link to itself is unreadable', async () => {
    const { file, path } = await setup();
    await symlink(path, path);
    expect(await file.load()).toMatchObject({ failure: { reason: 'authUnreadable' } });
  });

  it('RC-26: a file that is too large is unreadable', async () => {
    const { file } = await setup(`"${'x'.repeat(2 * 1024 * 1024)}"`);
    expect(await file.load()).toMatchObject({ failure: { reason: 'authUnreadable' } });
  });

  // Permissions do not bind root.
  it.skipIf(process.getuid?.() === 0)(
    'RC-26: a file without read permission is named as the reason',
    async () => {
      const { file, path } = await setup(chatgpt('A'));
      await chmod(path, 0o000);
      const outcome = await file.load();
      expect(outcome).toMatchObject({ failure: { reason: 'authUnreadable' } });
      expect(JSON.stringify(outcome)).toContain('permission denied');
    },
  );

  it('RC-26: a half-written file is read twice before it counts as unreadable', async () => {
    const whole = chatgpt('A');
    const { file, path } = await setup(whole.slice(0, 40));
    const loading = file.load();
    await writeFile(path, whole);
    expect(await loading).toEqual({ kind: 'usable', account: { accountId: 'A', generation: 1 } });
  });

  it('ACC-50: the account in memory stays when the file is replaced or deleted', async () => {
    const { file, path, replace } = await setup(chatgpt('A'));
    const first = await file.load();
    const token = file.accessToken();
    await replace(chatgpt('B'));
    expect(await file.load()).toEqual(first);
    await rm(path);
    expect(await file.load()).toEqual(first);
    expect(file.accessToken()).toBe(token);
  });

  it('RC-5: the token is a Secret, which JSON does not show', async () => {
    const token = tokenOf('A');
    const { file } = await setup(chatgpt('A', token));
    await file.load();
    expect(file.accessToken()?.reveal()).toBe(token);
    expect(JSON.stringify(file.accessToken())).not.toContain(token);
  });

  it('ACC-50: a guarded reload adopts a newer token of the same account', async () => {
    const { file, replace } = await setup(chatgpt('A'));
    await file.load();
    const newer = tokenOf('A');
    await replace(chatgpt('A', newer));
    expect(await file.reload({ guarded: true })).toEqual({
      kind: 'usable',
      account: { accountId: 'A', generation: 2 },
    });
    expect(file.accessToken()?.reveal()).toBe(newer);
  });

  it('ACC-50: a guarded reload of the same content keeps the generation', async () => {
    const { file } = await setup(chatgpt('A'));
    await file.load();
    expect(await file.reload({ guarded: true })).toMatchObject({ account: { generation: 1 } });
  });

  it('ACC-50: a guarded reload is skipped for another account, without a file, and with no account in memory', async () => {
    const { file, path, replace } = await setup(chatgpt('A'));
    expect(await file.reload({ guarded: true })).toMatchObject({ failure: { reason: 'authMissing' } });
    expect(file.accessToken()).toBeUndefined();
    await file.load();
    const token = file.accessToken();
    await replace(chatgpt('B'));
    expect(await file.reload({ guarded: true })).toMatchObject({
      failure: { reason: 'accountDiffersOnDisk' },
    });
    expect(file.differsOnDisk).toBe(true);
    await rm(path);
    expect(await file.reload({ guarded: true })).toMatchObject({ failure: { reason: 'authMissing' } });
    expect(file.differsOnDisk).toBe(true);
    expect(file.accessToken()).toBe(token);
    expect(file.current?.account.generation).toBe(1);
  });

  it('ACC-68: an unguarded reload adopts another account, and a missing file', async () => {
    const { file, path, replace } = await setup(chatgpt('A'));
    await file.load();
    await replace(chatgpt('B'));
    expect(await file.reload({ guarded: false })).toEqual({
      kind: 'usable',
      account: { accountId: 'B', generation: 2 },
    });
    expect(file.differsOnDisk).toBe(false);
    await rm(path);
    expect(await file.reload({ guarded: false })).toMatchObject({ failure: { reason: 'authMissing' } });
    expect(file.accessToken()).toBeUndefined();
  });
});

describe('watch', () => {
  it('RC-26: a newer token of the same account is adopted at once', async () => {
    const { file, changes, replace, until } = await loaded(chatgpt('A'), 60_000);
    const newer = tokenOf('A');
    await replace(chatgpt('A', newer));
    await until(() =>
      expect(changes).toEqual([{ kind: 'adopted', account: { accountId: 'A', generation: 2 } }]),
    );
    expect(file.accessToken()?.reveal()).toBe(newer);
  });

  it('RC-26: a file that is rewritten in place is noticed', async () => {
    const { path, changes, until } = await loaded(chatgpt('A'), 60_000);
    await writeFile(path, chatgpt('A'));
    await until(() => expect(accounts(changes)).toEqual([{ accountId: 'A', generation: 2 }]));
  });

  it('RC-26: another account is reported, and does not replace the one in memory', async () => {
    const { file, changes, replace, until } = await loaded(chatgpt('A'), 60_000);
    const token = file.accessToken();
    await replace(chatgpt('B'));
    await until(() => expect(changes).toEqual([{ kind: 'diskOnly' }]));
    expect(file.differsOnDisk).toBe(true);
    expect(file.accessToken()).toBe(token);
    expect(await file.load()).toMatchObject({ account: { accountId: 'A', generation: 1 } });
    await replace(chatgpt('A', token?.reveal()));
    await until(() => expect(changes).toEqual([{ kind: 'diskOnly' }, { kind: 'diskOnly' }]));
    expect(file.differsOnDisk).toBe(false);
  });

  it('ACC-50: the account outlives its file, and a newer token in a new file is adopted', async () => {
    const { file, path, changes, replace, until } = await loaded(chatgpt('A'), 60_000);
    await rm(path);
    await until(() => expect(changes).toEqual([{ kind: 'diskOnly' }]));
    expect(file.differsOnDisk).toBe(true);
    expect(file.accessToken()).toBeDefined();
    await replace('{ nonsense');
    await until(() => expect(changes).toHaveLength(2));
    await replace(chatgpt('A'));
    await until(() => expect(accounts(changes)).toEqual([{ accountId: 'A', generation: 2 }]));
    expect(file.differsOnDisk).toBe(false);
  });

  it('RC-26: while nobody is signed in, any valid sign-in is adopted, and each invalid one is reported with its reason', async () => {
    const { file, changes, replace, until } = await setup(undefined, 60_000);
    await file.load();
    file.watch();
    await replace('{"OPENAI_API_KEY":"sk-1"}');
    await until(() => expect(changes.at(-1)).toMatchObject({ failure: { reason: 'authApiKeyOnly' } }));
    await replace('{"tokens":{"access_token":"x"}}');
    await until(() => expect(changes.at(-1)).toMatchObject({ failure: { reason: 'authNoAccountId' } }));
    await replace(chatgpt('B'));
    await until(() =>
      expect(changes.at(-1)).toEqual({ kind: 'adopted', account: { accountId: 'B', generation: 1 } }),
    );
  });

  it('RC-26: changes of other files in the directory are not reported; a new account file is', async () => {
    const { file, directory, changes, replace, until, polled } = await setup(undefined, 10);
    file.watch();
    await writeFile(join(directory, 'another'), '');
    await polled();
    expect(changes).toEqual([]);
    await replace(chatgpt('anna'));
    await until(() => expect(changes).toHaveLength(1));
    expect(changes[0]).toMatchObject({ kind: 'adopted', account: { accountId: 'anna' } });
  });

  it('RC-26: a file that is being written is reported only when it is complete', async () => {
    const { path, changes, file, until } = await setup(undefined, 60_000);
    await file.load();
    file.watch();
    const whole = chatgpt('A');
    // A writer that is slower than the first reading.
    await writeFile(path, whole.slice(0, 30));
    setTimeout(() => writeFileSync(path, whole), 35);
    await until(() => expect(accounts(changes)).toHaveLength(1));
    expect(changes.every((change) => change.kind !== 'invalid')).toBe(true);
  });

  it('RC-26: a file that stays half-written is reported', async () => {
    const { path, changes, file, until } = await setup(undefined, 60_000);
    await file.load();
    file.watch();
    await writeFile(path, '{"tok');
    await until(() =>
      expect(changes).toMatchObject([{ kind: 'invalid', failure: { reason: 'authUnreadable' } }]),
    );
  });

  it('RC-26: an expired token from a backup does not replace one that works', async () => {
    const { file, changes, replace, polled } = await loaded(chatgpt('A'), 20);
    const token = file.accessToken();
    await replace(chatgpt('A', tokenOf('A', -DAY)));
    await polled();
    expect(changes).toEqual([]);
    expect(file.accessToken()).toBe(token);
  });

  it('RC-26: a change of other keys is no change of the account', async () => {
    const content = chatgpt('A');
    const { changes, replace, polled } = await loaded(content, 20);
    await replace(content.replace('{', '{"extra":1,'));
    await polled();
    expect(changes).toEqual([]);
  });

  it('RC-26: polling finds a directory that is created later, and one that is replaced', async () => {
    const directory = join(await tmpFolder(), 'home');
    const path = join(directory, 'auth.json');
    const changes: AuthChange[] = [];
    const file = new AuthFile({
      path,
      now: Date.now,
      pollMs: 25,
      onChange: (change) => changes.push(change),
    });
    files.push(file);
    expect(await file.load()).toMatchObject({ failure: { reason: 'authMissing' } });
    file.watch();
    await mkdir(directory);
    await writeFile(path, chatgpt('A'));
    await vi.waitFor(() => expect(accounts(changes)).toHaveLength(1), { timeout: 5_000 });
    await rename(directory, `${directory}.old`);
    await mkdir(directory);
    await writeFile(path, chatgpt('A'));
    await vi.waitFor(() => expect(accounts(changes)).toHaveLength(2), { timeout: 5_000 });
  });

  it('RC-26: polling follows a symbolic link to a file elsewhere', async () => {
    const { directory, path, changes, file } = await setup(undefined, 25);
    const real = join(directory, 'real.json');
    await writeFile(real, chatgpt('A'));
    await symlink(real, path);
    await file.load();
    file.watch();
    await writeFile(real, chatgpt('A'));
    await vi.waitFor(() => expect(accounts(changes)).toHaveLength(1), { timeout: 5_000 });
  });

  it('RC-26: after two hundred rapid replacements the last one is in use', async () => {
    const { file, changes, replace, until } = await loaded(chatgpt('A'), 60_000);
    let last = '';
    for (let n = 0; n < 200; n += 1) {
      last = tokenOf('A');
      await replace(chatgpt('A', last));
    }
    await until(() => expect(file.accessToken()?.reveal()).toBe(last));
    expect(accounts(changes).at(-1)?.generation).toBe(file.current?.account.generation);
    expect(changes.length).toBeLessThan(200);
  });

  it('RC-29: an own write is adopted, and is no change from outside', async () => {
    const { file, changes, replace, until, polled } = await loaded(chatgpt('A'), 20);
    const token = tokenOf('A');
    const content = chatgpt('A', token);
    file.noteOwnWrite(contentHash(content));
    await replace(content);
    await until(() => expect(file.accessToken()?.reveal()).toBe(token));
    await polled();
    expect(changes).toEqual([]);
  });

  it('RC-29: a change from outside right before or after an own write is reported', async () => {
    const { file, changes, replace, until, polled } = await loaded(chatgpt('A'), 20);
    const own = chatgpt('A');
    const foreign = chatgpt('A');
    file.noteOwnWrite(contentHash(own));
    await replace(foreign);
    await until(() => expect(changes).toHaveLength(1));
    await replace(own);
    await until(() => expect(file.current?.account.generation).toBe(3));
    await polled();
    expect(changes).toHaveLength(1);
    await replace(foreign);
    await until(() => expect(changes).toHaveLength(2));
    // The own content once more, but this time another program wrote it.
    await replace(own);
    await until(() => expect(changes).toHaveLength(3));
  });

  it('RC-29: what a reload returned is not reported again', async () => {
    const { file, changes, replace, polled } = await loaded(chatgpt('A'), 20);
    await replace(chatgpt('A'));
    await file.reload({ guarded: true });
    const reported = changes.length;
    await polled();
    expect(changes).toHaveLength(reported);
    expect(file.current?.account.generation).toBe(2);
  });

  it('RC-26: nothing is reported after close, and no watch is left', async () => {
    const { file, path, changes, replace, until } = await loaded(chatgpt('A'), 20);
    let witnessed = 0;
    const witness = new AuthFile({
      path,
      now: Date.now,
      pollMs: 20,
      onChange: () => {
        witnessed += 1;
      },
    });
    await witness.load();
    witness.watch();
    await replace(chatgpt('A'));
    file.close();
    const reported = changes.length;
    await replace(chatgpt('A'));
    await until(() => expect(witnessed).toBeGreaterThan(0));
    expect(changes).toHaveLength(reported);
    witness.close();
    expect(process.getActiveResourcesInfo()).not.toContain('FSEventWrap');
  });
});
