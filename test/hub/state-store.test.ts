/** The port StateStore, once for each adapter, and what only the one with a file does. */
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MemoryStateStore } from '../../src/hub/state/memory-store.js';
import {
  BUCKETS,
  isStateKey,
  keyWord,
  type StateBucket,
  type StateChange,
  StateUnavailableError,
} from '../../src/hub/state/state-store.js';
import { tmpFolder } from '../support/tmp.js';
import { describeAdapters, describeNats, type HubBroker } from './adapters.js';

describeAdapters('a state store', (open) => {
  let broker: HubBroker;
  let here: StateBucket;
  let there: StateBucket;

  beforeEach(async () => {
    broker = await open();
    here = (await broker.node()).store.bucket('clients');
    there = (await broker.node()).store.bucket('clients');
  });
  afterEach(() => broker.end());

  it('another node reads what was written, with its revision', async () => {
    const revision = await here.put('env.cli', '{"name":"ü"}');
    expect(await there.get('env.cli')).toEqual({ key: 'env.cli', value: '{"name":"ü"}', revision });
    expect(await there.get('env.none')).toBeUndefined();
  });

  it('HUB-1, HUB-4: creates a key once', async () => {
    expect(await here.create('env.cli', 'first')).toBeGreaterThan(0);
    expect(await there.create('env.cli', 'second')).toBeUndefined();
    expect((await there.get('env.cli'))?.value).toBe('first');
  });

  it('HUB-4: of ten nodes that create or change one key at once, one succeeds', async () => {
    const created = await Promise.all(
      Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? here : there).create('env.cli', `${n}`)),
    );
    const revisions = created.filter((revision) => revision !== undefined);
    expect(revisions).toHaveLength(1);
    const changed = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        (n % 2 === 0 ? here : there).update('env.cli', `changed ${n}`, revisions[0] ?? 0),
      ),
    );
    expect(changed.filter((revision) => revision !== undefined)).toHaveLength(1);
  });

  it('HUB-4: refuses a change of an entry that was changed or deleted meanwhile', async () => {
    const first = await here.put('env.cli', 'first');
    const second = await there.update('env.cli', 'second', first);
    expect(second).toBeGreaterThan(first);
    expect(await here.update('env.cli', 'stale', first)).toBeUndefined();
    expect(await here.delete('env.cli', first)).toBe(false);
    expect((await here.get('env.cli'))?.value).toBe('second');
    expect(await here.delete('env.cli', second)).toBe(true);
    expect(await there.update('env.cli', 'stale', second ?? 0)).toBeUndefined();
    expect(await there.get('env.cli')).toBeUndefined();
  });

  it('HUB-5: a key that was deleted can be created again, with a higher revision', async () => {
    const first = await here.put('env.cli', 'first');
    await here.delete('env.cli');
    await here.delete('env.none');
    expect(await there.create('env.cli', 'second')).toBeGreaterThan(first);
  });

  it('lists the entries below a prefix', async () => {
    expect(await here.list('env_a')).toEqual([]);
    await here.put('env_a.1', 'one');
    await here.put('env_a.2', 'two');
    await here.put('env_ab.3', 'other');
    await here.put('env_a.gone', '');
    await here.delete('env_a.gone');
    const values = (await there.list('env_a')).map(({ key, value }) => [key, value]);
    expect(values.sort()).toEqual([
      ['env_a.1', 'one'],
      ['env_a.2', 'two'],
    ]);
    expect(await there.list()).toHaveLength(3);
  });

  it('HUB-5: reports each later change in its order', async () => {
    await here.put('env.before', 'x');
    const changes: StateChange[] = [];
    let stop = (): void => {};
    await new Promise<void>((resolve, reject) => {
      const onChange = (change: StateChange): void => {
        changes.push(change);
        if (change.key === 'env.last') resolve();
      };
      there
        .watch(onChange)
        .then(async (end) => {
          stop = end;
          await here.put('env.cli', 'one');
          await here.put('env.cli', 'two');
          await here.delete('env.cli');
          await here.put('env.last', '');
        })
        .catch(reject);
    });
    stop();
    expect(changes.map(({ key, value }) => [key, value])).toEqual([
      ['env.cli', 'one'],
      ['env.cli', 'two'],
      ['env.cli', undefined],
      ['env.last', ''],
    ]);
  });

  it('refuses what is no key', async () => {
    await expect(here.put('a b', 'x')).rejects.toThrow(TypeError);
    await expect(here.create('*', 'x')).rejects.toThrow(TypeError);
  });
});

