/** Controllers of the engine under test, as `rc-engine call` is one. */
import { Controller } from '../../src/adapters/controller.js';
import { type ClaimedController, claim } from '../../src/adapters/controller-claim.js';
import type { Backend } from '../../src/backend/index.js';
import type { Engine } from '../../src/engine/engine.js';
import { Secret } from '../../src/protocol/secret.js';

export async function pairController(engine: Engine, backend: Backend): Promise<ClaimedController> {
  const { pairingCode } = await engine.pair();
  return claim({ baseUrl: backend.url }, { kind: 'pairing', code: new Secret(pairingCode) });
}

/** Paired, connected, and through with initialize. */
export async function claimController(
  engine: Engine,
  backend: Backend,
  name = 'controller',
): Promise<Controller> {
  const { token } = await pairController(engine, backend);
  const controller = new Controller({ baseUrl: backend.url, token });
  await controller.connect();
  await controller.request('initialize', {
    clientInfo: { name, version: '1' },
    capabilities: { experimentalApi: true },
  });
  controller.notify('initialized');
  return controller;
}
