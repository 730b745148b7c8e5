/** The app server of Codex CLI behind the listener. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Client, until } from '../listener/rig.js';
import { CliProcess, cli } from '../support/cli.js';
import { tmpFolder } from '../support/tmp.js';

const { CODEX_BIN } = process.env;
const present = CODEX_BIN !== undefined && spawnSync(CODEX_BIN, ['--version']).status === 0;
const hasTmux = spawnSync('tmux', ['-V']).status === 0;

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
  it.each([['per-connection'], ['shared']])('serves clients of the listener, %s', async (mode) => {
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

  it.skipIf(!hasTmux).each(['unix', 'ws'])(
    `the TUI comes up over %s://${hasTmux ? '' : ' (skipped: tmux is not installed)'}`,
    { timeout: 60_000 },
    async (kind) => {
      const home = await tmpFolder();
      const env = { CODEX_HOME: await tmpFolder(), HOME: await tmpFolder() };
      const socket = join(home, 'tui.sock');
      const sha256 = createHash('sha256').update('tui-token').digest('hex');
      const [listen, remote] =
        kind === 'unix'
          ? [[`unix://${socket}`], '']
          : [
              ['ws://127.0.0.1:0', '--ws-auth', 'capability-token', '--ws-token-sha256', sha256],
              '--remote-auth-token-env TUI_TOKEN',
            ];
      const run = new CliProcess(
        [
          ...['start', '--json', '--home', home, '--no-remote-control', '--listen', ...listen],
          ...['--', CODEX_BIN ?? '', 'app-server'],
        ],
        env,
      );
      const { url } = await run.line(({ type }) => type === 'listening', 'listening line');
      const address = kind === 'unix' ? String(url) : String(url).replace(/\/$/, '');
      const tmux = (...args: string[]) =>
        execFileSync('tmux', ['-S', join(home, 'tmux'), ...args], { env: { ...process.env, ...env } });
      tmux(
        'new-session',
        '-d',
        '-x',
        '120',
        '-y',
        '40',
        `TUI_TOKEN=tui-token '${CODEX_BIN}' --remote ${address} ${remote}; sleep 60`,
      );
      try {
        await until(
          () => /Welcome to Codex|OpenAI Codex/.test(tmux('capture-pane', '-p').toString()),
          'the TUI',
          30_000,
        );
        const why =
          kind === 'unix'
            ? { origin: 'unix', outcome: 'established', reason: 'socketPrivate' }
            : { origin: 'listener', outcome: 'established', reason: 'capabilityMatched' };
        const row = async () =>
          JSON.parse((await cli(['status', '--json', '--home', home])).stdout).connections[0];
        await until(async () => (await row())?.state === 'initialized', 'the TUI to be served', 20_000);
        expect(await row()).toMatchObject({ ...why, client: 'codex-tui' });
      } finally {
        tmux('kill-server');
      }
      expect((await run.stop()).code).toBe(0);
    },
  );

  it('serves 50 clients at once', { timeout: 60_000 }, async () => {
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
