import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { claim } from '../../src/controller/claim.js';
import type { Controller } from '../../src/controller/controller.js';
import { Secret } from '../../src/protocol/secret.js';
import { ACCOUNT, call, connectController, controlUrl, event } from './peers.js';

const CODEX = process.env.CODEX_BIN ?? '';
const skipped = existsSync(CODEX) ? '' : ' (skipped: CODEX_BIN does not name Codex CLI)';

const ACCOUNT_ID = 'account-A';

/** The file that a sign-in leaves behind. The tokens are unsigned, because Codex CLI reads only their claims. */
function authJson(): string {
  const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { chatgpt_account_id: ACCOUNT_ID, chatgpt_user_id: 'user-A', chatgpt_plan_type: 'pro' };
  const jwt = `${part({ alg: 'none', typ: 'JWT' })}.${part({
    email: 'a@example.com',
    exp: Math.floor(Date.now() / 1_000) + 86_400,
    'https://api.openai.com/auth': claims,
  })}.sig`;
  return JSON.stringify({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: { id_token: jwt, access_token: jwt, refresh_token: 'refresh-A', account_id: ACCOUNT_ID },
    last_refresh: new Date().toISOString(),
  });
}

describe.skipIf(skipped !== '')(`Codex CLI${skipped}`, () => {
  let backend: Backend;
  let dir: string;
  let codex: ChildProcess;
  let exited: Promise<unknown>;
  let controllers: Controller[] = [];

  beforeEach(async () => {
    backend = await createBackend();
    dir = await mkdtemp(join(tmpdir(), 'rc-codex-'));
    const home = join(dir, 'home');
    const user = join(dir, 'user');
    await Promise.all([mkdir(home), mkdir(user)]);
    await writeFile(join(home, 'auth.json'), authJson(), { mode: 0o600 });
    codex = spawn(
      CODEX,
      ['app-server', '--remote-control', '--listen', 'off', '-c', `chatgpt_base_url="${backend.url}"`],
      {
        cwd: user,
        env: {
          PATH: process.env.PATH,
          HOME: user,
          CODEX_HOME: home,
          // No request of this test may leave this machine.
          CODEX_REFRESH_TOKEN_URL_OVERRIDE: `${new URL(backend.url).origin}/oauth/token`,
          NO_PROXY: '127.0.0.1,localhost',
          no_proxy: '127.0.0.1,localhost',
        },
        stdio: 'ignore',
      },
    );
    exited = new Promise((resolve) => {
      codex.once('exit', resolve);
      codex.once('error', resolve);
    });
  });

  afterEach(async () => {
    await Promise.all(controllers.map((controller) => controller.close()));
    controllers = [];
    codex.kill('SIGINT');
    const killTimer = setTimeout(() => codex.kill('SIGKILL'), 5_000);
    await exited;
    clearTimeout(killTimer);
    await backend.close();
    await rm(dir, { recursive: true, force: true });
  });

  async function pairedController(): Promise<Controller> {
    const { detail } = await event(backend, 'socketOpened', { side: 'server' });
    const { pairingCode } = backend.startPairing(String(detail.environmentId));
    const claimed = await claim({ baseUrl: backend.url }, { kind: 'pairing', code: pairingCode });
    const controller = await connectController(backend, claimed);
    controllers.push(controller);
    return controller;
  }
  const initialize = (controller: Controller) =>
    controller.request('initialize', {
      clientInfo: { name: 'rc-test', title: 'Test', version: '0.0.1' },
      capabilities: { experimentalApi: true },
    });

  it('RC-9, RC-17: enrolls, connects, and serves a controller', async () => {
    const controller = await pairedController();
    expect(await initialize(controller)).toMatchObject({ userAgent: expect.any(String) });
    controller.notify('initialized');
    await expect(controller.request('lab/no-such-method', {})).rejects.toMatchObject({
      code: 'remoteRefused',
      rpc: { code: expect.any(Number) },
    });
  });

  it('RC-38, RC-39: carries large messages in both directions', async () => {
    const controller = await pairedController();
    await initialize(controller);
    controller.notify('initialized');
    // The error repeats the method, so the response is as large as the request.
    const method = `lab/${'0123456789'.repeat(40_000)}`;
    await expect(controller.request(method, {})).rejects.toMatchObject({
      rpc: { message: expect.stringContaining('0123456789'.repeat(100)) },
    });
  });

  it('RC-36, RC-37: continues with the same virtual client after a reconnect', async () => {
    const controller = await pairedController();
    await initialize(controller);
    controller.notify('initialized');
    backend.fault({ action: 'dropSockets', side: 'server' });
    await event(backend, 'socketClosed', { side: 'server' });
    const failed = controller.request('lab/while-away', {});
    await expect(failed).rejects.toMatchObject({ rpc: { code: expect.any(Number) } });
    expect(
      backend.events.filter(({ kind, detail }) => kind === 'socketOpened' && detail.resumed),
    ).toHaveLength(1);
  });

  it('RC-47, RC-48, RC-49: pairs, reports the status of the code, lists and revokes', async () => {
    const controller = await pairedController();
    await initialize(controller);
    controller.notify('initialized');
    const started = (await controller.request('remoteControl/pairing/start', { manualCode: true })) as {
      manualPairingCode: string;
      environmentId: string;
    };
    const status = () =>
      controller.request('remoteControl/pairing/status', { manualPairingCode: started.manualPairingCode });
    expect(await status()).toEqual({ claimed: false });
    const second = await claim(
      { baseUrl: backend.url },
      { kind: 'manual', code: new Secret(started.manualPairingCode) },
      { displayName: 'phone' },
    );
    expect(await status()).toEqual({ claimed: true });
    const { environmentId } = started;
    expect(await controller.request('remoteControl/client/list', { environmentId })).toMatchObject({
      data: expect.arrayContaining([expect.objectContaining({ displayName: 'phone' })]),
    });
    await controller.request('remoteControl/client/revoke', { environmentId, clientId: second.clientId });
    const remaining = await call(controlUrl(backend, `environments/${environmentId}/clients`), {
      method: 'GET',
      headers: ACCOUNT,
    });
    expect(remaining.text).not.toContain(second.clientId);
  });
});
