import { describe, expect, it } from 'vitest';
import { parseIssuer } from '../../../src/account/issuer/address.js';

describe('the addresses of the issuer', () => {
  it('ACC-51, ACC-55, ACC-72: settings and environment name the URLs, and the revoke URL follows the refresh URL', () => {
    expect(parseIssuer({}, {})).toMatchObject({
      ok: true,
      address: {
        issuer: 'https://auth.openai.com',
        refreshUrl: 'https://auth.openai.com/oauth/token',
        revokeUrl: 'https://auth.openai.com/oauth/revoke',
      },
    });
    const env = {
      CODEX_APP_SERVER_LOGIN_ISSUER: 'http://127.0.0.1:1/',
      CODEX_REFRESH_TOKEN_URL_OVERRIDE: 'http://localhost:2/token?x=1',
      CODEX_APP_SERVER_LOGIN_CLIENT_ID: 'app_env',
    };
    expect(parseIssuer({}, env)).toMatchObject({
      address: {
        issuer: 'http://127.0.0.1:1',
        clientId: 'app_env',
        refreshUrl: 'http://localhost:2/token?x=1',
        revokeUrl: 'http://localhost:2/oauth/revoke',
      },
    });
    expect(parseIssuer({ issuer: 'https://id.example', clientId: 'mine' }, env)).toMatchObject({
      address: { issuer: 'https://id.example', clientId: 'mine' },
    });
  });

  it.each([
    'http://id.example',
    'ftp://127.0.0.1',
    'nope',
    'https://u:p@id.example',
    'http://127.0.0.1.evil.com',
  ])('ACC-72: the issuer %s is refused', async (issuer) => {
    const parsed = parseIssuer({ issuer }, {});
    expect(parsed.ok).toBe(false);
    expect(JSON.stringify(parsed)).not.toContain('u:p');
  });
});
