/** Small agents of the repository, reached as any WebSocket client and any controller would reach them. */
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { WebSocket } from 'ws';
import { Client } from '../listener/rig.js';
import { AGENT, type AgentRig, it } from './rig.js';

const MCP_SERVER = [process.execPath, AGENT('tool-server.mjs')];
const RAW_AGENT = [process.execPath, AGENT('raw-agent.mjs')];
const INITIALIZE = {
  jsonrpc: '2.0',
  id: 'first',
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'me', version: '1' } },
};
const stateless = (id: number, method: string) => ({
  jsonrpc: '2.0',
  id,
  method,
  params: {
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    },
  },
});
type Way = 'listener' | 'remote control';
const WAYS: readonly Way[] = ['listener', 'remote control'];

function connect({ local, remote }: AgentRig, way: Way): Promise<Client> {
  return way === 'listener' ? Client.open(local.href) : Client.open(remote.url, remote.headers);
}

/** The response to a message that is sent as it is. */
function ask(client: Client, message: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>> {
  client.send(message);
  return client.until(
    () => client.messages.find(({ id, method }) => id === message.id && method === undefined),
    `response to ${JSON.stringify(message)}`,
  );
}

describe.each(WAYS)('an MCP server through the %s', (way) => {
  it('WSA-41, WSA-42, WSA-43: initialize, its notification and requests pass; the engine stays silent', async ({
    agent,
  }) => {
    const rig = await agent(MCP_SERVER);
    expect(rig.protocol).toBe('auto');
    const client = await connect(rig, way);
    expect(await ask(client, INITIALIZE)).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
    client.send({ jsonrpc: '2.0', method: 'notifications/initialized' });
    expect(await ask(client, { jsonrpc: '2.0', id: 2, method: 'tools/list' })).toEqual({
      jsonrpc: '2.0',
      id: 2,
      result: { tools: [{ name: 'echo' }] },
    });
    expect(
      await ask(client, { jsonrpc: '2.0', id: 3, method: 'engine/echo', params: { payload: 1 } }),
    ).toEqual({ jsonrpc: '2.0', id: 3, result: { payload: 1 } });
    const account = await ask(client, { jsonrpc: '2.0', id: 4, method: 'account/read' });
    if (way === 'listener') expect(account).toMatchObject({ result: 'of the agent' });
    else expect(account).toMatchObject({ jsonrpc: '2.0', error: { code: -32003 } });
    expect(client.messages).toHaveLength(4);
  });

  it('WSA-44: MCP 2026-07-28 needs no initialize, and a client may fall back to it', async ({ agent }) => {
    const client = await connect(await agent(MCP_SERVER), way);
    expect(await ask(client, stateless(1, 'tools/list'))).toMatchObject({
      result: { tools: [{ name: 'echo' }] },
    });
    expect(await ask(client, stateless(2, 'server/discover'))).toMatchObject({
      result: { supportedVersions: ['2026-07-28'] },
    });
    expect(await ask(client, INITIALIZE)).toMatchObject({ result: { capabilities: {} } });
    expect(client.messages).toHaveLength(3);
  });
});

describe.each(WAYS)('a raw agent through the %s', (way) => {
  it('WSA-44: is reached without initialize, and initialize is a message like any other', async ({
    agent,
  }) => {
    const client = await connect(await agent(RAW_AGENT, { appServerProtocol: 'raw' }), way);
    expect(await ask(client, { jsonrpc: '2.0', id: 1, method: 'work', params: [1] })).toMatchObject({
      result: { method: 'work', params: [1] },
    });
    for (const id of [2, 3]) {
      expect(await ask(client, { jsonrpc: '2.0', id, method: 'initialize' })).toMatchObject({
        result: { method: 'initialize' },
      });
    }
    expect(client.messages[0]).toEqual({ jsonrpc: '2.0', method: 'hello' });
    expect(client.messages).toHaveLength(4);
  });

  it('WSA-44: a notification may come first', async ({ agent }) => {
    const client = await connect(await agent(RAW_AGENT, { appServerProtocol: 'raw' }), way);
    client.send({ jsonrpc: '2.0', method: 'note' });
    await client.until(() => client.messages.find(({ method }) => method === 'seen'), 'what the agent saw');
  });
});

describe('the listener', () => {
  it('WSA-36, WSA-44: a raw agent may speak first, and its client may be silent', async ({ agent }) => {
    const initializeTimeout = 200;
    const rig = await agent(RAW_AGENT, { appServerProtocol: 'raw', timing: { initializeTimeout } });
    const client = await connect(rig, 'listener');
    await client.until(() => client.messages.find(({ method }) => method === 'hello'), 'the first word');
    await delay(3 * initializeTimeout);
    expect(client.ws.readyState).toBe(WebSocket.OPEN);
  });

  it('WSA-46: /acp means ACP, and gives an id of the connection', async ({ agent }) => {
    const rig = await agent(RAW_AGENT);
    rig.local.pathname = '/acp';
    const ws = new WebSocket(rig.local);
    const texts: string[] = [];
    ws.on('message', (data) => texts.push(String(data)));
    const [[{ headers }]] = await Promise.all([once(ws, 'upgrade'), once(ws, 'open')]);
    expect(headers['acp-connection-id']).toMatch(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    ws.send('{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}');
    await expect.poll(() => texts.at(-1)).toContain('"result"');
    ws.terminate();
  });
});
