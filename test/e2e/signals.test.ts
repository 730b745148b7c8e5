import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import type { FaultInput } from '../../src/backend/index.js';
import type { CliProcess } from '../support/cli.js';
import { it, type Lab } from '../support/lab.js';
import { holdDatabase, storedRecords } from '../support/sqlite.js';
import { unixOnly } from '../support/unix-only.js';

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

unixOnly(describe, 'signals')('RC-46: a signal stops the engine within five seconds with exit code 0', () => {
  it.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
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
      'while a Retry-After of an hour is honored',
      { route: 'enroll', answer: 'status', status: 429, headers: { 'retry-after': '3600' } },
      ({ state }) => state === 'active.backingOff.retryAfter',
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
    // Another account has no identity yet, which the engine accepts only with the write lock.
    await lab.signIn('account-B');
    const engine = await lab.start();
    await engine.line(({ state }) => state === 'active.loadingEnrollment.reading', 'state');
    await expectQuickEnd(lab, engine, 'SIGINT');
    await held.release();
    expect(lab.requests('enroll')).toBe(1);
  });

  it('a second signal ends the process at once', async ({ lab }) => {
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
    // Shells report this as 130.
    expect(engine.child.signalCode).toBe('SIGINT');
    await held.release();
    // The home is free again.
    expect((await lab.connected()).running).toBe(true);
  });
});

unixOnly(describe, 'signals')('RC-104: SIGHUP', () => {
  it('more than once is what a closed terminal sends: the engine still stops in good order', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    engine.child.kill('SIGHUP');
    engine.child.kill('SIGHUP');
    await expectQuickEnd(lab, engine, 'SIGHUP');
  });

  it('is ignored below nohup', async ({ lab }) => {
    const engine = await lab.connected([], { _: '/usr/bin/nohup' });
    engine.child.kill('SIGHUP');
    // When these are answered, the signal has been handled.
    await lab.status();
    await lab.status();
    await lab.reached({ status: 'connected' });
    await expectQuickEnd(lab, engine, 'SIGTERM');
  });
});

unixOnly(describe, 'signals')('RC-106: a second signal', () => {
  it('removes the temporary home of an embedded backend before it ends the process', async ({ lab }) => {
    const temporary = join(lab.folder, 'tmp');
    await mkdir(temporary);
    // An app server that ignores the end of its input delays the stop.
    const stubborn = [
      '--',
      process.execPath,
      '-e',
      "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)",
    ];
    const engine = lab.run(['start', '--base-url', 'embedded', ...stubborn], { TMPDIR: temporary });
    await engine.until(() => engine.stdout.includes('Press Ctrl-C to stop'), 'banner');
    engine.child.kill('SIGTERM');
    engine.child.kill('SIGINT');
    await engine.exited;
    expect((await readdir(temporary)).filter((name) => /^rc-engine-/.test(name))).toEqual([]);
  });
});

unixOnly(describe, 'signals')('a signal during the start', () => {
  it('stops the engine in good order, or ends the process before it begins, and leaves nothing behind', async ({
    lab,
  }) => {
    const temporary = join(lab.folder, 'tmp');
    await mkdir(temporary);
    const start = () => lab.run(['start', '--base-url', 'embedded'], { TMPDIR: temporary });
    // Measures how long a whole start takes on this machine now.
    const began = performance.now();
    const whole = start();
    await whole.until(() => whole.stdout.includes('Press Ctrl-C to stop'), 'banner');
    const startMs = performance.now() - began;
    expect(await whole.stop('SIGINT')).toMatchObject({ code: 0, stderr: '' });
    expect(await readdir(temporary)).toEqual([]);

    for (let part = 0; part < 1.2; part += 0.08) {
      const engine = start();
      setTimeout(() => engine.child.kill('SIGINT'), startMs * part);
      const { code, stderr } = await engine.exited;
      const when = `after a signal at ${Math.round(startMs * part)} of ${Math.round(startMs)} ms`;
      expect(stderr, when).toBe('');
      // Null: the signal ended the process before it had installed a handler.
      expect([0, null], when).toContain(code);
      expect(await readdir(temporary), when).toEqual([]);
    }
  });

  it('works at each state line of a start on its own home, too', async ({ lab }) => {
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
      // A stored identity is not requested again. One whose response was cut off is.
      expect(lab.requests('enroll') - asked).toBeLessThanOrEqual(known ? 0 : 1);
      known = (await storedRecords(store)).length > 0;
    }
    expect(new Set(seen).size, seen.join()).toBeGreaterThan(1);
  });
});

unixOnly(describe, 'signals')('SIGUSR1', () => {
  it('does not open the debugger of Node, which any local program could use', async ({ lab }) => {
    const engine = await lab.connected();
    engine.child.kill('SIGUSR1');
    // When these are answered, the signal has been handled.
    await lab.status();
    await lab.status();
    await expectQuickEnd(lab, engine, 'SIGTERM');
    expect(engine.stderr).not.toMatch(/debugger/i);
  });
});
