import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { type ClaimCode, claim } from '../../src/controller/claim.js';
import { Secret } from '../../src/protocol/secret.js';
import {
  ACCOUNT,
  type ApiResponse,
  call,
  closeReason,
  connectController,
  controlUrl,
  enroll,
  event,
  type Identity,
  pair,
  ServerPeer,
} from './peers.js';

const MINUTE = 60_000;
let backend: Backend;
let identity: Identity;
let now: number;
beforeEach(async () => {
  now = Date.UTC(2026, 0, 1);
  backend = await createBackend({ now: () => now });
  identity = await enroll(backend);
});
afterEach(() => backend.close());

const asServer = (path: string, body: unknown, token = identity.token): Promise<ApiResponse> =>
  call(controlUrl(backend, path), { headers: { authorization: `Bearer ${token}` }, body });
const startPairing = async (manual: boolean) => (await asServer('server/pair', { manual_code: manual })).body;
const claimWith = (kind: ClaimCode['kind'], code: string) =>
  claim({ baseUrl: backend.url }, { kind, code: new Secret(code) });
const postClaim = (body: unknown) => call(controlUrl(backend, 'client/claim'), { body });

describe('pairing', () => {
  it('RC-47: issues a code, and a manual code on request, that expire after ten minutes', async () => {
    const started = await startPairing(true);
    expect(started).toMatchObject({
      server_id: identity.serverId,
      environment_id: identity.environmentId,
      expires_at: new Date(now + 10 * MINUTE).toISOString(),
    });
    expect(started.manual_pairing_code).toMatch(/^[A-HJ-NP-Z2-9]{4}(?:-[A-HJ-NP-Z2-9]{4}){2}$/);
    expect((await startPairing(false)).manual_pairing_code).toBeNull();
  });

  it('RC-47: requires a valid server token', async () => {
    for (const path of ['server/pair', 'server/pair/status']) {
      expect((await asServer(path, {}, 'wrong')).status).toBe(401);
      expect((await call(controlUrl(backend, path), { body: {} })).status).toBe(401);
    }
    expect((await asServer('server/pair', { manual_code: 'yes' })).status).toBe(400);
  });

  it('RC-48: reports whether a code is claimed, to its own server only', async () => {
    const started = await startPairing(true);
    const other = await enroll(backend);
    for (const body of [
      { pairing_code: started.pairing_code },
      { manual_pairing_code: started.manual_pairing_code, pairing_code: null },
    ]) {
      expect((await asServer('server/pair/status', body)).body).toEqual({ claimed: false });
      expect((await asServer('server/pair/status', body, other.token)).status).toBe(404);
    }
    await claimWith('pairing', String(started.pairing_code));
    const status = { manual_pairing_code: started.manual_pairing_code };
    expect((await asServer('server/pair/status', status)).body).toEqual({ claimed: true });
    expect((await asServer('server/pair/status', {})).status).toBe(400);
    expect(
      (await asServer('server/pair/status', { pairing_code: 'a', manual_pairing_code: 'b' })).status,
    ).toBe(400);
  });

  it('a code can be claimed only once', async () => {
    const started = await startPairing(true);
    const claimed = await claimWith(
      'manual',
      String(started.manual_pairing_code).toLowerCase().replaceAll('-', ' '),
    );
    expect(claimed).toMatchObject({ environmentId: identity.environmentId, serverName: 'laptop' });
    for (const [kind, code] of [
      ['manual', started.manual_pairing_code],
      ['pairing', started.pairing_code],
    ] as const) {
      await expect(claimWith(kind, String(code))).rejects.toMatchObject({ code: 'remoteRefused' });
    }
  });

  it('a code expires after ten minutes', async () => {
    const started = await startPairing(false);
    now += 10 * MINUTE;
    await expect(claimWith('pairing', String(started.pairing_code))).rejects.toMatchObject({
      code: 'remoteRefused',
    });
    expect((await asServer('server/pair/status', { pairing_code: started.pairing_code })).status).toBe(404);
  });

  it('a claim must name exactly one code', async () => {
    for (const body of [
      {},
      { pairing_code: '' },
      { pairing_code: 7 },
      { pairing_code: 'a', manual_pairing_code: 'b' },
    ]) {
      expect((await postClaim(body)).status).toBe(400);
    }
  });

  it('RC-52: after ten wrong codes in a minute a wrong one has to wait, and a right one does not', async () => {
    const started = await startPairing(true);
    for (let n = 0; n < 10; n += 1) {
      expect((await postClaim({ manual_pairing_code: `AAAA-AAAA-AAA${n}` })).status).toBe(404);
      now += 1_000;
    }
    const refused = await postClaim({ manual_pairing_code: 'AAAA-AAAA-AAAA' });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '50']);
    await expect(claimWith('manual', 'AAAA-AAAA-AAAA')).rejects.toMatchObject({
      remediation: 'Wait 50 seconds, make a new code with rc-engine pair, and try again.',
    });
    expect((await postClaim({ manual_pairing_code: started.manual_pairing_code })).status).toBe(200);
    now += 50_000;
    expect((await postClaim({ manual_pairing_code: 'AAAA-AAAA-AAAA' })).status).toBe(404);
  });

  it('holds at most sixteen codes of one server: the oldest is removed first', async () => {
    const first = await startPairing(false);
    const second = await startPairing(false);
    for (let n = 0; n < 15; n += 1) await startPairing(false);
    expect((await postClaim({ pairing_code: first.pairing_code })).status).toBe(404);
    expect((await postClaim({ pairing_code: second.pairing_code })).status).toBe(200);
  });

  it('RC-5: no event holds a code or a controller token', async () => {
    const started = await startPairing(true);
    const { token } = await claimWith('pairing', String(started.pairing_code));
    const text = JSON.stringify(backend.events);
    for (const secret of [
      started.pairing_code,
      started.manual_pairing_code,
      token.reveal(),
      identity.token,
    ]) {
      expect(text).not.toContain(secret);
    }
  });
});

