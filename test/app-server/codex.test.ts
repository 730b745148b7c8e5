/** The reference app server behind the listener. */
import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { Client } from '../listener/rig.js';
import { CliProcess } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const { CODEX_BIN } = process.env;
const present = CODEX_BIN !== undefined && spawnSync(CODEX_BIN, ['--version']).status === 0;

async function started(...args: string[]): Promise<{ run: CliProcess; connectUrl: string }> {
  const home = await tmpFolder();
  const run = new CliProcess(
    ['start', '--json', '--home', home, '--no-remote-control', '--listen', 'ws://127.0.0.1:0', ...args],
    { CODEX_HOME: await tmpFolder(), HOME: await tmpFolder() },
  );
  const line = await run.line(({ type }) => type === 'listening', 'listening line');
  return { run, connectUrl: String(line.connectUrl) };
}

describe.skipIf(!present)(`codex app-server${present ? '' : ' (skipped: CODEX_BIN is not set)'}`, () => {
  it.each([['per-connection'], ['shared']])('serves through the listener, %s', async (mode) => {
    const { run, connectUrl } = await started('--app-server-mode', mode, '--', CODEX_BIN ?? '', 'app-server');
    const client = await Client.open(connectUrl);
    expect((await client.initialize()).result).toMatchObject({ platformOs: 'linux' });
    expect((await client.request('thread/list')).result).toMatchObject({ data: [] });
    expect((await client.request('config/read')).result).toHaveProperty('config');
    expect(await client.request('no/such/method')).toMatchObject({ error: { code: -32600 } });
    expect((await client.request('engine/status/read')).result).toHaveProperty('listener');
    client.ws.close();
    expect((await run.stop()).code).toBe(0);
  });

  it('50 clients at once', { timeout: 60_000 }, async () => {
    const { run, connectUrl } = await started(
      '--app-server-mode',
      'shared',
      '--',
      CODEX_BIN ?? '',
      'app-server',
    );
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const client = await Client.open(connectUrl);
        await client.initialize();
        const { result } = await client.request('thread/list');
        client.ws.close();
        return result;
      }),
    );
    for (const answer of answers) expect(answer).toMatchObject({ data: [] });
    expect((await run.stop()).code).toBe(0);
  });
});
