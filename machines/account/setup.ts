import { assign, fromPromise, raise, sendTo, setup, stateIn } from 'xstate';
import {
  type ChatgptAccount,
  type ExternalTokensOutcome,
  type LoginOutcome,
  type StoreAccountOutcome,
  type StoredAccount,
  type TokenRefreshOutcome,
  type TokenRefreshReason,
  type WorkspaceOutcome,
  workspaceAllowed,
} from '../../src/protocol/account.js';
import { type Failure, failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { loginMachine } from '../login/machine.js';
import { CALL_LIMITS, overdueFailure } from '../shared/deadlines.js';
import { actorFailure, decide, notProvided } from '../shared/decision.js';
import type { AccountContext, AccountEvent, AccountInput, AccountResponse } from './types.js';

type AnEvent = { readonly type: string } | AccountEvent;
type Outcome =
  | LoginOutcome
  | ExternalTokensOutcome
  | StoreAccountOutcome
  | TokenRefreshOutcome
  | WorkspaceOutcome;

function outcomeOf(event: AnEvent): Outcome | null {
  if (!('output' in event)) return null;
  const { output } = event;
  // The types of `provide()` make the host report one of the unions above.
  return typeof output === 'object' && output !== null && 'kind' in output ? (output as Outcome) : null;
}

const outcome =
  (...kinds: readonly Outcome['kind'][]) =>
  ({ event }: { event: AnEvent }): boolean => {
    const got = outcomeOf(event);
    return got !== null && kinds.includes(got.kind);
  };

/** The failure that an actor reported, or the failure of an actor that rejected or did not answer. RC-112 */
function failureIn(event: AnEvent, context: AccountContext): Failure {
  const got = outcomeOf(event);
  if (got !== null && 'failure' in got) return got.failure;
  if (event.type.startsWith('xstate.after.')) return overdueFailure(context, 'accountTimeout');
  return actorFailure(context, event);
}

const ticketOf = (event: AnEvent): number => ('ticket' in event ? event.ticket : 0);

/** The ChatGPT account in use: external tokens come before the stored sign-in. ACC-35 */
const activeAccount = (context: AccountContext): ChatgptAccount | null =>
  context.external ?? (context.stored.kind === 'chatgpt' ? context.stored.account : null);

/** Identifies the tokens that a workspace was looked up for. */
const workspaceKey = (account: ChatgptAccount | null): string | null =>
  account === null ? null : `${account.accountId ?? ''}#${account.generation}`;

const loginIn = (context: AccountContext) => ({
  loginId: context.login?.id ?? '',
  kind: context.login?.kind ?? ('browser' as const),
});

const storedIn = (event: AnEvent): StoredAccount | null => {
  if ('stored' in event) return event.stored;
  const got = outcomeOf(event);
  return got !== null && 'stored' in got ? got.stored : null;
};

/** Actors, guards, actions and delays of the chart `account`, by name. */
export const accountSetup = setup({
  types: {
    context: {} as AccountContext & {
      /** The request that each region works on; the regions work at the same time. */
      readonly ticket: { readonly auth: number; readonly login: number };
    },
    events: {} as AccountEvent,
    input: {} as AccountInput,
    /**
     * `busy`: a request is in progress. `refreshing`: a token refresh is. `signingIn`: a sign-in is. `opening`: its URL or
     * code is not known yet. `saved`: its credentials are on disk or being written. `looking`: the workspace is looked up.
     */
    tags: {} as 'busy' | 'refreshing' | 'opening' | 'signingIn' | 'saved' | 'looking',
  },
  actors: {
    /** Writes the API key of the request to the account file. ACC-28 */
    storeApiKey: fromPromise<StoreAccountOutcome>(notProvided('storeApiKey')),
    /** Drops external tokens, or revokes and deletes the stored sign-in. ACC-55 */
    signOut: fromPromise<StoreAccountOutcome, { stored: boolean }>(notProvided('signOut')),
    /** Redeems the refresh token; only one process does so at a time. ACC-48 */
    refreshTokens: fromPromise<TokenRefreshOutcome, { reason: TokenRefreshReason; expired: Failure | null }>(
      notProvided('refreshTokens'),
    ),
    /** Requests new tokens from the parent app. ACC-41 */
    requestExternalTokens: fromPromise<ExternalTokensOutcome>(notProvided('requestExternalTokens')),
    lookUpWorkspace: fromPromise<WorkspaceOutcome, { account: ChatgptAccount | null }>(
      notProvided('lookUpWorkspace'),
    ),
    /** One interactive sign-in. */
    login: loginMachine,
  },
  actions: {
    setReason: assign(({ context }, p: { reason: Reason }) => decide(context, p.reason)),
    recordFailure: assign(({ context, event }) => {
      const { reason, message } = failureIn(event, context);
      return decide(context, reason, message);
    }),

    // Responses to requests
    assignTicket: assign(({ context, event }) => ({ ticket: { ...context.ticket, auth: ticketOf(event) } })),
    assignLoginTicket: assign(({ context, event }) => ({
      ticket: { ...context.ticket, login: ticketOf(event) },
    })),
    respondDone: assign(({ context, event }) => ({
      response: { ticket: ticketOf(event) || context.ticket.auth, kind: 'done' } satisfies AccountResponse,
    })),
    respondOpened: assign(({ context }) => ({
      response: { ticket: context.ticket.login, kind: 'done' } satisfies AccountResponse,
    })),
    respondNotFound: assign(({ event }) => ({
      response: { ticket: ticketOf(event), kind: 'notFound' } satisfies AccountResponse,
    })),
    respondRefused: assign(({ context, event }, p: { reason: Reason }) => ({
      response: { ticket: ticketOf(event), kind: 'refused', reason: p.reason } satisfies AccountResponse,
      ...decide(context, p.reason),
    })),
    respondFailed: assign(({ context, event }) => ({
      response: {
        ticket: context.ticket.auth,
        kind: 'failed',
        failure: failureIn(event, context),
      } satisfies AccountResponse,
    })),
    respondNotOpened: assign(({ context, event }) => ({
      response: {
        ticket: context.ticket.login,
        kind: 'failed',
        failure: failureIn(event, context),
      } satisfies AccountResponse,
    })),

    // The account
    assignStored: assign(({ context, event }) => {
      const stored = storedIn(event);
      if (stored === null) return {};
      const generation = stored.kind === 'chatgpt' ? stored.account.generation : -1;
      return { stored, expired: context.expired?.generation === generation ? context.expired : null };
    }),
    assignExternal: assign(({ event }) => {
      if (event.type === 'LOGIN.EXTERNAL') return { external: event.account };
      const got = outcomeOf(event);
      return got?.kind === 'replaced' ? { external: got.account } : {};
    }),
    clearExternal: assign({ external: null }),
    /** A sign-in was saved: passes it to the region `auth`. */
    raiseStoredChanged: raise(({ context, event }) => ({
      type: 'STORED.CHANGED' as const,
      stored: storedIn(event) ?? context.stored,
    })),
    markExpired: assign(({ context, event }) => {
      const { stored } = context;
      if (stored.kind !== 'chatgpt') return {};
      return { expired: { generation: stored.account.generation, failure: failureIn(event, context) } };
    }),
    /** The credentials are other ones than the expired ones; a new refresh token is enough. ACC-54 */
    clearExpired: assign({ expired: null }),

    // Interactive sign-ins
    assignLogin: assign(({ event }) => {
      if (event.type === 'LOGIN.BROWSER') return { login: { id: event.loginId, kind: 'browser' as const } };
      if (event.type === 'LOGIN.DEVICE') return { login: { id: event.loginId, kind: 'device' as const } };
      return {};
    }),
    recordLoginSuccess: assign(({ context }) => ({
      endedLogin: { ...loginIn(context), failure: null },
      login: null,
    })),
    recordLoginFailure: assign(({ context, event }) => ({
      endedLogin: { ...loginIn(context), failure: failureIn(event, context) },
      login: null,
    })),
    recordLoginEnd: assign(({ context }, p: { reason: Reason; message: string }) => ({
      endedLogin: {
        ...loginIn(context),
        failure: failure(p.reason, p.message, context.env.now()),
      },
      login: null,
      ...decide(context, p.reason),
    })),
    clearLogin: assign({ login: null }),
    /** The browser is not waited for any longer. ACC-111 */
    finishLogin: sendTo('login', { type: 'FINISH' }),
    /** Notifies clients of the end of a sign-in: `account/login/completed`, after a success `account/updated`. ACC-24 */
    notifyCompleted: notProvided('notifyCompleted'),
    /** The same, before the response to the request that displaced the sign-in. ACC-26 */
    notifyDisplaced: notProvided('notifyDisplaced'),
    /** Closes the callback server and drops codes and verifiers. */
    closeLogin: notProvided('closeLogin'),

    // The workspace
    assignWorkspace: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'found') return {};
      return {
        workspace: got.workspace,
        workspaceFailure: null,
        workspaceAccountKey: workspaceKey(activeAccount(context)),
      };
    }),
    recordWorkspaceFailure: assign(({ context, event }) => ({
      workspace: null,
      workspaceFailure: failureIn(event, context),
      workspaceAccountKey: workspaceKey(activeAccount(context)),
    })),
    recordAccountChanged: assign(({ context }) => ({
      workspace: null,
      workspaceFailure: failure(
        'workspaceUnknown',
        'account changed during workspace routing discovery',
        context.env.now(),
      ),
      workspaceAccountKey: workspaceKey(activeAccount(context)),
    })),
    clearWorkspace: assign({ workspace: null, workspaceFailure: null, workspaceAccountKey: null }),
  },
  guards: {
    externalActive: ({ context }) => context.external !== null,
    chatgptStored: ({ context }) => context.stored.kind === 'chatgpt',
    apiKeyStored: ({ context }) => context.stored.kind === 'apiKey',
    tokensExpired: ({ context }) =>
      context.stored.kind === 'chatgpt' && context.expired?.generation === context.stored.account.generation,
    apiKeyForbidden: ({ context }) => context.policy.forcedMethod === 'chatgpt',
    chatgptForbidden: ({ context }) => context.policy.forcedMethod === 'api',
    workspaceForbidden: ({ context, event }) =>
      event.type === 'LOGIN.EXTERNAL' && !workspaceAllowed(context.policy, event.accountId),
    tokenUnreadable: ({ event }) => event.type === 'LOGIN.EXTERNAL' && event.account === null,
    /** Policy allows the request, so that it displaces a sign-in in progress. ACC-26 */
    requestAllowed: ({ context, event }) => {
      const { external, policy } = context;
      switch (event.type) {
        case 'LOGIN.EXTERNAL':
          return policy.forcedMethod !== 'api';
        case 'LOGIN.API_KEY':
          return external === null && policy.forcedMethod !== 'chatgpt';
        case 'LOGIN.BROWSER':
        case 'LOGIN.DEVICE':
          return external === null && policy.forcedMethod !== 'api';
        default:
          return true;
      }
    },
    isCurrentLogin: ({ context, event }) =>
      event.type === 'LOGIN.CANCEL' && event.loginId === context.login?.id,
    stored: outcome('stored'),
    refreshed: outcome('refreshed'),
    reloaded: outcome('reloaded'),
    permanent: outcome('permanent'),
    replaced: outcome('replaced'),
    notOpened: outcome('notOpened'),
    isOpening: stateIn({ login: { signingIn: 'opening' } }),
    finished: outcome('finished'),
    foundForOtherAccount: ({ context, event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'found' && got.workspace.chatgptAccountId !== activeAccount(context)?.accountId;
    },
    found: outcome('found'),
    routingEnabled: ({ context }) => context.routing,
    noAccount: ({ context }) => activeAccount(context) === null,
    workspaceOutdated: ({ context }) => context.workspaceAccountKey !== workspaceKey(activeAccount(context)),
  },
  delays: { accountLimit: CALL_LIMITS.account },
});
