import { describe, expect, it } from 'vitest';
import { createActor, type EventFromLogic } from 'xstate';
import { accountMachine } from '../../machines/account/machine.js';
import type {
  ChatgptAccount,
  ExternalTokensOutcome,
  LoginPolicy,
  LoginStep,
  StoreAccountOutcome,
  StoredAccount,
  TokenRefreshOutcome,
  Workspace,
  WorkspaceOutcome,
} from '../../src/protocol/account.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

interface Outcomes {
  storeApiKey: StoreAccountOutcome;
  signOut: StoreAccountOutcome;
  refreshTokens: TokenRefreshOutcome;
  requestExternalTokens: ExternalTokensOutcome;
  lookUpWorkspace: WorkspaceOutcome;
  openLoginServer: LoginStep;
  awaitCallback: LoginStep;
  exchangeCode: LoginStep;
  saveSignIn: LoginStep;
  awaitSuccessPage: LoginStep;
  requestDeviceCode: LoginStep;
  pollDevice: LoginStep;
  completeSignIn: LoginStep;
}
type Sent = EventFromLogic<typeof accountMachine>;

const cover = new EdgeCover(accountMachine);
const failure = (reason: Reason = 'issuerFailed'): Failure => ({
  reason,
  message: `because ${reason}`,
  at: 1,
});
const account = (accountId: string | null, generation: number): ChatgptAccount => ({
  accountId,
  generation,
  email: 'a@example.com',
  plan: 'pro',
  userId: null,
});
const chatgpt = (generation = 1, source: 'file' | 'environment' = 'file'): StoredAccount => ({
  kind: 'chatgpt',
  source,
  account: account('acct-1', generation),
  ineligible: null,
});
const KEY: StoredAccount = { kind: 'apiKey' };
const NOBODY: StoredAccount = { kind: 'none', failure: failure('authMissing') };
const ANY: LoginPolicy = { forcedMethod: null, workspaces: null };
const acme = (id = 'acct-1'): Workspace => ({
  chatgptAccountId: id,
  name: 'Acme',
  backendOrigin: 'https://x',
  accountRoutingOverride: 'us',
});

class Rig {
  readonly desk = new Desk<Outcomes>();
  readonly told: string[] = [];
  readonly closed: string[] = [];
  readonly clock = new TestClock();
  readonly actor;

