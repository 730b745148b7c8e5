/** An engine in front of an agent, with an embedded backend, and the addresses where clients of both kinds connect. */
import path from 'node:path';
import { type TestContext, test } from 'vitest';
import { createAppServer } from '../../src/app-server/create.js';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { claim } from '../../src/controller/claim.js';
import { createEngine } from '../../src/engine/engine.js';
import type { EngineOptions } from '../../src/engine/options.js';
import { silentLogger } from '../../src/observe/logger.js';
import { Secret } from '../../src/protocol/secret.js';
import { tmpFolder } from '../support/tmp.js';

export const AGENT = (name: string): string => path.join(import.meta.dirname, name);

export interface AgentRig {
  /** Of the listener, with the token. */
  readonly local: URL;
  /** Where a controller connects, and the header that it needs. */
  readonly remote: { readonly url: string; readonly headers: { readonly Authorization: string } };
  readonly protocol: string;
}

export type StartAgent = (command: readonly string[], options?: EngineOptions) => Promise<AgentRig>;

async function start(
  command: readonly string[],
  options: EngineOptions,
  cleanUp: TestContext['onTestFinished'],
): Promise<AgentRig> {
  const backend: Backend = await createBackend();
  const [program = '', ...args] = command;
  const engine = createEngine({
    home: await tmpFolder(),
    baseUrl: backend.url,
    accessToken: { token: new Secret('access-token'), accountId: 'account-A' },
    listen: 'ws://127.0.0.1:0',
    appServer: createAppServer({ kind: 'command', program, args, shared: false }, silentLogger),
    ...options,
  });
  cleanUp(async () => {
    await engine.stop();
    await backend.close();
  });
  let local: URL | undefined;
  engine.once('listening', ({ connectUrl }) => {
    local = new URL(connectUrl.reveal());
  });
  const connected = new Promise<void>((resolve) => {
    engine.on('status', ({ status }) => status === 'connected' && resolve());
  });
  await engine.start();
  if (local === undefined) throw new Error('nothing listens');
  await connected;
  const { pairingCode } = await engine.pair();
  const code = new Secret(pairingCode);
  const { token } = await claim({ baseUrl: backend.url }, { kind: 'pairing', code });
  return {
    local,
    remote: {
      url: `${backend.url.replace(/^http/, 'ws').replace(/\/$/, '')}/wham/remote/control/client`,
      headers: { Authorization: `Bearer ${token.reveal()}` },
    },
    protocol: engine.fullStatus.appServerProtocol,
  };
}

/** A test that starts agents; engine and backend end with it. */
export const it = test.extend<{ agent: StartAgent }>({
  agent: async ({ onTestFinished }, use) => {
    await use((command, options = {}) => start(command, options, onTestFinished));
  },
});
