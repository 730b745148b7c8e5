/** The two drivers of SQLite behave the same. `node:sqlite` is tested where Node has it. */
import { copyFile, readdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openEnrollmentStore } from '../../src/remote-control/store/enrollment-store.js';
import { builtinDriver } from '../../src/system/sqlite/builtin.js';
import { SqliteConnection } from '../../src/system/sqlite/connection.js';
import { loadDriver, type SqliteDriver, sqliteDriver } from '../../src/system/sqlite/driver.js';
import { libsqlDriver } from '../../src/system/sqlite/libsql.js';
import { start } from '../support/children.js';
import { tmpFolder } from '../support/tmp.js';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/store');
const LIBSQL = '@libsql/linux-x64-gnu';

function libsql(): SqliteDriver | undefined {
  try {
    return libsqlDriver(createRequire(import.meta.url)(LIBSQL));
  } catch {
    return undefined;
  }
}

const DRIVERS = [
  ['node:sqlite', builtinDriver()],
  ['libsql', libsql()],
] as const;

async function newFile(): Promise<string> {
  const path = join(await tmpFolder(), 'ä b%20?#.sqlite');
  await writeFile(path, '');
  return path;
}

async function openFiles(path: string): Promise<number> {
  const { readlink } = await import('node:fs/promises');
  const links = (await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => ''));
  return (await Promise.all(links)).filter((target) => target.startsWith(path)).length;
}

