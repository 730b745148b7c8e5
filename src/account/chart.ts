import { type ActorRefFrom, createActor, fromPromise } from 'xstate';
import { accountMachine } from '../../machines/account/machine.js';
import type { EndedLogin } from '../../machines/account/types.js';
import type { Requester } from '../net/backend-request.js';
import { onDecision } from '../observe/decisions.js';
import type { LoginStep } from '../protocol/account.js';
import type { Recovery } from '../protocol/account-source.js';
import { statePath } from '../protocol/decision.js';
import type { Failure } from '../protocol/outcomes.js';
import type { Secret } from '../protocol/secret.js';
import type { Mutex } from '../system/mutex.js';
import type { Credentials } from './credentials.js';
import type { InteractiveLogins } from './login/interactive-login.js';
import { requestExternalTokens } from './parent-app.js';
import type { TokenStore } from './tokens.js';
import type { AccountServiceOptions, AccountTiming } from './types.js';
import { lookUpWorkspace } from './workspace.js';

export type AccountActor = ActorRefFrom<typeof accountMachine>;

/** What the `account` chart is plugged into. */
export interface AccountChartDeps {
  readonly options: AccountServiceOptions;
  readonly timing: AccountTiming;
  readonly credentials: Credentials;
  readonly tokens: TokenStore;
  readonly logins: InteractiveLogins;
  /** Whoever spends a refresh token or writes the file, one at a time. ACC-48 */
  readonly permit: Mutex;
  /** Aborted when the engine ends. */
  readonly ended: AbortSignal;
  /** Of the request that is being worked on. */
  readonly apiKey: () => Secret | undefined;
  readonly current: () => { readonly accountId: string; readonly accessToken: Secret } | null;
  readonly recovery: () => Recovery;
  readonly requester: () => Promise<Requester>;
  /** Null: the workspace is known, or none is needed. */
  readonly workspace: () => Promise<Failure | null>;
  /** Remote control learns that the account is another one. */
  readonly tellChange: () => void;
  readonly tellEnded: (ended: EndedLogin, when: 'atOnce' | 'afterAnswer') => void;
}

/** Plugs files, issuer, parent app and login server into the chart. Nothing is decided here. */
export function createAccountActor(ports: AccountChartDeps): AccountActor {
  const { logins, tokens, credentials } = ports;
  const { env, policy, routing, audit, log, onFault } = ports.options;
  const actor: AccountActor = createActor(
    accountMachine.provide({
      actors: {
        storeApiKey: fromPromise(async ({ signal }) => {
          const key = ports.apiKey();
          if (key === undefined) throw new Error('no API key was given');
          return tokens.storeApiKey(key, signal);
        }),
        signOut: fromPromise(async ({ input, signal }) => {
          if (!input.stored) {
            credentials.clearExternal();
            return { kind: 'stored' as const, stored: credentials.stored() };
          }
          const outcome = await tokens.signOut(signal);
          if (outcome.kind === 'stored') credentials.clearExternal();
          return outcome;
        }),
        refreshTokens: fromPromise(({ input }) => tokens.refresh(input.reason, input.expired, ports.ended)),
        requestExternalTokens: fromPromise(() =>
          requestExternalTokens(credentials, policy, env.now, ports.timing.parentLimit),
        ),
        lookUpWorkspace: fromPromise(({ input, signal }) =>
          lookUpWorkspace(
            {
              baseUrl: routing?.baseUrl ?? null,
              requester: () => ports.requester(),
              current: () => ports.current(),
              recovery: () => ports.recovery(),
              now: env.now,
            },
            input.account,
            signal,
          ),
        ),
        openLoginServer: fromPromise(({ input, signal }) => logins.openServer(input.loginId, signal)),
        awaitCallback: fromPromise(({ input, signal }) => logins.awaitCallback(input.loginId, signal)),
        exchangeCode: fromPromise(({ input, signal }) => logins.exchange(input.loginId, signal)),
        saveSignIn: fromPromise(({ input }) =>
          ports.permit.runExclusive(neverAborted, () => logins.save(input.loginId)),
        ),
        awaitSuccessPage: fromPromise(({ input, signal }) => logins.awaitSuccess(input.loginId, signal)),
        requestDeviceCode: fromPromise(({ input, signal }) =>
          logins.requestDeviceCode(input.loginId, signal),
        ),
        pollDevice: fromPromise(({ input, signal }) => logins.pollDeviceCode(input.loginId, signal)),
        completeSignIn: fromPromise(async (): Promise<LoginStep> => {
          ports.tellChange();
          const failure = routing === null ? null : await ports.workspace();
          return failure === null ? { kind: 'finished' } : { kind: 'failed', failure };
        }),
      },
      actions: {
        closeLogin: ({ context }) => {
          if (context.login !== null) logins.close(context.login.id);
        },
        notifyCompleted: ({ context }) => {
          if (context.endedLogin !== null) ports.tellEnded(context.endedLogin, 'afterAnswer');
        },
        notifyDisplaced: ({ context }) => {
          if (context.endedLogin !== null) ports.tellEnded(context.endedLogin, 'atOnce');
        },
      },
    }),
    {
      id: 'account',
      input: { env, policy, routing: routing !== null, loginTimeout: ports.timing.loginTimeout },
    },
  );
  const report = onDecision(({ value }, decision) => {
    const state = statePath(value);
    audit.addDecision('account', state, decision);
    log.info({ reason: decision.reason, state }, decision.detail ?? `account: ${decision.reason}`);
  }, actor.getSnapshot().context.decision);
  actor.subscribe({ next: report, error: onFault });
  return actor;
}

const neverAborted = new AbortController().signal;
