import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { granted, MARK, signIn, token } from '../support/issuer.js';
import { get, Rig } from './rig.js';

const EPHEMERAL = { authStore: 'ephemeral' } as const;

/** Files of a home directory that contain a secret of the tests. */
const written = (home: string): string[] =>
  readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(MARK))
    .map(({ name }) => name);

describe('--auth-store ephemeral', () => {
  it('ACC-57: an API key is used, no file is written, and a restart forgets it', async () => {
    const rig = await Rig.start(EPHEMERAL);
    const from = rig.mark;
    expect((await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` })).result).toEqual({ type: 'apiKey' });
    expect(await rig.order(from, 3)).toEqual(['result', 'completed true', 'updated apikey null']);
    expect(await rig.account()).toEqual({ type: 'apiKey' });
    expect(await rig.call('getAuthStatus', { includeToken: true })).toMatchObject({
      authToken: `sk-${MARK}`,
    });
    expect(rig.engine.fullStatus.account).toMatchObject({ mode: 'apikey', source: 'memory' });
    expect([rig.rawAuth(), written(rig.home)]).toEqual([null, []]);
    await rig.close();
    const next = await Rig.start({ ...EPHEMERAL, home: rig.home, at: rig.at });
    expect(await next.account()).toBeNull();
  });

  it('ACC-57, ACC-75: a browser sign-in is used, refreshed and revoked, and nothing of it is on disk', async () => {
    const rig = await Rig.start(EPHEMERAL);
    rig.at.always('exchange', granted(token({ plan: 'plus' })));
    const login = await rig.browser();
    const back = await get(login.callback({ code: `code-${MARK}`, state: login.state }));
    await get(back.location);
    expect(await rig.completed()).toMatchObject({ success: true });
    expect(await rig.account()).toMatchObject({ planType: 'plus' });
    rig.at.always('refresh', granted(token({ plan: 'team' }), `rt-${MARK}-3`));
    expect(await rig.account(true)).toMatchObject({ planType: 'team' });
    expect(rig.at.of('refresh')[0]?.fields).toMatchObject({ refresh_token: `rt-${MARK}-2` });
    expect(written(rig.home)).toEqual([]);
    expect(await rig.call('account/logout')).toEqual({});
    expect(rig.at.of('revoke')[0]?.fields).toMatchObject({ token: `rt-${MARK}-3` });
    expect(await rig.account()).toBeNull();
    expect(await rig.leaks()).toEqual([]);
  });

  it('ACC-57: an existing account file is not read, written or deleted', async () => {
    const auth = signIn(token());
    const rig = await Rig.start({ ...EPHEMERAL, auth });
    expect(await rig.account()).toBeNull();
    await rig.login({ type: 'apiKey', apiKey: `sk-${MARK}` });
    await rig.replaceAuth(signIn(token({ plan: 'team' })));
    expect(await rig.account(true)).toEqual({ type: 'apiKey' });
    await rig.call('account/logout');
    expect(rig.readAuth().auth_mode).toBe('chatgpt');
    expect(await rig.account()).toBeNull();
  });
});
