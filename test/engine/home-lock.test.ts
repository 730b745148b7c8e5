import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { acquireHomeLock } from '../../src/engine/home-lock.js';
import { readEngineInfo } from '../../src/home/engine-info.js';
import { type Home, openHome } from '../../src/home/home.js';
import { EngineError } from '../../src/protocol/errors.js';
import { processToken } from '../../src/system/processes.js';
import { type Child, start } from '../support/children.js';
import { tmpFolder } from '../support/tmp.js';

const info = { startedAt: 1_700_000_000_000, controlSocket: '/x/control.sock', version: '1.2.3' };

async function newHome(): Promise<Home> {
  return openHome(await tmpFolder());
}

/** A process that tries to lock the home; `won` says whether it did. */
async function startEngine(
  home: Home,
): Promise<{ child: Child; answer: { won: boolean; message?: string } }> {
  const child = await start(['lock', home.dir]);
  expect(await child.line()).toBe('ready');
  child.go();
  return { child, answer: (await child.line()) as { won: boolean } };
}

async function refusal(home: Home): Promise<EngineError> {
  const outcome = await acquireHomeLock(home, info).catch((error: unknown) => error);
  if (outcome instanceof EngineError) return outcome;
  throw new Error(`not refused: ${String(outcome)}`);
}

