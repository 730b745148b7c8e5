import { describe, expect, it } from 'vitest';
import { DEFAULT_CLIENT_ID } from '../../src/account/issuer/address.js';
import { MARK, signIn, token } from '../support/issuer.js';
import { Rig } from './rig.js';

describe('sign-out of a managed sign-in', () => {
  it.each([
    ['accepted', {}],
    ['refused', { status: 500 }],
    ['dropped', { fate: 'drop' as const }],
  ])(
    'ACC-55: the refresh token is revoked once (%s), the file is deleted, then the response is sent',
    async (_what, answer) => {
      const rig = await Rig.start({ auth: signIn(token()) });
      rig.at.always('revoke', answer);
      await rig.order(0, 2);
      const from = rig.mark;
      expect(await rig.call('account/logout')).toEqual({});
      expect(rig.rawAuth()).toBeNull();
      expect(await rig.order(from, 2)).toEqual(['result', 'updated null null']);
      expect(rig.at.of('revoke').map(({ fields }) => fields)).toEqual([
        { token: `rt-${MARK}-1`, token_type_hint: 'refresh_token', client_id: DEFAULT_CLIENT_ID },
      ]);
      expect(await rig.account()).toBeNull();
      expect(await rig.leaks()).toEqual([]);
    },
  );

  it('ACC-55: without a refresh token the access token is revoked; with another account on disk, both', async () => {
    const access = token();
    const rig = await Rig.start({ auth: signIn(access, { refresh: null }) });
    await rig.call('account/read');
    await rig.call('account/logout');
    expect(rig.at.of('revoke').map(({ fields }) => fields)).toEqual([
      { token: access, token_type_hint: 'access_token' },
    ]);

    const other = await Rig.start({ auth: signIn(token()) });
    await other.call('account/read');
    await other.replaceAuth(signIn(token({ account: 'acct-2' }), { account: 'acct-2', refresh: 'rt-other' }));
    await other.call('account/read', { refreshToken: true });
    await other.call('account/logout');
    expect(other.at.of('revoke').map(({ fields }) => fields.token)).toEqual(
      expect.arrayContaining([`rt-${MARK}-1`, 'rt-other']),
    );
    expect(other.rawAuth()).toBeNull();
  });

  it('ACC-56: a logout when nobody is signed in succeeds every time', async () => {
    const rig = await Rig.start();
    for (let round = 0; round < 3; round += 1) {
      const from = rig.mark;
      expect(await rig.call('account/logout')).toEqual({});
      expect(await rig.order(from, 2)).toEqual(['result', 'updated null null']);
    }
    expect(rig.at.seen).toEqual([]);
  });
});
