/** A damaged store is an error, never "no enrollment", which would lead to a second identity. RC-6 */
import {
  chmod,
  chown,
  copyFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../../../src/protocol/errors.js';
import type { Enrollment, EnrollmentKey } from '../../../src/protocol/outcomes.js';
import type { Reason } from '../../../src/protocol/reasons.js';
import { openEnrollmentStore, TableStore } from '../../../src/remote-control/store/enrollment-store.js';
import { explainSqliteError } from '../../../src/remote-control/store/sqlite-errors.js';
import { openSqliteTable } from '../../../src/remote-control/store/sqlite-table.js';
import { SqliteConnection } from '../../../src/system/sqlite/connection.js';
import { start } from '../../support/children.js';
import { tmpFolder } from '../../support/tmp.js';

const key: EnrollmentKey = { socketUrl: 'wss://chatgpt.com/x', accountId: 'acct', clientName: null };
const enrollment: Enrollment = { serverId: 'srv-1', environmentId: 'env-1', serverName: 'host' };
const found = { kind: 'found', enrollment, preference: 'on' };
const done = { kind: 'done' };
const now = () => 5;
const NOBODY = 65_534;

function open(path: string, busyTimeoutMs = 150) {
  return openEnrollmentStore(`sqlite:${path}`, { now, busyTimeoutMs });
}

/** Creates a database with one enrollment and closes it. */
async function filled(): Promise<string> {
  const path = join(await tmpFolder(), 'rc-engine.sqlite');
  const store = open(path);
  expect(await store.save(key, enrollment, 'on')).toEqual(done);
  await store.close();
  return path;
}

async function loadOnce(path: string) {
  const store = open(path);
  const outcome = await store.load(key);
  await store.close();
  return outcome;
}

async function query(path: string, sql: string): Promise<void> {
  const database = SqliteConnection.open(path);
  await database.exec(sql);
  await database.close();
}

function failure(reason: Reason, message: string) {
  return { kind: 'failed', failure: { reason, message: expect.stringContaining(message), at: 5 } };
}

describe('broken database file', () => {
  it.each<[string, (path: string) => Promise<void>, string]>([
    [
      'random bytes',
      (path) => writeFile(path, Buffer.alloc(20_000, 'rubbish!')),
      'is not a valid SQLite database',
    ],
    ['a text file', (path) => writeFile(path, '{}\n'), 'is not a valid SQLite database'],
    ['an empty file', (path) => truncate(path, 0), 'is empty, so it has lost its content'],
    ['a truncated file', (path) => truncate(path, 4_096), 'is not a valid SQLite database'],
    ['a file cut inside a page', (path) => truncate(path, 6_000), 'is not a valid SQLite database'],
    [
      'a file with a zeroed table',
      (path) => overwrite(path, 4_096, Buffer.alloc(4_096)),
      'is not a valid SQLite database',
    ],
    [
      'a file with a zeroed index',
      (path) => overwrite(path, 8_192, Buffer.alloc(4_096)),
      'is not a valid SQLite database',
    ],
    [
      'a directory in its place',
      (path) =>
        rm(path)
          .then(() => mkdir(path))
          .then(() => {}),
      'is a directory, not a file',
    ],
  ])('RC-6: %s gives an error for each method and is not changed', async (_, damage, message) => {
    const path = await filled();
    await damage(path);
    const before = (await stat(path)).isDirectory() ? null : await readFile(path);
    const store = open(path);
    for (let i = 0; i < 3; i += 1) {
      expect(await store.load(key)).toEqual(failure('storeUnavailable', message));
      expect(await store.load({ ...key, accountId: 'new' })).toEqual(failure('storeUnavailable', message));
    }
    expect(await store.savePreference({ ...key, accountId: 'new' }, 'on')).toMatchObject({ kind: 'failed' });
    expect(await store.clearAll()).toMatchObject({ kind: 'failed' });
    const outcome = await store.load(key);
    expect(outcome.kind === 'failed' && outcome.failure.message).toContain(path);
    await store.close();
    if (before !== null) expect(await readFile(path)).toEqual(before);
  });

  it('RC-6: after any single page was overwritten, the identity is unchanged or there is an error', async () => {
    const path = await filled();
    const whole = await readFile(path);
    for (let at = 0; at < whole.length; at += 512) {
      for (const fill of [0x00, 0xff, 0x41]) {
        const broken = Buffer.from(whole);
        broken.fill(fill, at, at + 512);
        await Promise.all([
          writeFile(path, broken),
          rm(`${path}-wal`, { force: true }),
          rm(`${path}-shm`, { force: true }),
        ]);
        const outcome = await loadOnce(path);
        expect(outcome, `512 bytes of ${fill} at ${at}`).toEqual(
          outcome.kind === 'found' ? found : failure('storeUnavailable', path),
        );
      }
    }
  });

  it('RC-6: after the file was cut anywhere, there is an error', async () => {
    const path = await filled();
    const whole = await readFile(path);
    for (let size = 0; size < whole.length; size += 512) {
      await writeFile(path, whole.subarray(0, size));
      expect(await loadOnce(path), `cut to ${size}`).toEqual(failure('storeUnavailable', path));
    }
  });

  it('RC-6: an index without the record is detected', async () => {
    const path = await filled();
    const bytes = await readFile(path);
    const at = bytes.lastIndexOf('url=wss');
    const first = bytes.indexOf('url=wss');
    expect(at).toBeGreaterThan(first);
    for (const offset of [at, first]) {
      const broken = Buffer.from(bytes);
      broken.write('URL', offset);
      await writeFile(path, broken);
      const outcome = await loadOnce(path);
      expect(outcome.kind).not.toBe('none');
    }
  });

  it('RC-6: a missing database with writes in its log is an error', async () => {
    const path = await filled();
    await rename(path, `${path}.away`);
    await writeFile(`${path}-wal`, Buffer.alloc(4_152, 1));
    expect(await loadOnce(path)).toEqual(failure('storeUnavailable', 'is missing but its log'));
    await rename(`${path}.away`, path);
    await rm(`${path}-wal`);
    expect(await loadOnce(path)).toEqual(found);
  });

  it('RC-6: works again in the same process after the file was repaired or moved away', async () => {
    const path = await filled();
    await copyFile(path, `${path}.good`);
    await writeFile(path, 'rubbish');
    const store = open(path);
    expect(await store.load(key)).toEqual(failure('storeUnavailable', 'not a valid SQLite database'));
    await rename(`${path}.good`, path);
    expect(await store.load(key)).toEqual(found);
    await store.close();
  });

  it('RC-6: repeated attempts on a broken file leave no descriptor open', async ({ skip }) => {
    skip(process.platform !== 'linux', 'counts descriptors in /proc');
    const path = await filled();
    await writeFile(path, 'rubbish');
    const store = open(path);
    const held = async () => (await readdir('/proc/self/fd')).length;
    await store.load(key);
    const before = await held();
    for (let i = 0; i < 40; i += 1) await store.load(key);
    expect(await held()).toBeLessThanOrEqual(before);
    await store.close();
  });
});

describe('broken write-ahead log', () => {
  /** The files as a killed process leaves them, right after a save that was reported done. */
  async function killedAfterSave(): Promise<string> {
    const path = join(await tmpFolder(), 'rc-engine.sqlite');
    const child = await start(['save', `sqlite:${path}`, '5']);
    expect(await child.line()).toEqual(done);
    await child.kill();
    return path;
  }

  const saved = { kind: 'found', enrollment: { serverId: 'srv', environmentId: 'env', serverName: 'xxxxx' } };

  it('RC-6: after a save is reported done, the log contains nothing that the database lacks', async () => {
    const path = await killedAfterSave();
    expect((await stat(`${path}-wal`)).size).toBe(0);
  });

  it.each<[string, (wal: string) => Promise<void>]>([
    ['lost', (wal) => rm(wal)],
    ['short', (wal) => writeFile(wal, Buffer.alloc(20, 1))],
    ['filled with rubbish', (wal) => writeFile(wal, Buffer.alloc(9_000, 'rubbish!'))],
  ])('RC-6: an identity that was reported done survives a log that is %s', async (_, damage) => {
    const path = await killedAfterSave();
    await damage(`${path}-wal`);
    expect(await loadOnce(path)).toMatchObject(saved);
  });

  /** The log of a process that was killed after it wrote `to` and before the log was emptied. */
  async function unfinished(to: string): Promise<string> {
    const path = await filled();
    const child = await start(['sql', path, `UPDATE keyv SET value = replace(value, 'srv-1', '${to}')`]);
    expect(await child.line()).toBe('done');
    await child.kill();
    expect((await stat(`${path}-wal`)).size).toBeGreaterThan(4_096);
    return `${path}-wal`;
  }

  it('RC-6: a record that is only in the log is found after a kill', async () => {
    const wal = await unfinished('srv-2');
    expect(await loadOnce(wal.slice(0, -4))).toEqual({
      ...found,
      enrollment: { ...enrollment, serverId: 'srv-2' },
    });
  });

  it('RC-6: after the log was cut anywhere, the identity before or after that write is found', async () => {
    const wal = await unfinished('srv-2');
    const path = wal.slice(0, -4);
    const [database, log] = [await readFile(path), await readFile(wal)];
    for (let size = 0; size <= log.length; size += 515) {
      await Promise.all([writeFile(path, database), writeFile(wal, log.subarray(0, size))]);
      await rm(`${path}-shm`, { force: true });
      const outcome = await loadOnce(path);
      expect(['srv-1', 'srv-2']).toContain(outcome.kind === 'found' && outcome.enrollment.serverId);
    }
  });

  it('RC-6: a file that cannot be a log is an error', async () => {
    const path = await filled();
    await mkdir(`${path}-wal`);
    expect(await loadOnce(path)).toMatchObject({ kind: 'failed', failure: { reason: 'storeUnavailable' } });
  });
});

describe('tampered value', () => {
  it.each([
    ['NULL', 'NULL'],
    ['a blob', "x'00ff'"],
    ['an empty text', "''"],
    ['the JSON null', "'null'"],
    ['an empty envelope', "'{}'"],
    ['half a record', 'substr(value, 1, 40)'],
    ['an expiry in the past', "replace(value, '}}', '},\"expires\":1}')"],
    ['a missing id', "replace(value, 'server_id', 'other_id')"],
    ['a newer version', 'replace(value, \'"schema":1\', \'"schema":2\')'],
  ])('RC-6: %s gives an error, and the row stays', async (_, value) => {
    const path = await filled();
    await query(path, `UPDATE keyv SET value = ${value}`);
    const store = open(path);
    const message = `The enrollment store ${path} contains a record that`;
    expect(await store.load(key)).toEqual(failure('storeUnavailable', message));
    expect(await store.clearAll()).toMatchObject({ kind: 'failed' });
    expect(await store.savePreference(key, 'off')).toEqual(failure('storeUnavailable', message));
    expect(await store.load(key)).toEqual(failure('storeUnavailable', message));
    await store.close();
  });

  it('RC-5: the message contains nothing of the record', async () => {
    const path = await filled();
    await query(path, `UPDATE keyv SET value = '{"value":{"remote_control_token":"hush"}}'`);
    expect(JSON.stringify(await loadOnce(path))).not.toContain('hush');
  });
});

describe('locked by another process', () => {
  it('RC-6: a write fails after the busy timeout, a read works, and both work after the release', async () => {
    const path = await filled();
    const store = open(path, 300);
    expect(await store.load(key)).toEqual(found);
    const holder = await start(['hold', path, 'exclusive']);
    await holder.line();
    const started = performance.now();
    expect(await store.save(key, enrollment, 'off')).toEqual(
      failure('storeWriteFailed', `${path} is locked by another process (SQLITE_BUSY)`),
    );
    expect(performance.now() - started).toBeGreaterThan(250);
    expect(await store.clearAll()).toEqual(failure('storeWriteFailed', 'is locked by another process'));
    expect(await store.load(key)).toEqual(found);
    expect(await store.load({ ...key, accountId: 'new' })).toEqual(
      failure('storeUnavailable', 'is locked by another process'),
    );
    await holder.finish();
    expect(await store.save(key, enrollment, 'off')).toEqual(done);
    expect(await store.load(key)).toEqual({ ...found, preference: 'off' });
    await store.close();
  });

  it('RC-6: a read of an exclusively locked database fails, and works after the release', async () => {
    const path = await filled();
    const holder = await start(['hold', path, 'everything']);
    await holder.line();
    const store = open(path);
    expect(await store.load(key)).toEqual(
      failure('storeUnavailable', `${path} is locked by another process (SQLITE_BUSY)`),
    );
    expect(await store.load(key)).toEqual(failure('storeUnavailable', 'is locked by another process'));
    await holder.kill();
    expect(await store.load(key)).toEqual(found);
    await store.close();
  });

  it('waits for a lock that is released in time', async () => {
    const path = await filled();
    const holder = await start(['hold', path, 'everything']);
    await holder.line();
    const store = open(path, 10_000);
    const load = store.load(key);
    await holder.finish();
    expect(await load).toEqual(found);
    await store.close();
  });
});

describe('no space or no permission', () => {
  it('RC-6: a full database fails the save, keeps its content and works again', async () => {
    const path = await filled();
    let full = true;
    const store = new TableStore(
      'sqlite',
      async (probe) => {
        const table = await openSqliteTable(path, { busyTimeoutMs: 100, probe });
        if (full) await table.query('PRAGMA max_page_count=1');
        return table;
      },
      now,
    );
    const large = { ...enrollment, serverName: 'x'.repeat(50_000) };
    expect(await store.save(key, large, 'on')).toEqual(
      failure('storeWriteFailed', `${path} cannot grow: the disk is full (SQLITE_FULL)`),
    );
    full = false;
    expect(await store.load(key)).toEqual(found);
    expect(await store.save(key, large, 'on')).toEqual(done);
    await store.close();
  });

  it('RC-6: a file size limit fails the save and damages nothing', async () => {
    const path = await filled();
    const child = await start(['save', `sqlite:${path}`, '200000'], { before: 'ulimit -f 64' });
    expect(await child.line()).toMatchObject({
      kind: 'failed',
      failure: { reason: 'storeWriteFailed', message: expect.stringContaining('input/output error') },
    });
    await child.finish();
    expect(await loadOnce(path)).toEqual(found);
  });

  it('RC-6: no space to create the database is an error and leaves no file', async () => {
    const dir = await tmpFolder();
    const child = await start(['load', `sqlite:${dir}/s.sqlite`], { before: 'ulimit -f 4' });
    expect(await child.line()).toMatchObject({ kind: 'failed', failure: { reason: 'storeUnavailable' } });
    await child.finish();
    expect(await readdir(dir)).toEqual([]);
  });

  it('RC-6: a directory that does not exist is an error that names it', async () => {
    const dir = await tmpFolder();
    expect(await loadOnce(`${dir}/no/s.sqlite`)).toEqual(
      failure('storeUnavailable', `${dir}/no/s.sqlite cannot be opened: no such file or directory (ENOENT)`),
    );
    await writeFile(`${dir}/file`, '');
    expect(await loadOnce(`${dir}/file/s.sqlite`)).toEqual(
      failure('storeUnavailable', 'is a file, not a directory'),
    );
  });

  describe('as a user without rights', () => {
    /** Runs as `nobody` when the tests run as root, whom no permission restricts. */
    const user = process.getuid?.() === 0 ? { uid: NOBODY } : {};

    async function ownedByUser(paths: string[]): Promise<void> {
      if (user.uid !== undefined) await Promise.all(paths.map((path) => chown(path, NOBODY, NOBODY)));
    }

    async function ask(command: string[]): Promise<unknown> {
      const child = await start(command, user);
      const answer = await child.line();
      await child.finish();
      return answer;
    }

    it('RC-6: a read-only directory is an error, for a new and for an existing database', async () => {
      const path = await filled();
      const dir = join(path, '..');
      await ownedByUser([dir, path]);
      await chmod(dir, 0o500);
      expect(await ask(['load', `sqlite:${dir}/fresh.sqlite`])).toMatchObject({
        failure: { reason: 'storeUnavailable', message: expect.stringContaining('permission denied') },
      });
      const outcome = await ask(['load', `sqlite:${path}`]);
      expect(outcome).toMatchObject({ failure: { reason: 'storeUnavailable' } });
      expect(await ask(['save', `sqlite:${path}`, '5'])).toMatchObject({ kind: 'failed' });
      await chmod(dir, 0o700);
    });

    it('RC-6: a read-only file returns the identity, fails a save, and is never reported as none', async () => {
      const path = await filled();
      const dir = join(path, '..');
      await ownedByUser([dir]);
      await chmod(path, 0o444);
      expect(await ask(['load', `sqlite:${path}`])).toEqual(found);
      expect(await ask(['save', `sqlite:${path}`, '5'])).toMatchObject({
        failure: {
          reason: 'storeWriteFailed',
          message: expect.stringContaining('is read-only (SQLITE_READONLY)'),
        },
      });
      await query(path, 'DELETE FROM keyv');
      await chmod(path, 0o444);
      expect(await ask(['load', `sqlite:${path}`])).toMatchObject({
        failure: { reason: 'storeUnavailable', message: expect.stringContaining('is read-only') },
      });
    });

    it('RC-6: a file of another user is an error', async ({ skip }) => {
      skip(user.uid === undefined, 'only root can make a file of somebody else');
      const path = await filled();
      await ownedByUser([join(path, '..')]);
      expect(await ask(['load', `sqlite:${path}`])).toMatchObject({
        failure: { reason: 'storeUnavailable', message: expect.stringContaining('permission denied') },
      });
    });
  });
});

it('RC-6: SQLite that cannot be loaded is an error with the next step', async () => {
  const missing = new EngineError('sqliteMissing', 'SQLite cannot be loaded: no package.');
  expect(await explainSqliteError('/s.sqlite', missing)).toMatchObject({
    name: 'StoreError',
    invalid: true,
    message: expect.stringMatching(/^SQLite cannot be loaded: no package\. Install rc-engine again/),
  });
});

async function overwrite(path: string, at: number, bytes: Buffer): Promise<void> {
  const whole = await readFile(path);
  bytes.copy(whole, at);
  await writeFile(path, whole);
}
