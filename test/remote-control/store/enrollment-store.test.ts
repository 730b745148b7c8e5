import { chmod, mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EngineError } from '../../../src/protocol/errors.js';
import type { Enrollment, EnrollmentKey } from '../../../src/protocol/outcomes.js';
import {
  databasePath,
  type EnrollmentStore,
  openEnrollmentStore,
} from '../../../src/remote-control/store/enrollment-store.js';
import { start } from '../../support/children.js';
import { tmpFolder } from '../../support/tmp.js';

const key: EnrollmentKey = { socketUrl: 'wss://chatgpt.com/s', accountId: 'acct-1', clientName: null };
const first: Enrollment = { serverId: 'srv-1', environmentId: 'env-1', serverName: 'host' };
const second: Enrollment = { serverId: 'srv-2', environmentId: 'env-2', serverName: 'host' };
const now = () => 1_000;

async function sqliteUrl(): Promise<string> {
  return `sqlite:${join(await tmpFolder(), 'rc-engine.sqlite')}`;
}

async function openNew(): Promise<EnrollmentStore> {
  return openEnrollmentStore(await sqliteUrl(), { now });
}

describe.each([
  ['sqlite', openNew],
  ['memory', async () => openEnrollmentStore('memory:', { now })],
])('enrollment store (%s)', (_, open) => {
  it('RC-6: a new store returns none, with the preference unset', async () => {
    const store = await open();
    expect(await store.load(key)).toEqual({ kind: 'none', preference: 'unset' });
    await store.close();
  });

  it('RC-5: returns what was saved, for that key only', async () => {
    const store = await open();
    expect(await store.save(key, first, 'on')).toEqual({ kind: 'done' });
    expect(await store.load(key)).toEqual({ kind: 'found', enrollment: first, preference: 'on' });
    for (const other of [
      { ...key, accountId: 'acct-2' },
      { ...key, clientName: 'app' },
      { ...key, socketUrl: 'wss://other/s' },
    ]) {
      expect(await store.load(other)).toEqual({ kind: 'none', preference: 'unset' });
    }
    await store.close();
  });

  it('RC-24: clearAll removes the enrollment of each account and keeps the preferences', async () => {
    const store = await open();
    const other = { ...key, accountId: 'acct-2', clientName: '100%_' };
    await store.save(key, first, 'on');
    await store.save(other, second, 'off');
    expect(await store.clearAll()).toEqual({ kind: 'done' });
    expect(await store.load(key)).toEqual({ kind: 'none', preference: 'on' });
    expect(await store.load(other)).toEqual({ kind: 'none', preference: 'off' });
    await store.close();
  });

  it('RC-7: each account keeps its own enrollment', async () => {
    const store = await open();
    const other = { ...key, accountId: 'acct-2' };
    await store.save(key, first, 'on');
    await store.save(other, second, 'off');
    expect(await store.load(key)).toEqual({ kind: 'found', enrollment: first, preference: 'on' });
    expect(await store.load(other)).toEqual({ kind: 'found', enrollment: second, preference: 'off' });
    await store.close();
  });

  it('RC-8a: a new host name is stored with the same identity', async () => {
    const store = await open();
    await store.save(key, first, 'on');
    const renamed = { ...first, serverName: 'new-host' };
    await store.save(key, renamed, 'on');
    expect(await store.load(key)).toEqual({ kind: 'found', enrollment: renamed, preference: 'on' });
    await store.close();
  });

  it('RC-22: a new identity replaces the old one and keeps the preference', async () => {
    const store = await open();
    await store.save(key, first, 'on');
    expect(await store.save(key, second, 'on')).toEqual({ kind: 'done' });
    expect(await store.load(key)).toEqual({ kind: 'found', enrollment: second, preference: 'on' });
    await store.close();
  });

  it('RC-44: the preference is stored with and without an enrollment', async () => {
    const store = await open();
    expect(await store.savePreference(key, 'off')).toEqual({ kind: 'done' });
    expect(await store.load(key)).toEqual({ kind: 'none', preference: 'off' });
    await store.save(key, first, 'off');
    await store.savePreference(key, 'on');
    expect(await store.load(key)).toEqual({ kind: 'found', enrollment: first, preference: 'on' });
    await store.close();
  });

  it('RC-46: runs calls in the order they were made and flushes them all', async () => {
    const store = await open();
    const order: string[] = [];
    const note = (name: string) => () => order.push(name);
    void store.save(key, first, 'on').then(note('save'));
    void store.clearAll().then(note('clear'));
    void store.savePreference(key, 'off').then(note('preference'));
    await store.flush();
    expect(order).toEqual(['save', 'clear', 'preference']);
    expect(await store.load(key)).toEqual({ kind: 'none', preference: 'off' });
    await store.close();
  });

  it('limits the calls that wait', async () => {
    const store = await open();
    const outcomes = await Promise.all(Array.from({ length: 70 }, () => store.load(key)));
    expect(outcomes.filter(({ kind }) => kind === 'none')).toHaveLength(64);
    expect(outcomes.at(-1)).toMatchObject({
      kind: 'failed',
      failure: { reason: 'storeUnavailable', message: 'Too many calls wait for the enrollment store.' },
    });
    await store.close();
  });

  it('fails after it was closed', async () => {
    const store = await open();
    await store.save(key, first, 'on');
    await store.close();
    await store.close();
    store.prepare();
    expect(await store.load(key)).toEqual({
      kind: 'failed',
      failure: { reason: 'storeUnavailable', message: 'The enrollment store was closed.', at: 1_000 },
    });
  });
});

