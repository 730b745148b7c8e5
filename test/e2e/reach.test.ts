import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { it } from '../support/lab.js';

describe('RC-100: the lock is the truth', () => {
  it('a deleted control socket comes back, and status waits for it', async ({ lab }) => {
    const engine = await lab.connected();
    await rm(join(lab.home, 'control.sock'));
    const status = await lab.cli(['status', '--home', lab.home]);
    expect(status.code, status.stderr).toBe(0);
    expect(engine.stderr).toContain('the control socket was gone and has been made again');
    await engine.stop();
    expect(existsSync(join(lab.home, 'control.sock'))).toBe(false);
  });

  it('with a directory in place of the socket, commands name the pid; the socket comes back when it is gone', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    const socket = join(lab.home, 'control.sock');
    await rm(socket);
    await mkdir(join(socket, 'full'), { recursive: true });
    const status = await lab.cli(['status', '--home', lab.home]);
    expect([status.code, status.stderr]).toEqual([1, expect.stringContaining(String(engine.child.pid))]);
    await rm(socket, { recursive: true });
    const again = await lab.cli(['status', '--home', lab.home]);
    expect(again.code, again.stderr).toBe(0);
  });

  it('a deleted engine.json comes back', async ({ lab }) => {
    const engine = await lab.connected();
    const file = join(lab.home, 'engine.json');
    const before = await readFile(file, 'utf8');
    await rm(file);
    const status = await lab.cli(['status', '--home', lab.home]);
    expect(status.code, status.stderr).toBe(0);
    await expect.poll(() => existsSync(file), { timeout: 5_000 }).toBe(true);
    expect(await readFile(file, 'utf8')).toBe(before);
    await engine.stop();
    expect(existsSync(file)).toBe(false);
  });

  it('without both and with a stopped engine, the lock still shows that one runs', async ({ lab }) => {
    const engine = await lab.connected();
    engine.child.kill('SIGSTOP');
    for (const file of ['engine.json', 'control.sock']) await rm(join(lab.home, file));
    const status = await lab.cli(['status', '--home', lab.home]);
    expect([status.code, status.stderr]).toEqual([
      1,
      expect.stringMatching(/An engine runs, but its socket/),
    ]);
    engine.child.kill('SIGCONT');
    expect((await lab.cli(['status', '--home', lab.home])).code).toBe(0);
  });
});

describe.runIf(process.platform === 'linux')('RC-101: a stopped engine', () => {
  it('is named by its pid, and --timeout bounds the whole wait', async ({ lab }) => {
    const engine = await lab.connected();
    engine.child.kill('SIGSTOP');
    const began = performance.now();
    const wait = await lab.cli(['wait', '--home', lab.home, '--timeout', '1']);
    expect(performance.now() - began).toBeLessThan(4_000);
    const named = new RegExp(
      `Not connected within 1 s \\(The engine with pid ${engine.child.pid} is stopped`,
    );
    expect([wait.code, wait.stderr]).toEqual([1, expect.stringMatching(named)]);
    const second = await lab.cli(['start', '--home', lab.home, '--listen', 'off']);
    expect([second.code, second.stderr]).toEqual([
      4,
      expect.stringContaining(`kill -CONT ${engine.child.pid}`),
    ]);
    engine.child.kill('SIGCONT');
    expect((await lab.cli(['status', '--home', lab.home])).code).toBe(0);
  });
});

describe('RC-103: pairing while remote control is off', () => {
  it('is refused without a request, also with an identity', async ({ lab }) => {
    await lab.connected();
    await lab.ask('remoteControl/disable', { ephemeral: true });
    const pair = await lab.cli(['pair', '--home', lab.home]);
    expect([pair.code, pair.stderr]).toEqual([1, expect.stringContaining('Remote control is switched off.')]);
    expect(lab.requests('pair')).toBe(0);
  });
});
