/** The chart account with the real chart login, scripted actors and a simulated clock. */
import { createActor, type EventFromLogic } from 'xstate';
import { accountMachine } from '../../../machines/account/machine.js';
import { loginMachine } from '../../../machines/login/machine.js';
import type {
  ChatgptAccount,
  CodeOutcome,
  DeviceOutcome,
  DevicePoll,
  ExchangeStep,
  ExternalTokensOutcome,
  LoginOutcome,
  LoginPolicy,
  PlaceOutcome,
  PortOutcome,
  SaveOutcome,
  StoreAccountOutcome,
  StoredAccount,
  TokenRefreshOutcome,
  Workspace,
  WorkspaceOutcome,
} from '../../../src/protocol/account.js';
import { statePath } from '../../../src/protocol/decision.js';
import type { Failure } from '../../../src/protocol/outcomes.js';
import type { Reason } from '../../../src/protocol/reasons.js';
import { Desk, EdgeCover, settle, TestClock } from '../../support/charts.js';

interface Outcomes {
  storeApiKey: StoreAccountOutcome;
  signOut: StoreAccountOutcome;
  refreshTokens: TokenRefreshOutcome;
  requestExternalTokens: ExternalTokensOutcome;
  lookUpWorkspace: WorkspaceOutcome;
  checkPlace: PlaceOutcome;
  openPort: PortOutcome;
  requestCancel: unknown;
  awaitCallback: CodeOutcome;
  awaitOther: unknown;
  exchangeCode: ExchangeStep;
  saveSignIn: SaveOutcome;
  awaitSuccessPage: unknown;
  requestDeviceCode: DeviceOutcome;
  pollDevice: DevicePoll;
  completeSignIn: LoginOutcome;
}
type Sent = EventFromLogic<typeof accountMachine>;

export const cover = new EdgeCover(accountMachine);
export const failure = (reason: Reason = 'issuerFailed'): Failure => ({
  reason,
  message: `it was ${reason}`,
  at: 1,
});
export const account = (accountId: string | null, generation: number): ChatgptAccount => ({
  accountId,
  generation,
  email: 'a@example.com',
  plan: 'pro',
  userId: null,
});
export const chatgpt = (generation = 1, source: 'file' | 'environment' = 'file'): StoredAccount => ({
  kind: 'chatgpt',
  source,
  account: account('acct-1', generation),
  ineligible: null,
});
export const KEY: StoredAccount = { kind: 'apiKey' };
export const NOBODY: StoredAccount = { kind: 'none', failure: failure('authMissing') };
const ANY: LoginPolicy = { forcedMethod: null, workspaces: null };
export const acme = (id = 'acct-1'): Workspace => ({
  chatgptAccountId: id,
  name: 'Acme',
  backendOrigin: 'https://x',
  accountRoutingOverride: 'us',
});

export class Rig {
  readonly desk = new Desk<Outcomes>();
  readonly notified: string[] = [];
  readonly closed: string[] = [];
  /** Failures that the browser was shown. */
  readonly shown: string[] = [];
  /** Makes the login chart throw, like a bug in it. */
  breaks: 'early' | 'late' | null = null;
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
        login: this.#login(),
      },
      actions: {
        notifyCompleted: ({ context: { endedLogin } }) =>
          this.notified.push(`completed ${endedLogin?.loginId} ${endedLogin?.failure?.reason ?? 'ok'}`),
        notifyDisplaced: ({ context: { endedLogin } }) =>
          this.notified.push(`displaced ${endedLogin?.loginId} ${endedLogin?.failure?.reason}`),
        closeLogin: ({ context }) => this.closed.push(context.login?.id ?? '?'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      input: {
        env: { now: () => 1, monotonic: () => 1, random: () => 0.5 },
        policy: options.policy ?? ANY,
        routing: options.routing ?? false,
        limits: { loginTimeout: 600_000, issuerTimeout: 30_000, loginPorts: [1455, 1457] },
      },
      inspect: cover.watch(machine),
    });
    this.actor.start();
  }

  #login() {
    const { desk } = this;
    return loginMachine.provide({
      actors: {
        checkPlace: desk.actor('checkPlace'),
        openPort: desk.actor('openPort'),
        requestCancel: desk.actor('requestCancel'),
        awaitCallback: desk.actor('awaitCallback'),
        awaitOther: desk.actor('awaitOther'),
        exchangeCode: desk.actor('exchangeCode'),
        saveSignIn: desk.actor('saveSignIn'),
        awaitSuccessPage: desk.actor('awaitSuccessPage'),
        requestDeviceCode: desk.actor('requestDeviceCode'),
        pollDevice: desk.actor('pollDevice'),
        completeSignIn: desk.actor('completeSignIn'),
      },
      guards: {
        isBrowser: ({ context }) => {
          if (this.breaks === 'early') throw new Error('the login chart broke');
          return context.kind === 'browser';
        },
      },
      actions: {
        showFailure: ({ context: { outcome } }) => {
          if (this.breaks === 'late') throw new Error('the login chart broke');
          this.shown.push(outcome !== null && 'failure' in outcome ? outcome.failure.reason : '?');
        },
      },
    });
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

  /** Runs a browser sign-in up to this state. */
  async browser(
    to: 'opening' | 'waiting' | 'exchanging' | 'saving' | 'awaitingSuccess' | 'completing',
  ): Promise<this> {
    await this.send({ type: 'LOGIN.BROWSER', ticket: 5, loginId: 'L1' });
    await this.desk.answer('checkPlace', { kind: 'prepared' });
    if (to === 'opening') return this;
    await this.desk.answer('openPort', { kind: 'opened' });
    if (to === 'waiting') return this;
    await this.desk.answer('awaitCallback', { kind: 'code' });
    if (to === 'exchanging') return this;
    await this.desk.answer('exchangeCode', { kind: 'granted' });
    if (to === 'saving') return this;
    await this.desk.answer('saveSignIn', { kind: 'saved', stored: chatgpt(), page: 'local' });
    if (to === 'awaitingSuccess') return this;
    await this.desk.answer('awaitSuccessPage', undefined);
    return this;
  }

  async device(to: 'requesting' | 'polling'): Promise<this> {
    await this.send({ type: 'LOGIN.DEVICE', ticket: 6, loginId: 'D1' });
    await this.desk.answer('checkPlace', { kind: 'prepared' });
    if (to === 'polling') await this.desk.answer('requestDeviceCode', { kind: 'opened', interval: 1_000 });
    return this;
  }
}
