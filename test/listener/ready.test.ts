import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createAppServer } from '../../src/app-server/create.js';
import { createEngine } from '../../src/engine/engine.js';
import { silentLogger } from '../../src/observe/logger.js';
import type { AuthOutcome } from '../../src/protocol/outcomes.js';
import { tmpFolder } from '../support/tmp.js';
import { connect, listening, raw, until, upgradeText } from './rig.js';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

async function probe(where: number | string, path = '/readyz') {
  const { status, text } = await raw(where, `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const body: unknown = text.includes('{') ? JSON.parse(text.slice(text.indexOf('{'))) : undefined;
  return { status, body, text };
}

const CHILD = join(import.meta.dirname, '../app-server/child.mjs');

describe('/readyz', () => {
  it('WSA-31: is 503 and nobody is accepted while the start waits for the account; then it is 200', async () => {
    const path = join(await tmpFolder(), 'l.sock');
    let found: (outcome: AuthOutcome) => void = () => {};
    const outcome = new Promise<AuthOutcome>((resolve) => {
      found = resolve;
    });
    const engine = createEngine({
      home: await tmpFolder(),
      listen: `unix://${path}`,
      authority: { mode: 'queryToken', enforced: false },
      baseUrl: 'http://127.0.0.1:1',
      account: {
        differsOnDisk: false,
        load: () => outcome,
        reload: () => outcome,
        recover: () => Promise.reject(new Error('not asked for')),
        recovery: () => {
          throw new Error('not asked for');
        },
        accessToken: () => undefined,
        succeeded: () => {},
        watch: () => {},
        close: () => {},
      },
    });
    ends.push(() => engine.stop());
    let reported = false;
    engine.once('listening', () => {
      reported = true;
    });
    const started = engine.start();
    await until(async () => (await probe(path, '/healthz')).status === 200, 'the process to answer');
    const starting = await probe(path);
    expect(starting.status).toBe(503);
    expect(starting.body).toMatchObject({ status: 'starting', authMode: 'queryToken', enforced: false });
    const early = await raw(path, upgradeText());
    expect([early.status, /^Retry-After: \d+\r$/m.test(early.text)]).toEqual([503, true]);
    expect(reported).toBe(false);
    found({ kind: 'ineligible', failure: { reason: 'authMissing', message: 'nobody', at: 0 } });
    await started;
    expect(reported).toBe(true);
    const ready = await probe(path);
    expect([ready.status, ready.body]).toEqual([200, expect.objectContaining({ status: 'ready' })]);
    expect((await raw(path, upgradeText())).status).toBe(101);
  });

  it('WSA-20: is 503 while a stop waits for an app server that ignores SIGTERM, before clients are closed with 1012', async () => {
    const appServer = createAppServer(
      { kind: 'command', program: process.execPath, args: [CHILD, 'stubborn'], shared: false },
      silentLogger,
    );
    const at = await listening({ appServer });
    const client = await connect(at);
    await client.initialize();
    expect((await probe(at.port)).status).toBe(200);
    const stopped = at.engine.stop();
    const stopping = await probe(at.port);
    expect([stopping.status, stopping.body]).toEqual([
      503,
      expect.objectContaining({ status: 'stopping', authMode: 'queryToken', enforced: true }),
    ]);
    expect(stopping.text).not.toContain(at.token);
    expect((await probe(at.port, '/healthz')).status).toBe(200);
    const late = await raw(at.port, upgradeText({ path: `/?token=${at.token}` }));
    expect([late.status, /^Retry-After: \d+\r$/m.test(late.text)]).toEqual([503, true]);
    expect(at.verdicts().at(-1)).toBe('queryToken rejected listenerNotReady');
    expect((await client.closed).code).toBe(1012);
    await stopped;
    expect((await probe(at.port)).status).toBe(0);
  });
});
