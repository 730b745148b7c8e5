import { describe, expect, it } from 'vitest';
import { account, chatgpt, failure, Rig } from './rig.js';

describe('the region login', () => {
  it('ACC-70 … ACC-77: a browser sign-in, step by step', async () => {
    const rig = await new Rig().browser('waiting');
    expect(rig.answer).toEqual({ ticket: 5, kind: 'done' });
    await rig.desk.answer('awaitCallback', { kind: 'code' });
    await rig.desk.answer('exchangeCode', { kind: 'granted' });
    await rig.desk.answer('saveSignIn', { kind: 'saved', stored: chatgpt(), page: 'local' });
    expect([rig.at('login'), rig.at('auth'), rig.notified]).toEqual([
      'signingIn.awaitingSuccess',
      'chatgpt.ready',
      [],
    ]);
    await rig.desk.answer('awaitSuccessPage', undefined);
    await rig.desk.answer('completeSignIn', { kind: 'finished' });
    expect([rig.at('login'), rig.notified, rig.closed]).toEqual(['idle', ['completed L1 ok'], ['L1']]);
  });

  it('ACC-76: with a hosted page or a device code it completes at once', async () => {
    const rig = await new Rig().browser('saving');
    await rig.desk.answer('saveSignIn', { kind: 'saved', stored: chatgpt(), page: 'hosted' });
    expect(rig.at('login')).toBe('signingIn.completing');
    const device = await new Rig().device('polling');
    await device.desk.answer('pollDevice', { kind: 'code' });
    await device.desk.answer('exchangeCode', { kind: 'granted' });
    await device.desk.answer('saveSignIn', { kind: 'saved', stored: chatgpt(), page: 'none' });
    expect(device.at('login')).toBe('signingIn.completing');
  });

  it.each([
    ['awaitCallback', 'waiting'],
    ['exchangeCode', 'exchanging'],
    ['saveSignIn', 'saving'],
    ['completeSignIn', 'completing'],
  ] as const)('ACC-74, ACC-75: a failure of %s ends it with its reason', async (src, state) => {
    for (const how of ['answer', 'fail'] as const) {
      const rig = await new Rig().browser(state);
      if (how === 'answer') await rig.desk.answer(src, { kind: 'failed', failure: failure('loginRefused') });
      else await rig.desk.fail(src, new Error('bug'));
      expect([rig.at('login'), rig.notified]).toEqual([
        'idle',
        [`completed L1 ${how === 'answer' ? 'loginRefused' : 'engineFault'}`],
      ]);
    }
  });

  it('ACC-70, ACC-79: if it cannot start, only its requester gets the error', async () => {
    for (const [src, begin] of [
      ['openPort', (rig: Rig) => rig.browser('opening')],
      ['requestDeviceCode', (rig: Rig) => rig.device('requesting')],
    ] as const) {
      for (const how of ['answer', 'fail'] as const) {
        const rig = await begin(new Rig());
        if (how === 'answer')
          await rig.desk.answer(src, { kind: 'failed', failure: failure('loginPortsBusy') });
        else await rig.desk.fail(src, new Error('bug'));
        expect([rig.at('login'), rig.answer?.kind, rig.notified]).toEqual(['idle', 'failed', []]);
      }
    }
  });

  it('ACC-80: a failed poll ends a device sign-in', async () => {
    const rig = await new Rig().device('polling');
    await rig.desk.answer('pollDevice', { kind: 'failed', failure: failure('deviceCodeDenied') });
    expect(rig.notified).toEqual(['completed D1 deviceCodeDenied']);
    const other = await new Rig().device('polling');
    await other.desk.fail('pollDevice', new Error('bug'));
    expect(other.notified).toEqual(['completed D1 engineFault']);
  });

  it('ACC-77, ACC-111: it times out while it waits for the browser; once saved it completes after 5 s', async () => {
    const rig = await new Rig().browser('waiting');
    await rig.clock.advance(600_000);
    expect([rig.at('login'), rig.notified]).toEqual(['idle', ['completed L1 loginTimedOut']]);
    const saved = await new Rig().browser('awaitingSuccess');
    await saved.clock.advance(5_000);
    expect([saved.at('login'), saved.notified]).toEqual(['signingIn.completing', []]);
  });

  it('ACC-82, ACC-83: a cancel ends only the sign-in that it names', async () => {
    const rig = new Rig();
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 1, loginId: 'L1' });
    expect(rig.answer).toEqual({ ticket: 1, kind: 'notFound' });
    await rig.browser('waiting');
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 2, loginId: 'other' });
    expect(rig.answer).toEqual({ ticket: 2, kind: 'notFound' });
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 3, loginId: 'L1' });
    expect([rig.answer, rig.notified]).toEqual([
      { ticket: 3, kind: 'done' },
      ['completed L1 loginCancelled'],
    ]);
    expect(rig.desk.aborted).toEqual(['awaitCallback']);
  });

  it.each(['saving', 'awaitingSuccess', 'completing'] as const)(
    'ACC-76: in %s it is too late to cancel',
    async (state) => {
      const rig = await new Rig().browser(state);
      await rig.send({ type: 'LOGIN.CANCEL', ticket: 7, loginId: 'L1' });
      expect([rig.answer, rig.notified]).toEqual([{ ticket: 7, kind: 'notFound' }, []]);
      expect(rig.actor.getSnapshot().hasTag('saved')).toBe(true);
    },
  );

  it('ACC-111: once saved, a cancel of its id ends the wait for the browser, another cancel does not', async () => {
    const rig = await new Rig().browser('awaitingSuccess');
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 5, loginId: 'other' });
    expect(rig.at('login')).toBe('signingIn.awaitingSuccess');
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 6, loginId: 'L1' });
    expect([rig.at('login'), rig.answer]).toEqual(['signingIn.completing', { ticket: 6, kind: 'notFound' }]);
  });

  it('ACC-76: LOGIN.FINISH or an error completes a saved sign-in', async () => {
    const rig = await new Rig().browser('awaitingSuccess');
    await rig.send({ type: 'LOGIN.FINISH' });
    expect(rig.at('login')).toBe('signingIn.completing');
    const failing = await new Rig().browser('awaitingSuccess');
    await failing.desk.fail('awaitSuccessPage', new Error('bug'));
    expect(failing.at('login')).toBe('signingIn.completing');
  });

  it('a bug in the chart login fails the sign-in, or its request', async () => {
    const rig = new Rig();
    rig.breaks = 'late';
    await rig.browser('waiting');
    await rig.desk.answer('awaitCallback', { kind: 'failed', failure: failure('loginRefused') });
    expect([rig.at('login'), rig.notified]).toEqual(['idle', ['completed L1 engineFault']]);
    const early = new Rig();
    early.breaks = 'early';
    await early.browser('opening');
    expect([early.at('login'), early.answer?.kind, early.notified]).toEqual(['idle', 'failed', []]);
  });

  it('ACC-26: another accepted request displaces it, a refused one does not', async () => {
    for (const event of [
      { type: 'LOGIN.API_KEY', ticket: 8 },
      { type: 'LOGIN.EXTERNAL', ticket: 8, accountId: 'o', account: account('o', 7) },
      { type: 'LOGOUT', ticket: 8, all: false },
    ] as const) {
      const rig = await new Rig().browser('waiting');
      await rig.send(event);
      expect([rig.at('login'), rig.notified, rig.closed]).toEqual([
        'idle',
        ['displaced L1 loginDisplaced'],
        ['L1'],
      ]);
    }
    const rig = await new Rig().browser('waiting');
    await rig.send({ type: 'LOGIN.DEVICE', ticket: 8, loginId: 'D1' });
    expect([rig.at('login'), rig.context.login?.id, rig.notified]).toEqual([
      'signingIn.opening',
      'D1',
      ['displaced L1 loginDisplaced'],
    ]);
    await rig.send({ type: 'LOGIN.BROWSER', ticket: 9, loginId: 'L2' });
    expect([rig.at('login'), rig.closed]).toEqual(['signingIn.opening', ['L1', 'D1']]);
    const forced = new Rig({ policy: { forcedMethod: 'chatgpt', workspaces: null } });
    await forced.browser('waiting');
    await forced.send({ type: 'LOGIN.API_KEY', ticket: 8 });
    expect([forced.at('login'), forced.notified]).toEqual(['signingIn.waiting', []]);
  });
});
