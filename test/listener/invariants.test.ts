import { describe, expect, it } from 'vitest';
import { CliProcess } from '../support/cli.js';
import { findLeaks, place } from '../support/leaks.js';
import { tmpFolder } from '../support/tmp.js';
import {
  bearer,
  CAPABILITY,
  Client,
  capability,
  connect,
  jwt,
  listening,
  raw,
  signedBearer,
  upgrade,
  upgradeText,
} from './rig.js';

const AUTHORITY = [
  ...['account/login/start', 'account/logout', 'remoteControl/enable', 'remoteControl/disable'],
  ...['remoteControl/pairing/start', 'remoteControl/client/revoke'],
];

describe('the five invariants of the listener', () => {
  it('1: closed by default: a listener without configuration accepts nobody without the token', async () => {
    const at = await listening();
    const requests = [{}, { path: '/?token=' }, { path: '/?token=x' }, { headers: [bearer('x')] }];
    for (const request of requests) expect((await upgrade(at, request)).status).toBe(401);
    expect(at.engine.fullStatus.connections).toEqual([]);
    expect((await upgrade(at, { path: `/?token=${at.token}` })).status).toBe(101);
  });

  it('2: degraded mode is visible in the banner, the status, the readiness and a warning per connection', async () => {
    const at = await listening({ authority: { mode: 'queryToken', enforced: false } });
    expect(at.info).toMatchObject({ enforced: false });
    expect(at.info.warnings.join(' ')).toContain('--no-token-check');
    expect(
      at.log.some(({ level, message }) => level === 'warn' && message.includes('--no-token-check')),
    ).toBe(true);
    expect((await upgrade(at)).status).toBe(101);
    expect(
      at.log.filter(({ level, message }) => level === 'warn' && message.includes('degraded')),
    ).toHaveLength(2);
    const ready = await raw(at.port, 'GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n');
    expect(ready.text).toContain('"enforced":false,"degraded":true');
    expect(at.engine.fullStatus.listener).toMatchObject({ enforced: false, degraded: true });
  });

  it('3, WSA-5: the token is in the one line with the connect URL and nowhere else', async () => {
    const home = await tmpFolder();
    const run = new CliProcess([
      'start',
      '--json',
      '--home',
      home,
      '--no-remote-control',
      '--log-level',
      'trace',
      '--listen',
      'ws://127.0.0.1:0',
    ]);
    const line = await run.line(({ type }) => type === 'listening', 'listening line');
    const connectUrl = String(line.connectUrl);
    const token = /token=([\w-]{43})$/.exec(connectUrl)?.[1] ?? '';
    const port = Number(new URL(connectUrl).port);
    const responses: string[] = [];
    for (const request of [
      { path: `/?token=${token}` },
      { path: `/?token=${token}&token=${token}` },
      { path: `/${token}` },
      { path: `/?token=${token}`, headers: [['Origin', 'http://x']] as const },
      { path: `/?token=${token}`, key: 'bad' },
      { headers: [bearer(token)] },
    ]) {
      responses.push((await raw(port, upgradeText(request))).text);
    }
    responses.push((await raw(port, `GET /readyz?token=${token} HTTP/1.1\r\nHost: a\r\n\r\n`)).text);
    const client = await Client.open(connectUrl);
    await client.initialize();
    const audit = await client.request('engine/audit/read');
    const status = await client.request('engine/status/read');
    expect(JSON.stringify(audit)).toContain('tokenMatched');
    const { stdout, stderr } = await run.stop();
    const rest = stdout.split('\n').filter((text) => !text.includes('"type":"listening"'));
    expect(stdout.split('\n').length - rest.length).toBe(1);
    const places = [
      place('stdout without the line', rest.join('\n')),
      place('stderr', stderr),
      place('responses', responses.join('\n')),
      place('audit', JSON.stringify(audit)),
      place('status', JSON.stringify(status)),
    ];
    expect(findLeaks([token], places)).toEqual([]);
    expect(findLeaks([token], [place('the line', connectUrl)])).not.toEqual([]);
  });

  it('4: no fallback between authorities: the credential of one mode is not accepted in another', async () => {
    const exp = Math.floor(Date.now() / 1000) + 60;
    const token = jwt({ exp });
    const [query, cap, signed] = [
      await listening(),
      await listening({ authority: capability }),
      await listening({ authority: signedBearer }),
    ];
    expect((await upgrade(query, { headers: [bearer(query.token)] })).status).toBe(401);
    expect((await upgrade(cap, { path: `/?token=${CAPABILITY}` })).status).toBe(401);
    expect((await upgrade(signed, { path: `/?token=${token}` })).status).toBe(401);
    expect((await upgrade(cap, { headers: [bearer(token)] })).status).toBe(401);
    expect((await upgrade(signed, { headers: [bearer(CAPABILITY)] })).status).toBe(401);
    // A credential of another mode is ignored, right or wrong.
    expect(
      (await upgrade(query, { path: `/?token=${query.token}`, headers: [['Authorization', 'Basic x']] }))
        .status,
    ).toBe(101);
    expect((await upgrade(cap, { path: '/?token=a&token=b', headers: [bearer(CAPABILITY)] })).status).toBe(
      101,
    );
    for (const at of [cap, signed]) expect(at.info.connectUrl.reveal()).toBe(at.info.url);
  });

  it('5: a connected client may not do everything: the policy applies whatever it presented', async () => {
    const at = await listening({ policy: { denyMethods: ['remoteControl/*'] } });
    const client = await connect(at);
    await client.initialize();
    const refused = await client.request('remoteControl/status/read');
    expect(refused).toMatchObject({ error: { code: -32003 } });
    expect(JSON.stringify(refused)).toMatch(/remoteControl\/status\/read.*--deny-method remoteControl\/\*/);
    expect((await client.request('engine/echo', { payload: 1 })).result).toEqual({ payload: 1 });
    expect(at.log.find(({ reason }) => reason === 'refusedByPolicy')).toMatchObject({ level: 'warn' });
    expect(JSON.stringify(await client.request('engine/audit/read'))).toContain('"decision":"refused"');
  });

  it('5, WSA-7: a second method hidden in a message is refused', async () => {
    const at = await listening({ policy: { denyMethods: ['engine/audit/read'] } });
    const client = await connect(at);
    await client.initialize();
    client.ws.send('{"id":77,"method":"engine/echo","params":{"payload":1},"Method":"engine/audit/read"}');
    const response = await client.until(() => client.messages.find(({ id }) => id === 77), 'a response');
    expect(response).toMatchObject({ error: { code: -32003, message: expect.stringContaining('repeated') } });
  });

  it('5, WSA-7: a degraded connection may not change sign-in, pairing or remote control; one with the token may', async () => {
    const at = await listening({ authority: { mode: 'queryToken', enforced: false } });
    const degraded = await Client.open(at.info.url);
    await degraded.initialize();
    for (const method of AUTHORITY) {
      expect(await degraded.request(method)).toMatchObject({ error: { code: -32003 } });
    }
    expect((await degraded.request('remoteControl/status/read')).result).toMatchObject({
      status: 'disabled',
    });
    const established = await connect(at);
    await established.initialize();
    expect((await established.request('remoteControl/disable')).result).toBeTypeOf('object');
  });

  it('5, RC-24: the identity of the machine can be repaired over the control socket only', async () => {
    const at = await listening({ policy: { degradedAuthority: 'full' } });
    const client = await connect(at);
    await client.initialize();
    expect(await client.request('engine/repair', { step: 'reenroll' })).toMatchObject({
      error: { code: -32003, message: expect.stringContaining('control socket') },
    });
  });

  it('5, WSA-7: with --degraded-authority full a degraded connection may', async () => {
    const at = await listening({
      authority: { mode: 'queryToken', enforced: false },
      policy: { degradedAuthority: 'full' },
    });
    const degraded = await Client.open(at.info.url);
    await degraded.initialize();
    expect((await degraded.request('remoteControl/disable')).result).toBeTypeOf('object');
  });
});
