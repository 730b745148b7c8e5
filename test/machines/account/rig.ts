/** The chart account with scripted actors and a simulated clock. */
import { createActor, type EventFromLogic } from 'xstate';
import { accountMachine } from '../../../machines/account/machine.js';
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

  /** Runs a browser sign-in up to this state. */
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