describe.each(DRIVERS)('the driver %s', (_, driver) => {
  const open = (path: string) => driver!.open(path);

  it.skipIf(driver === undefined)('reads and writes values of each type', async () => {
    const database = open(await newFile());
    database.exec('CREATE TABLE a(b); CREATE TABLE c(d)');
    database.statement('INSERT INTO a VALUES (?), (?), (?)', ['tëxt', 7n, null])();
    expect(
      database
        .statement('SELECT b, typeof(b) AS type FROM a', [])()
        .map((row) => ({ ...row })),
    ).toEqual([
      { b: 'tëxt', type: 'text' },
      { b: 7, type: 'integer' },
      { b: null, type: 'null' },
    ]);
    await database.close();
  });

  it.skipIf(driver === undefined)('returns all of many rows', async () => {
    const database = open(await newFile());
    for (const count of [99, 100, 101, 250]) {
      const sql = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count}) SELECT i FROM n`;
      expect(database.statement(sql, [])()).toHaveLength(count);
    }
    await database.close();
  });

  it.skipIf(driver === undefined)('creates no file', async () => {
    const path = join(await tmpFolder(), 'none.sqlite');
    expect(() => open(path)).toThrow(expect.objectContaining({ code: 'SQLITE_CANTOPEN' }));
  });

  it.skipIf(driver === undefined)('reports the primary result code', async () => {
    const path = await newFile();
    const database = open(path);
    database.exec('CREATE TABLE a(b PRIMARY KEY); INSERT INTO a VALUES (1)');
    const insert = database.statement('INSERT INTO a VALUES (1)', []);
    expect(insert).toThrow(expect.objectContaining({ code: 'SQLITE_CONSTRAINT', name: 'SqliteError' }));
    expect(() => database.exec('no sql')).toThrow(expect.objectContaining({ code: 'SQLITE_ERROR' }));
    const other = open(path);
    other.exec('BEGIN IMMEDIATE');
    expect(() => database.exec('DELETE FROM a')).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }));
    await other.close();
    await database.close();
  });

  it.skipIf(driver === undefined)(
    'a statement that found the database locked is run again, and its change is committed',
    async () => {
      const path = await newFile();
      const database = open(path);
      database.exec('PRAGMA journal_mode=WAL; CREATE TABLE a(b)');
      const other = open(path);
      other.exec('BEGIN IMMEDIATE');
      const insert = database.statement('INSERT INTO a VALUES (?)', ['once']);
      for (let n = 0; n < 3; n += 1) expect(insert).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }));
      other.exec('ROLLBACK');
      insert();
      expect(other.statement('SELECT b FROM a', [])()).toHaveLength(1);
      expect(database.statement('PRAGMA wal_checkpoint(TRUNCATE)', [])()[0]).toMatchObject({ busy: 0 });
      await other.close();
      await database.close();
    },
  );

  it.skipIf(driver === undefined || process.platform !== 'linux')(
    'close closes the files, after reads, writes and errors',
    async () => {
      const path = await newFile();
      for (let round = 0; round < 25; round += 1) {
        const database = open(path);
        const other = open(path);
        database.exec('PRAGMA journal_mode=WAL; CREATE TABLE IF NOT EXISTS a(b)');
        database.statement('INSERT INTO a VALUES (1) RETURNING b', [])();
        other.exec('BEGIN IMMEDIATE');
        expect(database.statement('DELETE FROM a', [])).toThrow();
        expect(other.statement('SELECT * FROM a', [])().length).toBeGreaterThan(0);
        await Promise.all([database.close(), other.close()]);
        expect(await openFiles(path)).toBe(0);
        expect(await readdir(join(path, '..'))).toHaveLength(1);
      }
    },
  );
});

it.skipIf(libsql() === undefined)(
  'libsql: after a statement that found the database locked, only that statement can be run',
  async () => {
    const path = await newFile();
    const database = libsql()!.open(path);
    database.exec('CREATE TABLE a(b)');
    const other = libsql()!.open(path);
    other.exec('BEGIN IMMEDIATE');
    expect(database.statement('INSERT INTO a VALUES (1)', [])).toThrow(/SQLITE_BUSY/);
    await other.close();
    expect(() => database.exec('SELECT 1')).toThrow(/SQLITE_MISUSE/);
    expect(database.statement('INSERT INTO a VALUES (1)', [])).toThrow(/SQLITE_MISUSE/);
    await database.close();
  },
);

it.skipIf(builtinDriver() !== undefined)(
  'a driver that cannot be loaded is an error with the next step',
  () => {
    const load = () =>
      loadDriver((name) => {
        throw new Error(`Cannot find module '${name}'\nRequire stack:`);
      });
    expect(load).toThrow(
      expect.objectContaining({
        code: 'sqliteMissing',
        message: expect.stringMatching(/^SQLite cannot be loaded: [^\n]+\.$/),
        remediation: expect.stringContaining('Node 24.15 or later'),
      }),
    );
    expect(() => loadDriver(() => ({}))).toThrow(/other functions than libsql/);
  },
);

it('a connection waits for a lock of another process and leaves the thread free', async () => {
  const path = await newFile();
  const database = SqliteConnection.open(path, 10_000);
  await database.exec('PRAGMA journal_mode=WAL; CREATE TABLE a(b)');
  const holder = await start(['hold', path, 'exclusive']);
  expect(await holder.line()).toBe('held');
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const inserted = database.all('INSERT INTO a VALUES (1)');
  await new Promise((done) => setTimeout(done, 300));
  await holder.finish();
  await inserted;
  clearInterval(timer);
  expect(longest).toBeLessThan(250);
  expect(await database.all('SELECT count(*) AS n FROM a')).toEqual([{ n: 1 }]);
  await database.close();
  await expect(database.exec('SELECT 1')).rejects.toMatchObject({ code: 'SQLITE_MISUSE' });
});

it('RC-5: a database of an older version is opened as it is, also with a write that is only in its log', async () => {
  const dir = await tmpFolder();
  for (const name of await readdir(FIXTURES)) await copyFile(join(FIXTURES, name), join(dir, name));
  const key = { socketUrl: 'wss://chatgpt.com/x', accountId: 'acct', clientName: null };
  for (const [name, serverName] of [
    ['closed', 'xxxxx'],
    ['killed', 'from the log'],
  ]) {
    const path = join(dir, `${name}.sqlite`);
    const before = await readFile(path);
    const store = openEnrollmentStore(`sqlite:${path}`, { now: Date.now });
    expect(await store.load(key)).toEqual({
      kind: 'found',
      enrollment: { serverId: 'srv', environmentId: 'env', serverName },
      preference: 'on',
    });
    await store.close();
    if (name === 'closed') expect(await readFile(path)).toEqual(before);
  }
  expect((await readdir(dir)).sort()).toEqual(['closed.sqlite', 'killed.sqlite']);
});

it('one process uses one SQLite', () => {
  expect(sqliteDriver()).toBe(sqliteDriver());
  expect(sqliteDriver().name).toBe(builtinDriver() === undefined ? 'libsql' : 'node:sqlite');
});
