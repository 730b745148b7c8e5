import { mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { granted, MARK, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

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

  it('ACC-113: where nothing can be written, nothing is redeemed', async () => {
    const rig = await Rig.start({ auth: signIn(token()), authFile: '/proc/self/auth.json' });
    expect(await rig.account(true)).toBeNull();
    expect(rig.at.seen).toEqual([]);
  });
});
