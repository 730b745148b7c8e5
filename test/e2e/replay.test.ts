import { spawn } from 'node:child_process';
import { cp, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { describe, expect } from 'vitest';
import { appServerMachine } from '../../machines/app-server/machine.js';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import type { FaultInput } from '../../src/backend/faults.js';
import { CHARTS } from '../../src/engine/charts.js';
import { readHistoryAt } from '../../src/recorder/history-source.js';
import { replayHistory } from '../../src/testing/replay.js';
import { it, type Json, type Lab } from '../support/lab.js';
import { tmpFolder } from '../support/tmp.js';

const socketAnswers = (status: number, body?: unknown): FaultInput => ({
  action: 'answer',
  fault: { route: 'socket', answer: 'status', status, ...(body === undefined ? {} : { body }) },
});

async function reconnected(lab: Lab, fault: FaultInput): Promise<void> {
  const engine = await lab.connected();
  const backend = await lab.backend();
  backend.fault(fault);
  backend.fault({ action: 'dropSockets' });
  // The second link follows the fault.
  await expect.poll(async () => (await lab.status()).counters.linksOpened, { timeout: 15_000 }).toBe(2);
  await engine.stop();
}

const without = (...guards: readonly string[]) =>
  remoteControlMachine.provide({
    guards: Object.fromEntries(guards.map((name) => [name, () => false])),
  } as never);

interface Story {
  readonly name: string;
  readonly play: (lab: Lab) => Promise<void>;
  readonly chart: string;
  /** Reasons of the chart, in this order; others may be between them. */
  readonly reasons: readonly string[];
  /** The chart with one guard changed, and the event at which it decides differently. */
  readonly changed: object;
  readonly event: string;
}

const STORIES: readonly Story[] = [
  {
    name: 'first start',
    play: async (lab) => {
      await (await lab.connected()).stop();
    },
    chart: 'remoteControl',
    reasons: ['enabled', 'enrolled', 'connected', 'stopped'],
    ...{ changed: without('none', 'preferenceUnset'), event: 'xstate.done.actor.loadEnrollment' },
  },
  {
    name: '401',
    play: (lab) => reconnected(lab, socketAnswers(401)),
    chart: 'remoteControl',
    reasons: ['connected', 'tokenRejected', 'tokenRefreshed', 'connected'],
    ...{ changed: without('tokenRejected'), event: 'xstate.done.actor.dial' },
  },
  {
    name: '404',
    play: (lab) => reconnected(lab, socketAnswers(404, { detail: 'Remote app server not found' })),
    chart: 'remoteControl',
    reasons: ['connected', 'serverGone', 'connected'],
    ...{ changed: without('serverGone'), event: 'xstate.done.actor.dial' },
  },
  {
    name: 'ambiguous 404',
    play: (lab) => reconnected(lab, socketAnswers(404, '<html>404</html>')),
    chart: 'remoteControl',
    reasons: ['connected', 'ambiguousNotFound', 'identityVerified', 'connected'],
    ...{ changed: without('ambiguousNotFound'), event: 'xstate.done.actor.dial' },
  },
  {
    name: 'signed out',
    play: async (lab) => {
      // Nobody answers there: the tokens are deleted, and cannot be revoked.
      const engine = await lab.connected(['--issuer', 'http://127.0.0.1:1']);
      await lab.cli(['logout', '--home', lab.home]);
      await lab.reached({ reason: 'authMissing' });
      // A missing account is checked each second: after two rounds the next ones are counted.
      await expect
        .poll(async () => (await lab.status()).counters.historyLines, { timeout: 15_000, interval: 200 })
        .toBeGreaterThan(20);
      await lab.signIn();
      await lab.reached({ status: 'connected' });
      await engine.stop();
    },
    chart: 'remoteControl',
    reasons: ['connected', 'authMissing', 'connected', 'stopped'],
    ...{ changed: without('signedOut'), event: 'AUTH.CHANGED' },
  },
  {
    name: 'conflict',
    play: (lab) => reconnected(lab, socketAnswers(409)),
    chart: 'remoteControl',
    reasons: ['connected', 'connectionConflict', 'connected'],
    ...{ changed: without('handoverLikely'), event: 'xstate.done.actor.dial' },
  },
  {
    name: 'app server dead',
    play: async (lab) => {
      const engine = await lab.connected(['--', process.execPath, '-e', 'process.exit(3)']);
      await lab.cli(['doctor', '--home', lab.home]);
      await expect.poll(async () => (await lab.status()).counters.appServerFailures).toBeGreaterThan(0);
      await engine.stop();
    },
    chart: 'appServer',
    reasons: ['appServerExited'],
    changed: appServerMachine.provide({ guards: { tooManyFailures: () => true } } as never),
    event: 'FAILED',
  },
];

/** `wanted` is within `found`, in this order. */
function missingOf(wanted: readonly string[], found: readonly unknown[]): readonly string[] {
  let at = 0;
  for (const reason of found) if (reason === wanted[at]) at += 1;
  return wanted.slice(at);
}

const linesOf = (stdout: string): Json[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Json);

/** The built package in a directory of its own, with the modules of this one. */
async function packageCopy(): Promise<string> {
  const copy = await tmpFolder();
  await cp('dist', join(copy, 'dist'), { recursive: true });
  await cp('package.json', join(copy, 'package.json'));
  await symlink(resolve('node_modules'), join(copy, 'node_modules'), 'dir');
  return copy;
}

/** A 404 that names the identity is taken for another failure. */
async function changeGuard(file: string): Promise<void> {
  const source = await readFile(file, 'latin1');
  const patched = source.replace(
    /serverGone:( ?)(outcome\d*)\("serverGone"\)/,
    'serverGone:$1$2("never reported")',
  );
  expect(patched).not.toBe(source);
  await writeFile(file, patched, 'latin1');
}

async function node(
  args: readonly string[],
  cwd = process.cwd(),
): Promise<{ code: number | null; stdout: string }> {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (data) => {
      stdout += String(data);
    });
  }
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, stdout };
}

