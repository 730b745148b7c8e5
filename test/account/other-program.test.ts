/** Another program, such as the reference client, on the same account file: it knows nothing of our own lock. */
import { readFileSync, writeFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { flockIsFree, holdFlock, noFlock } from '../support/flock.js';
import { granted, type LoopbackIssuer, MARK, oauthError, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

/** The reference client in a nutshell: no lock while it spends the token, none at all that we know. ACC-59 */
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

/** An issuer that takes each refresh token once. */
function onceEach(at: LoopbackIssuer): string[] {
  const spent: string[] = [];
  at.always('refresh', ({ fields }) => {
    const given = String(fields.refresh_token);
    const again = spent.includes(given);
    spent.push(given);
    return again
      ? oauthError(401, 'refresh_token_reused')
      : granted(token({ plan: 'plus' }), `rt-${MARK}-${spent.length + 1}`);
  });
  return spent;
}

describe('a race with another program for one refresh token', () => {
  it('ACC-48, ACC-59: it was faster and has not saved yet: its tokens are waited for, and both are signed in', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const spent = onceEach(rig.at);
    let save: () => void = () => {};
    const other = otherProgramRefreshes(rig.at, rig.authPath, new Promise<void>((done) => (save = done)));
    await rig.at.asked('refresh', 1);
    const read = rig.account(true);
    await rig.at.asked('refresh', 2);
    save();
    expect([await other, await read]).toMatchObject([200, { planType: 'plus' }]);
    expect(spent).toEqual([`rt-${MARK}-1`, `rt-${MARK}-1`]);
    expect(rig.engine.fullStatus.account).toMatchObject({ state: 'chatgpt.ready', problem: null });
    // Both hold the same sign-in from here on.
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(spent.at(-1)).toBe(`rt-${MARK}-2`);
  });

  it('ACC-48, ACC-59: we were faster: what it finds in the file is our sign-in, unspent', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const spent = onceEach(rig.at);
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(await otherProgramRefreshes(rig.at, rig.authPath, Promise.resolve())).toBe(200);
    expect(spent).toEqual([`rt-${MARK}-1`, `rt-${MARK}-2`]);
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
  });

  it('ACC-53, ACC-54: it has spent the token and never saves: the sign-in is over, until it does', async () => {
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

  it('ACC-48, ACC-53: after any other permanent failure the file is looked at, too, without waiting', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const newer = signIn(token({ plan: 'team' }), { refresh: `rt-${MARK}-9` });
    rig.at.always('refresh', async () => {
      await rig.replaceAuth(newer);
      return oauthError(400, 'refresh_token_invalidated');
    });
    expect(await rig.account(true)).toMatchObject({ planType: 'team' });
  });
});

describe.skipIf(process.platform !== 'linux' || noFlock())('the locks of the reference client', () => {
  const LOCKS = ['auth.lock', 'auth.json.lock'] as const;

  it.each(LOCKS)('ACC-59: whoever holds %s holds back save and delete, not the issuer', async (name) => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const lock = join(rig.home, name);
    onceEach(rig.at);

    const before = rig.rawAuth();
    let letGo = await holdFlock(lock);
    const read = rig.account(true);
    await rig.at.asked('refresh', 1);
    // As long as another process needs to start and end.
    expect(flockIsFree(join(rig.home, 'witness'))).toBe(true);
    expect(rig.rawAuth()).toBe(before);
    await letGo();
    expect(await read).toMatchObject({ planType: 'plus' });
    expect(rig.rawAuth()).not.toBe(before);

    letGo = await holdFlock(lock);
    const logout = rig.ask('account/logout');
    await rig.at.asked('revoke', 1);
    expect(flockIsFree(join(rig.home, 'witness'))).toBe(true);
    expect(rig.rawAuth()).not.toBeNull();
    await letGo();
    expect(await logout).toMatchObject({ result: {} });
    expect(rig.rawAuth()).toBeNull();
  });

  it('ACC-59: they are held while the file is written', async () => {
    const rig = await Rig.start();
    const letGo = await holdFlock(join(rig.home, 'auth.json.lock'));
    const login = rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    // The first of the two is taken, the second one waited for.
    while (flockIsFree(join(rig.home, 'auth.lock'))) await new Promise((resolve) => setTimeout(resolve, 10));
    await letGo();
    expect(await login).toMatchObject({ result: { type: 'apiKey' } });
    expect(LOCKS.map((name) => flockIsFree(join(rig.home, name)))).toEqual([true, true]);
  });

  it('ACC-59: a lock that is never let go: a key is not stored and says so, paid-for tokens are saved all the same', async () => {
    const rig = await Rig.start({ auth: signIn(token()), accountTiming: { lockTimeout: 100 } });
    onceEach(rig.at);
    const letGo = await holdFlock(join(rig.home, 'auth.lock'));
    const refused = await rig.refused('account/login/start', { type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(refused.message).toMatch(/auth\.json\.lock: another process has held the lock|auth\.lock/);
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(rig.readAuth().tokens.refresh_token).toBe(`rt-${MARK}-2`);
    await letGo();
  });
});
