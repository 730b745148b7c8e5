import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, vi } from 'vitest';
import type { Backend } from '../../src/backend/index.js';
import { it, type Lab } from '../support/lab.js';

const lines = (stdout: string): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));

const refuseSocket = (backend: Backend, status: number, times: number) =>
  backend.fault({ action: 'answer', fault: { route: 'socket', answer: 'status', status, times } });

const repair = (lab: Lab, ...args: string[]) => lab.cli(['repair', '--home', lab.home, ...args]);

/** An engine with an identity whose socket the backend refuses `times` times. Each attempt takes about a second. */
async function stuck(lab: Lab, times = 3) {
  await lab.signIn();
  const backend = await lab.backend();
  refuseSocket(backend, 409, times);
  const engine = await lab.start();
  await engine.line(({ status }) => status === 'errored', 'errored');
  return { backend, engine };
}

describe('rc-engine repair', () => {
  it('RC-24: without --yes it shows the steps, from the mildest to the strongest, and does nothing', async ({
    lab,
  }) => {
    const { backend } = await stuck(lab, 99);
    const before = backend.servers.map(({ serverId }) => serverId);
    const { code, stdout, stderr } = await repair(lab);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Remote control is errored \(active\.backingOff\.failed\): .*409/);
    expect(
      [...stdout.matchAll(/^ {2}(retry|refresh|reenroll|installation-id) /gm)].map(([, name]) => name),
    ).toEqual([...['retry', 'refresh', 'reenroll', 'installation-id']]);
    expect(stdout).toContain('Nothing was done.');
    expect(backend.servers.map(({ serverId }) => serverId)).toEqual(before);
  });

  it('RC-24: retry ends the pause and reports the result, with exit code 0 when connected', async ({
    lab,
  }) => {
    const { backend, engine } = await stuck(lab);
    const [identity] = backend.servers;
    const { code, stdout } = await repair(lab, '--step', 'retry', '--yes', '--json');
    expect(code).toBe(0);
    expect(lines(stdout)).toMatchObject([
      { type: 'repaired', step: 'retry', connected: true, failure: null },
    ]);
    await engine.line(({ status }) => status === 'connected', 'connected');
    expect(backend.servers).toMatchObject([{ serverId: identity?.serverId }]);
  });

  it('RC-24: refresh gets a new token for the same identity', async ({ lab }) => {
    const { backend } = await stuck(lab);
    const [identity] = backend.servers;
    expect((await repair(lab, '--step', 'refresh', '--yes')).code).toBe(0);
    expect(backend.servers).toMatchObject([{ serverId: identity?.serverId }]);
    const { stdout } = await lab.cli(['status', '--home', lab.home, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({
      remoteControl: { status: 'connected' },
      counters: { enrollRequests: 1, refreshRequests: 1 },
    });
  });

  it('RC-24: reenroll gets a new identity, and the old one is not used again', async ({ lab }) => {
    const { backend, engine } = await stuck(lab);
    const [old] = backend.servers;
    const { code, stdout } = await repair(lab, '--step', 'reenroll', '--yes');
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Remote control is connected'),
    });
    const { environmentId } = await engine.line(({ status }) => status === 'connected', 'connected');
    expect(environmentId).not.toBe(old?.environmentId);
    const { stdout: audit } = await lab.cli(['status', '--home', lab.home, '--json']);
    expect(JSON.parse(audit).remoteControl.environmentId).toBe(environmentId);
  });

  it('reports why a step did not help, with exit code 1', async ({ lab }) => {
    const { backend } = await stuck(lab, 99);
    backend.fault({
      action: 'answer',
      fault: {
        route: 'refresh',
        answer: 'status',
        status: 503,
        headers: { 'x-request-id': 'request-9' },
        times: 9,
      },
    });
    const { code, stdout } = await repair(lab, '--step', 'refresh', '--yes');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^refresh: .*503/);
    expect(stdout).toMatch(/^Remote control is (errored|connecting) /m);
  });

  it('RC-43: disabling remote control ends a step that waits for the backend', async ({ lab }) => {
    const { backend } = await stuck(lab);
    backend.fault({ action: 'answer', fault: { route: 'refresh', answer: 'hang', times: 9 } });
    const [waiting, answering] = [await lab.control(), await lab.control()];
    const answer = waiting.call('engine/repair', { step: 'refresh' });
    await vi.waitFor(async () => {
      const status = (await answering.call('engine/status/read', {})) as { result: { counters: object } };
      expect(status.result.counters).toMatchObject({ refreshRequests: 1 });
    });
    await answering.call('remoteControl/disable', { ephemeral: true });
    expect(await answer).toMatchObject({
      result: { failure: { reason: 'disabled' }, report: { status: 'disabled' } },
    });
  });

  it('RC-24: a new installation id needs a stopped engine, and removes the identities of the old one', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    const { environmentId } = await engine.line(({ status }) => status === 'connected', 'connected');
    const file = join(lab.home, 'installation_id');
    const old = (await readFile(file, 'utf8')).trim();
    const refused = await repair(lab, '--step', 'installation-id', '--yes');
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('An engine runs on') });
    expect((await readFile(file, 'utf8')).trim()).toBe(old);
    await engine.stop();

    expect((await repair(lab)).stdout).toContain('No engine runs on this home directory.');
    const { code, stdout } = await repair(lab, '--step', 'installation-id', '--yes');
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining(`(it was ${old})`) });
    const fresh = (await readFile(file, 'utf8')).trim();
    expect(fresh).not.toBe(old);
    const again = await lab.start();
    const connected = await again.line(({ status }) => status === 'connected', 'connected');
    expect(connected.installationId).toBe(fresh);
    expect(connected.environmentId).not.toBe(environmentId);
  });

  it('replaces a damaged installation id', async ({ lab }) => {
    await (await lab.connected()).stop();
    await writeFile(join(lab.home, 'installation_id'), 'damaged\n');
    const { code, stdout } = await repair(lab, '--step', 'installation-id', '--yes', '--json');
    expect(code).toBe(0);
    expect(lines(stdout)).toMatchObject([{ step: 'installation-id', oldInstallationId: null }]);
  });

  it.for([
    [['--yes'], 2, '--yes needs --step'],
    [['--step', 'hammer', '--yes'], 2, 'hammer'],
    [['--step', 'retry', '--yes'], 5, 'No engine runs on'],
  ] as const)('%j is refused with exit code %i', async ([args, expected, said], { lab }) => {
    const { code, stderr } = await repair(lab, ...args);
    expect({ code, stderr }).toMatchObject({ code: expected, stderr: expect.stringContaining(said) });
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it('while remote control is off, the error says how to switch it on', async ({ lab }) => {
    await lab.signIn();
    await lab.backend();
    const engine = await lab.start(['--no-remote-control', '--listen', 'ws://127.0.0.1:0']);
    await engine.line(({ type }) => type === 'listening', 'listening');
    const { code, stderr } = await repair(lab, '--step', 'retry', '--yes');
    expect({ code, stderr }).toMatchObject({ code: 1, stderr: expect.stringContaining('switched off') });
    expect(stderr).toContain('--remote-control on');
  });
});
