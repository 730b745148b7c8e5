/** Roles at a hub: keys that only view, and devices that only read. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { CliProcess, cli } from '../support/cli.js';
import { NatsServer, noNats } from '../support/nats-server.js';
import { tmpFolder } from '../support/tmp.js';

const CONTROL = 'backend-api/wham/remote/control';
const REFUSED = -32003;
const processes: CliProcess[] = [];

function start(args: readonly string[]): CliProcess {
  const process = new CliProcess(args);
  processes.push(process);
  return process;
}

afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop()));
});

type Json = Record<string, unknown>;

/** A device with one message in each frame. */
class Device {
  readonly messages: Json[] = [];
  readonly closed: Promise<number>;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data)) as Json));
  }

  static async open(hub: string, token: string, headers: Json = {}): Promise<Device> {
    const socket = new WebSocket(`${hub.replace('http', 'ws')}/${CONTROL}/client`, {
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    const device = new Device(socket);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    return device;
  }

  send(text: string | object): void {
    this.#socket.send(typeof text === 'string' ? text : JSON.stringify(text));
  }

  async answer(id: number | null): Promise<Json> {
    let found: Json | undefined;
    await expect
      .poll(() => (found = this.messages.find((message) => message.id === id)), { timeout: 10_000 })
      .toBeDefined();
    return found ?? {};
  }

  close(): void {
    this.#socket.close();
  }
}

interface Setup {
  readonly hubs: readonly string[];
  readonly owner: string;
  readonly viewer: string;
  readonly home: string;
}

/** @param store `--state FILE` or `--bus URL` */
async function setup(store: readonly string[], nodes: number): Promise<Setup> {
  const home = join(await tmpFolder(), 'home');
  await mkdir(home, { mode: 0o700 });
  const keyOf = async (role: string): Promise<string> => {
    const args = ['hub', 'key', 'create', '--account', 'team', '--role', role, '--json', ...store];
    return (JSON.parse((await cli(args)).stdout) as { key: string }).key;
  };
  const [owner, viewer] = [await keyOf('owner'), await keyOf('viewer')];
  const hubs: string[] = [];
  for (let index = 0; index < nodes; index += 1) {
    const node = start(['hub', '--listen', 'http://127.0.0.1:0', '--drain', '1', '--json', ...store]);
    const line = await node.line(({ type }) => type === 'listening', 'address of the hub');
    hubs.push(new URL(String(line.baseUrl)).origin);
  }
  const hub = hubs[0] ?? '';
  expect(await cli(['login', '--hub', hub, '--home', home], {}, `${owner}\n`)).toMatchObject({ code: 0 });
  await start(['start', '--home', home, '--base-url', hub, '--listen', 'off', '--json']).connected();
  return { hubs, owner, viewer, home };
}

async function request(url: string, key: string, method = 'GET', body?: object): Promise<[number, Json]> {
  const response = await fetch(url, {
    method,
    headers: {
      ...{ authorization: `Bearer ${key}`, 'chatgpt-account-id': 'team' },
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return [response.status, (text === '' ? {} : JSON.parse(text)) as Json];
}

interface Claimed {
  readonly client_id: string;
  readonly controller_token: string;
  readonly environment_id: string;
}

async function claimed(hub: string, home: string): Promise<Claimed> {
  const { stdout } = await cli(['pair', '--home', home, '--json']);
  const { pairingCode } = JSON.parse(stdout) as { pairingCode: string };
  const response = await fetch(`${hub}/${CONTROL}/client/claim`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ pairing_code: pairingCode, display_name: 'phone' }),
  });
  return (await response.json()) as Claimed;
}

const initialize = { id: 1, method: 'initialize', params: { clientInfo: { name: 't', version: '1' } } };

describe('roles at a hub', { timeout: 90_000 }, () => {
  it('HUB-50: a key for viewing sees machines and devices, and changes nothing', async () => {
    const { hubs, viewer, owner, home } = await setup(['--state', join(await tmpFolder(), 'hub.json')], 1);
    const [hub = ''] = hubs;
    const { client_id: id, environment_id: environment } = await claimed(hub, home);
    expect(await request(`${hub}/hub/account`, viewer)).toMatchObject([200, { role: 'viewer' }]);
    expect(await request(`${hub}/hub/machines`, viewer)).toMatchObject([
      200,
      { machines: [{ connected: true }] },
    ]);
    const devices = `${hub}/hub/machines/${environment}/devices`;
    expect(await request(devices, viewer)).toMatchObject([
      200,
      { items: [{ client_id: id, role: 'controller' }] },
    ]);
    const clients = `${hub}/${CONTROL}/environments/${environment}/clients`;
    expect(await request(clients, viewer)).toMatchObject([200, {}]);
    const enrollment = { name: 'x', os: 'x', arch: 'x', app_server_version: '1', installation_id: 'x' };
    for (const [method, url, body] of [
      ['DELETE', `${clients}/${id}`, undefined],
      ['PUT', `${devices}/${id}`, { role: 'read-only' }],
      ['POST', `${hub}/${CONTROL}/server/enroll`, enrollment],
    ] as const) {
      expect((await request(url, viewer, method, body))[0], url).toBe(403);
    }
    expect(await request(`${devices}/${id}`, owner, 'PUT', { role: 'all' })).toMatchObject([400, {}]);
    expect(await request(`${devices}/cli_none`, owner, 'PUT', { role: 'read-only' })).toMatchObject([
      404,
      {},
    ]);
    expect(await request(`${hub}/hub/machines/env_none/devices`, owner)).toMatchObject([404, {}]);
    expect(await request(`${devices}/${id}`, owner, 'DELETE')).toMatchObject([405, {}]);
  });

  it('HUB-51: a read-only device sends requests of the list only; its open socket is closed by the change', async () => {
    const { hubs, owner, home } = await setup(['--state', join(await tmpFolder(), 'hub.json')], 1);
    const [hub = ''] = hubs;
    const { client_id: id, controller_token: token, environment_id: environment } = await claimed(hub, home);
    const before = await Device.open(hub, token);
    const change = `${hub}/hub/machines/${environment}/devices/${id}`;
    expect(await request(change, owner, 'PUT', { role: 'read-only' })).toMatchObject([204, {}]);
    expect(await before.closed).toBe(1012);
    const device = await Device.open(hub, token);
    device.send(initialize);
    expect(await device.answer(1)).toHaveProperty('result');
    device.send({ method: 'initialized' });
    device.send({ id: 2, method: 'engine/status/read', params: {} });
    const status = Object.keys((await device.answer(2)).result as Json);
    device.send({ id: 3, method: 'engine/echo', params: { payload: 1 } });
    expect(await device.answer(3)).toMatchObject({ error: { code: REFUSED } });
    // Of two members with one name, parsers may take different ones.
    device.send('{"id":4,"method":"engine/status/read","method":"engine/echo","params":{"payload":2}}');
    expect(await device.answer(4)).toMatchObject({ error: { code: REFUSED } });
    device.send('{"id":5,"method":"engine/echo","params":{},"method":"engine/status/read"}');
    expect(Object.keys((await device.answer(5)).result as Json)).toEqual(status);
    device.send('{"id":9007199254740993,"method":"engine/status/read","params":{}}');
    expect(await device.answer(null)).toMatchObject({ error: { code: REFUSED } });
    device.close();
    const session = { 'x-codex-protocol-version': '3', 'x-rc-engine-session': 'a'.repeat(32) };
    await expect(Device.open(hub, token, session)).rejects.toThrow(/40[03]/);
    expect(await request(change, owner, 'PUT', { role: 'controller' })).toMatchObject([204, {}]);
    const again = await Device.open(hub, token);
    again.send(initialize);
    await again.answer(1);
    again.send({ id: 3, method: 'engine/echo', params: { payload: 1 } });
    expect(await again.answer(3)).toHaveProperty('result');
    again.close();
  });

  it.skipIf(noNats !== '')(`HUB-51: the change holds at every node${noNats}`, async () => {
    const broker = await NatsServer.start();
    const { hubs, owner, home } = await setup(['--bus', broker.url], 2);
    const [a = '', b = ''] = hubs;
    const { client_id: id, controller_token: token, environment_id: environment } = await claimed(a, home);
    const device = await Device.open(b, token);
    const change = `${a}/hub/machines/${environment}/devices/${id}`;
    expect(await request(change, owner, 'PUT', { role: 'read-only' })).toMatchObject([204, {}]);
    expect(await device.closed).toBe(1012);
    const again = await Device.open(b, token);
    again.send(initialize);
    await again.answer(1);
    again.send({ id: 2, method: 'engine/echo', params: { payload: 1 } });
    expect(await again.answer(2)).toMatchObject({ error: { code: REFUSED } });
    again.close();
  });
});
