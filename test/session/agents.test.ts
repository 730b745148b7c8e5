import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import type { AgentProtocol, AgentProtocolSetting } from '../../src/protocol/agent-protocol.js';
import type { Origin } from '../../src/protocol/app-server.js';
import { Message } from '../../src/protocol/message.js';
import { MethodTable } from '../../src/session/methods.js';
import { createPolicy, type PolicyOptions } from '../../src/session/policy.js';
import { ClientSession } from '../../src/session/session.js';
import { FakeAppServer } from '../support/fake-app-server.js';

type Json = Record<string, unknown>;
interface RigOptions {
  readonly origin?: Origin;
  readonly hint?: AgentProtocol;
  readonly policy?: PolicyOptions;
}
const MCP = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'me', version: '1' } };
const ACP = { protocolVersion: 1, clientCapabilities: {} };
const VERSION = 'io.modelcontextprotocol/protocolVersion';
const stateless = (id: number, method: string) => ({
  jsonrpc: '2.0',
  id,
  method,
  params: { _meta: { [VERSION]: '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} } },
});

/** One session in front of an agent that the test plays. */
class Rig {
  readonly agent = new FakeAppServer();
  readonly sent: Json[] = [];
  readonly session: ClientSession;
  announced = 0;

  constructor(protocol: AgentProtocolSetting, { origin = 'listener', hint, policy }: RigOptions = {}) {
    this.agent.answersInitialize = false;
    const methods = new MethodTable<string>();
    methods.add('engine/echo', v.looseObject({}), () => 'of the engine');
    methods.add('account/read', v.looseObject({}), () => 'of the engine');
    const transport = {
      send: (text: string) => this.sent.push(JSON.parse(text) as Json),
      onInitialized: () => {
        this.announced += 1;
      },
      onEnded: () => {},
      onAppServerClosed: () => {},
      onOverdue: () => {},
      onReadPaused: () => {},
    };
    this.session = new ClientSession({ origin, connectionId: 'one', protocol: hint }, transport, {
      ...{ appServer: this.agent, methods, protocol },
      policy: createPolicy(policy),
    });
  }

  static async open(protocol: AgentProtocolSetting, options: RigOptions = {}): Promise<Rig> {
    const rig = new Rig(protocol, options);
    await rig.session.open();
    return rig;
  }

  static async ready(
    params: unknown,
    protocol: AgentProtocolSetting = 'auto',
    options: RigOptions = {},
  ): Promise<Rig> {
    const rig = await Rig.open(protocol, options);
    rig.say({ jsonrpc: '2.0', id: 0, method: 'initialize', params });
    rig.agent.last.say({ jsonrpc: '2.0', id: 0, result: {} });
    rig.sent.length = 0;
    rig.agent.last.received.length = 0;
    return rig;
  }

  say(message: unknown): void {
    this.session.receive(Message.from(JSON.stringify(message)));
  }

  get received(): Json[] {
    return this.agent.last.received.map((text) => JSON.parse(text) as Json);
  }
}

describe('WSA-41: initialize', () => {
  it.each([
    ['auto', MCP, 'mcp', 'me'],
    ['mcp', { protocolVersion: '2025-06-18' }, 'mcp', undefined],
    ['auto', ACP, 'acp', undefined],
    ['acp', { ...ACP, clientInfo: { name: 'editor', version: '1' } }, 'acp', 'editor'],
    ['acp', { clientInfo: 5 }, 'acp', undefined],
    ['auto', { clientInfo: { name: 'x', version: '1' } }, 'codex', 'x'],
  ] as const)('%s passes %j unchanged', async (setting, params, protocol, name) => {
    const rig = await Rig.open(setting);
    rig.say({ id: 1, method: 'initialize', params });
    expect(rig.received).toEqual([{ id: 1, method: 'initialize', params }]);
    rig.agent.last.say({ id: 1, result: { ok: true } });
    expect(rig.sent).toEqual([{ id: 1, result: { ok: true } }]);
    expect([rig.session.protocol, rig.session.clientName, rig.announced]).toEqual([protocol, name, 1]);
  });

  it.each(['auto', 'codex'] as const)('%s refuses one without a clientInfo', async (setting) => {
    const rig = await Rig.open(setting);
    rig.say({ id: 1, method: 'initialize', params: {} });
    expect(rig.received).toEqual([]);
    expect(rig.sent).toMatchObject([{ id: 1, error: { code: -32600 } }]);
    expect(JSON.stringify(rig.sent).includes('--app-server-protocol')).toBe(setting === 'auto');
    rig.say({ id: 2, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    expect(rig.received).toHaveLength(1);
  });

  it('lets notifications/initialized pass, whatever the policy allows', async () => {
    const rig = await Rig.ready(MCP, 'auto', { policy: { allowMethods: ['tools/*'] } });
    rig.say({ jsonrpc: '2.0', method: 'notifications/initialized' });
    rig.say({ jsonrpc: '2.0', id: 1, method: 'tools/list' });
    rig.say({ jsonrpc: '2.0', id: 2, method: 'prompts/list' });
    expect(rig.received.map(({ method }) => method)).toEqual(['notifications/initialized', 'tools/list']);
    expect(rig.sent).toMatchObject([{ jsonrpc: '2.0', id: 2, error: { code: -32003 } }]);
  });
});

describe('WSA-42: the jsonrpc member', () => {
  it('is in the own messages of the engine once the client has sent it, and only then', async () => {
    const rig = await Rig.open('auto');
    rig.say({ id: 1, method: 'tools/list' });
    rig.say({ jsonrpc: '2.0', id: 2, method: 'tools/list' });
    rig.say({ id: 3, method: 'tools/list' });
    expect(rig.sent.map(({ jsonrpc }) => jsonrpc)).toEqual([undefined, '2.0', '2.0']);
  });

  it('is in results, errors and notifications; what passes is not changed', async () => {
    const rig = await Rig.ready({ clientInfo: { name: 'x', version: '1' } });
    rig.say({ id: 1, method: 'engine/echo' });
    rig.say({ id: 2, method: 'initialize' });
    rig.session.notify('remoteControl/status/changed', {});
    void rig.session.sendRequest('ask', {}, 1_000);
    expect(rig.sent.map(({ jsonrpc }) => jsonrpc)).toEqual(['2.0', '2.0', '2.0', '2.0']);
    expect(rig.sent[0]).toEqual({ jsonrpc: '2.0', id: 1, result: 'of the engine' });
    rig.agent.last.say({ id: 9, result: null });
    expect(rig.sent.at(-1)).toEqual({ id: 9, result: null });
    rig.session.close();
  });

  it('of a single message changes nothing for a client of Codex whose initialize had none', async () => {
    const rig = await Rig.open('auto');
    rig.say({ id: 0, method: 'initialize', params: { clientInfo: { name: 'x', version: '1' } } });
    rig.agent.last.say({ id: 0, result: {} });
    rig.say({ jsonrpc: '2.0', id: 1, method: 'engine/echo' });
    expect(rig.sent.at(-1)).toEqual({ id: 1, result: 'of the engine' });
  });

  it('a batch gets one error, and for Codex none', async () => {
    for (const [params, expected] of [
      [MCP, [{ jsonrpc: '2.0', id: null, error: expect.objectContaining({ code: -32600 }) }]],
      [{ clientInfo: { name: 'x', version: '1' } }, []],
    ] as const) {
      const rig = await Rig.ready(params);
      rig.say([{ jsonrpc: '2.0', id: 1, method: 'tools/list' }]);
      rig.say([]);
      expect(rig.sent).toEqual([...expected, ...expected]);
      expect(rig.received).toEqual([]);
    }
  });
});

describe('WSA-43: the own part of the engine', () => {
  it.each([
    ['mcp', MCP],
    ['acp', ACP],
  ])('%s: engine/* is answered by the engine, account/* by the agent', async (_name, params) => {
    const rig = await Rig.ready(params);
    rig.say({ id: 1, method: 'engine/echo' });
    rig.say({ id: 2, method: 'account/read' });
    expect(rig.sent).toEqual([{ jsonrpc: '2.0', id: 1, result: 'of the engine' }]);
    expect(rig.received).toEqual([{ id: 2, method: 'account/read' }]);
  });

  it('a controller does not reach account methods of an agent, unless they are granted', async () => {
    const refused = await Rig.ready(ACP, 'auto', { origin: 'remote' });
    refused.say({ id: 1, method: 'account/read' });
    refused.say({ id: 2, method: 'Account/Read' });
    refused.say({ id: 3, method: 'account/logout' });
    expect(refused.received).toEqual([]);
    expect(refused.sent.map(({ error }) => (error as Json).code)).toEqual([-32003, -32003, -32003]);
    const policy = { allowMethods: ['remote:*', 'remote:account/read'] };
    const granted = await Rig.ready(ACP, 'auto', { origin: 'remote', policy });
    granted.say({ id: 1, method: 'account/read' });
    expect(granted.received).toHaveLength(1);
  });

  it('a client gets notifications and requests of the engine only if it knows them or asks', async () => {
    const rig = await Rig.ready(MCP);
    rig.session.notify('remoteControl/status/changed', {});
    expect(await rig.session.sendRequest('ask', {}, 1_000)).toEqual({ kind: 'gone' });
    expect(rig.sent).toEqual([]);
    const asks = await Rig.ready({ ...ACP, _meta: { 'rc-engine/notifications': true } });
    asks.session.notify('remoteControl/status/changed', { status: 'x' });
    expect(asks.sent).toMatchObject([{ jsonrpc: '2.0', method: 'remoteControl/status/changed' }]);
  });

  it.each([
    ['listener', MCP, ['account/changed', 'other']],
    ['remote', MCP, ['other']],
    ['listener', { clientInfo: { name: 'x', version: '1' } }, ['other']],
  ] as const)('%s: account/* notifications of the agent of %j', async (origin, params, passed) => {
    const rig = await Rig.ready(params, 'auto', { origin });
    for (const method of ['remoteControl/x', 'account/changed', 'other']) rig.agent.last.say({ method });
    expect(rig.sent.map(({ method }) => method)).toEqual(passed);
  });
});

describe('WSA-44: without initialize', () => {
  it.each(['auto', 'mcp'] as const)('%s serves a stateless request of MCP at once', async (setting) => {
    const rig = await Rig.open(setting);
    rig.say(stateless(1, 'server/discover'));
    rig.say({ jsonrpc: '2.0', id: 2, method: 'tools/list', params: {} });
    expect(rig.received.map(({ id }) => id)).toEqual([1, 2]);
    expect([rig.session.protocol, rig.announced]).toEqual(['mcp', 1]);
  });

  it('a client may fall back to initialize once', async () => {
    const rig = await Rig.open('auto');
    rig.say(stateless(1, 'server/discover'));
    rig.agent.last.say({ jsonrpc: '2.0', id: 1, error: { code: -32601, message: 'no' } });
    rig.say({ jsonrpc: '2.0', id: 2, method: 'initialize', params: MCP });
    rig.say({ jsonrpc: '2.0', method: 'notifications/initialized' });
    expect(rig.received.map(({ method }) => method)).toEqual(['server/discover', 'initialize']);
    rig.agent.last.say({ jsonrpc: '2.0', id: 2, result: {} });
    expect(rig.received.at(-1)?.method).toBe('notifications/initialized');
    rig.say({ jsonrpc: '2.0', id: 3, method: 'initialize', params: MCP });
    expect(rig.sent.at(-1)).toMatchObject({ id: 3, error: { message: 'Already initialized' } });
    expect([rig.announced, rig.session.clientName]).toEqual([1, 'me']);
  });

  it('a client may fall back while the agent still starts', async () => {
    const rig = new Rig('auto');
    rig.session.deferOpening();
    rig.say(stateless(1, 'server/discover'));
    rig.say({ jsonrpc: '2.0', id: 2, method: 'initialize', params: MCP });
    await rig.session.open();
    expect(rig.received.map(({ method }) => method)).toEqual(['server/discover', 'initialize']);
    expect(rig.sent).toEqual([]);
  });

  it('after a refused fallback it is still served', async () => {
    const rig = await Rig.open('mcp');
    rig.say(stateless(1, 'tools/list'));
    rig.say({ jsonrpc: '2.0', id: 2, method: 'initialize', params: MCP });
    rig.agent.last.say({ jsonrpc: '2.0', id: 2, error: { code: -32601, message: 'no' } });
    rig.say({ jsonrpc: '2.0', id: 3, method: 'tools/list' });
    expect(rig.received.at(-1)).toMatchObject({ id: 3 });
  });

  it.each(['codex', 'acp'] as const)('%s needs initialize also then', async (setting) => {
    const rig = await Rig.open(setting);
    rig.say(stateless(1, 'tools/list'));
    expect(rig.received).toEqual([]);
    expect(rig.sent).toMatchObject([{ error: { message: 'Not initialized' } }]);
  });

  it('raw: all passes from the start, initialize too, as often as it comes', async () => {
    const rig = await Rig.open('raw');
    rig.agent.last.say({ jsonrpc: '2.0', method: 'hello' });
    expect(rig.sent).toEqual([{ jsonrpc: '2.0', method: 'hello' }]);
    const all = [
      { jsonrpc: '2.0', method: 'note' },
      { jsonrpc: '2.0', id: 1, method: 'initialize', params: { clientInfo: { name: 'lsp' } } },
      { jsonrpc: '2.0', id: 2, method: 'initialize' },
      { jsonrpc: '2.0', id: 3, method: 'work' },
    ];
    for (const message of all) rig.say(message);
    expect(rig.received).toEqual(all);
    expect([rig.announced, rig.session.clientName]).toEqual([1, 'lsp']);
  });

  it('raw: the policy still decides', async () => {
    const rig = await Rig.open('raw', { origin: 'remote', policy: { denyMethods: ['danger'] } });
    rig.say({ id: 1, method: 'danger' });
    rig.say({ id: 2, method: 'account/logout' });
    rig.say({ method: 'danger' });
    expect(rig.received).toEqual([]);
    expect(rig.sent.map(({ error }) => (error as Json).code)).toEqual([-32003, -32003]);
  });

  it('what a connection says counts only where the setting is auto', async () => {
    const acp = await Rig.open('auto', { hint: 'acp' });
    acp.say({ id: 1, method: 'initialize', params: {} });
    expect(acp.received).toHaveLength(1);
    const codex = await Rig.open('codex', { hint: 'acp' });
    codex.say({ id: 1, method: 'initialize', params: {} });
    expect(codex.received).toEqual([]);
  });
});