describe('one engine per home', () => {
  it('RC-8: the engine that holds the home writes engine.json, private (0600)', async () => {
    const home = await newHome();
    const lock = await acquireHomeLock(home, info);
    const token = await processToken(process.pid);
    expect(await readEngineInfo(home)).toEqual({ ...info, pid: process.pid, process: token });
    expect(lock.info).toEqual(await readEngineInfo(home));
    for (const file of [home.engineFile, home.lockFile]) expect((await stat(file)).mode & 0o777).toBe(0o600);
    await lock.release();
  });

  it('RC-8: a clean stop removes engine.json and releases the lock, once', async () => {
    const home = await newHome();
    const first = await acquireHomeLock(home, info);
    await first.release();
    expect(await readdir(home.dir)).toEqual(['engine.lock']);
    const second = await acquireHomeLock(home, info);
    await first.release();
    expect(await readEngineInfo(home)).toBeDefined();
    expect((await refusal(home)).code).toBe('alreadyRunning');
    await second.release();
  });

  it("RC-8: a second start in another process is refused and names the first one's pid", async () => {
    const home = await newHome();
    const { child, answer } = await startEngine(home);
    expect(answer).toEqual({ won: true, pid: child.pid });
    const error = await refusal(home);
    expect(error.code).toBe('alreadyRunning');
    expect(error.message).toBe(
      `Another engine already uses the home directory ${home.dir} (pid ${child.pid}).`,
    );
    expect(error.remediation).toContain('--home');
    await child.finish();
    await (await acquireHomeLock(home, info)).release();
  });

  it('RC-8: a second start in the same process is refused and does not harm the first', async () => {
    const home = await newHome();
    const lock = await acquireHomeLock(home, info);
    for (let i = 0; i < 3; i += 1) {
      expect((await refusal(home)).message).toContain(`(pid ${process.pid})`);
    }
    const { child, answer } = await startEngine(home);
    expect(answer).toMatchObject({ won: false, code: 'alreadyRunning' });
    await child.finish();
    await lock.release();
  });

  it('RC-8: after kill -9 the next start takes the home', async () => {
    const home = await newHome();
    for (let i = 0; i < 3; i += 1) {
      const { child, answer } = await startEngine(home);
      expect(answer.won).toBe(true);
      await child.kill();
      expect((await readEngineInfo(home))?.pid).toBe(child.pid);
    }
    await (await acquireHomeLock(home, info)).release();
  });

  it('RC-8: a reused pid does not block: engine.json may name a running process that is not an engine', async () => {
    const home = await newHome();
    const stale = { ...info, pid: process.ppid, process: 'another-boot/123' };
    await writeFile(home.engineFile, JSON.stringify(stale));
    const lock = await acquireHomeLock(home, info);
    expect((await readEngineInfo(home))?.pid).toBe(process.pid);
    await lock.release();
    await writeFile(home.engineFile, JSON.stringify({ ...stale, process: null }));
    await (await acquireHomeLock(home, info)).release();
  });

  it.each(['', '{', 'null', '{"pid":"1"}', '{"pid":-1}'])(
    'RC-8: an engine.json that says nothing (%j) does not block',
    async (content) => {
      const home = await newHome();
      await writeFile(home.engineFile, content);
      expect(await readEngineInfo(home)).toBeUndefined();
      await (await acquireHomeLock(home, info)).release();
    },
  );

  it('RC-8: of ten processes that start at once, exactly one wins and the others name it', async () => {
    const home = await newHome();
    const children = await Promise.all(Array.from({ length: 10 }, () => start(['lock', home.dir])));
    for (const child of children) expect(await child.line()).toBe('ready');
    for (const child of children) child.go();
    const answers = await Promise.all(children.map((child) => child.line()));
    const winners = children.filter((_, i) => (answers[i] as { won: boolean }).won);
    expect(winners).toHaveLength(1);
    for (const answer of answers as { won: boolean; message: string }[]) {
      if (!answer.won) expect(answer.message).toContain(`(pid ${winners[0]!.pid})`);
    }
    await Promise.all(children.map((child) => child.finish()));
    expect(await readEngineInfo(home)).toBeUndefined();
  });

  it('RC-8: a second start is refused also after the lock file was deleted', async ({ skip }) => {
    skip(process.platform !== 'linux', 'only Linux tells when a process was started');
    const home = await newHome();
    const { child } = await startEngine(home);
    await rm(home.lockFile);
    expect((await refusal(home)).message).toContain(`(pid ${child.pid})`);
    await child.kill();
    await (await acquireHomeLock(home, info)).release();
  });

  it('RC-8: a start while the previous engine is stopping waits for it', async () => {
    const home = await newHome();
    const holder = await start(['hold', home.lockFile, 'exclusive']);
    await holder.line();
    const starting = acquireHomeLock(home, info);
    await holder.finish();
    await (await starting).release();
  });

  it('RC-8: a lock holder that never writes its pid is reported without a pid', async () => {
    const home = await newHome();
    const holder = await start(['hold', home.lockFile, 'exclusive']);
    await holder.line();
    expect((await refusal(home)).message).toContain('(its pid is unknown)');
    await holder.finish();
  });

  it('RC-8: a child process that outlives the engine does not keep the home', async () => {
    const home = await newHome();
    const engine = await start(['lock', home.dir, 'withChild']);
    expect(await engine.line()).toBe('ready');
    engine.go();
    const { child } = (await engine.line()) as { child: number };
    await engine.kill();
    expect(process.kill(child, 0)).toBe(true);
    await (await acquireHomeLock(home, info)).release();
    process.kill(child, 'SIGKILL');
  });

  it('an unusable lock file is an error with its path and the next step', async () => {
    const blocked = await newHome();
    await mkdir(blocked.lockFile);
    expect(await refusal(blocked)).toMatchObject({
      code: 'homeUnusable',
      message: `The lock ${blocked.lockFile} cannot be used: it cannot be opened (SQLITE_CANTOPEN).`,
    });
    const rubbish = await newHome();
    await writeFile(rubbish.lockFile, 'rubbish'.repeat(1_000));
    expect(await refusal(rubbish)).toMatchObject({
      code: 'homeUnusable',
      message: `The lock ${rubbish.lockFile} cannot be used: it has been overwritten.`,
      remediation: `Delete ${rubbish.lockFile} while no engine uses this home directory.`,
    });
    const named = await newHome();
    await mkdir(named.engineFile);
    expect(await refusal(named)).toMatchObject({
      code: 'homeUnusable',
      message: expect.stringContaining(named.engineFile),
    });
    await rm(named.engineFile, { recursive: true });
    await (await acquireHomeLock(named, info)).release();
  });

  it('writes nothing into the lock file', async () => {
    const home = await newHome();
    const lock = await acquireHomeLock(home, info);
    expect(await readdir(home.dir)).toEqual(['engine.json', 'engine.lock']);
    expect((await stat(home.lockFile)).size).toBe(0);
    expect(JSON.parse(await readFile(home.engineFile, 'utf8'))).toMatchObject(info);
    await lock.release();
  });
});
