import { describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import { type ClaimedController, claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';
import { Secret } from '../../src/protocol/secret.js';
import { it, type Lab } from '../support/lab.js';
import { MIB as MB, rss } from '../support/memory.js';

async function paired(lab: Lab): Promise<ClaimedController> {
  const { pairingCode } = await lab.ask('remoteControl/pairing/start');
  const { url } = await lab.backend();
  return claim({ baseUrl: url }, { kind: 'pairing', code: new Secret(String(pairingCode)) });
}

describe('RC-36, RC-41: a virtual client that never reads', () => {
  it('costs a bounded amount of memory and does not disturb other clients', { timeout: 60_000 }, async ({
    lab,
  }) => {
    const engine = await lab.connected();
    const { url } = await lab.backend();
    const before = await rss(engine.child.pid);

    const deaf = await paired(lab);
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/wham/remote/control/client`, {
      headers: { authorization: `Bearer ${deaf.token.reveal()}` },
      perMessageDeflate: false,
    });
    socket.on('error', () => {});
    await new Promise((resolve) => socket.once('open', resolve));
    const send = (message: object) =>
      new Promise<void>((sent) => socket.send(JSON.stringify(message), () => sent()));
    await send({ id: 0, method: 'initialize', params: { clientInfo: { name: 'deaf', version: '1' } } });
    await new Promise((resolve) => socket.once('message', resolve));
    socket.pause();

    const { token } = await paired(lab);
    const other = new Controller({ baseUrl: url, token });
    await other.connect();
    await other.request('initialize', { clientInfo: { name: 'other', version: '1' } });

    // Each request makes a response of 128 KiB, 256 MiB in all, which nobody reads.
    const payload = 'x'.repeat(128 * 1024);
    let ended = false;
    socket.once('close', () => {
      ended = true;
    });
    let highest = 0;
    let slowest = 0;
    for (let n = 1; n <= 2_048 && !ended; n += 1) {
      await send({ id: n, method: 'engine/echo', params: { payload } });
      if (n % 64 !== 0) continue;
      highest = Math.max(highest, (await rss(engine.child.pid)) ?? 0);
      const asked = performance.now();
      expect(await other.request('engine/echo', { payload: n }, 10_000)).toEqual({ payload: n });
      slowest = Math.max(slowest, performance.now() - asked);
    }
    const { remoteControl, remoteClients, counters } = await lab.status();
    const names = (remoteClients as { name: string }[]).map(({ name }) => name);
    const grown = before === null ? null : Math.round((highest - before) / MB);
    console.info(
      `engine grew by ${grown} MiB; the slowest answer to the other client took ${Math.round(slowest)} ms`,
      names,
    );
    expect(remoteControl.status).toBe('connected');
    expect(names).toContain('other');
    expect(counters.linksOpened).toBe(1);
    if (grown !== null) expect(grown).toBeLessThan(300);
    expect(slowest).toBeLessThan(5_000);
    socket.terminate();
    await other.close();
  });
});
