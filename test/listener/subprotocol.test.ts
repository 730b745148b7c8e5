import { describe, expect, it } from 'vitest';
import { listening, upgrade } from './rig.js';

const offer = (value: string) => ['Sec-WebSocket-Protocol', value] as const;
const selected = (text: string) => /^Sec-WebSocket-Protocol: (.*)\r$/im.exec(text)?.[1];

describe('WSA-45: subprotocols', () => {
  it.each([
    [[], undefined],
    [['mcp'], 'mcp'],
    [['other, mcp'], 'mcp'],
    [['other', 'mcp'], 'mcp'],
    [['acp.v1,mcp'], 'acp.v1'],
    [['MCP'], undefined],
    [['bearer.secret-in-the-wrong-place, other'], undefined],
    [['', ',,'], undefined],
    [['mcp x'], undefined],
  ])('a client that offers %j gets %s', async (offers, expected) => {
    const at = await listening({ wsSubprotocols: ['acp.v1'] });
    const { status, text } = await upgrade(at, {
      path: `/?token=${at.token}`,
      headers: offers.map(offer),
    });
    expect([status, selected(text)]).toEqual([101, expected]);
    expect(text).not.toMatch(/acp-connection-id/i);
    expect(JSON.stringify([at.log, at.engine.fullStatus])).not.toContain('secret-in-the-wrong-place');
  });

  it('a rejection selects none', async () => {
    const at = await listening();
    const { status, text } = await upgrade(at, { path: '/acp', headers: [offer('mcp')] });
    expect([status, selected(text)]).toEqual([401, undefined]);
    expect(text).not.toMatch(/acp-connection-id/i);
  });
});

describe('WSA-46: /acp', () => {
  it('gives each connection an id of its own, which is in the log too', async () => {
    const at = await listening();
    const ids = [];
    for (const path of ['/acp', '/acp', '/acp/', '/acpx', '/'])
      ids.push(
        /^Acp-Connection-Id: (.*)\r$/im.exec(
          (await upgrade(at, { path: `${path}?token=${at.token}` })).text,
        )?.[1],
      );
    const [first, second, ...others] = ids;
    expect(first).toMatch(/^[0-9a-f-]{36}$/);
    expect(second).not.toBe(first);
    expect(others).toEqual([undefined, undefined, undefined]);
    expect(JSON.stringify(at.log)).toContain(first);
  });
});
