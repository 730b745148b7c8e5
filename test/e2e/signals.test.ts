import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { FaultInput } from '../../src/backend/index.js';
import type { CliProcess } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';
import { holdDatabase, storedRecords } from '../support/sqlite.js';

const LIMIT = 5_000;

type Answer = Extract<FaultInput, { action: 'answer' }>['fault'];
const fault = (answer: Answer): FaultInput => ({ action: 'answer', fault: answer });

async function expectQuickEnd(lab: Lab, engine: CliProcess, signal: NodeJS.Signals): Promise<void> {
  const started = performance.now();
  const { code, stderr } = await engine.stop(signal);
  expect(performance.now() - started).toBeLessThan(LIMIT);
  expect(code, stderr).toBe(0);
  expect(existsSync(join(lab.home, 'engine.json'))).toBe(false);
  expect(existsSync(join(lab.home, 'control.sock'))).toBe(false);
}

describe('RC-46: a signal ends it within five seconds with code 0', () => {
  it.for(['SIGINT', 'SIGTERM'] as const)(
    '%s while connected: the socket closes with 1000',
    async (signal, { lab }) => {
      const engine = await lab.connected();
      const backend = await lab.backend();
      const closed = new Promise((resolve) => {
        backend.on('event', ({ kind, detail }) => {
          if (kind === 'socketClosed' && detail.side === 'server') resolve(detail.code);
        });
      });
      await expectQuickEnd(lab, engine, signal);
      expect(await closed).toBe(1000);
    },
  );

  const SITUATIONS: readonly (readonly [
    string,
    Answer | undefined,
    (line: Record<string, unknown>) => boolean,
  ])[] = [
    [
      'while enroll hangs',
      { route: 'enroll', answer: 'hang' },
      ({ state }) => state === 'active.enrolling.requesting',
    ],
    [
      'while the handshake hangs',
      { route: 'socket', answer: 'hang' },
      ({ state }) => state === 'active.connecting',
    ],
    [
      'while backing off',
      { route: 'enroll', answer: 'status', status: 500, times: 9 },
      ({ state }) => state === 'active.backingOff.failed',
    ],
    [
      'while it was told to wait an hour',
      { route: 'enroll', answer: 'status', status: 429, headers: { 'retry-after': '3600' } },
      ({ state }) => state === 'active.backingOff.asTold',
    ],
    ['while nobody is signed in', undefined, ({ state }) => state === 'active.awaitingAuth.missing'],
  ];

  it.for(SITUATIONS)('%s', async ([, answer, there], { lab }) => {
    const backend = await lab.backend();
    if (answer === undefined) {
      const engine = await lab.start(['--auth-startup', 'recoverable']);
      await engine.line(there, 'state');
      return expectQuickEnd(lab, engine, 'SIGINT');
    }
    backend.fault(fault(answer));
    await lab.signIn();
    const engine = await lab.start();
    await engine.line(there, 'state');
    await expectQuickEnd(lab, engine, 'SIGINT');
  });

  it('while refresh hangs', async ({ lab }) => {
    await (await lab.connected()).stop();
    (await lab.backend()).fault(fault({ route: 'refresh', answer: 'hang' }));
    const engine = await lab.start();
    await engine.line(({ state }) => state === 'active.refreshing', 'refreshing');
    await expectQuickEnd(lab, engine, 'SIGTERM');
  });

  it('while another process holds the store', async ({ lab }) => {
    const first = await lab.connected();
    await first.stop();
    const held = await holdDatabase(join(lab.home, 'rc-engine.sqlite'));
    // Another account has no identity yet: that there is none is only believed with the write lock in hand.
    await lab.signIn('account-B');
    const engine = await lab.start();
    await engine.line(({ state }) => state === 'active.loadingEnrollment.reading', 'state');
    await expectQuickEnd(lab, engine, 'SIGINT');
    await held.release();
    expect(lab.requests('enroll')).toBe(1);
  });

  it('a second signal ends it at once', async ({ lab }) => {
    const first = await lab.connected();
    await first.stop();
    const held = await holdDatabase(join(lab.home, 'rc-engine.sqlite'));
    await lab.signIn('account-B');
    const engine = await lab.start();
    await engine.line(({ state }) => state === 'active.loadingEnrollment.reading', 'state');
    engine.child.kill('SIGINT');
    await engine.line(({ state }) => state === 'stopping', 'stopping');
    const started = performance.now();
    await engine.stop('SIGINT');
    expect(performance.now() - started).toBeLessThan(1_000);
    // As shells put it: 130.
    expect(engine.child.signalCode).toBe('SIGINT');
    await held.release();
    // The home is free all the same.
    expect((await lab.connected()).running).toBe(true);
  });
});

describe('a signal at any moment of the start', () => {
  it('ends it: in good order, or as a program that has not begun; nothing is left behind', async ({
    lab,
  }) => {
    const temporary = join(lab.folder, 'tmp');
    await mkdir(temporary);
    const start = () => lab.run(['start', '--base-url', 'embedded'], { TMPDIR: temporary });
    // How long a start takes here and now, to the very end of it; that one is stopped in good order.
    const began = performance.now();
    const whole = start();
    await whole.until(() => whole.stdout.includes('Press Ctrl-C to stop'), 'introduction');
    const startMs = performance.now() - began;
    expect(await whole.stop('SIGINT')).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(temporary)).toEqual([]);

    for (let part = 0; part < 1.2; part += 0.08) {
      const engine = start();
      setTimeout(() => engine.child.kill('SIGINT'), startMs * part);
      const { code, stderr } = await engine.exited;
      const when = `after a signal at ${Math.round(startMs * part)} of ${Math.round(startMs)} ms`;
      expect(stderr, when).toBe('');
      // Null: the signal ended it before it had begun to be a program of ours.
      expect([0, null], when).toContain(code);
      expect(await readdir(temporary), when).toEqual([]);
    }
  });

  it('also on a home of its own, at each state line', async ({ lab }) => {
    await lab.signIn();
    const seen: string[] = [];
    const store = join(lab.home, 'rc-engine.sqlite');
    let known = false;
    for (let lines = 0; lines < 6; lines += 1) {
      const asked = lab.requests('enroll');
      const engine = await lab.start();
      await engine.until(() => engine.lines.length > lines, `line ${lines}`);
      seen.push(String(engine.lines.at(-1)?.state));
      await expectQuickEnd(lab, engine, 'SIGINT');
      // An identity that was on disk is not asked for again; one whose answer was cut off had to be.
      expect(lab.requests('enroll') - asked).toBeLessThanOrEqual(known ? 0 : 1);
      known = (await storedRecords(store)).length > 0;
    }
    expect(new Set(seen).size, seen.join()).toBeGreaterThan(1);
  });
});

describe('SIGUSR1', () => {
  it('does not open the debugger of Node, which would let in whoever is on this machine', async ({ lab }) => {
    const engine = await lab.connected();
    engine.child.kill('SIGUSR1');
    // What comes after it has been handled when this is answered.
    await lab.status();
    await lab.status();
    await expectQuickEnd(lab, engine, 'SIGTERM');
    expect(engine.stderr).not.toMatch(/debugger/i);
  });
});
