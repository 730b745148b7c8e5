import { readdir, readlink } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { CliProcess, cli } from '../support/cli.js';
import { MIB, rss } from '../support/memory.js';
import { tmpFolder } from '../support/tmp.js';
import { until, upgrade } from './rig.js';

const CLIENTS = 2_000;

async function engine() {
  const home = await tmpFolder();
  const run = new CliProcess([
    ...['start', '--json', '--home', home, '--no-remote-control', '--listen', 'ws://127.0.0.1:0'],
    ...['--max-connections', String(CLIENTS)],
  ]);
  const { connectUrl } = await run.line(({ type }) => type === 'listening', 'listening line');
  const status = async () => JSON.parse((await cli(['status', '--json', '--home', home])).stdout);
  // The first client and the first status cost more than the later ones.
  await open(String(connectUrl)).then((ws) => ws.terminate());
  await status();
  return { run, connectUrl: String(connectUrl), status, pid: run.child.pid ?? 0 };
}

/** An initialized client. */
function open(url: string): Promise<WebSocket> {
  return new Promise((resolve, reject) => {
    const ws = new WebSocket(url, { perMessageDeflate: false });
    ws.once('error', reject);
    ws.once('open', () =>
      ws.send('{"id":1,"method":"initialize","params":{"clientInfo":{"name":"x","version":"1"}}}'),
    );
    ws.once('message', () => resolve(ws));
  });
}

/** How many sockets a process has; null where that is unknown. */
async function socketsOf(pid: number): Promise<number | null> {
  const directory = `/proc/${pid}/fd`;
  const names = await readdir(directory).catch(() => null);
  if (names === null) return null;
  const targets = await Promise.all(names.map((name) => readlink(`${directory}/${name}`).catch(() => '')));
  return targets.filter((target) => target.startsWith('socket:')).length;
}

describe.skipIf(process.platform !== 'linux')('memory', () => {
  it('returns within seconds after 2,000 connections have closed, with no socket left', {
    timeout: 60_000,
  }, async () => {
    const at = await engine();
    const before = (await rss(at.pid)) ?? 0;
    const sockets = await socketsOf(at.pid);
    const peaks: number[] = [];
    for (let wave = 0; wave < 2; wave += 1) {
      const clients: WebSocket[] = [];
      for (let n = 0; n < CLIENTS; n += 100) {
        clients.push(...(await Promise.all(Array.from({ length: 100 }, () => open(at.connectUrl)))));
      }
      const full = await at.status();
      expect(full.listener.openConnections).toBe(CLIENTS);
      // The status lists the newest 200.
      expect(full.connections).toHaveLength(200);
      peaks.push((await rss(at.pid)) ?? 0);
      for (const ws of clients) ws.close();
      await until(async () => (await socketsOf(at.pid)) === sockets, 'all sockets to be gone', 10_000);
      const empty = await at.status();
      expect(empty).toMatchObject({ connections: [], listener: { openConnections: 0 } });
      // The status command itself is one client.
      expect(empty.localClients).toBe(1);
      await until(async () => ((await rss(at.pid)) ?? 0) < before + 12 * MIB, 'the memory to return', 20_000);
    }
    const grown = peaks.map((peak) => Math.round((peak - before) / MIB));
    console.info(
      `with ${CLIENTS} clients: ${grown.join(', ')} MiB more; after them: ${Math.round((((await rss(at.pid)) ?? 0) - before) / MIB)}`,
    );
    for (const more of grown) expect(more).toBeGreaterThan(15);
    expect((await at.run.stop()).code).toBe(0);
  });

  it('of opening 1,000 connections is given back while they stay open', { timeout: 60_000 }, async () => {
    const at = await engine();
    const before = (await rss(at.pid)) ?? 0;
    const clients: WebSocket[] = [];
    for (let n = 0; n < 1_000; n += 100) {
      clients.push(...(await Promise.all(Array.from({ length: 100 }, () => open(at.connectUrl)))));
    }
    const peak = (await rss(at.pid)) ?? 0;
    await until(
      async () => ((await rss(at.pid)) ?? 0) < before + (peak - before) * 0.7,
      'the memory for opening them to be given back',
      20_000,
    );
    expect((await at.status()).listener.openConnections).toBe(1_000);
    for (const ws of clients) ws.terminate();
    await at.run.stop();
  });

  it('WSA-19: a burst of 1,000 rejections hardly changes it', { timeout: 60_000 }, async () => {
    const at = await engine();
    const port = Number(new URL(at.connectUrl).port);
    const before = (await rss(at.pid)) ?? 0;
    const lane = async () => {
      for (let i = 0; i < 50; i += 1)
        expect((await upgrade(port, { path: `/?token=${'x'.repeat(43)}` })).status).toBe(401);
    };
    await Promise.all(Array.from({ length: 20 }, lane));
    const burst = ((await rss(at.pid)) ?? 0) - before;
    expect(burst).toBeLessThan(24 * MIB);
    console.info(`after 1,000 rejections: ${(burst / MIB).toFixed(1)} MiB more`);
    const { decisions } = (await at.status()).listener;
    expect(decisions).toContainEqual(expect.objectContaining({ reason: 'invalidToken', count: 1_000 }));
    await at.run.stop();
  });
});
