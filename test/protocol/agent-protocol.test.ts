import { describe, expect, it } from 'vitest';
import {
  type AgentProtocolSetting,
  needsNoInitialize,
  protocolOfCommand,
  protocolOfInitialize,
} from '../../src/protocol/agent-protocol.js';
import { Message } from '../../src/protocol/message.js';

describe('WSA-40: what a command speaks', () => {
  it.each([
    ['codex app-server', 'codex'],
    ['/opt/bin/codex -c model=x app-server --listen unix:///s', 'codex'],
    ['codex-app-server', 'codex'],
    ['/opt/bin/codex app-server -c mcp_servers.x.command=y', 'codex'],
    ['codex.exe app-server', 'codex'],
    ['npx -y @openai/codex@0.171.0 app-server', 'codex'],
    ['node /lib/node_modules/@openai/codex/bin/codex.js app-server', 'codex'],
    ['codex mcp-server', 'mcp'],
    ['codex exec', undefined],
    ['codex-acp', 'acp'],
    ['npx -y @zed-industries/codex-acp', 'acp'],
    ['npx -y @zed-industries/codex-acp@0.16.0', 'acp'],
    ['claude-code-acp', 'acp'],
    ['gemini --experimental-acp', 'acp'],
    ['gemini --acp', 'acp'],
    ['npx @google/gemini-cli --experimental-acp', 'acp'],
    ['goose acp', 'acp'],
    ['npx -y @modelcontextprotocol/server-everything', 'mcp'],
    ['node node_modules/@modelcontextprotocol/server-everything/dist/index.js', 'mcp'],
    ['uvx mcp-server-git --repository .', 'mcp'],
    ['python3 -m mcp_server_time', 'mcp'],
    ['my-tool mcp', 'mcp'],
    ['node agent.mjs', undefined],
    ['./agent /home/me/mcp', undefined],
    ['tracpath', undefined],
    ['node', undefined],
  ])('%s: %s', (line, expected) => {
    const [program = '', ...args] = line.split(' ');
    expect(protocolOfCommand(program, args)).toBe(expected);
  });
});

describe('WSA-40: what the params of initialize say', () => {
  it.each([
    [{ protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'x', version: '1' } }, 'mcp'],
    [{ protocolVersion: 'DRAFT-2026-v1' }, 'mcp'],
    [{ protocolVersion: 1, clientCapabilities: {} }, 'acp'],
    [{ protocolVersion: 1 }, 'acp'],
    [{ clientInfo: { name: 'x', version: '1' } }, 'codex'],
    [{ protocolVersion: 'newest' }, 'codex'],
    [{}, 'codex'],
    [undefined, 'codex'],
    [[1], 'codex'],
  ])('%j: %s', (params, expected) => {
    expect(protocolOfInitialize(params)).toBe(expected);
  });
});

describe('WSA-44: messages that need no initialize', () => {
  const stateless = {
    id: 1,
    method: 'tools/list',
    params: { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } },
  };
  it.each<[AgentProtocolSetting, object, boolean]>([
    ['raw', { id: 1, method: 'x' }, true],
    ['raw', { method: 'x' }, true],
    ['raw', { id: 1, result: 1 }, false],
    ['mcp', stateless, true],
    ['auto', stateless, true],
    ['codex', stateless, false],
    ['acp', stateless, false],
    ['mcp', { id: 1, method: 'tools/list', params: { _meta: {} } }, false],
    ['mcp', { id: 1, method: 'tools/list', params: [] }, false],
    ['mcp', { id: 1, method: 'tools/list' }, false],
    ['auto', { id: 1, method: 'x', params: { _meta: 'io.modelcontextprotocol/protocolVersion' } }, false],
    [
      'mcp',
      { ...stateless, params: { _meta: { 'io.modelcontextprotocol/protocolVersion': 20260728 } } },
      false,
    ],
  ])('%s: %j: %s', (setting, message, expected) => {
    expect(needsNoInitialize(setting, Message.from(JSON.stringify(message)))).toBe(expected);
  });
});
