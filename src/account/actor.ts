import { type ActorRefFrom, createActor, fromPromise } from 'xstate';
import { accountMachine } from '../../machines/account/machine.js';
import type { EndedLogin } from '../../machines/account/types.js';
import { loginMachine } from '../../machines/login/machine.js';
import type { Requester } from '../net/backend-request.js';
import { decisionText, onDecision } from '../observe/decisions.js';
import type {
  ChatgptAccount,
  CodeOutcome,
  DeviceOutcome,
  DevicePoll,
  ExchangeStep,
  ExternalTokensOutcome,
  LoginOutcome,
  PlaceOutcome,
  PortOutcome,
  SaveOutcome,
  StoreAccountOutcome,
  TokenRefreshOutcome,
  TokenRefreshReason,
  WorkspaceOutcome,
} from '../protocol/account.js';
import type { Recovery } from '../protocol/account-source.js';
import { statePath } from '../protocol/decision.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Mutex } from '../system/mutex.js';
import type { Credentials } from './credentials.js';
import type { InteractiveLogins } from './login/interactive-login.js';
import type { AccountConfig } from './options.js';
import { requestExternalTokens } from './parent-app.js';
import type { TokenStore } from './tokens.js';
import { lookUpWorkspace } from './workspace.js';

export type AccountActor = ActorRefFrom<typeof accountMachine>;

interface AccountActorDeps {
  readonly config: AccountConfig;
  readonly credentials: Credentials;
  readonly tokens: TokenStore;
  readonly logins: InteractiveLogins;
  /** Its holder redeems a refresh token or writes the file. ACC-48 */
  readonly tokenMutex: Mutex;
  /** Aborted when the engine stops. */
  readonly closed: AbortSignal;
  /** Of the request in progress. */
  readonly apiKey: () => Secret | undefined;
  readonly currentToken: () => { readonly accountId: string; readonly accessToken: Secret } | null;
  readonly recovery: () => Recovery;
  readonly requester: () => Promise<Requester>;
  /** Null: the workspace is known, or none is needed. */
  readonly findWorkspace: () => Promise<Failure | null>;
  /** Notifies remote control and the app server that the account has changed. */
  readonly notifyChanged: () => Promise<void>;
  readonly notifyEnded: (ended: EndedLogin, when: 'immediately' | 'afterResponse') => void;
}

/** Connects the `account` chart with files, issuer, parent app and callback server. The chart makes the decisions. */
export function createAccountActor(deps: AccountActorDeps): AccountActor {
  const { env, policy, routing, timing, audit, log, onFault, loginPorts } = deps.config;
  const { loginTimeout, issuerTimeout } = timing;
  const limits = { loginTimeout, issuerTimeout, loginPorts };
  const actor: AccountActor = createActor(
    accountMachine.provide({
      actors: { ...authActors(deps), login: loginLogic(deps) },
      actions: {
        closeLogin: ({ context }) => {
          if (context.login !== null) deps.logins.close(context.login.id);
        },
        notifyCompleted: ({ context }) => {
          if (context.endedLogin !== null) deps.notifyEnded(context.endedLogin, 'afterResponse');
        },
        notifyDisplaced: ({ context }) => {
          if (context.endedLogin !== null) deps.notifyEnded(context.endedLogin, 'immediately');
        },
      },
    }),
    { id: 'account', input: { env, policy, routing: routing !== null, limits } },
  );
  const report = onDecision(({ value }, decision) => {
    const state = statePath(value);
    audit.addDecision('account', state, decision);
    log.info({ reason: decision.reason, state }, decision.detail ?? `account: ${decisionText(decision)}`);
  }, actor.getSnapshot().context.decision);
  actor.subscribe({ next: report, error: onFault });
  return actor;
}

/** Actors of the regions `auth` and `routing`. */
function authActors(deps: AccountActorDeps) {
  const { credentials, tokens, closed } = deps;
  const { env, policy, routing, timing } = deps.config;
  const workspaceLookup = {
    baseUrl: routing?.baseUrl ?? null,
    requester: deps.requester,
    current: deps.currentToken,
    recovery: deps.recovery,
    env,
  };
  return {
    storeApiKey: fromPromise<StoreAccountOutcome>(async () => {
      const key = deps.apiKey();
      if (key === undefined) throw new Error('the request has no API key');
      return tokens.storeApiKey(key, closed);
    }),
    signOut: fromPromise<StoreAccountOutcome, { stored: boolean }>(async ({ input }) => {
      if (!input.stored) {
        credentials.clearExternal();
        return { kind: 'stored', stored: credentials.stored() };
      }
      const outcome = await tokens.signOut(closed);
      if (outcome.kind === 'stored') credentials.clearExternal();
      return outcome;
    }),
    // Not aborted with the actor: a refresh token that is being redeemed must be saved.
    refreshTokens: fromPromise<TokenRefreshOutcome, { reason: TokenRefreshReason; expired: Failure | null }>(
      ({ input }) => tokens.refresh(input.reason, input.expired, closed),
    ),
    requestExternalTokens: fromPromise<ExternalTokensOutcome>(() =>
      requestExternalTokens(credentials, policy, env.now, timing.parentTimeout),
    ),
    lookUpWorkspace: fromPromise<WorkspaceOutcome, { account: ChatgptAccount | null }>(({ input, signal }) =>
      lookUpWorkspace(workspaceLookup, input.account, signal),
    ),
  };
}

/** The chart `login` with its adapters. One sign-in is in progress at a time, and the chart `account` knows its id. */
function loginLogic({ config, logins, tokenMutex, findWorkspace, notifyChanged }: AccountActorDeps) {
  type Step<T> = (loginId: string, signal: AbortSignal) => Promise<T>;
  const step = <T>(run: Step<T>) =>
    fromPromise<T, { loginId: string }>(({ input, signal }) => run(input.loginId, signal));
  return loginMachine.provide({
    actors: {
      checkPlace: fromPromise<PlaceOutcome>(() => logins.checkPlace()),
      openPort: fromPromise<PortOutcome, { loginId: string; port: number }>(({ input, signal }) =>
        logins.openPort(input.loginId, input.port, signal),
      ),
      requestCancel: fromPromise<unknown, { port: number }>(({ input }) => logins.requestCancel(input.port)),
      awaitCallback: step<CodeOutcome>((id, signal) => logins.awaitCallback(id, signal)),
      awaitOther: step<unknown>((id) => logins.awaitOther(id)),
      requestDeviceCode: step<DeviceOutcome>((id, signal) => logins.requestDeviceCode(id, signal)),
      pollDevice: step<DevicePoll>((id, signal) => logins.pollDevice(id, signal)),
      exchangeCode: step<ExchangeStep>((id, signal) => logins.exchange(id, signal)),
      // Never aborted: see InteractiveLogins.save.
      saveSignIn: step<SaveOutcome>((id) =>
        tokenMutex.runExclusive(new AbortController().signal, () => logins.save(id)),
      ),
      awaitSuccessPage: step<unknown>((id, signal) => logins.awaitSuccess(id, signal)),
      completeSignIn: fromPromise<LoginOutcome>(async () => {
        await notifyChanged();
        const failure = config.routing === null ? null : await findWorkspace();
        return failure === null ? { kind: 'finished' } : { kind: 'failed', failure };
      }),
    },
    actions: {
      showFailure: ({ context: { loginId, outcome } }) => {
        if (outcome !== null && 'failure' in outcome) logins.showFailure(loginId, outcome.failure);
      },
    },
  });
}
