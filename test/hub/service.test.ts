/** Nodes of a hub behind their HTTP servers, over both adapters: requests, sockets, operation. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { claim } from '../../src/controller/claim.js';
import { EnrollmentKeys } from '../../src/hub/enrollment-keys.js';
import type { HubOptions } from '../../src/hub/options.js';
import { type HubEvent, HubService } from '../../src/hub/service.js';
import { keyWord } from '../../src/hub/state/state-store.js';
import { Secret } from '../../src/protocol/secret.js';
import {
  ACCOUNT,
  type BackendUrl,
  call,
  connectController,
  controlUrl,
  dial,
  ENROLL_BODY,
  enroll,
  type Identity,
  INSTALLATION,
  refreshCall,
  ServerPeer,
  serverHeaders,
} from '../backend/peers.js';
import { type BrokerNode, describeAdapters, type HubBroker } from './adapters.js';

const soon = { timeout: 10_000, interval: 10 };

const OPTIONS: HubOptions = {
  listen: { secure: false, host: '127.0.0.1', port: 0, loopback: true },
  ...{ tls: undefined, bus: 'memory', stateFile: undefined, replicas: 1, accounts: 'any' },
  ...{ connectRate: 500, drain: 0 },
};

class Node implements BackendUrl {
  readonly events: { readonly event: HubEvent; readonly detail: Readonly<Record<string, unknown>> }[] = [];
  readonly #connection: BrokerNode;
  #service: HubService | undefined;

  private constructor(connection: BrokerNode) {
    this.#connection = connection;
  }

  static async open(broker: HubBroker, options: Partial<HubOptions> = {}): Promise<Node> {
    const connection = await broker.node();
    const node = new Node(connection);
    node.#service = await HubService.open({
      options: { ...OPTIONS, ...options },
      ...{ bus: connection.bus, store: connection.store },
      onEvent: (event, detail) => node.events.push({ event, detail }),
    });
    return node;
  }

  get origin(): string {
    return this.#service?.origin ?? '';
  }

  get url(): string {
    return `${this.origin}/backend-api`;
  }

  get store(): BrokerNode['store'] {
    return this.#connection.store;
  }

  async close(): Promise<void> {
    await this.#service?.close();
    await this.#connection.close();
  }
}

async function pairingCode(
  node: BackendUrl,
  identity: Identity,
  manual = false,
): Promise<Record<string, unknown>> {
  const answer = await call(controlUrl(node, 'server/pair'), {
    headers: { authorization: `Bearer ${identity.token}` },
    body: { manual_code: manual },
  });
  expect(answer.status).toBe(200);
  return answer.body;
}

async function paired(node: BackendUrl, identity: Identity): ReturnType<typeof claim> {
  const { pairing_code } = await pairingCode(node, identity);
  return await claim({ baseUrl: node.url }, { kind: 'pairing', code: new Secret(String(pairing_code)) });
}

describeAdapters('two nodes of a hub', (open) => {
  let broker: HubBroker;
  let a: Node;
  let b: Node;

  beforeEach(async () => {
    broker = await open();
    a = await Node.open(broker);
    b = await Node.open(broker);
  });
  afterEach(async () => {
    await Promise.all([a.close(), b.close()]);
    await broker.end();
  });

  it('HUB-20: an engine enrolled at one node refreshes, connects and pairs at the other', async () => {
    const identity = await enroll(a);
    const refreshed = await refreshCall(b, identity.serverId);
    expect(refreshed.body).toMatchObject({
      server_id: identity.serverId,
      environment_id: identity.environmentId,
    });
    const server = await ServerPeer.open(b, identity);
    const controller = await connectController(a, await paired(b, identity));
    const answer = controller.request('initialize', {});
    server.answer(await server.request('initialize'), 1, '{"hello":"there"}');
    expect(await answer).toEqual({ hello: 'there' });
    controller.close();
    await server.frame((frame) => frame.type === 'client_closed', 'client_closed');
  });

  it('HUB-21: a pairing code is claimed once, also when both nodes are asked at the same time', async () => {
    const identity = await enroll(a);
    const { pairing_code, manual_pairing_code } = await pairingCode(a, identity, true);
    const bodies = [{ pairing_code }, { manual_pairing_code: String(manual_pairing_code).toLowerCase() }];
    const answers = await Promise.all(
      [a, b, a, b].map((node, n) => call(controlUrl(node, 'client/claim'), { body: bodies[n % 2] })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 404, 404, 404]);
    const status = await call(controlUrl(b, 'server/pair/status'), {
      headers: { authorization: `Bearer ${identity.token}` },
      body: { pairing_code },
    });
    expect(status.body).toEqual({ claimed: true });
  });

  it('HUB-10: the second socket of an engine, at another node, replaces the first one', async () => {
    const identity = await enroll(a);
    const first = await ServerPeer.open(a, identity);
    const closed = new Promise((resolve) =>
      first.socket.once('close', (code, reason) => resolve([code, String(reason)])),
    );
    await ServerPeer.open(b, identity);
    expect(await closed).toEqual([1000, 'replaced by a newer connection']);
  });

  it('HUB-22: a controller that is revoked at one node is closed at the other, and stays out', async () => {
    const identity = await enroll(a);
    await ServerPeer.open(a, identity);
    const claimed = await paired(a, identity);
    const controller = await connectController(b, claimed);
    const ended = new Promise((resolve) => controller.onClose((error) => resolve(error?.code)));
    const path = `${a.url}/wham/remote/control/environments/${identity.environmentId}/clients`;
    expect((await call(path, { method: 'GET', headers: ACCOUNT })).body.items).toHaveLength(1);
    const other = { ...ACCOUNT, 'chatgpt-account-id': 'account-B' };
    expect((await call(`${path}/${claimed.clientId}`, { method: 'DELETE', headers: other })).status).toBe(
      404,
    );
    expect((await call(`${path}/${claimed.clientId}`, { method: 'DELETE', headers: ACCOUNT })).status).toBe(
      204,
    );
    expect(await ended).toBe('remoteRefused');
    await expect(connectController(b, claimed)).rejects.toMatchObject({ code: 'remoteRefused' });
  });

  it('HUB-17: a controller without an engine learns that its environment is offline', {
    timeout: 15_000,
  }, async () => {
    const identity = await enroll(a);
    const controller = await connectController(b, await paired(a, identity));
    const ended = new Promise((resolve) => controller.onClose((error) => resolve(error?.code)));
    expect(await ended).toBe('environmentOffline');
  });

  it('HUB-30, HUB-32: says whether it is ready, and refuses with Retry-After while the broker is away', {
    timeout: 40_000,
  }, async () => {
    const identity = await enroll(a);
    expect((await fetch(`${a.origin}/healthz`)).status).toBe(200);
    expect(await (await fetch(`${a.origin}/readyz`)).json()).toEqual({ status: 'ready' });
    await broker.stop();
    await expect.poll(async () => (await fetch(`${a.origin}/readyz`)).status, soon).toBe(503);
    expect((await fetch(`${a.origin}/healthz`)).status).toBe(200);
    const refused = await refreshCall(a, identity.serverId);
    if (broker.keepsState) expect(refused.status).toBe(200);
    else expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5']);
    await broker.start();
    await expect.poll(async () => (await fetch(`${a.origin}/readyz`)).status, soon).toBe(200);
    await expect.poll(async () => (await refreshCall(a, identity.serverId)).status, soon).toBe(200);
    expect(await (await fetch(`${a.origin}/metrics`)).text()).toContain('rc_hub_broker_connected 1');
  });

  it('HUB-33: a node that stops closes its sockets with "service restart"', async () => {
    const identity = await enroll(a);
    const server = await ServerPeer.open(a, identity);
    await a.close();
    expect(await server.closed).toBe(1012);
    expect(a.events.map(({ event }) => event)).toEqual(
      expect.arrayContaining(['draining', 'engineClosed', 'closed']),
    );
    await ServerPeer.open(b, identity);
  });
});

describe('one node', () => {
  let node: Node | undefined;
  let broker: HubBroker | undefined;

  afterEach(async () => {
    await node?.close();
    await broker?.end();
  });

  async function openNode(options: Partial<HubOptions>): Promise<Node> {
    const { InProcess } = await import('./adapters.js');
    broker = new InProcess();
    node = await Node.open(broker, options);
    return node;
  }

  it('HUB-24: with --accounts keys takes engines with a key that is valid, for the account of the key', async () => {
    const hub = await openNode({ accounts: 'keys' });
    const keys = new EnrollmentKeys(hub.store, Date.now);
    const { key, secret } = await keys.create('team');
    const send = (token: string, account: string): Promise<number> =>
      call(controlUrl(hub, 'server/enroll'), {
        headers: {
          authorization: `Bearer ${token}`,
          ...{ 'chatgpt-account-id': account, 'x-codex-installation-id': INSTALLATION },
        },
        body: ENROLL_BODY,
      }).then(({ status }) => status);
    expect(await send(secret.reveal(), 'team')).toBe(200);
    expect(await send(secret.reveal(), 'another')).toBe(403);
    expect(await send('rck_guessed', 'team')).toBe(401);
    expect(JSON.stringify(await hub.store.bucket('keys').list())).not.toContain(secret.reveal());
    await keys.revoke(key.id);
    expect(await send(secret.reveal(), 'team')).toBe(401);
  });

  it('HUB-24: a key ends with its lifetime', async () => {
    const hub = await openNode({ accounts: 'keys' });
    let now = 1_000;
    const keys = new EnrollmentKeys(hub.store, () => now);
    const { secret } = await keys.create('team', 500);
    expect((await keys.find(secret.reveal()))?.account).toBe('team');
    now += 500;
    expect(await keys.find(secret.reveal())).toBeUndefined();
  });

  it('HUB-31: accepts a bounded number of connections at once, and tells the others when to come back', async () => {
    const hub = await openNode({ connectRate: 2 });
    const identity = await enroll(hub);
    const answers = await Promise.all(
      Array.from({ length: 6 }, () => dial(controlUrl(hub, 'server'), serverHeaders(identity))),
    );
    const refused = answers.filter((answer) => !(answer instanceof WebSocket));
    expect(refused.length).toBeGreaterThanOrEqual(3);
    expect(refused.map((answer) => ('status' in answer ? answer.status : 0))).toEqual(refused.map(() => 503));
    expect(hub.events.filter(({ event }) => event === 'refused')).toHaveLength(refused.length);
  });

  it('HUB-23: an account has a limit, and no machine is removed for another one', async () => {
    const hub = await openNode({});
    const first = await enroll(hub);
    const accounts = hub.store.bucket('accounts');
    for (let n = 1; n < 1_000; n += 1) await accounts.put(`${keyWord('account-A')}.srv_${n}`, '');
    await expect(enroll(hub)).rejects.toThrow('enrollment failed: 429');
    expect((await refreshCall(hub, first.serverId)).status).toBe(200);
    const other = { ...ACCOUNT, 'chatgpt-account-id': 'account-B' };
    expect((await enroll(hub, other)).serverId).not.toBe(first.serverId);
  });

  it('HUB-33: refuses new sockets while it stops, and does not wait after the last one was closed', async () => {
    const hub = await openNode({ drain: 60_000 });
    const machines = [
      await enroll(hub),
      await enroll(hub, { ...ACCOUNT, 'chatgpt-account-id': 'account-B' }),
    ];
    const peers = await Promise.all(machines.map((machine) => ServerPeer.open(hub, machine)));
    const closing = hub.close();
    expect(await Promise.race(peers.map((peer) => peer.closed))).toBe(1012);
    const refused = await dial(controlUrl(hub, 'server'), serverHeaders(machines[0] as Identity));
    if (refused instanceof WebSocket) throw new Error('the socket was accepted');
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, null]);
    // A second one ends the pause before the last socket.
    await hub.close();
    await closing;
    expect(await Promise.all(peers.map((peer) => peer.closed))).toEqual([1012, 1012]);
  });

  it('HUB-33: closes a single connection at once', async () => {
    const hub = await openNode({ drain: 60_000 });
    const peer = await ServerPeer.open(hub, await enroll(hub));
    await hub.close();
    expect(await peer.closed).toBe(1012);
  });

  it('HUB-36: a base URL works without /backend-api, too', async () => {
    const hub = await openNode({});
    const { status } = await call(`${hub.origin}/wham/remote/control/server/enroll`, {
      headers: { ...ACCOUNT, 'x-codex-installation-id': INSTALLATION },
      body: ENROLL_BODY,
    });
    expect(status).toBe(200);
    const answer = await dial(`${hub.origin.replace('http', 'ws')}/wham/remote/control/server`, {});
    expect(answer).toMatchObject({ status: 401 });
  });

  it('HUB-35: refuses requests of web pages', async () => {
    const hub = await openNode({});
    const answer = await call(controlUrl(hub, 'client/claim'), {
      headers: { origin: 'https://evil.example' },
      body: {},
    });
    expect(answer.status).toBe(403);
  });
});