describe('no enrollment store', () => {
  it('RC-6: each method reports that there is none', async () => {
    const store = openEnrollmentStore('none', { now });
    const missing = {
      kind: 'failed',
      failure: { reason: 'storeMissing', message: 'There is no enrollment store (--store none).', at: 1_000 },
    };
    expect(store.kind).toBe('none');
    expect(await store.load(key)).toEqual(missing);
    expect(await store.save(key, first, 'on')).toEqual(missing);
    expect(await store.clearAll()).toEqual(missing);
    expect(await store.savePreference(key, 'on')).toEqual(missing);
    await store.flush();
    await store.close();
  });
});

describe('URL of the store', () => {
  it('accepts absolute and relative paths with and without slashes', () => {
    expect(databasePath('sqlite:/a/b c%20.db')).toBe('/a/b c%20.db');
    expect(databasePath('sqlite:///a/b.db')).toBe('/a/b.db');
    expect(databasePath('sqlite://b.db')).toBe(join(process.cwd(), 'b.db'));
    expect(databasePath('sqlite:x/b.db')).toBe(join(process.cwd(), 'x/b.db'));
  });

  it.each([
    '',
    'sqlite:',
    'sqlite://',
    'redis://host',
    '/a/b.db',
    'sqlite::memory:',
    'memory',
    'sqlite:/a\0b',
  ])('refuses %j and says what is allowed', (url) => {
    expect(() => openEnrollmentStore(url, { now })).toThrow(EngineError);
    expect(() => openEnrollmentStore(url, { now })).toThrow(/sqlite:PATH, memory: or none/);
  });

  it('creates nothing on disk until it is used', async () => {
    const dir = await tmpFolder();
    const store = openEnrollmentStore(`sqlite:${dir}/a.sqlite`, { now });
    await store.flush();
    await store.close();
    expect(await readdir(dir)).toEqual([]);
  });

  it('resolves a relative path from the working directory', async () => {
    const dir = await tmpFolder();
    const store = openEnrollmentStore(`sqlite://${relative(process.cwd(), dir)}/a.sqlite`, { now });
    expect(await store.save(key, first, 'on')).toEqual({ kind: 'done' });
    await store.close();
    expect(await readdir(dir)).toEqual(['a.sqlite']);
  });
});