describeNats('the state', (open) => {
  it('HUB-3: survives the kill of the broker, and says meanwhile that it is out of reach', {
    timeout: 30_000,
  }, async () => {
    const broker = await open();
    try {
      const bucket = (await broker.node()).store.bucket('servers');
      const revision = await bucket.put('srv', 'kept');
      await broker.stop();
      await expect(bucket.get('srv')).rejects.toThrow(StateUnavailableError);
      await broker.start();
      await expect
        .poll(() => bucket.get('srv').catch(() => 'down'), { timeout: 10_000 })
        .toEqual({
          key: 'srv',
          value: 'kept',
          revision,
        });
    } finally {
      await broker.end();
    }
  });
});

describe('the state in a file', () => {
  it('HUB-5, HUB-6: has each change once it is confirmed, private to its owner, with revisions that only grow', async () => {
    const file = join(await tmpFolder(), 'hub.json');
    const store = await MemoryStateStore.open({ file });
    const bucket = store.bucket('servers');
    await Promise.all(Array.from({ length: 50 }, (_, n) => bucket.put(`srv_${n}`, `${n}`)));
    const revision = await bucket.put('srv_0', 'again');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await store.close();
    const after = await MemoryStateStore.open({ file });
    expect(await after.bucket('servers').list()).toHaveLength(50);
    expect(await after.bucket('servers').get('srv_0')).toEqual({ key: 'srv_0', value: 'again', revision });
    expect(await after.bucket('owners').put('env', '')).toBeGreaterThan(revision);
  });

  it('HUB-6: a change that cannot be written is reported as failed, and can be made again', async () => {
    const dir = join(await tmpFolder(), 'gone');
    await mkdir(dir);
    const store = await MemoryStateStore.open({ file: join(dir, 'hub.json') });
    const bucket = store.bucket('servers');
    const revision = await bucket.put('kept', 'before');
    await rm(dir, { recursive: true });
    const changes = [
      bucket.create('srv', 'x'),
      bucket.update('kept', 'after', revision),
      bucket.delete('kept'),
    ];
    const results = await Promise.allSettled(changes);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(results[0]).toMatchObject({ reason: expect.any(StateUnavailableError) });
    // A claim that failed is not claimed.
    expect(await bucket.get('srv')).toBeUndefined();
    expect(await bucket.get('kept')).toEqual({ key: 'kept', value: 'before', revision });
    await mkdir(dir);
    expect(await bucket.create('srv', 'x')).toBeGreaterThan(revision);
    expect(JSON.parse(await readFile(join(dir, 'hub.json'), 'utf8')).entries).toHaveLength(2);
  });

  it('HUB-6: belongs to one running process, also when a number of a process is used again', async () => {
    const file = join(await tmpFolder(), 'hub.json');
    const store = await MemoryStateStore.open({ file });
    await expect(MemoryStateStore.open({ file })).rejects.toMatchObject({
      code: 'storeUnavailable',
      message: `the state file ${file} is in use by the process ${process.pid}`,
    });
    await store.close();
    // What a hub leaves that was killed, and whose number another process has now.
    await writeFile(`${file}.pid`, String(process.ppid));
    await (await MemoryStateStore.open({ file })).close();
  });

  it('HUB-6: a damaged file is an error, and stays as it is', async () => {
    const file = join(await tmpFolder(), 'hub.json');
    await writeFile(file, '{"version":1');
    await chmod(file, 0o600);
    await expect(MemoryStateStore.open({ file })).rejects.toMatchObject({ code: 'storeUnavailable' });
    expect(await readFile(file, 'utf8')).toBe('{"version":1');
  });

  it('HUB-7: entries of a bucket with a lifetime end with it', async () => {
    let now = 1_000;
    const file = join(await tmpFolder(), 'hub.json');
    const store = await MemoryStateStore.open({ file, now: () => now });
    await store.bucket('codes').put('hash', 'x');
    await store.bucket('servers').put('srv', 'x');
    now += BUCKETS.codes - 1;
    expect(await store.bucket('codes').get('hash')).toBeDefined();
    now += 1;
    expect(await store.bucket('codes').get('hash')).toBeUndefined();
    expect(await store.bucket('codes').create('hash', 'y')).toBeDefined();
    expect(await store.bucket('servers').list()).toHaveLength(1);
  });
});

describe('keys', () => {
  it.each(['srv_0f', 'env.cli-1', 'a=.b'])('%s is one', (key) => expect(isStateKey(key)).toBe(true));
  it.each(['', '.', 'a.', 'a..b', 'a b', '>', 'x'.repeat(513)])('"%s" is none', (key) => {
    expect(isStateKey(key)).toBe(false);
  });
  it.each(['me@example.com', 'ü', '', 'a.b'])('any text, such as "%s", is a word of a key', (text) => {
    expect(keyWord(text)).toMatch(/^[\w=-]+$/);
  });
});
