import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AuthFile } from '../../../src/account/file/auth-file.js';
import { afterRefresh } from '../../../src/account/file/auth-json-writer.js';
import { Secret } from '../../../src/protocol/secret.js';
import { tmpFolder } from '../../support/tmp.js';
import { chatgpt, jwt, tokenOf } from './auth-content.js';

describe('the content of an auth.json', () => {
  const reasonOf = async (content: string) => {
    const path = join(await tmpFolder(), 'auth.json');
    await writeFile(path, content);
    const file = new AuthFile({ path, now: Date.now, onChange: () => {} });
    const outcome = await file.load();
    if (outcome.kind === 'usable') return outcome.account.accountId;
    expect(outcome.failure.message).toContain(path);
    expect(outcome.failure.message).not.toMatch(/eyJ|sk-|hunter2/);
    expect(file.accessToken()).toBeUndefined();
    return outcome.failure.reason;
  };
  const token = tokenOf('claimed');
  const bare = jwt({ email: 'a@example.com' });

  it.each<[string, string, unknown]>([
    ['a ChatGPT sign-in', 'A', JSON.parse(chatgpt('A'))],
    [
      'unknown keys at both levels',
      'A',
      { x: 1, auth_mode: 'chatgpt', tokens: { access_token: bare, account_id: 'A', y: {} } },
    ],
    ['no auth_mode and no key', 'A', { tokens: { access_token: bare, account_id: 'A' } }],
    [
      'an opaque access token',
      'A',
      { auth_mode: 'chatgpt', tokens: { access_token: 'opaque', account_id: 'A' } },
    ],
    [
      'an exchanged API key beside the tokens',
      'A',
      { auth_mode: 'chatgpt', OPENAI_API_KEY: 'sk-1', tokens: { access_token: bare, account_id: 'A' } },
    ],
    [
      'the account in the id token',
      'claimed',
      { tokens: { access_token: bare, id_token: token, account_id: null } },
    ],
    ['the account in the access token', 'claimed', { tokens: { access_token: token } }],
    ['an id token of another type', 'claimed', { tokens: { access_token: token, id_token: { raw: 'x' } } }],
  ])('RC-26, ACC-58: %s is a valid sign-in', async (_what, account, value) => {
    expect(await reasonOf(JSON.stringify(value))).toBe(account);
  });

  it('RC-71: a byte order mark in front costs neither the sign-in nor what a refresh keeps', async () => {
    const plain = chatgpt('A');
    const content = `\ufeff${plain}`;
    expect(await reasonOf(content)).toBe('A');
    const issued = { accessToken: new Secret('new'), refreshToken: undefined, idToken: undefined };
    const { tokens, ...others } = JSON.parse(plain);
    expect(JSON.parse(afterRefresh(content, issued, 'https://issuer.example', 0))).toEqual({
      ...others,
      tokens: { ...tokens, access_token: 'new' },
      last_refresh: '1970-01-01T00:00:00.000Z',
    });
  });

  it.each<[string, string, unknown]>([
    ['API-key mode', 'authApiKeyOnly', { auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1', tokens: null }],
    [
      'API-key mode beside tokens',
      'authApiKeyOnly',
      { auth_mode: 'apikey', OPENAI_API_KEY: 'sk-1', tokens: { access_token: token, account_id: 'A' } },
    ],
    ['only a key', 'authApiKeyOnly', { OPENAI_API_KEY: 'sk-1' }],
    [
      'a key and no mode beside tokens',
      'authApiKeyOnly',
      { OPENAI_API_KEY: 'sk-1', tokens: { access_token: token } },
    ],
    [
      'ChatGPT mode with a key and no tokens',
      'authApiKeyOnly',
      { auth_mode: 'chatgpt', OPENAI_API_KEY: 'sk-1' },
    ],
    ['an empty object', 'authMissing', {}],
    ['ChatGPT mode without tokens', 'authMissing', { auth_mode: 'chatgpt', tokens: null }],
    ['another mode', 'authMissing', { auth_mode: 'agentIdentity', tokens: null }],
    ['a mode with odd characters', 'authMissing', { auth_mode: 'hunter2 \n', tokens: null }],
    [
      'no account id',
      'authNoAccountId',
      { auth_mode: 'chatgpt', tokens: { access_token: bare, id_token: bare, account_id: null } },
    ],
    ['an empty account id', 'authNoAccountId', { tokens: { access_token: bare, account_id: '' } }],
    ['no access token', 'authUnreadable', { tokens: { account_id: 'A' } }],
    ['an empty access token', 'authUnreadable', { tokens: { access_token: '', account_id: 'A' } }],
    [
      'an access token with a line break',
      'authUnreadable',
      { tokens: { access_token: 'hunter2\n', account_id: 'A' } },
    ],
    [
      'an account id with a line break',
      'authUnreadable',
      { tokens: { access_token: bare, account_id: 'A\r\nx: y' } },
    ],
    ['tokens of another type', 'authUnreadable', { tokens: 'hunter2' }],
    ['an access token of another type', 'authUnreadable', { tokens: { access_token: ['hunter2'] } }],
    ['a mode of another type', 'authUnreadable', { auth_mode: 7 }],
    ['an array', 'authUnreadable', ['hunter2']],
    ['null', 'authUnreadable', null],
  ])('RC-26, ACC-19: %s is %s', async (_what, reason, value) => {
    expect(await reasonOf(JSON.stringify(value))).toBe(reason);
  });

  it.each(['', ' \n'])('ACC-114: %j means that nobody is signed in', async (content) => {
    expect(await reasonOf(content)).toBe('authMissing');
  });

  it.each(['{"tokens":{"access_token":"hunter2"', 'hunter2', '\u0000\u0000'])(
    'RC-26: %j is unreadable, and the message does not quote it',
    async (content) => {
      expect(await reasonOf(content)).toBe('authUnreadable');
    },
  );
});
