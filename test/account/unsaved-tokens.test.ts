import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { granted, MARK, signIn, token } from '../support/issuer.js';
import { tmpFolder } from '../support/tmp.js';
import { get, Rig } from './rig.js';

const problemOf = (rig: Rig): string | undefined => rig.engine.fullStatus.account?.problem?.reason;

/** Each refresh gives the next refresh token, and the plan of that refresh. */
function grantInTurn(rig: Rig, plans: readonly string[], during: (turn: number) => void): void {
  let turn = 0;
  rig.at.always('refresh', () => {
    turn += 1;
    during(turn);
    return granted(token({ plan: plans[turn - 1] }), `rt-${MARK}-${turn + 1}`);
  });
}

/** Removes the file that the engine has prepared, so that its content cannot be moved into place. */
function breakSave(rig: Rig): void {
  for (const name of readdirSync(rig.home)) if (name.endsWith('.tmp')) rmSync(join(rig.home, name));
}

describe('tokens that cannot be saved', () => {
  it('ACC-113: they are used, status says so, and they are saved as soon as that is possible', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    grantInTurn(rig, ['plus'], () => breakSave(rig));
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect([rig.readAuth().tokens.refresh_token, problemOf(rig)]).toEqual([
      `rt-${MARK}-1`,
      'authFileNotWritable',
    ]);
    await expect.poll(() => rig.readAuth().tokens.refresh_token, { timeout: 5_000 }).toBe(`rt-${MARK}-2`);
    await expect.poll(() => problemOf(rig)).toBeUndefined();
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-113: the next refresh redeems the newest token, not the one in the file', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    grantInTurn(rig, ['plus', 'team'], () => breakSave(rig));
    await rig.account(true);
    expect(await rig.account(true)).toMatchObject({ planType: 'team' });
    expect(rig.at.of('refresh').map(({ fields }) => fields.refresh_token)).toEqual([
      `rt-${MARK}-1`,
      `rt-${MARK}-2`,
    ]);
    expect([rig.readAuth().tokens.refresh_token, problemOf(rig)]).toEqual([`rt-${MARK}-3`, undefined]);
  });

  it('ACC-113: a file that cannot be read meanwhile, then shows the old tokens, does not bring them back', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const before = rig.rawAuth() ?? '';
    grantInTurn(rig, ['plus'], () => {
      rmSync(rig.authPath);
      mkdirSync(rig.authPath);
    });
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(problemOf(rig)).toBe('authFileNotWritable');
    rmdirSync(rig.authPath);
    writeFileSync(rig.authPath, before, { mode: 0o600 });
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
    await expect.poll(() => rig.readAuth().tokens.refresh_token, { timeout: 5_000 }).toBe(`rt-${MARK}-2`);
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
  });

  it('ACC-113: an engine that stops tries once more', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    grantInTurn(rig, ['plus'], () => breakSave(rig));
    await rig.account(true);
    await rig.close();
    await expect.poll(() => rig.readAuth().tokens.refresh_token).toBe(`rt-${MARK}-2`);
  });

  it('ACC-113: a sign-out forgets them', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    grantInTurn(rig, ['plus'], () => breakSave(rig));
    await rig.account(true);
    await rig.call('account/logout');
    expect(rig.at.of('revoke').map(({ fields }) => fields.token)).toEqual([`rt-${MARK}-2`]);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    expect([rig.rawAuth(), await rig.account()]).toEqual([null, null]);
  });

  it('ACC-113, ACC-114: a file that was emptied meanwhile does not mean a sign-out: it gets the whole content', async () => {
    const rig = await Rig.start({ auth: { ...signIn(token()), other: 'kept' } });
    grantInTurn(rig, ['plus'], () => {
      breakSave(rig);
      writeFileSync(rig.authPath, '');
    });
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    await expect
      .poll(() => (rig.rawAuth() === '' ? null : rig.readAuth()), { timeout: 5_000 })
      .toMatchObject({ other: 'kept', tokens: { refresh_token: `rt-${MARK}-2` } });
  });

  it('ACC-113: of an immutable file nothing is redeemed', async ({ skip }) => {
    const rig = await Rig.start({ auth: signIn(token()) });
    const immutable = (flag: '+i' | '-i') => spawnSync('chattr', [flag, rig.authPath]).status === 0;
    if (!immutable('+i')) skip('chattr is not possible here');
    try {
      expect(await rig.account(true)).not.toBeNull();
      expect([problemOf(rig), rig.at.of('refresh')]).toEqual(['authFileNotWritable', []]);
    } finally {
      immutable('-i');
    }
  });

  it('ACC-113: where nothing can be written, nothing is redeemed', async () => {
    const rig = await Rig.start({ auth: signIn(token()), authFile: '/proc/self/auth.json' });
    expect(await rig.account(true)).toBeNull();
    expect(rig.at.seen).toEqual([]);
  });
});

describe('a new sign-in that cannot be saved', () => {
  /** In place of the directory of the account file, so that nothing can be written, also by root. */
  const blocked = '/proc/self/auth.json';

  it.each(['chatgpt', 'chatgptDeviceCode'])('ACC-113: %s is refused before it begins', async (type) => {
    const rig = await Rig.start({ authFile: blocked });
    expect((await rig.refused('account/login/start', { type })).message).toContain(blocked);
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-113: the code is not exchanged when nothing can be written any more', async () => {
    const directory = join(await tmpFolder(), 'accounts');
    const rig = await Rig.start({ authFile: join(directory, 'auth.json') });
    const login = await rig.browser();
    const from = rig.mark;
    // A file in place of the directory: nothing can be written, also by root.
    rmSync(directory, { recursive: true, force: true });
    writeFileSync(directory, '');
    expect((await get(login.callback({ code: `code-${MARK}`, state: login.state }))).status).not.toBe(302);
    expect(await rig.completed(from)).toMatchObject({ success: false });
    expect(rig.at.of('exchange')).toEqual([]);
  });

  it('ACC-113: nothing is left beside the file, whether the sign-in succeeds or fails', async () => {
    const rig = await Rig.start();
    for (const answer of [{ status: 400, json: { error: 'invalid_grant' } }, granted(token())]) {
      rig.at.always('exchange', answer);
      const login = await rig.browser();
      const from = rig.mark;
      const back = await get(login.callback({ code: `code-${MARK}`, state: login.state }));
      if (back.status === 302) await get(back.location);
      await rig.completed(from);
    }
    expect(rig.rawAuth()).not.toBeNull();
    expect(readdirSync(rig.home).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
