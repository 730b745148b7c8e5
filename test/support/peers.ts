/** The peers of the engine under test: controllers, such as `rc-engine call`, and local clients. */
import { join } from 'node:path';
import type { Backend, FaultInput } from '../../src/backend/index.js';
import { type ClaimedController, claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';
import type { Engine } from '../../src/engine/engine.js';
import { Secret } from '../../src/protocol/secret.js';
import { LineClient } from './control.js';
import type { Rig } from './engine-rig.js';
import type { Json } from './lab.js';

export async function pairController(engine: Engine, backend: Backend): Promise<ClaimedController> {
  const { pairingCode } = await engine.pair();
  return claim({ baseUrl: backend.url }, { kind: 'pairing', code: new Secret(pairingCode) });
}

/** A paired and connected controller after initialize. */
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

export type Answer = Extract<FaultInput, { action: 'answer' }>['fault'];
export const fault = (backend: Backend, answer: Answer) => backend.fault({ action: 'answer', fault: answer });

/** Calls a method on a new connection and returns the complete response. */
export async function call(rig: Rig, method: string, params: object = {}): Promise<Json> {
  const client = await LineClient.connect(join(rig.lab.home, 'control.sock'));
  try {
    await client.initialize('caller');
    return await client.call(method, params);
  } finally {
    client.close();
  }
}

export const resultOf = async (rig: Rig, method: string, params: object = {}) =>
  (await call(rig, method, params)).result as Json;
export const errorOf = async (rig: Rig, method: string, params: object = {}) =>
  (await call(rig, method, params)).error as Json;
