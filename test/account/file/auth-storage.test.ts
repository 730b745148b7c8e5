import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { acquireFileLock, withLocks } from '../../../src/system/file-lock.js';
import { granted, LoopbackIssuer, MARK, oauthError, signIn, token } from '../../support/issuer.js';
import { tmpFolder } from '../../support/tmp.js';
import { Rig } from '../rig.js';

const never = new AbortController().signal;

describe('the account file', () => {
  it('ACC-57: with the default store an API key survives a restart', async () => {
    const rig = await Rig.start();
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    await rig.close();
    expect(await (await Rig.start({ home: rig.home })).account()).toEqual({ type: 'apiKey' });
  });

  it('ACC-58: it is replaced by rename with mode 0600, and unknown keys stay', async () => {
    const auth = signIn(token(), {
      extra: { their_key: { a: [1, 'x'] } },
      tokens: { their_token_key: 'y', login_owner_id: 'owner' },
    });
    const rig = await Rig.start({ auth });
    chmodSync(rig.authPath, 0o644);
    const before = statSync(rig.authPath).ino;
    rig.at.always('refresh', granted(token()));
    await rig.account(true);
    expect(rig.authMode).toBe(0o600);
    expect(statSync(rig.authPath).ino).not.toBe(before);
    const saved = rig.readAuth();
    expect(saved.their_key).toEqual({ a: [1, 'x'] });
    expect(saved.tokens).toMatchObject({ their_token_key: 'y', login_owner_id: 'owner' });
    expect(readdirSync(rig.home).filter((name) => name.includes('tmp'))).toEqual([]);
  });

  it('ACC-58: a symbolic link stays one, and the file behind it is replaced', async () => {
    const home = await tmpFolder();
    mkdirSync(join(home, 'real'));
    const real = join(home, 'real', 'auth.json');
    writeFileSync(real, JSON.stringify(signIn(token())));
    symlinkSync(real, join(home, 'auth.json'));
    const rig = await Rig.start({ home });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    expect(await rig.account(true)).toMatchObject({ planType: 'plus' });
    expect(lstatSync(join(home, 'auth.json')).isSymbolicLink()).toBe(true);
    expect(JSON.parse(readFileSync(real, 'utf8')).tokens.refresh_token).toBe(`rt-${MARK}-2`);
  });

  it('ACC-115: through a link without target, also one link behind another, a sign-in writes and a sign-out removes the target', async () => {
    const home = await tmpFolder();
    const target = join(home, 'missing', 'store.json');
    symlinkSync('second', join(home, 'auth.json'));
    symlinkSync(join('missing', 'store.json'), join(home, 'second'));
    const rig = await Rig.start({ home });
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(readFileSync(target, 'utf8')).toContain(MARK);
    expect(await rig.account()).toEqual({ type: 'apiKey' });
    await rig.call('account/logout');
    expect([existsSync(target), await rig.account()]).toEqual([false, null]);
    for (const link of ['auth.json', 'second']) {
      expect(lstatSync(join(home, link)).isSymbolicLink()).toBe(true);
    }
  });

  it('ACC-115: a change of the target is noticed before the file is polled', async () => {
    const home = await tmpFolder();
    mkdirSync(join(home, 'real'));
    const real = join(home, 'real', 'auth.json');
    symlinkSync(real, join(home, 'auth.json'));
    const rig = await Rig.start({ home });
    await new Promise((resolve) => setTimeout(resolve, 2_100));
    writeFileSync(real, JSON.stringify(signIn(token({ plan: 'team' }))), { mode: 0o600 });
    await expect.poll(() => rig.engine.fullStatus.account?.plan, { timeout: 1_500 }).toBe('team');
  });

  it('ACC-59: while another process holds the lock no token is redeemed; then the refresh continues', async () => {
    const rig = await Rig.start({ auth: signIn(token()) });
    rig.at.always('refresh', granted(token({ plan: 'plus' })));
    let read: Promise<unknown> | undefined;
    await withLocks(acquireFileLock, [`${rig.authPath}.engine-lock`], 1_000, never, async () => {
      read = rig.account(true);
      await new Promise((resolve) => setTimeout(resolve, 250));
      expect(rig.at.seen).toEqual([]);
    });
    expect(await read).toMatchObject({ planType: 'plus' });
  });

  it('ACC-59: a lock that is never released is a failure with its own reason, and no token is redeemed', async () => {
    const rig = await Rig.start({ auth: signIn(token()), accountTiming: { lockTimeout: 100 } });
    await withLocks(acquireFileLock, [`${rig.authPath}.engine-lock`], 1_000, never, async () => {
      expect(await rig.account(true)).toMatchObject({ planType: 'pro' });
    });
    expect(JSON.stringify(await rig.call('engine/audit/read'))).toContain('authFileNotWritable');
    expect(rig.at.seen).toEqual([]);
  });

  it('ACC-48, ACC-59: two engines that refresh one file at once redeem the token once, and both have the new one', async () => {
    const at = await LoopbackIssuer.start();
    const shared = join(await tmpFolder(), 'auth.json');
    writeFileSync(shared, JSON.stringify(signIn(token())));
    const redeemed: unknown[] = [];
    at.always('refresh', async ({ fields }) => {
      const again = redeemed.includes(fields.refresh_token);
      redeemed.push(fields.refresh_token);
      await new Promise((resolve) => setTimeout(resolve, 200));
      return again ? oauthError(401, 'refresh_token_reused') : granted(token({ plan: 'plus' }));
    });
    const rigs = await Promise.all([1, 2].map(() => Rig.start({ at, authFile: shared })));
    const plans = await Promise.all(rigs.map((rig) => rig.account(true)));
    expect(plans.map((account) => account?.planType)).toEqual(['plus', 'plus']);
    expect(redeemed).toEqual([`rt-${MARK}-1`]);
    expect(existsSync(shared)).toBe(true);
  });

  it('a directory in place of the account file gives authFileNotWritable', async () => {
    const home = await tmpFolder();
    mkdirSync(join(home, 'auth.json'));
    const rig = await Rig.start({ home });
    const { error } = await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    expect(error).toMatchObject({ code: -32603, data: { reason: 'authFileNotWritable' } });
    expect(await rig.account()).toBeNull();
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-89: after a refresh and an enroll only auth.json contains a secret', async () => {
    const rig = await Rig.start({ store: `sqlite:${join(await tmpFolder(), 'store.sqlite')}` });
    writeFileSync(rig.authPath, JSON.stringify(signIn(token())));
    rig.at.always('refresh', granted(token()));
    await rig.account(true);
    await rig.call('remoteControl/enable', {});
    const holding = readdirSync(rig.home)
      .filter((name) => statSync(join(rig.home, name)).isFile())
      .filter((name) => readFileSync(join(rig.home, name)).includes(MARK));
    expect(holding).toEqual(['auth.json']);
    expect(await rig.leaks()).toEqual([]);
  });
});