describe('RC-197: the recording of a story', { timeout: 60_000 }, () => {
  for (const { name, play, chart, reasons, changed, event } of STORIES) {
    it(`${name}: replays to the same path, and fails at the step that one changed guard decides`, async ({
      lab,
    }) => {
      await play(lab);
      const { code, stdout } = await lab.cli(['replay', lab.home, '--json']);
      const lines = linesOf(stdout);
      expect(lines.at(-1)).toMatchObject({ type: 'replay', same: true, skipped: 0, difference: null });
      expect(code).toBe(0);
      const path = lines.filter((line) => line.type === 'step' && line.chart === chart);
      expect(
        missingOf(
          reasons,
          path.map(({ reason }) => reason),
        ),
      ).toEqual([]);
      const records = (await readHistoryAt(lab.home)).flatMap((file) => file.records);
      const { difference } = replayHistory({ ...CHARTS, [chart]: changed }, records);
      expect(difference).toMatchObject({ chart, event });
      expect(difference?.actual).not.toBe(difference?.expected);
    });
  }
});

describe('RC-197: rc-engine replay', { timeout: 60_000 }, () => {
  it('a version with a changed guard exits with 1 and names the step, what was recorded and what it decides', async ({
    lab,
  }) => {
    await reconnected(lab, socketAnswers(404, { detail: 'Remote app server not found' }));
    const copy = await packageCopy();
    await changeGuard(join(copy, 'dist', 'cli-script.cjs'));
    const result = await node([join(copy, 'dist', 'cli.js'), 'replay', lab.home]);
    expect(result.code).toBe(1);
    expect(result.stdout).toMatch(
      /At [0-9a-z]{7}-[0-9a-z]{5}, remoteControl decides differently on dial done: the state\.\n {2}recorded: {5}active\.reenrolling\n {2}this version: active\.backingOff\.failed\n$/,
    );
  });

  it('stops at an id or a moment, replays one chart, and shows the way in words', async ({ lab }) => {
    await (await lab.connected()).stop();
    const history = linesOf((await lab.cli(['history', '--home', lab.home, '--json'])).stdout);
    const id = String(history.find(({ reason }) => reason === 'enrolled')?.id);
    const { stdout } = await lab.cli(['replay', lab.home, '--until', id, '--chart', 'remoteControl']);
    expect(stdout).toContain('enrolled: The backend gave this machine an identity.');
    expect(stdout).not.toContain('connected:');
    expect(stdout).toMatch(/\d+ steps: the charts of this version decide as recorded\.\n$/);
    const early = await lab.cli(['replay', lab.home, '--until', '2020-01-01', '--json']);
    expect(linesOf(early.stdout).at(-1)).toMatchObject({ steps: 0, same: true });
  });

  it('says what is wrong with what it cannot replay', async ({ lab }) => {
    const file = join(lab.folder, 'notes.txt');
    await writeFile(file, 'hello\n');
    for (const [path, words] of [
      [file, 'is not a history of rc-engine'],
      [join(lab.folder, 'missing'), 'cannot be read'],
      [lab.folder, 'There is no history in'],
    ] as const) {
      const { code, stderr } = await lab.cli(['replay', path]);
      expect([code, stderr]).toEqual([1, expect.stringContaining(words)]);
    }
  });
});

describe('RC-198: rc-engine replay --emit-test', { timeout: 90_000 }, () => {
  it('writes a test that passes with the charts that were recorded, and fails when a guard changes', async ({
    lab,
  }) => {
    await reconnected(lab, socketAnswers(404, { detail: 'Remote app server not found' }));
    const project = await tmpFolder();
    const file = join(project, 'night.test.mjs');
    const written = await lab.cli(['replay', lab.home, '--emit-test', file]);
    expect([written.code, written.stdout]).toEqual([0, expect.stringContaining('night.test.mjs replays')]);
    const again = await lab.cli(['replay', lab.home, '--emit-test', file]);
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('cannot be written')]);
    const copy = await packageCopy();
    await mkdir(join(project, 'node_modules'));
    for (const name of ['vitest', 'xstate']) {
      await symlink(resolve('node_modules', name), join(project, 'node_modules', name), 'dir');
    }
    await symlink(copy, join(project, 'node_modules', 'rc-engine'), 'dir');
    const vitest = [resolve('node_modules/vitest/vitest.mjs'), 'run', '--root', project];
    const passed = await node(vitest, project);
    expect([passed.code, passed.stdout]).toEqual([0, expect.stringContaining('1 passed')]);
    for (const name of await readdir(join(copy, 'dist'))) {
      const path = join(copy, 'dist', name);
      if (name.endsWith('.js') && /serverGone: ?outcome/.test(await readFile(path, 'latin1')))
        await changeGuard(path);
    }
    const failed = await node(vitest, project);
    expect([failed.code, failed.stdout]).toEqual([1, expect.stringContaining('active.reenrolling')]);
  });
});
