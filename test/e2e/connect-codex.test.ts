import { execFileSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { CODEX_BIN, codexEnvironment, codexSkipped, hasTmux, modelServer } from '../support/codex.js';
import { connected, EndpointClient, pairingCode } from '../support/connect.js';
import { it, type Json, type Lab } from '../support/lab.js';

const noTmux = hasTmux ? '' : ' (skipped: tmux is not installed)';

describe.skipIf(codexSkipped !== '')(
  `RC-90: Codex CLI through connect${codexSkipped}`,
  { timeout: 90_000 },
  () => {
    const behind = (lab: Lab) =>
      lab.connected(['--', CODEX_BIN, 'app-server'], { CODEX_HOME: join(lab.folder, 'codex-there') });

    it('its app server answers from the other side', async ({ lab }) => {
      await mkdir(join(lab.folder, 'codex-there'));
      await behind(lab);
      const { url } = await connected(lab, [], await pairingCode(lab));
      const client = await EndpointClient.open(url);
      expect(await client.ask('thread/list', {})).toMatchObject({ data: [] });
      expect(await client.ask('config/read', {})).toHaveProperty('config');
    });

    it('a turn that is started from the other side streams its text there, and is complete there', async ({
      lab,
    }) => {
      const model = await modelServer(lab);
      await lab.connected(['--', CODEX_BIN, 'app-server'], codexEnvironment(lab));
      const { url } = await connected(lab, [], await pairingCode(lab));
      const client = await EndpointClient.open(url);
      const { thread } = (await client.ask('thread/start', { cwd: lab.folder })) as {
        thread: { id: string };
      };
      const input = [{ type: 'text', text: 'What is six times seven?' }];
      await client.ask('turn/start', { threadId: thread.id, input });
      const request = await model.asked();
      expect(request.prompt).toBe('What is six times seven?');
      request.answer('It is 42.');
      const paramsOf = (method: string) =>
        client.received.filter((message) => message.method === method).map(({ params }) => params as Json);
      await expect.poll(() => paramsOf('turn/completed').length, { timeout: 20_000 }).toBe(1);
      expect(paramsOf('turn/completed')[0]).toMatchObject({
        threadId: thread.id,
        turn: { status: 'completed' },
      });
      expect(
        paramsOf('item/agentMessage/delta')
          .map(({ delta }) => delta)
          .join(''),
      ).toBe('It is 42.');
    });

    it.skipIf(!hasTmux)(`codex --remote unix:// comes up${noTmux}`, async ({ lab }) => {
      await mkdir(join(lab.folder, 'codex-there'));
      await mkdir(join(lab.folder, 'codex-here'));
      await behind(lab);
      const { url } = await connected(lab, [], await pairingCode(lab));
      const env = { HOME: lab.folder, CODEX_HOME: join(lab.folder, 'codex-here') };
      const tmux = (...args: string[]) =>
        execFileSync('tmux', ['-S', join(lab.folder, 'tmux'), ...args], { env: { ...process.env, ...env } });
      tmux('new-session', '-d', '-x', '120', '-y', '40', `'${CODEX_BIN}' --remote ${url}; sleep 60`);
      try {
        await expect
          .poll(() => tmux('capture-pane', '-p').toString(), { timeout: 40_000, interval: 200 })
          .toMatch(/Welcome to Codex|OpenAI Codex/);
        await expect
          .poll(
            async () => {
              const { remoteClients } = (await lab.status()) as unknown as {
                remoteClients: { name: string }[];
              };
              return remoteClients.map(({ name }) => name).join();
            },
            { timeout: 20_000, interval: 200 },
          )
          .toMatch(/codex/);
      } finally {
        tmux('kill-server');
      }
    });
  },
);