describe('clients', () => {
  const clientsUrl = (query = '', environment = identity.environmentId) =>
    controlUrl(backend, `environments/${environment}/clients${query}`);
  const list = (query = '', headers: Record<string, string> = ACCOUNT) =>
    call(clientsUrl(query), { method: 'GET', headers });
  const ids = (answer: ApiResponse) =>
    (answer.body.items as { client_id: string }[]).map((item) => item.client_id);

  async function claimSome(count: number): Promise<string[]> {
    const made: string[] = [];
    for (let n = 0; n < count; n += 1) {
      now += 1_000;
      made.push((await pair(backend, identity)).clientId);
    }
    return made;
  }

  it('RC-49: lists clients page by page, in either order', async () => {
    const made = await claimSome(5);
    expect(ids(await list())).toEqual([...made].reverse());
    const collected: string[] = [];
    let cursor: unknown = '';
    do {
      const page: ApiResponse = await list(
        `?limit=2&order=asc${cursor === '' ? '' : `&cursor=${String(cursor)}`}`,
      );
      collected.push(...ids(page));
      cursor = page.body.cursor;
    } while (cursor !== null);
    expect(collected).toEqual(made);
  });

  it('RC-49: lists the name and the times of a client', async () => {
    const { pairingCode } = backend.startPairing(identity.environmentId);
    const claimed = await claim(
      { baseUrl: backend.url },
      { kind: 'pairing', code: pairingCode },
      { displayName: 'Phone 📱' },
    );
    const item = {
      client_id: claimed.clientId,
      display_name: 'Phone 📱',
      created_at: new Date(now).toISOString(),
    };
    expect((await list()).body).toEqual({ items: [{ ...item, last_seen_at: null }], cursor: null });
    now += MINUTE;
    await (await connectController(backend, claimed)).close();
    expect((await list()).body.items).toEqual([{ ...item, last_seen_at: new Date(now).toISOString() }]);
  });

  it('RC-49: refuses invalid parameters, a missing account, and an environment of another account', async () => {
    for (const query of ['?limit=0', '?limit=101', '?limit=x', '?order=up', '?cursor=nowhere']) {
      expect((await list(query)).status, query).toBe(400);
    }
    expect((await list('', {})).status).toBe(401);
    expect((await list('', { authorization: 'Bearer x' })).status).toBe(400);
    expect((await list('', { ...ACCOUNT, 'chatgpt-account-id': 'account-B' })).status).toBe(404);
    expect((await call(clientsUrl('', 'env_x'), { method: 'GET', headers: ACCOUNT })).status).toBe(404);
  });

  it('RC-49: revokes a client: its sockets close and its token is no longer valid', async () => {
    await ServerPeer.open(backend, identity);
    const claimed = await pair(backend, identity);
    const controller = await connectController(backend, claimed);
    const why = closeReason(controller);
    const url = clientsUrl(`/${encodeURIComponent(claimed.clientId)}`);
    expect((await call(url, { method: 'DELETE' })).status).toBe(401);
    expect((await call(url, { method: 'DELETE', headers: ACCOUNT })).status).toBe(204);
    expect(await why).toBe('remoteRefused');
    await event(backend, 'revoked', { clientId: claimed.clientId });
    await expect(connectController(backend, claimed)).rejects.toMatchObject({ code: 'remoteRefused' });
    expect((await call(url, { method: 'DELETE', headers: ACCOUNT })).status).toBe(404);
  });
});