describe('database file', () => {
  it('RC-5: keeps its content across a restart', async () => {
    const url = await sqliteUrl();
    const before = openEnrollmentStore(url, { now });
    await before.save(key, first, 'on');
    await before.close();
    const after = openEnrollmentStore(url, { now });
    after.prepare();
    expect(await after.load(key)).toEqual({ kind: 'found', enrollment: first, preference: 'on' });
    await after.close();
  });

  it('is the same as Keyv creates and reads', async () => {
    const url = await sqliteUrl();
    const store = openEnrollmentStore(url, { now });
    await store.save(key, first, 'on');
    await store.savePreference(key, 'off');
    await store.close();
    const { KeyvSqlite } = await import('@keyv/sqlite');
    const { Keyv } = await import('keyv');
    const adapter = new KeyvSqlite({ uri: `sqlite://${databasePath(url)}` });
    const keyv = new Keyv({ store: adapter, namespace: 'enrollment', throwOnErrors: true });
    expect(await adapter.query("SELECT sql FROM sqlite_schema WHERE type = 'table'")).toEqual([
      { sql: 'CREATE TABLE keyv(key VARCHAR(255) PRIMARY KEY, value TEXT )' },
    ]);
    expect(await keyv.getRaw('url=wss://chatgpt.com/s|account=acct-1|client')).toEqual({
      value: {
        schema: 1,
        server_id: 'srv-1',
        environment_id: 'env-1',
        server_name: 'host',
        preference: 'off',
      },
    });
    await keyv.disconnect();
  });

  it('RC-5: contains nothing but the record', async () => {
    const url = await sqliteUrl();
    const store = openEnrollmentStore(url, { now });
    const extra = { ...first, remote_control_token: 'hush-token' };
    await store.save(key, extra, 'on');
    await store.close();
    expect((await readFile(databasePath(url))).includes('hush-token')).toBe(false);
  });

  it.each([0o000, 0o022, 0o277])('RC-5: is private (0600), like its log, under umask %i', async (mask) => {
    const dir = await tmpFolder();
    const before = `umask ${mask.toString(8)}`;
    const child = await start(['saveForEver', `sqlite:${dir}/s.sqlite`, '1'], { before });
    expect(await child.line()).toBe('ready');
    expect(await child.line()).toBe(1);
    const names = (await readdir(dir)).sort();
    expect(names).toEqual(['s.sqlite', 's.sqlite-shm', 's.sqlite-wal']);
    for (const name of names) expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
    await child.kill();
  });

  it('RC-5: an existing one that others can read is made private', async () => {
    const url = await sqliteUrl();
    const path = databasePath(url);
    const before = openEnrollmentStore(url, { now });
    await before.save(key, first, 'on');
    await before.close();
    await chmod(path, 0o644);
    const after = openEnrollmentStore(url, { now });
    await after.load(key);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await after.close();
  });

  it('uses a write-ahead log with full sync', async () => {
    const { openSqliteTable } = await import('../../../src/remote-control/store/sqlite-table.js');
    const path = join(await tmpFolder(), 's.sqlite');
    const table = await openSqliteTable(path, { busyTimeoutMs: 1_234, probe: false });
    expect(await table.query('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await table.query('PRAGMA synchronous')).toEqual([{ synchronous: 2 }]);
    // The driver waits itself: SQLite would block the thread.
    expect(await table.query('PRAGMA busy_timeout')).toEqual([{ timeout: 0 }]);
    await table.close();
  });

  it('leaves no other file', async () => {
    const dir = await tmpFolder();
    await mkdir(join(dir, 'deep'));
    const store = openEnrollmentStore(`sqlite:${dir}/deep/s.sqlite`, { now });
    await store.save(key, first, 'on');
    await store.close();
    expect(await readdir(join(dir, 'deep'))).toEqual(['s.sqlite']);
  });
});

describe('RC-107: a database that was removed or replaced', () => {
  const opened = async () => {
    const folder = await tmpFolder();
    const path = join(folder, 'rc-engine.sqlite');
    const titles: string[] = [];
    const open = () =>
      openEnrollmentStore(`sqlite:${path}`, { now, onReopened: (title) => titles.push(title) });
    return { path, titles, open, store: open() };
  };

  it('is opened again before a write, with what was known', async () => {
    const { path, titles, open, store } = await opened();
    await store.save(key, first, 'on');
    await rm(path);
    expect(await store.savePreference(key, 'off')).toEqual({ kind: 'done' });
    expect(titles).toEqual([`The enrollment store ${path}`]);
    await store.close();
    const next = open();
    expect(await next.load(key)).toEqual({ kind: 'found', enrollment: first, preference: 'off' });
    await next.close();
  });

  it('keeps the records of a replacement', async () => {
    const { path, open, store } = await opened();
    await store.save(key, first, 'on');
    const other = await opened();
    await other.store.save(key, second, 'on');
    await other.store.close();
    await rename(other.path, path);
    expect(await store.load(key)).toEqual({ kind: 'found', enrollment: second, preference: 'on' });
    await store.close();
    const next = open();
    expect(await next.load(key)).toEqual({ kind: 'found', enrollment: second, preference: 'on' });
    await next.close();
  });

  it('gets its records again when the store is closed', async () => {
    const { path, open, store } = await opened();
    await store.save(key, first, 'on');
    await rm(path);
    await store.close();
    const next = open();
    expect(await next.load(key)).toEqual({ kind: 'found', enrollment: first, preference: 'on' });
    await next.close();
  });
});
