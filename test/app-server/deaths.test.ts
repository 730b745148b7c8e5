/** Each way in which an app server can end: open requests get the cause, and the next client is served. RC-80 */
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createAppServer } from '../../src/app-server/create.js';
import { silentLogger } from '../../src/observe/logger.js';
import { type Client, connect, listening } from '../listener/rig.js';

const CHILD = path.join(import.meta.dirname, 'child.mjs');
const HELLO = { clientInfo: { name: 'x', version: '1' } };

const behind = (kind: string, shared = false) =>
  listening({
    appServer: createAppServer(
      { kind: 'command', program: process.execPath, args: [CHILD, kind], shared },
      silentLogger,
    ),
  });

const errorOf = async (client: Client, id: number | string) =>
  (await client.until(() => client.messages.find((message) => message.id === id), `the response to ${id}`))
    ?.error;

describe('an app server that ends while requests are open', () => {
  it.each([
    [{ code: 0 }, 'exited with code 0'],
    [{ code: 255 }, 'exited with code 255'],
    [{ signal: 'SIGTERM' }, 'was ended by SIGTERM'],
    [{ signal: 'SIGKILL' }, 'was ended by SIGKILL'],
    [{ signal: 'SIGSEGV' }, 'was ended by SIGSEGV'],
    [{ closeOutput: true }, 'was ended by SIGTERM'],
  ])('RC-80: each request gets -32002 with the cause (%j)', async (params, cause) => {
    const at = await behind('good');
    const client = await connect(at);
    await client.initialize();
    client.send({ id: 'held', method: 'test/hang' });
    client.send({ id: 'fatal', method: 'test/end', params });
    for (const id of ['held', 'fatal']) {
      expect(await errorOf(client, id)).toMatchObject({
        code: -32002,
        message: expect.stringContaining(cause),
        data: { reason: 'appServerExited' },
      });
    }
    expect((await client.closed).code).toBe(1011);
    const next = await connect(at);
    expect((await next.initialize()).result).toBeDefined();
    expect(at.engine.fullStatus.appServerHealth).toMatchObject({ state: 'serving', exits: 1 });
  });

  it('RC-67, RC-80: one that ends at initialize', async () => {
    const at = await behind('diesAtInitialize');
    const client = await connect(at);
    client.send({ id: 1, method: 'initialize', params: HELLO });
    expect(await errorOf(client, 1)).toMatchObject({
      code: -32002,
      message: expect.stringContaining('exited with code 7'),
    });
  });
});
