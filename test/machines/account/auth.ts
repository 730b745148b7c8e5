import { describe, expect, it } from 'vitest';
import { account, chatgpt, failure, KEY, NOBODY, Rig } from './rig.js';

describe('the region auth', () => {
  it('ACC-19, ACC-35: external tokens come before the stored sign-in', async () => {
    const rig = new Rig();
    expect(rig.at('auth')).toBe('signedOut');
    expect((await rig.stored(KEY)).at('auth')).toBe('apiKey');
    expect((await rig.stored(chatgpt())).at('auth')).toBe('chatgpt.ready');
    await rig.external();
    expect([rig.at('auth'), rig.answer]).toEqual(['external.ready', { ticket: 1, kind: 'done' }]);
    await rig.stored(NOBODY);
    expect([rig.at('auth'), rig.context.stored.kind]).toEqual(['external.ready', 'none']);
  });

  it('ACC-28: an API key is stored before the response', async () => {
    const rig = new Rig();
    await rig.send({ type: 'LOGIN.API_KEY', ticket: 2 });
    await rig.stored(chatgpt());
    expect([rig.at('auth'), rig.answer]).toEqual(['storingApiKey', null]);
    await rig.desk.answer('storeApiKey', { kind: 'stored', stored: KEY });
    expect([rig.at('auth'), rig.answer]).toEqual(['apiKey', { ticket: 2, kind: 'done' }]);
    await rig.send({ type: 'LOGIN.API_KEY', ticket: 3 });
    await rig.desk.answer('storeApiKey', { kind: 'failed', failure: failure('authFileNotWritable') });
    expect(rig.answer).toMatchObject({
      ticket: 3,
      kind: 'failed',
      failure: { reason: 'authFileNotWritable' },
    });
    await rig.send({ type: 'LOGIN.API_KEY', ticket: 4 });
    await rig.desk.fail('storeApiKey', new Error('bug'));
    expect(rig.answer).toMatchObject({ ticket: 4, kind: 'failed', failure: { reason: 'engineFault' } });
  });

  it('ACC-29: every other sign-in is refused while external tokens are in use', async () => {
    const rig = await new Rig().external();
    await rig.send({ type: 'LOGIN.API_KEY', ticket: 2 });
    expect(rig.answer).toEqual({ ticket: 2, kind: 'refused', reason: 'externalAuthActive' });
    await rig.send({ type: 'LOGIN.BROWSER', ticket: 3, loginId: 'x' });
    expect(rig.answer).toMatchObject({ ticket: 3, reason: 'externalAuthActive' });
    await rig.send({ type: 'LOGIN.DEVICE', ticket: 4, loginId: 'x' });
    expect(rig.answer).toMatchObject({ ticket: 4, reason: 'externalAuthActive' });
    expect([rig.at('auth'), rig.at('login')]).toEqual(['external.ready', 'idle']);
    await rig.external(5, 'org-2', 10);
    expect(rig.context.external?.accountId).toBe('org-2');
  });

  it('ACC-30, ACC-32, ACC-37: a sign-in against the policy or with an unreadable token is refused with its reason', async () => {
    const api = new Rig({ policy: { forcedMethod: 'api', workspaces: null } });
    await api.external(1);
    expect(api.answer).toMatchObject({ kind: 'refused', reason: 'authMethodForbidden' });
    await api.send({ type: 'LOGIN.BROWSER', ticket: 2, loginId: 'x' });
    expect(api.answer).toMatchObject({ ticket: 2, reason: 'authMethodForbidden' });
    await api.send({ type: 'LOGIN.DEVICE', ticket: 3, loginId: 'x' });
    expect(api.answer).toMatchObject({ ticket: 3, reason: 'authMethodForbidden' });
    const rig = new Rig({ policy: { forcedMethod: 'chatgpt', workspaces: ['ws-1'] } });
    await rig.send({ type: 'LOGIN.API_KEY', ticket: 1 });
    expect(rig.answer).toMatchObject({ reason: 'authMethodForbidden' });
    await rig.external(2, 'ws-2');
    expect(rig.answer).toMatchObject({ reason: 'authWrongWorkspace' });
    await rig.send({ type: 'LOGIN.EXTERNAL', ticket: 3, accountId: 'ws-1', account: null });
    expect(rig.answer).toMatchObject({ reason: 'authTokenUnreadable' });
    expect(rig.at('auth')).toBe('signedOut');
  });

  it('ACC-48, ACC-53, ACC-54: a refresh gets tokens, reads newer ones, fails, or ends the sign-in', async () => {
    const rig = await new Rig().stored(chatgpt(1));
    await rig.send({ type: 'REFRESH', ticket: 1, reason: 'forced' });
    expect(rig.desk.lastInput('refreshTokens')).toEqual({ reason: 'forced', expired: null });
    await rig.stored(chatgpt(1));
    expect(rig.at('auth')).toBe('chatgpt.refreshing');
    await rig.desk.answer('refreshTokens', { kind: 'refreshed', stored: chatgpt(2) });
    expect([rig.at('auth'), rig.answer?.kind]).toEqual(['chatgpt.ready', 'done']);
    await rig.send({ type: 'REFRESH', ticket: 2, reason: 'scheduled' });
    await rig.desk.answer('refreshTokens', { kind: 'reloaded', stored: chatgpt(3) });
    expect(rig.context.decision.reason).toBe('tokensReloaded');
    for (const kind of ['failed', 'skipped'] as const) {
      await rig.send({ type: 'REFRESH', ticket: 3, reason: 'forced' });
      await rig.desk.answer('refreshTokens', { kind, failure: failure() });
      expect([rig.at('auth'), rig.answer?.kind]).toEqual(['chatgpt.ready', 'failed']);
    }
    await rig.send({ type: 'REFRESH', ticket: 4, reason: 'forced' });
    await rig.desk.fail('refreshTokens', new Error('bug'));
    expect(rig.at('auth')).toBe('chatgpt.ready');
    await rig.send({ type: 'REFRESH', ticket: 5, reason: 'forced' });
    await rig.desk.answer('refreshTokens', { kind: 'permanent', failure: failure('refreshTokenExpired') });
    expect([rig.at('auth'), rig.context.decision.reason]).toEqual(['chatgpt.expired', 'refreshTokenExpired']);
    await rig.send({ type: 'REFRESH', ticket: 6, reason: 'forced' });
    expect(rig.desk.lastInput('refreshTokens')).toMatchObject({ expired: { reason: 'refreshTokenExpired' } });
    await rig.desk.answer('refreshTokens', { kind: 'failed', failure: failure() });
    expect(rig.at('auth')).toBe('chatgpt.expired');
    await rig.send({ type: 'REFRESH', ticket: 7, reason: 'forced' });
    await rig.desk.answer('refreshTokens', { kind: 'reloaded', stored: chatgpt(3) });
    expect([rig.at('auth'), rig.context.expired]).toEqual(['chatgpt.ready', null]);
    await rig.send({ type: 'REFRESH', ticket: 8, reason: 'forced' });
    await rig.desk.answer('refreshTokens', { kind: 'permanent', failure: failure('refreshTokenExpired') });
    await rig.stored(chatgpt(4));
    expect([rig.at('auth'), rig.context.expired]).toEqual(['chatgpt.ready', null]);
  });

  it('ACC-27, ACC-48: a refresh and a sign-in at the same time get their own responses in either order', async () => {
    for (const first of ['refreshTokens', 'requestDeviceCode'] as const) {
      const rig = await new Rig().stored(chatgpt(1));
      await rig.send({ type: 'REFRESH', ticket: 1, reason: 'forced' });
      await rig.send({ type: 'LOGIN.DEVICE', ticket: 2, loginId: 'D1' });
      await rig.desk.answer('checkPlace', { kind: 'prepared' });
      const end = {
        refreshTokens: () => rig.desk.answer('refreshTokens', { kind: 'refreshed', stored: chatgpt(2) }),
        requestDeviceCode: () => rig.desk.answer('requestDeviceCode', { kind: 'opened', interval: 1_000 }),
      };
      const ticket = { refreshTokens: 1, requestDeviceCode: 2 };
      const second = first === 'refreshTokens' ? 'requestDeviceCode' : 'refreshTokens';
      for (const which of [first, second] as const) {
        await end[which]();
        expect(rig.answer, which).toEqual({ ticket: ticket[which], kind: 'done' });
      }
    }
  });

  it('ACC-16: without tokens or a parent app the response comes at once', async () => {
    const rig = new Rig();
    await rig.send({ type: 'REFRESH', ticket: 1, reason: 'forced' });
    expect(rig.answer).toEqual({ ticket: 1, kind: 'done' });
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 2 });
    expect(rig.answer).toEqual({ ticket: 2, kind: 'done' });
  });

  it('ACC-41, ACC-43, ACC-45: new tokens of the parent app replace the old ones; a failure keeps them', async () => {
    const rig = await new Rig().external();
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 2 });
    expect(rig.at('auth')).toBe('external.requesting');
    await rig.desk.answer('requestExternalTokens', { kind: 'replaced', account: account('org-1', 10) });
    expect([rig.context.external?.generation, rig.answer?.kind]).toEqual([10, 'done']);
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 3 });
    await rig.desk.answer('requestExternalTokens', { kind: 'failed', failure: failure('parentSilent') });
    expect([rig.context.external?.generation, rig.answer?.kind]).toEqual([10, 'failed']);
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 4 });
    await rig.desk.fail('requestExternalTokens', new Error('bug'));
    expect(rig.at('auth')).toBe('external.ready');
  });

  it('ACC-39, ACC-55: a logout drops external tokens; the stored sign-in only if there are none, or with `all`', async () => {
    const rig = await new Rig().stored(chatgpt());
    await rig.external();
    await rig.send({ type: 'LOGOUT', ticket: 2, all: false });
    expect(rig.desk.lastInput('signOut')).toEqual({ stored: false });
    await rig.stored(chatgpt(2));
    expect(rig.at('auth')).toBe('signingOut');
    await rig.desk.answer('signOut', { kind: 'stored', stored: chatgpt(2) });
    expect([rig.at('auth'), rig.context.external]).toEqual(['chatgpt.ready', null]);
    await rig.external(3);
    await rig.send({ type: 'LOGOUT', ticket: 4, all: true });
    expect(rig.desk.lastInput('signOut')).toEqual({ stored: true });
    await rig.desk.answer('signOut', { kind: 'failed', failure: failure('authFileNotWritable') });
    expect([rig.at('auth'), rig.answer?.kind]).toEqual(['external.ready', 'failed']);
    await rig.send({ type: 'LOGOUT', ticket: 5, all: true });
    await rig.desk.fail('signOut', new Error('bug'));
    await rig.send({ type: 'LOGOUT', ticket: 6, all: true });
    await rig.desk.answer('signOut', { kind: 'stored', stored: NOBODY });
    expect(rig.at('auth')).toBe('signedOut');
    await rig.send({ type: 'LOGOUT', ticket: 7, all: false });
    expect(rig.desk.lastInput('signOut')).toEqual({ stored: true });
  });
});