  constructor(options: { policy?: LoginPolicy; routing?: boolean } = {}) {
    const { desk } = this;
    const machine = accountMachine.provide({
      actors: {
        storeApiKey: desk.actor('storeApiKey'),
        signOut: desk.actor('signOut'),
        refreshTokens: desk.actor('refreshTokens'),
        requestExternalTokens: desk.actor('requestExternalTokens'),
        lookUpWorkspace: desk.actor('lookUpWorkspace'),
        openLoginServer: desk.actor('openLoginServer'),
        awaitCallback: desk.actor('awaitCallback'),
        exchangeCode: desk.actor('exchangeCode'),
        saveSignIn: desk.actor('saveSignIn'),
        awaitSuccessPage: desk.actor('awaitSuccessPage'),
        requestDeviceCode: desk.actor('requestDeviceCode'),
        pollDevice: desk.actor('pollDevice'),
        completeSignIn: desk.actor('completeSignIn'),
      },
      actions: {
        notifyCompleted: ({ context: { endedLogin } }) =>
          this.told.push(`completed ${endedLogin?.loginId} ${endedLogin?.failure?.reason ?? 'ok'}`),
        notifyDisplaced: ({ context: { endedLogin } }) =>
          this.told.push(`displaced ${endedLogin?.loginId} ${endedLogin?.failure?.reason}`),
        closeLogin: ({ context }) => this.closed.push(context.login?.id ?? '?'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      input: {
        env: { now: () => 1, random: () => 0.5 },
        policy: options.policy ?? ANY,
        routing: options.routing ?? false,
        loginTimeout: 600_000,
      },
      inspect: cover.watch(machine),
    });
    this.actor.start();
  }

  async send(event: Sent): Promise<void> {
    this.actor.send(event);
    await settle();
  }

  get context() {
    return this.actor.getSnapshot().context;
  }

  at(region: 'auth' | 'login' | 'routing'): string {
    return statePath(this.actor.getSnapshot().value[region]);
  }

  get answer() {
    return this.context.response;
  }

  async stored(stored: StoredAccount): Promise<this> {
    await this.send({ type: 'STORED.CHANGED', stored });
    return this;
  }

  async external(ticket = 1, id = 'org-1', generation = 9): Promise<this> {
    await this.send({ type: 'LOGIN.EXTERNAL', ticket, accountId: id, account: account(id, generation) });
    return this;
  }

  /** A browser sign-in up to this state. */
  async browser(
    to: 'opening' | 'waiting' | 'exchanging' | 'saving' | 'awaitingSuccess' | 'completing',
  ): Promise<this> {
    await this.send({ type: 'LOGIN.BROWSER', ticket: 5, loginId: 'L1' });
    if (to === 'opening') return this;
    await this.desk.answer('openLoginServer', { kind: 'opened' });
    if (to === 'waiting') return this;
    await this.desk.answer('awaitCallback', { kind: 'code' });
    if (to === 'exchanging') return this;
    await this.desk.answer('exchangeCode', { kind: 'granted' });
    if (to === 'saving') return this;
    await this.desk.answer('saveSignIn', { kind: 'saved', stored: chatgpt(), page: 'local' });
    if (to === 'awaitingSuccess') return this;
    await this.desk.answer('awaitSuccessPage', { kind: 'finished' });
    return this;
  }

  async device(to: 'requesting' | 'polling'): Promise<this> {
    await this.send({ type: 'LOGIN.DEVICE', ticket: 6, loginId: 'D1' });
    if (to === 'polling') await this.desk.answer('requestDeviceCode', { kind: 'opened' });
    return this;
  }
}

describe('who is signed in', () => {
  it('ACC-19, ACC-35: what is stored decides, and external tokens come before it', async () => {
    const rig = new Rig();
    expect(rig.at('auth')).toBe('signedOut');
    expect((await rig.stored(KEY)).at('auth')).toBe('apiKey');
    expect((await rig.stored(chatgpt())).at('auth')).toBe('chatgpt.ready');
    await rig.external();
    expect([rig.at('auth'), rig.answer]).toEqual(['external.ready', { ticket: 1, kind: 'done' }]);
    await rig.stored(NOBODY);
    expect([rig.at('auth'), rig.context.stored.kind]).toEqual(['external.ready', 'none']);
  });

  it('ACC-28: an API key is stored, and answered when it is', async () => {
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

  it('ACC-29: external tokens refuse every other sign-in', async () => {
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

  it('ACC-30, ACC-32, ACC-37: what policy and form forbid is refused with its reason', async () => {
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

  it('ACC-48, ACC-53, ACC-54: a refresh brings tokens, finds them, keeps the old ones, or ends the sign-in', async () => {
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

  it('ACC-27, ACC-48: a sign-in that begins during a refresh and the refresh are each answered, whoever ends first', async () => {
    for (const first of ['refreshTokens', 'requestDeviceCode'] as const) {
      const rig = await new Rig().stored(chatgpt(1));
      await rig.send({ type: 'REFRESH', ticket: 1, reason: 'forced' });
      await rig.send({ type: 'LOGIN.DEVICE', ticket: 2, loginId: 'D1' });
      const end = {
        refreshTokens: () => rig.desk.answer('refreshTokens', { kind: 'refreshed', stored: chatgpt(2) }),
        requestDeviceCode: () => rig.desk.answer('requestDeviceCode', { kind: 'opened' }),
      };
      const ticket = { refreshTokens: 1, requestDeviceCode: 2 };
      const second = first === 'refreshTokens' ? 'requestDeviceCode' : 'refreshTokens';
      for (const which of [first, second] as const) {
        await end[which]();
        expect(rig.answer, which).toEqual({ ticket: ticket[which], kind: 'done' });
      }
    }
  });

  it('ACC-16: where there is nothing to refresh or nobody to ask the answer comes at once', async () => {
    const rig = new Rig();
    await rig.send({ type: 'REFRESH', ticket: 1, reason: 'forced' });
    expect(rig.answer).toEqual({ ticket: 1, kind: 'done' });
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 2 });
    expect(rig.answer).toEqual({ ticket: 2, kind: 'done' });
  });

  it('ACC-41, ACC-43, ACC-45: the parent is asked; a good answer replaces, a bad one keeps', async () => {
    const rig = await new Rig().external();
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 2 });
    expect(rig.at('auth')).toBe('external.asking');
    await rig.desk.answer('requestExternalTokens', { kind: 'replaced', account: account('org-1', 10) });
    expect([rig.context.external?.generation, rig.answer?.kind]).toEqual([10, 'done']);
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 3 });
    await rig.desk.answer('requestExternalTokens', { kind: 'failed', failure: failure('parentSilent') });
    expect([rig.context.external?.generation, rig.answer?.kind]).toEqual([10, 'failed']);
    await rig.send({ type: 'REFRESH.EXTERNAL', ticket: 4 });
    await rig.desk.fail('requestExternalTokens', new Error('bug'));
    expect(rig.at('auth')).toBe('external.ready');
  });

  it('ACC-39, ACC-55: a logout ends external tokens first; what is stored only when there are none, or with all', async () => {
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

describe('interactive sign-ins', () => {
  it('ACC-70 … ACC-77: a browser sign-in, step by step', async () => {
    const rig = await new Rig().browser('waiting');
    expect(rig.answer).toEqual({ ticket: 5, kind: 'done' });
    await rig.desk.answer('awaitCallback', { kind: 'code' });
    await rig.desk.answer('exchangeCode', { kind: 'granted' });
    await rig.desk.answer('saveSignIn', { kind: 'saved', stored: chatgpt(), page: 'local' });
    expect([rig.at('login'), rig.at('auth'), rig.told]).toEqual([
      'signingIn.awaitingSuccess',
      'chatgpt.ready',
      [],
    ]);
    await rig.desk.answer('awaitSuccessPage', { kind: 'finished' });
    await rig.desk.answer('completeSignIn', { kind: 'finished' });
    expect([rig.at('login'), rig.told, rig.closed]).toEqual(['idle', ['completed L1 ok'], ['L1']]);
  });

  it('ACC-76: a hosted page completes at once, and so does a device', async () => {
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
      expect([rig.at('login'), rig.told]).toEqual([
        'idle',
        [`completed L1 ${how === 'answer' ? 'loginRefused' : 'engineFault'}`],
      ]);
    }
  });

  it('ACC-70, ACC-79: one that cannot be begun is answered with why, and nobody else is told', async () => {
    for (const [src, begin] of [
      ['openLoginServer', (rig: Rig) => rig.browser('opening')],
      ['requestDeviceCode', (rig: Rig) => rig.device('requesting')],
    ] as const) {
      for (const how of ['answer', 'fail'] as const) {
        const rig = await begin(new Rig());
        if (how === 'answer')
          await rig.desk.answer(src, { kind: 'failed', failure: failure('loginPortsBusy') });
        else await rig.desk.fail(src, new Error('bug'));
        expect([rig.at('login'), rig.answer?.kind, rig.told]).toEqual(['idle', 'failed', []]);
      }
    }
  });

  it('ACC-80: a poll that fails ends a device sign-in', async () => {
    const rig = await new Rig().device('polling');
    await rig.desk.answer('pollDevice', { kind: 'failed', failure: failure('deviceCodeDenied') });
    expect(rig.told).toEqual(['completed D1 deviceCodeDenied']);
    const other = await new Rig().device('polling');
    await other.desk.fail('pollDevice', new Error('bug'));
    expect(other.told).toEqual(['completed D1 engineFault']);
  });

  it('ACC-77: it times out while nobody comes; once it is saved the time-out completes it', async () => {
    const rig = await new Rig().browser('waiting');
    await rig.clock.advance(600_000);
    expect([rig.at('login'), rig.told]).toEqual(['idle', ['completed L1 loginTimedOut']]);
    const saved = await new Rig().browser('awaitingSuccess');
    await saved.clock.advance(600_000);
    expect([saved.at('login'), saved.told]).toEqual(['signingIn.completing', []]);
  });

  it('ACC-82, ACC-83: a cancel ends the one that it names, and finds nothing else', async () => {
    const rig = new Rig();
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 1, loginId: 'L1' });
    expect(rig.answer).toEqual({ ticket: 1, kind: 'notFound' });
    await rig.browser('waiting');
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 2, loginId: 'other' });
    expect(rig.answer).toEqual({ ticket: 2, kind: 'notFound' });
    await rig.send({ type: 'LOGIN.CANCEL', ticket: 3, loginId: 'L1' });
    expect([rig.answer, rig.told]).toEqual([{ ticket: 3, kind: 'done' }, ['completed L1 loginCancelled']]);
    expect(rig.desk.aborted).toEqual(['awaitCallback']);
  });

  it.each(['saving', 'awaitingSuccess', 'completing'] as const)(
    'ACC-76: in %s a cancel comes too late',
    async (state) => {
      const rig = await new Rig().browser(state);
      await rig.send({ type: 'LOGIN.CANCEL', ticket: 7, loginId: 'L1' });
      expect([rig.answer, rig.told]).toEqual([{ ticket: 7, kind: 'notFound' }, []]);
      expect(rig.actor.getSnapshot().hasTag('saved')).toBe(true);
    },
  );

  it('ACC-76: whoever wants to go on completes a saved one', async () => {
    const rig = await new Rig().browser('awaitingSuccess');
    await rig.send({ type: 'LOGIN.FINISH' });
    expect(rig.at('login')).toBe('signingIn.completing');
    const failing = await new Rig().browser('awaitingSuccess');
    await failing.desk.fail('awaitSuccessPage', new Error('bug'));
    expect(failing.at('login')).toBe('signingIn.completing');
  });

  it('ACC-26: another accepted request takes its place, a refused one does not', async () => {
    for (const event of [
      { type: 'LOGIN.API_KEY', ticket: 8 },
      { type: 'LOGIN.EXTERNAL', ticket: 8, accountId: 'o', account: account('o', 7) },
      { type: 'LOGOUT', ticket: 8, all: false },
    ] as const) {
      const rig = await new Rig().browser('waiting');
      await rig.send(event);
      expect([rig.at('login'), rig.told, rig.closed]).toEqual([
        'idle',
        ['displaced L1 loginDisplaced'],
        ['L1'],
      ]);
    }
    const rig = await new Rig().browser('waiting');
    await rig.send({ type: 'LOGIN.DEVICE', ticket: 8, loginId: 'D1' });
    expect([rig.at('login'), rig.context.login?.id, rig.told]).toEqual([
      'signingIn.device.requesting',
      'D1',
      ['displaced L1 loginDisplaced'],
    ]);
    await rig.send({ type: 'LOGIN.BROWSER', ticket: 9, loginId: 'L2' });
    expect([rig.at('login'), rig.closed]).toEqual(['signingIn.browser.opening', ['L1', 'D1']]);
    const forced = new Rig({ policy: { forcedMethod: 'chatgpt', workspaces: null } });
    await forced.browser('waiting');
    await forced.send({ type: 'LOGIN.API_KEY', ticket: 8 });
    expect([forced.at('login'), forced.told]).toEqual(['signingIn.browser.waiting', []]);
  });
});

describe('the workspace', () => {
  it('ACC-60: it is not asked for unless routing is on, and not for nobody', async () => {
    const off = await new Rig().stored(chatgpt());
    await off.send({ type: 'WORKSPACE.REQUESTED' });
    expect([off.at('routing'), off.desk.open]).toEqual(['off', []]);
    const on = new Rig({ routing: true });
    await on.send({ type: 'WORKSPACE.REQUESTED' });
    expect(on.at('routing')).toBe('unknown');
  });

  it('ACC-60: once for each token, and forgotten with the account', async () => {
    const rig = await new Rig({ routing: true }).stored(chatgpt(1));
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    expect(rig.desk.count('lookUpWorkspace')).toBe(1);
    await rig.desk.answer('lookUpWorkspace', { kind: 'found', workspace: acme() });
    expect([rig.at('routing'), rig.context.workspace?.name]).toEqual(['known', 'Acme']);
    await rig.stored(chatgpt(2));
    expect([rig.at('routing'), rig.context.workspace]).toEqual(['unknown', null]);
  });

  it('ACC-62: a failure is kept until somebody asks again', async () => {
    const rig = await new Rig({ routing: true }).stored(chatgpt(1));
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.desk.answer('lookUpWorkspace', { kind: 'failed', failure: failure('workspaceUnknown') });
    expect([rig.at('routing'), rig.context.workspaceFailure?.reason]).toEqual(['failed', 'workspaceUnknown']);
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.desk.fail('lookUpWorkspace', new Error('bug'));
    expect(rig.context.workspaceFailure?.reason).toBe('engineFault');
    await rig.stored(NOBODY);
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    expect([rig.at('routing'), rig.context.workspaceFailure]).toEqual(['unknown', null]);
  });

  it('ACC-46: what was found for another account does not count', async () => {
    const rig = await new Rig({ routing: true }).external(1, 'org-1');
    await rig.send({ type: 'WORKSPACE.REQUESTED' });
    await rig.desk.answer('lookUpWorkspace', { kind: 'found', workspace: acme('org-9') });
    expect(rig.context.workspaceFailure?.message).toBe('account changed during workspace routing discovery');
  });
});

describe('cover', () => {
  it('no transition is left untaken, and no name unused', () => {
    expect(cover.untaken).toEqual([]);
    expect(unusedNames(accountMachine)).toEqual([]);
  });
});
