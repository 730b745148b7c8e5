import { join } from 'node:path';
import { describe, expect } from 'vitest';
import { AGENT } from '../agents/rig.js';
import { it } from '../support/lab.js';

const MCP = JSON.stringify({ protocolVersion: '2025-11-25', capabilities: {} });
const STATELESS = JSON.stringify({ _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } });

describe('rc-engine call to an agent other than Codex', () => {
  it('WSA-40, WSA-41: --initialize introduces it, none sends no initialize', async ({ lab }) => {
    const engine = await lab.connected(['--', process.execPath, AGENT('tool-server.mjs')]);
    const { url } = await lab.backend();
    const { pairingCode } = JSON.parse((await lab.cli(['pair', '--home', lab.home, '--json'])).stdout);
    const stored = join(lab.folder, 'controller.json');
    lab.exempt.push(stored);
    const call = (...args: string[]) =>
      lab.cli(['call', '--base-url', url, '--controller', stored, '--json', ...args], {
        RC_ENGINE_PAIRING_CODE: args.includes('--initialize') ? undefined : pairingCode,
      });
    // As a client of Codex: without notifications/initialized the agent is not ready.
    const codex = await call('tools/list');
    expect(codex.code).not.toBe(0);
    expect(codex.stderr).toContain('not ready');
    expect((await call('--initialize', MCP, 'tools/list')).stdout).toBe('{"tools":[{"name":"echo"}]}\n');
    expect((await call('--initialize', 'none', 'tools/list', STATELESS)).stdout).toBe(
      '{"tools":[{"name":"echo"}]}\n',
    );
    const wrong = await call('--initialize', '{not', 'tools/list');
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('--initialize is not JSON') });
    expect(engine.running).toBe(true);
    const { stdout } = await lab.cli(['status', '--home', lab.home, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ appServerProtocol: 'auto' });
  });

  it('WSA-40: --app-server-protocol needs an app server', async ({ lab }) => {
    const { code, stderr } = await lab.cli(['start', '--home', lab.home, '--app-server-protocol', 'mcp']);
    expect({ code, stderr }).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('needs an app server'),
    });
  });
});
