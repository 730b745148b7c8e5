import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { it, type Json, type Lab } from '../support/lab.js';

const rowsOf = (stdout: string): Json[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Json);

async function rows(lab: Lab, ...args: string[]): Promise<Json[]> {
  const { code, stdout } = await lab.cli(['history', '--home', lab.home, '--json', ...args]);
  expect(code).toBe(0);
  return rowsOf(stdout);
}

const reasonsOf = (found: readonly Json[], chart = 'remoteControl') =>
  found.filter((row) => row.chart === chart).map(({ reason }) => reason);

describe('RC-195: rc-engine history', () => {
  it('shows the decisions of a running engine, of one that was killed, and of the next one', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    await expect.poll(async () => reasonsOf(await rows(lab))).toEqual(['enabled', 'enrolled', 'connected']);
    engine.child.kill('SIGKILL');
    await engine.exited;
    expect(reasonsOf(await rows(lab))).toEqual(['enabled', 'enrolled', 'connected']);
    await lab.connected();
    await expect
      .poll(async () => reasonsOf(await rows(lab)))
      .toEqual([...['enabled', 'enrolled', 'connected'], ...['enabled', 'tokenRefreshed', 'connected']]);
    const { stdout } = await lab.cli(['history', '--home', lab.home]);
    expect(stdout).toMatch(
      /remoteControl active\.connected connected: The link to the backend is open\.\n[\s\S]*rc-engine \S+ started\n/,
    );
    const selected = await rows(lab, '--since', '1h', '--chart', 'remoteControl', '--reason', 'connected');
    expect(selected).toHaveLength(2);
    expect(await rows(lab, '--until', '2020-01-01')).toEqual([]);
  });

  it('follows an engine, and says why a history is empty', async ({ lab }) => {
    const none = await lab.cli(['history', '--home', lab.home]);
    expect([none.code, none.stdout]).toEqual([
      0,
      `There is no history in ${lab.home}.\nrc-engine start records it there; --history-size 0 switches it off.\n`,
    ]);
    await lab.connected();
    const follower = lab.run(['history', '--home', lab.home, '--json', '-f']);
    await expect.poll(() => follower.stdout).toContain('"reason":"connected"');
    await lab.cli(['disable', '--home', lab.home, '--ephemeral']);
    await expect.poll(() => follower.stdout).toContain('"reason":"disabled"');
  });

  it('answers a wrong option with one clear line', async ({ lab }) => {
    for (const [option, value, words] of [
      ['--since', 'yesterday', 'is no moment'],
      ['--chart', 'remotecontrol', 'Did you mean remoteControl?'],
    ] as const) {
      const { code, stderr } = await lab.cli(['history', '--home', lab.home, option, value]);
      expect([code, stderr]).toEqual([2, expect.stringContaining(words)]);
    }
  });
});

describe('RC-199: the history in a home', () => {
  it('is written by default for its owner alone, and not at all with --history-size 0', async ({ lab }) => {
    const off = await lab.connected(['--history-size', '0']);
    expect(await readdir(lab.home)).not.toContain('history');
    await off.stop();
    await lab.connected();
    const directory = join(lab.home, 'history');
    await expect.poll(() => readdir(directory).catch(() => [])).toHaveLength(1);
    const [name = ''] = await readdir(directory);
    if (process.platform !== 'win32') expect((await stat(join(directory, name))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, name), 'utf8')).toContain('"format":"rc-engine-history"');
  });

  it('that cannot be written stops nothing: the log says it once, doctor warns, the status counts', async ({
    lab,
  }) => {
    await lab.signIn();
    await writeFile(join(lab.home, 'history'), 'not a directory');
    const engine = await lab.connected();
    await expect.poll(() => engine.stderr).toContain('the history cannot be written');
    const { counters, historyFailing } = await lab.status();
    expect([historyFailing, counters.historyDropped]).toEqual([true, expect.any(Number)]);
    await lab.cli(['disable', '--home', lab.home, '--ephemeral']);
    const doctor = await lab.cli(['doctor', '--home', lab.home, '--json']);
    expect(rowsOf(doctor.stdout)).toContainEqual(
      expect.objectContaining({
        id: 'history',
        state: 'warning',
        message: expect.stringContaining('is not a directory'),
      }),
    );
    expect(engine.stderr.split('the history cannot be written')).toHaveLength(2);
  });
});

describe('RC-196: the id of a decision', () => {
  it('is the same in history, audit, log, status, explain and inspector', async ({ lab }) => {
    const engine = await lab.connected();
    await expect.poll(async () => reasonsOf(await rows(lab))).toContain('connected');
    const id = (await rows(lab)).find(({ reason }) => reason === 'connected')?.id;
    expect(id).toMatch(/^[0-9a-z]{7}-[0-9a-z]{5}$/);
    const { records } = (await lab.ask('engine/audit/read')) as { records: Json[] };
    expect(records.find(({ reason }) => reason === 'connected')?.decisionId).toBe(id);
    const line = engine.stderr.split('\n').find((one) => one.includes('"reason":"connected"')) ?? '{}';
    expect((JSON.parse(line) as Json).decisionId).toBe(id);
    expect((await lab.status()).remoteControl.decisionId).toBe(id);
    const verbose = await lab.cli(['status', '--home', lab.home, '--verbose']);
    expect(verbose.stdout).toContain(String(id));
    const explained = await lab.cli(['explain', String(id), '--home', lab.home]);
    expect(explained.stdout).toContain('on dial done connected: The link to the backend is open.');
    const unknown = await lab.cli(['explain', '0000001-00001', '--home', lab.home]);
    expect([unknown.code, unknown.stderr]).toEqual([
      2,
      expect.stringContaining('has no decision 0000001-00001'),
    ]);
  });
});
