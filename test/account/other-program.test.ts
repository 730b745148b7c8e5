/** Another program, such as Codex CLI, on the same account file. It does not take the lock of the engine. */
import { readFileSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flockIsFree, holdFlock, noFlock } from '../support/flock.js';
import { granted, type LoopbackIssuer, MARK, oauthError, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

/** Refreshes as Codex CLI does: it holds no lock while it redeems the token. ACC-59 */
async function otherProgramRefreshes(at: LoopbackIssuer, path: string, saveAfter: Promise<unknown>) {
  const before = JSON.parse(readFileSync(path, 'utf8'));
  const response = await fetch(`${at.origin}/oauth/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ grant_type: 'refresh_token', refresh_token: before.tokens.refresh_token }),
  });
  if (!response.ok) return response.status;
  const given = (await response.json()) as object;
  await saveAfter;
  writeFileSync(`${path}.other`, JSON.stringify({ ...before, tokens: { ...before.tokens, ...given } }));
  await rename(`${path}.other`, path);
  return response.status;
}

/** An issuer that accepts each refresh token once. Returns the tokens that it received. */
function onceEach(at: LoopbackIssuer): string[] {
  const redeemed: string[] = [];
  at.always('refresh', ({ fields }) => {
    const given = String(fields.refresh_token);
    const again = redeemed.includes(given);
    redeemed.push(given);
    return again
      ? oauthError(401, 'refresh_token_reused')
      : granted(token({ plan: 'plus' }), `rt-${MARK}-${redeemed.length + 1}`);
  });
  return redeemed;
}

describe('two programs redeem one refresh token at the same time', () => {
  it('ACC-48, ACC-59: the other program was first and has not saved yet: the engine waits for its tokens and adopts them', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const redeemed = onceEach(rig.at);
    let save: () => void = () => {};
    const other = otherProgramRefreshes(rig.at, rig.authPath, new Promise<void>((done) => (save = done)));
    await rig.at.asked('refresh', 1);
    const read = rig.account(true);
    await rig.at.asked('refresh', 2);
    save();
    expect([await other, await read]).toMatchObject([200, { planType: 'plus' }]);
    expect(redeemed).toEqual([`rt-${MARK}-1`, `rt-${MARK}-1`]);
    expect(rig.engine.fullStatus.account).toMatchObject({ state: 'chatgpt.ready', problem: null });
    // From here on both have the same sign-in.
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(redeemed.at(-1)).toBe(`rt-${MARK}-2`);
  });

  it('ACC-48, ACC-59: the engine was first: the other program finds the new refresh token in the file', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const redeemed = onceEach(rig.at);
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(await otherProgramRefreshes(rig.at, rig.authPath, Promise.resolve())).toBe(200);
    expect(redeemed).toEqual([`rt-${MARK}-1`, `rt-${MARK}-2`]);
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
  });

  it('ACC-53, ACC-54: the other program was first and does not save: the sign-in is expired until it does', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    onceEach(rig.at);
    let save: () => void = () => {};
    const other = otherProgramRefreshes(rig.at, rig.authPath, new Promise<void>((done) => (save = done)));
    await rig.at.asked('refresh', 1);
    expect(await rig.account(true)).toBeNull();
    expect(rig.engine.fullStatus.account).toMatchObject({ problem: { reason: 'refreshTokenReused' } });
    save();
    await other;
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(rig.engine.fullStatus.account).toMatchObject({ problem: null });
  });

  it('ACC-48, ACC-53: after another permanent failure the file is read once, without a wait', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const newer = signIn(token({ plan: 'team' }), { refresh: `rt-${MARK}-9` });
    rig.at.always('refresh', async () => {
      await rig.replaceAuth(newer);
      return oauthError(400, 'refresh_token_invalidated');
    });
    expect(await rig.account(true)).toMatchObject({ planType: 'team' });
  });
});

describe.skipIf(process.platform !== 'linux' || noFlock())('the locks of Codex CLI', () => {
  const LOCKS = ['auth.lock', 'auth.json.lock'] as const;

  it.each(LOCKS)(
    'ACC-59: a holder of %s delays save and delete, not the request to the issuer',
    async (name) => {
      const rig = await Rig.start({ auth: signIn(token()) });
      const lock = join(rig.home, name);
      onceEach(rig.at);

      const before = rig.rawAuth();
      let release = await holdFlock(lock);
      const read = rig.account(true);
      await rig.at.asked('refresh', 1);
      // This takes as long as a process needs to start and end.
      expect(flockIsFree(join(rig.home, 'witness'))).toBe(true);
      expect(rig.rawAuth()).toBe(before);
      await release();
      expect(await read).toMatchObject({ planType: 'plus' });
      expect(rig.rawAuth()).not.toBe(before);

      release = await holdFlock(lock);
      const logout = rig.ask('account/logout');
      await rig.at.asked('revoke', 1);
      expect(flockIsFree(join(rig.home, 'witness'))).toBe(true);
      expect(rig.rawAuth()).not.toBeNull();
      await release();
      expect(await logout).toMatchObject({ result: {} });
      expect(rig.rawAuth()).toBeNull();
    },
  );

  it('ACC-59: both locks are held while the file is written', async () => {
    const rig = await Rig.start();
    const release = await holdFlock(join(rig.home, 'auth.json.lock'));
    const login = rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    // The first lock is held while the engine waits for the second.
    while (flockIsFree(join(rig.home, 'auth.lock'))) await new Promise((resolve) => setTimeout(resolve, 10));
    await release();
    expect(await login).toMatchObject({ result: { type: 'apiKey' } });
    expect(LOCKS.map((name) => flockIsFree(join(rig.home, name)))).toEqual([true, true]);
  });

  it('ACC-59: a lock that is never released: an API key is refused with the reason, issued tokens are saved without the lock', async () => {
    const rig = await Rig.start({ auth: signIn(token()), accountTiming: { lockTimeout: 100 } });
    onceEach(rig.at);
    const release = await holdFlock(join(rig.home, 'auth.lock'));
    const refused = await rig.refused('account/login/start', { type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(refused.message).toMatch(/auth\.json\.lock: another process has held the lock|auth\.lock/);
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(rig.readAuth().tokens.refresh_token).toBe(`rt-${MARK}-2`);
    await release();
  });
});
