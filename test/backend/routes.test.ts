import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, createBackend } from '../../src/backend/index.js';
import { Secret } from '../../src/protocol/secret.js';
import { ACCOUNT, call, controlUrl, ENROLL_BODY, enroll, INSTALLATION, refreshCall } from './peers.js';

const HEADERS = { ...ACCOUNT, 'x-codex-installation-id': INSTALLATION };
const without = (name: string) => Object.fromEntries(Object.entries(HEADERS).filter(([key]) => key !== name));

let backend: Backend;
beforeEach(async () => {
  backend = await createBackend();
});
afterEach(() => backend.close());
const post = (path: string, headers: Record<string, string>, body: unknown) =>
  call(controlUrl(backend, path), { headers, body });

describe('enroll', () => {
  it('RC-9: issues an identity, and a token that expires in an hour', async () => {
    const before = Date.now();
    const { status, body, headers } = await post('server/enroll', HEADERS, ENROLL_BODY);
    expect(status).toBe(200);
    expect(Object.keys(body).sort()).toEqual([
      'environment_id',
      'expires_at',
      'remote_control_token',
      'server_id',
    ]);
    const lifetime = Date.parse(String(body.expires_at)) - before;
    expect(lifetime).toBeGreaterThanOrEqual(3_599_000);
    expect(lifetime).toBeLessThan(3_620_000);
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(headers.get('cache-control')).toBe('no-store');
    // 32 random bytes
    expect(String(body.remote_control_token)).toMatch(/^rcs_[\w-]{43}$/);
  });

  it('RC-9: refuses a request without bearer (401), account id or installation id (400)', async () => {
    expect((await post('server/enroll', without('authorization'), ENROLL_BODY)).status).toBe(401);
    for (const authorization of ['Bearer', 'Bearer ', 'Basic abc', 'access-token', 'Bearer a b']) {
      expect((await post('server/enroll', { ...HEADERS, authorization }, ENROLL_BODY)).status).toBe(401);
    }
    for (const name of ['chatgpt-account-id', 'x-codex-installation-id']) {
      const { status, body } = await post('server/enroll', without(name), ENROLL_BODY);
      expect([status, String(body.detail)]).toEqual([400, `The header ${name} is missing`]);
    }
  });

  it('RC-9: refuses a body that is not JSON, lacks a member, or names another installation', async () => {
    for (const body of [
      'not json',
      '[]',
      ...Object.keys(ENROLL_BODY).map((key) => ({ ...ENROLL_BODY, [key]: undefined })),
    ]) {
      expect((await post('server/enroll', HEADERS, body)).status, JSON.stringify(body)).toBe(400);
    }
    expect((await post('server/enroll', HEADERS, { ...ENROLL_BODY, installation_id: 'other' })).status).toBe(
      400,
    );
    expect((await post('server/enroll', HEADERS, { ...ENROLL_BODY, name: 7 })).body.detail).toBe(
      'The body is not valid: name',
    );
    expect((await post('server/enroll', HEADERS, 'x'.repeat(70_000))).status).toBe(413);
  });

  it('accepts only one account token when it is configured so', async () => {
    const only = await createBackend({ accounts: { kind: 'only', token: new Secret('the-one') } });
    try {
      const url = controlUrl(only, 'server/enroll');
      expect((await call(url, { headers: HEADERS, body: ENROLL_BODY })).status).toBe(401);
      const headers = { ...HEADERS, authorization: 'Bearer the-one' };
      expect((await call(url, { headers, body: ENROLL_BODY })).status).toBe(200);
    } finally {
      await only.close();
    }
  });
});

describe('refresh', () => {
  it('RC-10: issues a new token for the same identity; the old one stays valid, as the response may be lost', async () => {
    const identity = await enroll(backend);
    const { status, body } = await refreshCall(backend, identity.serverId);
    expect(status).toBe(200);
    expect(body).toMatchObject({ server_id: identity.serverId, environment_id: identity.environmentId });
    expect(body.remote_control_token).not.toBe(identity.token);
    for (const token of [identity.token, String(body.remote_control_token)]) {
      const answer = await post('server/pair', { authorization: `Bearer ${token}` }, { manual_code: false });
      expect(answer.status).toBe(200);
    }
  });

  it('RC-7, RC-10: an identity belongs to one account: another account gets 404', async () => {
    const { serverId } = await enroll(backend);
    const other = { ...ACCOUNT, 'chatgpt-account-id': 'account-B' };
    for (const answer of [await refreshCall(backend, serverId, other), await refreshCall(backend, 'srv_x')]) {
      expect([answer.status, answer.body.detail]).toEqual([404, 'Remote app server not found']);
    }
  });

  it('RC-10: refuses another installation', async () => {
    const { serverId } = await enroll(backend);
    const answer = await post(
      'server/refresh',
      { ...ACCOUNT, 'x-codex-installation-id': 'other' },
      { server_id: serverId, installation_id: 'other' },
    );
    expect(answer.status).toBe(400);
  });
});

describe('paths', () => {
  it('RC-1: responds 404 to an unknown path, 405 to a wrong method, 426 to a socket path without an upgrade', async () => {
    expect((await call(`${backend.url}/elsewhere`)).status).toBe(404);
    expect((await call(controlUrl(backend, 'server/enroll'), { method: 'GET' })).status).toBe(405);
    expect((await call(controlUrl(backend, 'environments/e/clients'), { method: 'POST' })).status).toBe(405);
    expect((await call(controlUrl(backend, 'environments/e/clients/c'), { method: 'GET' })).status).toBe(405);
    expect((await call(controlUrl(backend, 'environments/%E0%A4%A/clients'), { method: 'GET' })).status).toBe(
      400,
    );
    expect((await call(`${new URL(backend.url).origin}/__faults`, { body: {} })).status).toBe(404);
  });

  it('RC-5: the event log holds no tokens', async () => {
    const identity = await enroll(backend);
    await refreshCall(backend, 'srv_x');
    expect(backend.events.map(({ kind, detail }) => [kind, detail.route, detail.status])).toEqual([
      ['listening', undefined, undefined],
      ['request', 'enroll', 200],
      ['request', 'refresh', 404],
    ]);
    const text = JSON.stringify(backend.events);
    expect(text).toContain(identity.serverId);
    expect(text).not.toContain(identity.token);
    expect(text).not.toContain('access-token');
  });
});
