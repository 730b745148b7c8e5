import { describe, expect, it } from 'vitest';
import { failedRequest } from '../../src/net/backend-status.js';
import { type HttpResponse, networkFailure, type RequestContext } from '../../src/net/request-failure.js';
import { Secret } from '../../src/protocol/secret.js';

const NOW = Date.parse('2026-11-20T12:00:00Z');
const attempt: RequestContext = {
  what: 'refresh',
  url: 'https://chatgpt.com/backend-api/wham/remote/control/server/refresh',
  route: { kind: 'direct' },
  secrets: [new Secret('the-access-token')],
  now: () => NOW,
};
const response = (status: number, body = '', headers: Record<string, string> = {}): HttpResponse => ({
  status,
  header: (name) => headers[name],
  body: Buffer.from(body),
});
const failing = (code: string, message = code) => Object.assign(new Error(message), { code });

describe('failedRequest', () => {
  it.each([
    [401, 'unauthorized', 'backendUnauthorized'],
    [403, 'unauthorized', 'backendUnauthorized'],
    [404, 'notFound', 'backendNotFound'],
    [409, 'conflict', 'backendConflict'],
    [429, 'transient', 'backendRateLimited'],
    [500, 'transient', 'backendUnavailable'],
    [503, 'transient', 'backendUnavailable'],
    [599, 'transient', 'backendUnavailable'],
    [400, 'other', 'backendRefused'],
    [410, 'other', 'backendRefused'],
    [304, 'other', 'backendRefused'],
    [301, 'other', 'redirectRefused'],
    [307, 'other', 'redirectRefused'],
  ])('RC-12: HTTP %i is %s', (status, kind, reason) => {
    expect(failedRequest(attempt, response(status))).toMatchObject({
      kind,
      failure: { reason, httpStatus: status, at: NOW },
    });
  });

  it('RC-11: the message is one short line with URL, status, request id and cf-ray; the detail is long', () => {
    const body = JSON.stringify({ detail: `no\nluck ${'x'.repeat(5_000)}`, remote_control_token: 'rct-x' });
    const { failure } = failedRequest(
      attempt,
      response(500, body, { 'x-request-id': 'req-1', 'x-oai-request-id': 'oai-1', 'cf-ray': 'ray-1' }),
    );
    expect(failure.message).toContain(
      'refresh: https://chatgpt.com/backend-api/wham/remote/control/server/refresh answered HTTP 500, ' +
        'request-id req-1, cf-ray ray-1, body: {"detail":"no',
    );
    expect(Buffer.byteLength(failure.message)).toBeLessThanOrEqual(600);
    expect(failure).toMatchObject({ requestId: 'req-1', cfRay: 'ray-1' });
    expect(Buffer.byteLength(failure.detail ?? '')).toBeGreaterThan(4_000);
    expect(Buffer.byteLength(failure.detail ?? '')).toBeLessThanOrEqual(4_096);
    expect(failure.message + failure.detail).not.toMatch(/\n|rct-x/);
  });

  it('RC-11: uses x-oai-request-id when x-request-id is missing', () => {
    const { failure } = failedRequest(attempt, response(500, '', { 'x-oai-request-id': 'oai-1' }));
    expect(failure.requestId).toBe('oai-1');
    expect(failure.message).toContain('request-id oai-1');
  });

  it('RC-3: a redirect is not followed; the message names its address without parts that may be secret', () => {
    const headers = { location: 'https://me:pw@login.example/start?token=t0k3n' };
    const { failure } = failedRequest(attempt, response(302, '', headers));
    expect(failure.message).toContain('redirect to https://login.example/start not followed');
    expect(failure.message).not.toMatch(/t0k3n|pw/);
  });

  it('RC-11: message and detail contain no secret that was sent', () => {
    const { failure } = failedRequest(attempt, response(401, 'bad credentials the-access-token'));
    expect(failure.message + failure.detail).not.toContain('the-access-token');
  });

  it('RC-12: reports Retry-After as a time', () => {
    expect(failedRequest(attempt, response(429, '', { 'retry-after': '8' })).failure.retryAfterAt).toBe(
      NOW + 8_000,
    );
    expect(failedRequest(attempt, response(429)).failure).not.toHaveProperty('retryAfterAt');
  });
});

describe('networkFailure', () => {
  it.each([
    ['ECONNREFUSED', 'networkUnreachable'],
    ['ENOTFOUND', 'networkUnreachable'],
    ['EAI_AGAIN', 'networkUnreachable'],
    ['ECONNRESET', 'networkUnreachable'],
    ['EHOSTUNREACH', 'networkUnreachable'],
    ['ERR_STREAM_PREMATURE_CLOSE', 'networkUnreachable'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', 'tlsFailed'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'tlsFailed'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'tlsFailed'],
    ['CERT_HAS_EXPIRED', 'certificateTimeInvalid'],
    ['CERT_NOT_YET_VALID', 'certificateTimeInvalid'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'certificateNameInvalid'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'tlsHandshakeFailed'],
    ['EPROTO', 'tlsHandshakeFailed'],
    ['ERR_PROXY', 'proxyFailed'],
    ['HPE_INVALID_CONSTANT', 'backendBadAnswer'],
    ['Z_DATA_ERROR', 'backendBadAnswer'],
  ])('RC-12: %s is %s', (code, reason) => {
    const failure = networkFailure(attempt, failing(code, `it was ${code}`));
    expect(failure).toMatchObject({ reason, at: NOW });
    expect(failure?.message).toContain(`refresh: ${attempt.url}: it was ${code}`);
  });

  it('RC-25b: a failure behind a proxy names the proxy', () => {
    const through: RequestContext = { ...attempt, route: { kind: 'proxy', proxy: 'http://proxy.corp:3128' } };
    expect(networkFailure(through, failing('ECONNRESET'))?.message).toContain(
      'through proxy http://proxy.corp:3128',
    );
  });

  it('RC-12: an error without a message shows its code, and the words that an HTTP client adds are removed', () => {
    expect(networkFailure(attempt, failing('ECONNREFUSED', ''))?.message).toContain('ECONNREFUSED');
    const wrapped = failing('ENOTFOUND', 'request to https://x/ failed, reason: getaddrinfo ENOTFOUND x');
    expect(networkFailure(attempt, wrapped)?.message).toMatch(/refresh: getaddrinfo ENOTFOUND x$/);
  });

  it('RC-12: an error that is not a network error is not an outcome', () => {
    expect(networkFailure(attempt, new TypeError('bug'))).toBeUndefined();
    expect(networkFailure(attempt, failing('ERR_INVALID_CHAR'))).toBeUndefined();
    expect(networkFailure(attempt, 'text')).toBeUndefined();
  });
});
