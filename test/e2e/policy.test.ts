import { describe, expect } from 'vitest';
import { claim } from '../../src/controller/claim.js';
import { Controller } from '../../src/controller/controller.js';
import { Secret } from '../../src/protocol/secret.js';
import { LineClient } from '../support/control.js';
import { it } from '../support/lab.js';

const RULES = ['--deny-method', 'remote:engine/echo', '--deny-method', 'stdio:engine/audit/*'];

describe('WSA-7: the execution policy for each origin', () => {
  it('refuses a virtual client and the stdio client only the methods that are denied to them', async ({
    lab,
  }) => {
    await lab.signIn();
    const engine = await lab.start(['--listen', 'stdio://', ...RULES], {}, false);
    const { stdin, stdout } = engine.child;
    const local = new LineClient(
      stdout,
      (line) => stdin.write(line),
      () => stdin.end(),
    );
    await local.initialize();
    await local.notification('remoteControl/status/changed', ({ status }) => status === 'connected');
    expect((await local.call('engine/audit/read', {})).error).toEqual({
      code: -32003,
      message:
        'engine/audit/read is refused by the execution policy of this connection (--deny-method stdio:engine/audit/*)',
    });
    expect((await local.call('engine/echo', { payload: 1 })).result).toEqual({ payload: 1 });

    const { pairingCode } = await lab.ask('remoteControl/pairing/start');
    const { url } = await lab.backend();
    const { token } = await claim(
      { baseUrl: url },
      { kind: 'pairing', code: new Secret(String(pairingCode)) },
    );
    const remote = new Controller({ baseUrl: url, token });
    await remote.connect();
    await remote.request('initialize', { clientInfo: { name: 'far', version: '1' } });
    await expect(remote.request('engine/echo', { payload: 1 }, 10_000)).rejects.toThrow(
      'engine/echo is refused by the execution policy of this connection (--deny-method remote:engine/echo)',
    );
    // A rule for stdio does not apply to a controller, and what the authority table grants it stays granted.
    const seen = await remote.request('engine/status/read', {}, 10_000);
    expect(seen).toMatchObject({
      remoteControl: { status: 'connected' },
      appServer: { state: 'serving', reason: expect.any(String) },
    });
    expect(Object.keys(seen as object).sort()).toEqual(['appServer', 'remoteControl', 'version']);
    await remote.close();
    local.close();
    expect((await engine.exited).code).toBe(0);
  });
});
