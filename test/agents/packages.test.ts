/** Agents and SDK clients as npm has them, unchanged: docs/agents.md. RC_ENGINE_TEST_AGENTS names their node_modules. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, vi } from 'vitest';
import { WebSocket } from 'ws';
import { tmpFolder } from '../support/tmp.js';
import { type AgentRig, it } from './rig.js';

const PACKAGES = process.env.RC_ENGINE_TEST_AGENTS ?? '';
const inPackages = (file: string): string => path.resolve(PACKAGES, file);

/** Why tests that need this package are skipped; empty: they run. */
function missing(file: string): string {
  return PACKAGES !== '' && existsSync(inPackages(file))
    ? ''
    : ` (skipped: RC_ENGINE_TEST_AGENTS does not name a node_modules directory with ${file})`;
}

/** A module whose types are not installed. */
async function load<T>(file: string): Promise<T> {
  return (await import(pathToFileURL(inPackages(file)).href)) as T;
}

afterEach(() => {
  vi.unstubAllGlobals();
});

type Way = 'listener' | 'remote control';
const WAYS: readonly Way[] = ['listener', 'remote control'];

// --- MCP

const MCP_SDK = '@modelcontextprotocol/sdk/dist/esm';
const EVERYTHING = '@modelcontextprotocol/server-everything/dist/index.js';
const noMcp = missing(EVERYTHING) || missing(`${MCP_SDK}/client/websocket.js`);

interface McpClient {
  connect(transport: unknown): Promise<void>;
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>;
  callTool(call: { readonly name: string; readonly arguments: object }): Promise<unknown>;
  ping(): Promise<unknown>;
  getServerVersion(): unknown;
  close(): Promise<void>;
}
interface McpModules {
  readonly Client: new (info: object, options: object) => McpClient;
  readonly WebSocketClientTransport: new (url: URL) => unknown;
}

async function mcpClient(rig: AgentRig, way: Way): Promise<McpClient> {
  const { Client } = await load<McpModules>(`${MCP_SDK}/client/index.js`);
  const { WebSocketClientTransport } = await load<McpModules>(`${MCP_SDK}/client/websocket.js`);
  const { remote, local } = rig;
  // The transport takes no headers, which a controller needs, and Node 20 has no WebSocket.
  class ControllerSocket extends WebSocket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, way === 'listener' ? protocols : [], way === 'listener' ? {} : { headers: remote.headers });
    }
  }
  vi.stubGlobal('WebSocket', ControllerSocket);
  const client = new Client({ name: 'test', version: '1' }, { capabilities: {} });
  await client.connect(new WebSocketClientTransport(way === 'listener' ? local : new URL(remote.url)));
  return client;
}

describe.skipIf(noMcp !== '').each(WAYS)(`server-everything, its SDK client, the %s${noMcp}`, (way) => {
  it('WSA-40 to WSA-45: lists and calls tools', { timeout: 60_000 }, async ({ agent }) => {
    const rig = await agent([process.execPath, inPackages(EVERYTHING)]);
    expect(rig.protocol).toBe('mcp');
    const client = await mcpClient(rig, way);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('echo');
    expect(await client.callTool({ name: 'echo', arguments: { message: 'hi' } })).toMatchObject({
      content: [{ type: 'text', text: 'Echo: hi' }],
    });
    expect(await client.ping()).toEqual({});
    await client.close();
  });
});

// --- ACP

const ACP_SDK = '@agentclientprotocol/sdk/dist';
const CODEX_ACP = '.bin/codex-acp';
const noAcp = missing(CODEX_ACP) || missing(`${ACP_SDK}/transports/ws-stream.js`);

interface AcpContext {
  request(method: unknown, params: object): Promise<Record<string, unknown>>;
}
interface AcpModules {
  readonly PROTOCOL_VERSION: number;
  readonly methods: {
    readonly agent: { initialize: unknown; authenticate: unknown; session: { new: unknown } };
  };
  client(options: object): {
    connectWith<T>(stream: unknown, use: (context: AcpContext) => Promise<T>): Promise<T>;
  };
  createWebSocketStream(url: string, options: object): unknown;
}

describe.skipIf(noAcp !== '').each(WAYS)(`codex-acp, its SDK client, the %s${noAcp}`, (way) => {
  it('WSA-40 to WSA-46: signs in and opens a session', { timeout: 60_000 }, async ({ agent }) => {
    const env = { CODEX_HOME: await tmpFolder(), OPENAI_API_KEY: 'sk-of-a-test' };
    const words = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const { local, remote, protocol } = await agent(['env', ...words, inPackages(CODEX_ACP)], {
      appServerProtocol: 'acp',
    });
    expect(protocol).toBe('acp');
    local.pathname = '/acp';
    const acp = await load<AcpModules>(`${ACP_SDK}/v1/stable/acp.js`);
    const { createWebSocketStream } = await load<AcpModules>(`${ACP_SDK}/transports/ws-stream.js`);
    const stream =
      way === 'listener'
        ? createWebSocketStream(local.href, { WebSocket })
        : createWebSocketStream(remote.url, { WebSocket, headers: remote.headers });
    const { initialize, authenticate, session } = acp.methods.agent;
    await acp.client({ name: 'test' }).connectWith(stream, async (context) => {
      const hello = { protocolVersion: acp.PROTOCOL_VERSION, clientCapabilities: {} };
      expect(await context.request(initialize, hello)).toMatchObject({ protocolVersion: 1 });
      await context.request(authenticate, { methodId: 'openai-api-key' });
      const opened = await context.request(session.new, { cwd: env.CODEX_HOME, mcpServers: [] });
      expect(opened.sessionId).toEqual(expect.any(String));
    });
  });
});
