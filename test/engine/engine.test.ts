import { chmod, mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { createEngine } from '../../src/engine/engine.js';
import { LineClient } from '../support/control.js';
import { it } from '../support/engine-rig.js';

describe('an engine as a library', () => {
  it('starts, reports each change of its status, and stops', async ({ rig }) => {
    const engine = await rig.connected();
    const [server] = (await rig.lab.backend()).servers;
    expect(engine.status).toEqual({
      status: 'connected',
      serverName: expect.any(String),
      installationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      environmentId: server?.environmentId,
    });
    expect(engine.home).toBe(rig.lab.home);
    const ended: unknown[] = [];
    engine.on('stopped', (failure) => ended.push(failure));
    await engine.stop();
    await rig.until(() => rig.states.at(-1) === 'stopped', 'stopped');
    await engine.stop();
    expect(ended).toEqual([null]);
    expect(engine.status).toMatchObject({ status: 'disabled', environmentId: null });
    expect(rig.statuses.map(({ status }) => status)).toEqual([
      'connecting',
      'connecting',
      'connected',
      'disabled',
    ]);
  });

  it('RC-42: each public status is reported once, whatever the states behind it', async ({ rig }) => {
    const engine = await rig.connected();
    (await rig.lab.backend()).fault({ action: 'closeSockets' });
    await rig.until(
      () => rig.states.filter((state) => state === 'active.connected').length === 2,
      'reconnect',
    );
    expect(engine.status.status).toBe('connected');
    const told = rig.statuses.map((status) => JSON.stringify(status));
    told.forEach((status, index) => {
      if (index > 0) expect(status).not.toBe(told[index - 1]);
    });
  });

  it('RC-42a: started with remote control off, it gives that as the reason, and how to switch it on', async ({
    rig,
  }) => {
    const engine = await rig.start({ remoteControl: 'off' });
    expect(engine.fullStatus.remoteControl).toMatchObject({ state: 'idle', reason: 'disabled' });
  });

  it('starts only once, and not after it was stopped', async ({ rig }) => {
    const engine = await rig.connected();
    await expect(engine.start()).rejects.toMatchObject({ code: 'usage' });
    const other = createEngine({ home: join(rig.lab.folder, 'other') });
    await other.stop();
    await expect(other.start()).rejects.toMatchObject({ code: 'usage' });
    expect(() => other.status).toThrow('has not been started');
  });

  it('RC-8: two engines of one process cannot share a home; the first one continues', async ({ rig }) => {
    const first = await rig.connected();
    const second = await rig.create();
    await expect(second.start()).rejects.toMatchObject({
      code: 'alreadyRunning',
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    expect(first.status.status).toBe('connected');
    await first.stop();
    const third = await rig.start();
    await rig.reached(third, ({ status }) => status === 'connected', 'connected');
    expect(rig.lab.requests('enroll')).toBe(1);
  });

  it('a stop during the start stops it, at any moment', async ({ rig }) => {
    await rig.lab.signIn();
    for (let turns = 0; turns < 40; turns += 2) {
      const engine = await rig.create();
      const ended = new Promise((resolve) => engine.once('stopped', resolve));
      const started = engine.start();
      for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
      await engine.stop();
      await started;
      expect(await ended).toBeNull();
      expect(await readdir(rig.lab.home)).not.toContain('engine.json');
    }
  });

  it('a failed start leaves nothing behind, and the home is free', async ({ rig }) => {
    await rig.lab.signIn();
    // Occupies the path of the control socket.
    await mkdir(join(rig.lab.home, 'control.sock'));
    const engine = await rig.create();
    await expect(engine.start()).rejects.toMatchObject({ code: 'homeUnusable' });
    expect(await readdir(rig.lab.home)).not.toContain('engine.json');
    await rm(join(rig.lab.home, 'control.sock'), { recursive: true });
    for (const [options, code] of [
      [{ caCert: '/no/such.pem' }, 'usage'],
      [{ store: 'none' }, 'storeMissing'],
      [{ store: 'redis:' }, 'usage'],
      [{ baseUrl: 'http://evil.test' }, 'targetRefused'],
      [{ home: join(rig.lab.authFile, 'below') }, 'homeUnusable'],
      [{ authFile: join(rig.lab.folder, 'none.json') }, 'authRequired'],
    ] as const) {
      await expect((await rig.create(options)).start(), code).rejects.toMatchObject({ code });
    }
  });

  it.for([
    'https://chatgpt.com.evil.com/backend-api',
    'https://evilchatgpt.com/',
    'https://foo.localhost/',
    'https://user:hush@chatgpt.com/',
    'http://chatgpt.com/',
    'https://chatgpt.com@evil.com/',
    'https://chatgpt.com\\@evil.com/',
    'https://127.0.0.1.evil.com/',
    'http://0177.0.0.1/',
    'ftp://127.0.0.1/',
    'chatgpt.com',
    '',
  ])('RC-2: does not start with %j, and asks nobody', async (baseUrl, { rig }) => {
    rig.lab.mark(['hush']);
    await rig.lab.signIn();
    const engine = await rig.create({ baseUrl });
    const error = await engine.start().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      code: 'targetRefused',
      message: expect.stringMatching(/Allowed are https to/),
    });
    expect(String((error as Error).message)).not.toContain('hush');
    // With remote control off at the start it runs, and reports the bad URL to a client that enables it.
    const off = await rig.start({ baseUrl, remoteControl: 'off' });
    const client = await rig.lab.control();
    expect((await client.call('remoteControl/enable', {})).error).toMatchObject({
      data: { reason: 'targetRefused' },
    });
    expect(off.status.status).toBe('disabled');
  });

  it('RC-26: checks for a missing account repeatedly, and reports it once', async ({ rig }) => {
    const engine = await rig.start({ authStartup: 'recoverable' });
    const waiting = await rig.reached(
      engine,
      ({ state }) => state === 'active.awaitingAuth.missing',
      'awaitingAuth',
    );
    const [told, logged] = [rig.reports.length, rig.log.length];
    // After several checks.
    await rig.lab.signInWithApiKey();
    const other = await rig.reached(engine, ({ reason }) => reason === 'authApiKeyOnly', 'another reason');
    expect(rig.reports.slice(told).map(({ reason }) => reason)).toEqual(['authApiKeyOnly']);
    expect(rig.log.slice(logged).filter(({ message }) => message.includes('API key'))).toHaveLength(1);
    expect(other.since).toBe(waiting.since);
    expect(other.state).toBe('active.awaitingAuth.missing');
    await rig.lab.signIn();
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
  });

  it('RC-47: requests a pairing code, or gives the reason why there is none', async ({ rig }) => {
    const engine = await rig.connected();
    const [server] = (await rig.lab.backend()).servers;
    expect(await engine.pair({ manualCode: true })).toEqual({
      pairingCode: expect.any(String),
      manualPairingCode: expect.any(String),
      environmentId: server?.environmentId,
      expiresAt: expect.any(Number),
    });
    expect((await engine.pair()).manualPairingCode).toBeNull();
    await engine.stop();
    const off = await rig.start({ remoteControl: 'off' });
    await expect(off.pair()).rejects.toMatchObject({ name: 'EngineError', code: 'disabled' });
  });
});

describe('the control socket', () => {
  it('is private (0600), replaces the socket of a killed engine, and is removed with the engine', async ({
    rig,
  }) => {
    await rig.lab.signIn();
    const path = join(rig.lab.home, 'control.sock');
    await writeFile(path, 'left over');
    await chmod(path, 0o644);
    const engine = await rig.connected();
    const { mode } = await stat(path);
    expect(mode & 0o777).toBe(0o600);
    expect((await stat(path)).isSocket()).toBe(true);
    await engine.stop();
    expect(await readdir(rig.lab.home)).not.toContain('control.sock');
  });

  it('serves many clients at once, and one that does not read or sends nonsense does not block it', async ({
    rig,
  }) => {
    await rig.connected();
    const path = join(rig.lab.home, 'control.sock');
    const deaf = net.connect(path);
    deaf.pause();
    const request = { id: 1, method: 'initialize', params: { clientInfo: { name: 'deaf', version: '1' } } };
    deaf.write(`${JSON.stringify(request)}\n`);
    const line = `${JSON.stringify({ id: 2, method: 'engine/echo', params: { payload: 'x'.repeat(100_000) } })}\n`;
    for (let n = 0; n < 100; n += 1) deaf.write(line);
    deaf.write('no JSON\n');
    const clients = await Promise.all(Array.from({ length: 20 }, () => LineClient.connect(path)));
    const answers = await Promise.all(
      clients.map(async (client, n) => {
        await client.initialize();
        return (await client.call('engine/echo', { payload: n })).result;
      }),
    );
    expect(answers).toEqual(clients.map((_, payload) => ({ payload })));
    for (const client of clients) client.close();
    deaf.destroy();
  });

  it('its clients are closed when the engine stops', async ({ rig }) => {
    const engine = await rig.connected();
    const client = await LineClient.connect(join(rig.lab.home, 'control.sock'));
    await client.initialize();
    await engine.stop();
    await expect(client.message(() => false, 'end')).rejects.toThrow('the connection ended');
  });
});
