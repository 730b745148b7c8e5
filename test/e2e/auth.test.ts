import { mkdir, rm } from 'node:fs/promises';
import { describe, expect } from 'vitest';
import { Secret } from '../../src/protocol/secret.js';
import { signIn } from '../support/auth.js';
import { LoopbackIssuer, oauthError } from '../support/issuer.js';
import { it, type Lab } from '../support/lab.js';

/** Account files without a usable sign-in, the reason, and the message. */
const INVALID_ACCOUNTS: readonly (readonly [string, (lab: Lab) => Promise<void>, string, RegExp])[] = [
  ['no file', async () => {}, 'authMissing', /auth\.json: nobody is signed in/],
  ['an API key only', (lab) => lab.signInWithApiKey(), 'authApiKeyOnly', /auth\.json: it holds an API key/],
  [
    'an empty file',
    (lab) => lab.writeAuth(''),
    'authMissing',
    /auth\.json: nobody is signed in: the file is empty/,
  ],
  [
    'a truncated file',
    async (lab) => {
      const { json, secrets } = signIn('account-A');
      lab.mark(secrets);
      await lab.writeAuth(JSON.stringify(json).slice(0, 200));
    },
    'authUnreadable',
    /auth\.json: it is not JSON/,
  ],
  [
    'a file with another format',
    (lab) => lab.writeAuth('{"tokens": 5}'),
    'authUnreadable',
    /auth\.json: "tokens"/,
  ],
  [
    'a directory in its place',
    async (lab) => void (await mkdir(lab.authFile, { recursive: true })),
    'authUnreadable',
    /auth\.json: /,
  ],
  [
    'a sign-in without account id',
    async (lab) => {
      const { json, secrets } = signIn('account-A', { claimed: false });
      lab.mark(secrets);
      await lab.writeAuth(json);
    },
    'authNoAccountId',
    /auth\.json: its ChatGPT sign-in has no account id/,
  ],
];

describe('RC-26, RC-27: a start without a usable sign-in', () => {
  it.for(INVALID_ACCOUNTS)('%s: exits with code 3 and says why', async ([, prepare, , said], { lab }) => {
    await mkdir(lab.home, { recursive: true });
    await prepare(lab);
    const engine = await lab.start();
    const { code, stderr } = await engine.exited;
    expect(code).toBe(3);
    expect(stderr).toMatch(said);
    expect(engine.lines).toEqual([
      expect.objectContaining({ type: 'error', code: 'authRequired', message: expect.stringMatching(said) }),
    ]);
    expect(lab.tap.requests).toEqual([]);
  });

  it.for(INVALID_ACCOUNTS)(
    '%s: with --auth-startup recoverable it waits, says why, and continues after a sign-in',
    async ([, prepare, reason, said], { lab }) => {
      await mkdir(lab.home, { recursive: true });
      await prepare(lab);
      const engine = await lab.start(['--auth-startup', 'recoverable']);
      await engine.line((line) => line.state === 'active.awaitingAuth.missing', 'awaitingAuth');
      expect(await lab.reached({ reason })).toMatchObject({
        status: 'connecting',
        detail: expect.stringMatching(said),
      });
      expect(lab.tap.requests).toEqual([]);
      await rm(lab.authFile, { recursive: true, force: true });
      await lab.signIn();
      await engine.connected();
    },
  );
});

describe('RC-26: the account file changes while the engine runs', () => {
  it('when it disappears, the account in memory stays, and status says that the file differs', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    await rm(lab.authFile);
    await lab.reached({ accountDiffersOnDisk: true });
    const human = await lab.cli(['status', '--verbose', '--home', lab.home]);
    expect(human.stdout).toMatch(/^account +the account file holds another account; restart the engine/m);
    const backend = await lab.backend();
    backend.fault({ action: 'expireTokens', inSeconds: 0 });
    backend.fault({ action: 'closeSockets' });
    await engine.until(() => lab.requests('refresh') === 1, 'refresh');
    await lab.reached({ status: 'connected', accountId: 'account-A' });
  });

  it('RC-7: when another account signs in, a restart switches to it, and it gets its own identity', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    const first = await lab.status();
    await lab.signIn('account-B');
    await lab.reached({ accountDiffersOnDisk: true, accountId: 'account-A', status: 'connected' });
    await engine.stop();
    await lab.connected();
    expect((await lab.status()).remoteControl).toMatchObject({
      accountId: 'account-B',
      accountDiffersOnDisk: false,
    });
    expect((await lab.status()).remoteControl.environmentId).not.toBe(first.remoteControl.environmentId);
    expect(lab.requests('enroll')).toBe(2);
  });

  it('RC-28: when another account signs in and the first one is refused, the engine switches without a restart', async ({
    lab,
  }) => {
    const engine = await lab.connected();
    const backend = await lab.backend();
    await lab.signIn('account-B');
    await lab.reached({ accountDiffersOnDisk: true });
    backend.fault({ action: 'answer', fault: { route: 'refresh', answer: 'status', status: 401 } });
    backend.fault({ action: 'expireTokens', inSeconds: 0 });
    backend.fault({ action: 'dropSockets' });
    await engine.until(() => lab.requests('enroll') === 2, 'second enrollment');
    await lab.reached({ status: 'connected', accountId: 'account-B', accountDiffersOnDisk: false });
  });

  it('RC-28: refused tokens are not tried again, and a newer sign-in is used at once', async ({ lab }) => {
    const newer = signIn('account-A');
    lab.mark(newer.secrets);
    await lab.backend({ accounts: { kind: 'only', token: new Secret(newer.accessToken) } });
    const issuer = await LoopbackIssuer.start();
    issuer.always('refresh', oauthError(401, 'refresh_token_expired'));
    await lab.signIn('account-A');
    const engine = await lab.start(['--issuer', issuer.origin]);
    await engine.line(({ state }) => state === 'active.awaitingAuth.refused', 'refusal');
    expect(await lab.reached({ reason: 'refreshTokenExpired' })).toMatchObject({
      status: 'connecting',
      lastFailure: { reason: 'refreshTokenExpired', message: expect.stringContaining('HTTP 401') },
    });
    const asked = lab.requests('enroll');
    expect(asked).toBeLessThanOrEqual(2);
    await lab.writeAuth(newer.json);
    await engine.connected();
    expect(lab.requests('enroll')).toBe(asked + 1);
  });
});
