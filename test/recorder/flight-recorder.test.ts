import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assign, createActor, setup } from 'xstate';
import { decideWithChart } from '../../src/listener/auth/upgrade-decision.js';
import { decisionIdOf } from '../../src/observe/decision-ids.js';
import type { EngineLogger } from '../../src/observe/logger.js';
import { NOTHING_PRESENTED, type UpgradeFacts } from '../../src/protocol/authority.js';
import { Secret } from '../../src/protocol/secret.js';
import { DEFAULT_TIMING, type Env } from '../../src/protocol/timing.js';
import { ChartSteps } from '../../src/recorder/chart-steps.js';
import type { HistoryRecord, StepRecord } from '../../src/recorder/format.js';
import { RowMaker, rowsAbout, showsDecision } from '../../src/recorder/history-rows.js';
import { listHistory, parseHistory, readHistory } from '../../src/recorder/read-history.js';
import { FlightRecorder } from '../../src/recorder/recorder.js';
import { replayHistory } from '../../src/testing/replay.js';
import { tmpFolder } from '../support/tmp.js';

const KIB = 1024;
const DAY = 86_400_000;

/** A chart that counts, reads its clock twice and draws a number at each COUNT. */
const counter = setup({
  types: {
    context: {} as { env: Env; count: number; readings: readonly number[]; decision: object },
    events: {} as { type: 'COUNT'; fact?: unknown } | { type: 'CHECK' } | { type: 'CHECKED' },
    input: {} as { env: Env },
  },
  actions: {
    count: assign(({ context: { env, count } }) => ({
      count: count + 1,
      readings: [env.monotonic(), env.random(), env.monotonic()],
      decision: { reason: 'enabled', detail: null, at: env.now() },
    })),
  },
}).createMachine({
  id: 'counter',
  context: ({ input }) => ({
    ...{ env: input.env, count: 0, readings: [] },
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  initial: 'idle',
  states: {
    idle: { on: { COUNT: { actions: 'count' }, CHECK: 'checking' } },
    checking: { on: { CHECKED: 'idle' } },
  },
});

async function rig(maxBytes = 512 * KIB) {
  const folder = await tmpFolder();
  const directory = join(folder, 'history');
  let skipped = 0;
  const real: Env = {
    now: () => Date.now() + skipped,
    monotonic: () => performance.now() + skipped,
    random: Math.random,
  };
  const steps = new ChartSteps(real);
  const warnings: string[] = [];
  const log = {
    warn: (_fields: object, message: string) => warnings.push(message),
  } as unknown as EngineLogger;
  const recorder = new FlightRecorder({
    ...{ steps, directory, installation: 'installation', maxBytes, maxAge: 30 * DAY, log },
    timing: DEFAULT_TIMING,
  });
  const actor = createActor(counter, { id: 'counter', input: { env: steps.env } });
  steps.actor(actor);
  const records = async (): Promise<HistoryRecord[]> =>
    (await readHistory(await listHistory(directory))).flatMap((file) => file.records);
  const counts = async () =>
    (await records()).filter((one): one is StepRecord => one.record === 'step' && one.event.type === 'COUNT');
  return {
    ...{ directory, steps, recorder, actor, warnings, records, counts },
    skip: (ms: number) => {
      skipped += ms;
    },
  };
}

const WRONG_TOKEN: UpgradeFacts = {
  ...{ mode: 'capability', enforced: true, hasOrigin: false, request: 'upgrade', admission: 'open' },
  credential: { ...NOTHING_PRESENTED, presented: 'one' },
};

/** Facts that differ, so that no step repeats another one. */
const count = (number: number) => ({ type: 'COUNT', fact: `fact ${number} ${'x'.repeat(200)}` }) as const;

describe('RC-199: the flight recorder', () => {
  it('records each input with its time and its random numbers, and a step sees one time', async () => {
    const { actor, recorder, counts, records } = await rig();
    actor.start();
    actor.send({ type: 'COUNT', fact: { nested: [undefined, Number.POSITIVE_INFINITY] } });
    const [before, random, after] = actor.getSnapshot().context.readings;
    expect(before).toBe(after);
    await recorder.close();
    const [header, start] = await records();
    expect(header).toMatchObject({ record: 'segment', version: 1, segment: 1, installation: 'installation' });
    expect(start).toMatchObject({ record: 'start', chart: 'counter', input: { env: { $: 'env' } } });
    expect(await counts()).toMatchObject([
      {
        at: [expect.any(Number), before],
        random: [random],
        reason: 'enabled',
        event: { fact: { nested: [{ $: 'undefined' }, { $: 'number', is: 'Infinity' }] } },
      },
    ]);
  });

  it('gives the decision of a step the id of its line', async () => {
    const { actor, recorder, counts } = await rig();
    actor.start();
    actor.send({ type: 'COUNT' });
    const { decision } = actor.getSnapshot().context;
    await recorder.close();
    expect((await counts()).map(({ id }) => id)).toEqual([decisionIdOf(decision)]);
  });

  it('never writes a secret: neither as a value nor within a text', async () => {
    const { actor, recorder, directory } = await rig();
    const secret = new Secret('mark-2b1f4c9a7e60d358');
    const jwt = 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtYXJrIn0.c2lnbmF0dXJl';
    actor.start();
    actor.send({ type: 'COUNT', fact: { token: secret, again: secret } });
    actor.send({ type: 'COUNT', fact: `refused: ${secret.reveal()} Bearer ${jwt} ${jwt}` });
    actor.send({ type: 'COUNT', fact: { email: 'person@example.test' } });
    await recorder.close();
    const [name = ''] = await readdir(directory);
    const text = await readFile(join(directory, name), 'utf8');
    expect(text).toContain('"fact":{"token":{"$":"secret","is":1},"again":{"$":"secret","is":1}}');
    for (const found of [secret.reveal(), jwt, 'person@example.test']) expect(text).not.toContain(found);
  });

  it.skipIf(process.platform === 'win32')('writes files that only their owner can read', async () => {
    const { actor, recorder, directory } = await rig();
    actor.start();
    await recorder.close();
    const [name = ''] = await readdir(directory);
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
  });

  it('stays within its size, keeps the newest steps, and begins each file with the state of each chart', async () => {
    const limit = 128 * KIB;
    const { actor, recorder, directory, counts } = await rig(limit);
    actor.start();
    for (let number = 1; number <= 2_000; number += 1) {
      actor.send(count(number));
      if (number % 200 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await recorder.close();
    const paths = await listHistory(directory);
    const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(limit);
    expect((await counts()).at(-1)?.event).toMatchObject(count(2_000));
    const files = await readHistory(paths);
    expect(files.length).toBeGreaterThan(1);
    // RC-197: it begins in the middle, and replays from the recorded state.
    const replayed = replayHistory(
      { counter },
      files.flatMap((file) => file.records),
    );
    expect([replayed.difference, replayed.skipped]).toEqual([null, 0]);
    expect(replayed.steps.length).toBeGreaterThan(100);
    for (const { records } of files) {
      expect(records.slice(0, 2)).toMatchObject([
        { record: 'segment' },
        { record: 'state', chart: 'counter', value: 'idle' },
      ]);
    }
  });

  it('counts rounds that a chart repeats instead of recording them', async () => {
    const { actor, recorder, records } = await rig();
    actor.start();
    for (let round = 0; round < 50; round += 1) {
      actor.send({ type: 'CHECK' });
      actor.send({ type: 'CHECKED' });
    }
    actor.send({ type: 'CHECK' });
    actor.send({ type: 'COUNT' });
    await recorder.close();
    const found = (await records()).map((one) =>
      one.record === 'step' ? one.event.type : one.record === 'repeat' ? [one.rounds, one.steps] : one.record,
    );
    expect(found).toEqual([
      ...['segment', 'start', 'CHECK', 'CHECKED', 'CHECK', 'CHECKED'],
      ...[[48, 2], 'CHECK', 'COUNT'],
    ]);
  });

  it('RC-195: a step that was only counted is found by its id', async () => {
    const { actor, recorder, records } = await rig();
    actor.start();
    const ids: string[] = [];
    for (let round = 0; round < 700; round += 1) {
      for (const type of ['CHECK', 'CHECKED'] as const) {
        actor.send({ type });
        ids.push(decisionIdOf(actor.getSnapshot()) ?? '');
      }
    }
    actor.send({ type: 'COUNT' });
    ids.push(decisionIdOf(actor.getSnapshot()) ?? '');
    await recorder.close();
    const found = await records();
    expect(found.flatMap((one) => (one.record === 'repeat' ? [[one.first, one.id]] : []))).toEqual([
      [ids[4], ids[1_203]],
      [ids[1_204], ids[1_399]],
    ]);
    const rows = new RowMaker().rows({ records: found });
    const texts = (index: number) =>
      rowsAbout(rows, ids[index] ?? '').map(({ text, event }) => event || text);
    expect([3, 4, 700, 1_203, 1_204, 1_399, 1_400].map(texts)).toEqual([
      ['CHECKED'],
      ...Array.from({ length: 3 }, () => ['the last 2 steps 600 more times']),
      ...Array.from({ length: 2 }, () => ['the last 2 steps 98 more times']),
      ['COUNT'],
    ]);
  });

  it('a line of an older version, without the ids, is read', async () => {
    const { directory, actor, recorder, records } = await rig();
    actor.start();
    await recorder.close();
    const [name = ''] = await readdir(directory);
    const line = { record: 'repeat', actor: 1, rounds: 3, steps: 2, at: [1, 1] };
    await writeFile(join(directory, name), `${JSON.stringify(line)}\n`, { flag: 'a' });
    const rows = new RowMaker().rows({ records: await records() });
    expect(rows.at(-1)).toMatchObject({ text: 'the last 2 steps 3 more times', decided: false });
  });

  it('a burst of equal rejections is one line with its number and the ids of the first and the last one', async () => {
    const { recorder, steps, records } = await rig();
    for (let times = 0; times < 1_000; times += 1) steps.verdict(decideWithChart(WRONG_TOKEN), WRONG_TOKEN);
    const fromBrowser = { ...WRONG_TOKEN, hasOrigin: true };
    steps.verdict(decideWithChart(fromBrowser), fromBrowser);
    await recorder.close();
    const found = (await records()).filter((one) => one.record === 'verdict');
    expect(found.map(({ reason, times }) => [reason, times])).toEqual([
      ['invalidCapability', undefined],
      ['originRefused', undefined],
      ['invalidCapability', 999],
    ]);
    const rows = new RowMaker().rows({ records: found });
    const [first, , rest] = rows;
    // Each one of them is found by its id.
    expect(showsDecision(first ?? {}, found[0]?.id ?? '')).toBe(true);
    expect([rest?.text.startsWith('999 times: '), showsDecision(rest ?? {}, rest?.first ?? '')]).toEqual([
      true,
      true,
    ]);
    expect(showsDecision(rest ?? {}, found[0]?.id ?? '')).toBe(false);
  });

  it('a history that cannot be written is reported once and lost; the engine continues, and a gap says how much', async () => {
    const { actor, recorder, directory, warnings, records, skip } = await rig();
    await writeFile(directory, 'not a directory');
    actor.start();
    for (let number = 0; number < 3; number += 1) {
      actor.send(count(number));
      await expect.poll(() => recorder.totals.dropped).toBe(2 + number);
    }
    expect(warnings).toHaveLength(1);
    expect(recorder.totals.failing).toBe(true);
    await rm(directory);
    skip(60_000);
    actor.send(count(3));
    await expect.poll(() => recorder.totals.failing).toBe(false);
    actor.send(count(4));
    await recorder.close();
    expect(replayHistory({ counter }, await records())).toMatchObject({ difference: null, skipped: 1 });
    expect((await records()).slice(0, 4)).toMatchObject([
      ...[{ record: 'segment' }, { record: 'gap', lost: 4 }, { record: 'step', event: count(3) }],
      { record: 'state', chart: 'counter' },
    ]);
  });

  it('continues in a new directory when somebody deletes the old one', async () => {
    const { actor, recorder, directory, counts, skip } = await rig();
    actor.start();
    await expect.poll(() => listHistory(directory)).toHaveLength(1);
    await rm(directory, { recursive: true });
    actor.send(count(1));
    await expect.poll(() => recorder.totals.dropped).toBeGreaterThan(0);
    skip(60_000);
    actor.send(count(2));
    await recorder.close();
    expect((await counts()).map(({ event }) => event)).toMatchObject([count(2)]);
  });

  it('deletes files that are older than the setting says', async () => {
    const { actor, recorder, directory } = await rig();
    await mkdir(directory);
    const old = join(directory, '0000001-engine-0001.jsonl');
    const foreign = join(directory, 'notes.txt');
    await writeFile(old, '');
    await writeFile(foreign, '');
    const { utimes } = await import('node:fs/promises');
    for (const path of [old, foreign]) await utimes(path, 1, 1);
    actor.start();
    await recorder.close();
    expect((await readdir(directory)).filter((name) => name !== 'notes.txt')).not.toContain(
      '0000001-engine-0001.jsonl',
    );
    expect(await readdir(directory)).toContain('notes.txt');
    await chmod(directory, 0o700);
  });
});

describe('RC-199: reading a history', () => {
  it('leaves out a last line that was not written completely', async () => {
    const { actor, recorder, directory } = await rig();
    actor.start();
    actor.send(count(1));
    await recorder.close();
    const [path = ''] = await listHistory(directory);
    const text = await readFile(path, 'utf8');
    const torn = parseHistory('torn', text.slice(0, -20));
    expect([torn.records.length, torn.damaged]).toEqual([2, 0]);
    const lines = text.split('\n');
    const damaged = parseHistory('damaged', [lines[0], '{"record":"step"', ...lines.slice(1)].join('\n'));
    expect([damaged.records.length, damaged.damaged]).toEqual([3, 1]);
  });

  it.each([
    ['no history', 'hello\n', 'is not a history'],
    ['a later version', '{"record":"segment","format":"rc-engine-history","version":9}', 'version 9'],
  ])('names what is wrong with %s', async (_name, given, wanted) => {
    const { actor, recorder, directory } = await rig();
    actor.start();
    await recorder.close();
    const [path = ''] = await listHistory(directory);
    const header: object = JSON.parse((await readFile(path, 'utf8')).split('\n')[0] ?? '');
    const text = given.startsWith('{') ? `${JSON.stringify({ ...header, ...JSON.parse(given) })}\n` : given;
    expect(() => parseHistory('file', text)).toThrow(wanted);
  });
});
