import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import { connected, EndpointClient, pairingCode, remoteHome, steered } from '../support/connect.js';
import { it } from '../support/lab.js';

/** An app server that sends the params of each request back, of any size. */
const ECHO = `require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, params } = JSON.parse(line);
  if (id !== undefined) process.stdout.write(JSON.stringify({ id, result: params ?? {} }) + '\\n');
})`;

/** Resident memory, bytes; 0 where there is no /proc. */
async function rssOf(pid: number | undefined): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024;
}

describe('RC-90: connect', { timeout: 60_000 }, () => {
  it('leads from a local socket to the environment, and back; the next run needs no code', async ({
    lab,
  }) => {
    const { run, url } = await steered(lab);
    expect(url).toMatch(/^unix:\/\//);
    const client = await EndpointClient.open(url);
    expect(await client.ask('engine/echo', { payload: 'near' })).toEqual({ payload: 'near' });
    const big = 'x'.repeat(900 * 1024);
    expect(await client.ask('engine/echo', { payload: big })).toEqual({ payload: big });
    const { remoteClients } = (await lab.status()) as unknown as { remoteClients: { name: string }[] };
    expect(remoteClients.map(({ name }) => name)).toEqual(['e2e']);
    client.socket.close();
    expect((await run.stop()).code).toBe(0);

    const file = join(remoteHome(lab), 'controllers.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const again = await connected(lab);
    expect(again.url).toBe(url);
    expect(await (await EndpointClient.open(again.url)).ask('engine/echo', { payload: 1 })).toEqual({
      payload: 1,
    });
    const listed = await lab.cli(['connect', '--home', remoteHome(lab), '--list', '--json']);
    expect(JSON.parse(listed.stdout)).toMatchObject({ type: 'environment' });
    expect(listed.stdout).not.toContain('rcc_');
  });

  it('RC-92: nothing is lost or doubled when either link breaks in the middle', async ({ lab }) => {
    const { url } = await steered(lab);
    const backend = await lab.backend();
    const client = await EndpointClient.open(url);
    const ids: number[] = [];
    for (let n = 0; n < 400; n += 1) {
      ids.push(client.send('engine/echo', { payload: `${n} ${'y'.repeat(20_000)}` }));
      if (n % 200 === 50) backend.fault({ action: 'dropSockets', side: 'controller' });
      if (n % 200 === 149) backend.fault({ action: 'dropSockets', side: 'server' });
      if (n % 20 === 0) await client.answer(ids[Math.max(0, n - 40)] ?? 1);
    }
    for (const [n, id] of ids.entries()) {
      const { result } = (await client.answer(id)) as { result: { payload: string } };
      expect(result.payload.startsWith(`${n} `)).toBe(true);
    }
    const answers = client.received.map(({ id }) => id).filter((id) => typeof id === 'number');
    expect(answers).toHaveLength(new Set(answers).size);
    expect(client.socket.readyState).toBe(WebSocket.OPEN);
  });

  it('RC-94, RC-97: a revoked device ends with a clear error', async ({ lab }) => {
    const { run, url } = await steered(lab, ['--name', 'field phone']);
    const client = await EndpointClient.open(url);
    const listed = await lab.cli(['devices', '--home', lab.home]);
    expect(listed).toMatchObject({ code: 0 });
    expect(listed.stdout).toContain('field phone');
    const asked = await lab.cli(['devices', 'revoke', 'field phone', '--home', lab.home]);
    expect(asked).toMatchObject({ code: 2 });
    expect(asked.stderr).toContain('--yes');
    const revoked = await lab.cli(['devices', 'revoke', 'Field Phone', '--yes', '--home', lab.home]);
    expect(revoked).toMatchObject({ code: 0 });
    const { code, stderr, stdout } = await run.exited;
    expect(code).toBe(1);
    expect(stderr).toContain('rc-engine pair');
    expect(stdout).toContain('"code":"controllerRevoked"');
    expect((await client.closed).code).toBeGreaterThan(1000);
    // The stored token is refused at the next run, too.
    const { url: baseUrl } = await lab.backend();
    const later = await lab.cli(['connect', '--home', remoteHome(lab), '--base-url', baseUrl]);
    expect(later.code).toBe(1);
    expect(later.stderr).toContain('revoked');
  });

  it('RC-90: two connects of one device and two clients each have streams of their own', async ({ lab }) => {
    const first = await steered(lab);
    await mkdir(join(lab.folder, 'other'), { mode: 0o700 });
    const second = await connected(lab, ['--listen', `unix://${join(lab.folder, 'other', 'end.sock')}`]);
    const clients = await Promise.all([
      EndpointClient.open(first.url, 'a'),
      EndpointClient.open(first.url, 'b'),
      EndpointClient.open(second.url, 'c'),
    ]);
    const answers = await Promise.all(clients.map((client, n) => client.ask('engine/echo', { payload: n })));
    expect(answers).toEqual([{ payload: 0 }, { payload: 1 }, { payload: 2 }]);
    const { remoteClients } = (await lab.status()) as unknown as { remoteClients: { name: string }[] };
    expect(remoteClients.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
  });

  it('RC-94: an environment that is not connected closes the local connection with the reason', async ({
    lab,
  }) => {
    const { run, url } = await steered(lab);
    const client = await EndpointClient.open(url);
    await lab.stopAllBut(run);
    await run.line(({ environmentConnected }) => environmentConnected === false, 'offline environment');
    client.socket.terminate();
    const late = new EndpointClient(url);
    await new Promise((resolve) => late.socket.once('open', resolve));
    const id = late.send('initialize', { clientInfo: { name: 'late', version: '1' } });
    // RC-98
    expect(await late.answer(id)).toMatchObject({
      error: { code: -32002, data: { reason: 'environmentOffline' } },
    });
    expect(await late.closed).toMatchObject({ code: 1013, reason: 'environment offline' });
    expect(run.running).toBe(true);
  });

  it('RC-96: a ws:// endpoint needs the token of its file', async ({ lab }) => {
    const { url, run } = await steered(lab, ['--listen', 'ws://127.0.0.1:0']);
    const listening = run.lines.find(({ type }) => type === 'listening');
    const file = String(listening?.tokenFile);
    const token = (await readFile(file, 'utf8')).trim();
    lab.exempt.push(file);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const without = new EndpointClient(url);
    expect((await without.closed).code).toBe(1006);
    const client = new EndpointClient(url, { authorization: `Bearer ${token}` });
    await new Promise((resolve) => client.socket.once('open', resolve));
    expect(await client.ask('initialize', { clientInfo: { name: 'tcp', version: '1' } })).toBeDefined();
    for (const [host, code] of [
      ['rebound.example', 1006],
      [`127.0.0.1.rebound.example:${new URL(url).port}`, 1006],
      ['localhost:5000', undefined],
    ] as const) {
      const named = new EndpointClient(url, { authorization: `Bearer ${token}`, host });
      const end = await Promise.race([
        named.closed.then((closed) => closed.code),
        new Promise((resolve) => named.socket.once('open', () => resolve(undefined))),
      ]);
      expect(end, host).toBe(code);
    }
    const refused = await lab.cli(['connect', '--listen', 'ws://0.0.0.0:1', '--home', remoteHome(lab)]);
    expect(refused).toMatchObject({ code: 2 });
  });

  it('RC-92: a message of 30 MiB passes both ways', async ({ lab }) => {
    await lab.connected(['--', process.execPath, '-e', ECHO]);
    const { url } = await connected(lab, [], await pairingCode(lab));
    const client = await EndpointClient.open(url);
    const payload = 'z'.repeat(30 * 1024 * 1024);
    const { payload: back } = (await client.ask('test/echo', { payload })) as { payload: string };
    expect(back.length).toBe(payload.length);
    expect(back === payload).toBe(true);
  });

  it('RC-92: a client that never reads is held, closed, and disturbs no other', async ({ lab }) => {
    const { url, run } = await steered(lab);
    const idle = await EndpointClient.open(url, 'idle');
    const bystander = await EndpointClient.open(url, 'bystander');
    const before = await rssOf(run.child.pid);
    idle.socket.pause();
    const payload = 'w'.repeat(100_000);
    for (let n = 0; n < 2_000; n += 1) idle.send('engine/echo', { payload });
    for (let n = 0; n < 20; n += 1) expect(await bystander.ask('engine/echo', { payload: n })).toBeDefined();
    expect((await rssOf(run.child.pid)) - before).toBeLessThan(400 * 1024 * 1024);
    idle.socket.terminate();
    expect(await bystander.ask('engine/echo', { payload: 'after' })).toEqual({ payload: 'after' });
  });

  it('RC-96: a local stranger gets nowhere', async ({ lab }) => {
    const { url, run } = await steered(lab, ['--listen', 'ws://127.0.0.1:0']);
    const file = String(run.lines.find(({ type }) => type === 'listening')?.tokenFile);
    lab.exempt.push(file);
    const authorization = `Bearer ${(await readFile(file, 'utf8')).trim()}`;
    const strangers: Record<string, string>[] = [
      {},
      { authorization: 'Bearer wrong' },
      { authorization: `${authorization}x` },
      { authorization, origin: 'http://127.0.0.1' },
      { authorization, origin: 'null' },
      { host: 'evil.example' },
    ];
    for (const headers of strangers) {
      const stranger = new EndpointClient(url, headers);
      stranger.socket.once('open', () => stranger.send('initialize', {}));
      expect(await stranger.closed, JSON.stringify(Object.keys(headers))).toMatchObject({ code: 1006 });
      expect(stranger.received).toEqual([]);
    }
    expect((await lab.status()).remoteClients).toEqual([]);
  });

  it('RC-93: a backend that cannot be reached is tried again, and Ctrl-C ends that', async ({ lab }) => {
    const { run, url } = await steered(lab);
    expect((await run.stop()).code).toBe(0);
    const dead = createServer((socket: Socket) => socket.destroy());
    await new Promise<void>((resolve) => dead.listen(0, '127.0.0.1', resolve));
    const address = dead.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const file = join(remoteHome(lab), 'controllers.json');
    const text = await readFile(file, 'utf8');
    await writeFile(file, text.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`));
    const again = lab.run(['connect', '--home', remoteHome(lab), '--json']);
    await again.line(
      ({ type, nextAttemptAt }) => type === 'status' && typeof nextAttemptAt === 'number',
      'scheduled attempt',
    );
    expect((await again.stop()).code).toBe(0);
    dead.close();
    expect(url).toBeDefined();
  });
});
