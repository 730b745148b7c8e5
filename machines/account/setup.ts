import { assign, fromPromise, raise, setup } from 'xstate';
import {
  type ChatgptAccount,
  type ExternalTokensOutcome,
  type LoginStep,
  type StoreAccountOutcome,
  type StoredAccount,
  type TokenRefreshOutcome,
  type TokenRefreshReason,
  type WorkspaceOutcome,
  workspaceAllowed,
} from '../../src/protocol/account.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { notProvided } from '../shared/decision.js';
import type { AccountAnswer, AccountContext, AccountEvent, AccountInput } from './types.js';

type AnEvent = { readonly type: string } | AccountEvent;
type Outcome =
  | LoginStep
  | ExternalTokensOutcome
  | StoreAccountOutcome
  | TokenRefreshOutcome
  | WorkspaceOutcome;

function outcomeOf(event: AnEvent): Outcome | null {
  if (!('output' in event)) return null;
  const { output } = event;
  // All actors of this chart report one of the unions above: only their host could break that, and it is typed.
  return typeof output === 'object' && output !== null && 'kind' in output ? (output as Outcome) : null;
}

const outcome =
  (...kinds: readonly Outcome['kind'][]) =>
  ({ event }: { event: AnEvent }): boolean => {
    const got = outcomeOf(event);
    return got !== null && kinds.includes(got.kind);
  };

function failureIn(event: AnEvent, context: AccountContext): Failure {
  const got = outcomeOf(event);
  if (got !== null && 'failure' in got) return got.failure;
  const error = 'error' in event ? event.error : undefined;
  return {
    reason: 'engineFault',
    message: `An adapter failed unexpectedly: ${error instanceof Error ? error.message : 'no message'}`,
    at: context.env.now(),
  };
}

const ticketOf = (event: AnEvent): number => ('ticket' in event ? event.ticket : 0);

/** The ChatGPT account that is in effect. */
export const activeAccount = (context: AccountContext): ChatgptAccount | null =>
  context.external ?? (context.stored.kind === 'chatgpt' ? context.stored.account : null);

export const workspaceKey = (account: ChatgptAccount | null): string | null =>
  account === null ? null : `${account.accountId ?? ''}#${account.generation}`;

const loginIn = (context: AccountContext) => ({
  loginId: context.login?.id ?? '',
  kind: context.login?.kind ?? ('browser' as const),
});

const decide = (context: AccountContext, reason: Reason, detail: string | null = null) => ({
  decision: { reason, detail, at: context.env.now() },
});

const storedIn = (event: AnEvent): StoredAccount | null => {
  if (event.type === 'STORED.CHANGED' && 'stored' in event) return event.stored;
  const got = outcomeOf(event);
  return got !== null && 'stored' in got ? got.stored : null;
};

/** What the chart of `account.ts` is made of: its actors, guards, actions and delays, by name. */
export const accountSetup = setup({
  types: {
    context: {} as AccountContext & {
      /** Of the request that a region works on: the two work at the same time. */
      readonly ticket: { readonly auth: number; readonly login: number };
    },
    events: {} as AccountEvent,
    input: {} as AccountInput,
    /**
     * `busy`: a request is being worked on. `refreshing`: tokens are. `opening`: a sign-in is not yet shown to
     * anybody. `saved`: its credentials are on disk, or about to be. `looking`: for the workspace.
     */
    tags: {} as 'busy' | 'refreshing' | 'opening' | 'signingIn' | 'saved' | 'looking',
  },
  actors: {
    /** Writes the API key of the request to the file. ACC-28 */
    storeApiKey: fromPromise<StoreAccountOutcome>(notProvided('storeApiKey')),
    /** Ends what is signed in: external tokens only, or the stored sign-in with a revocation. ACC-55 */
    signOut: fromPromise<StoreAccountOutcome, { stored: boolean }>(notProvided('signOut')),
    /** Spends the refresh token, alone among all processes. ACC-48 */
    refreshTokens: fromPromise<TokenRefreshOutcome, { reason: TokenRefreshReason; dead: Failure | null }>(
      notProvided('refreshTokens'),
    ),
    askParent: fromPromise<ExternalTokensOutcome>(notProvided('askParent')),
    lookUpWorkspace: fromPromise<WorkspaceOutcome, { account: ChatgptAccount | null }>(
      notProvided('lookUpWorkspace'),
    ),
    /** Opens the place that the browser comes back to. ACC-70 */
    openLoginServer: fromPromise<LoginStep, { loginId: string }>(notProvided('openLoginServer')),
    awaitCallback: fromPromise<LoginStep, { loginId: string }>(notProvided('awaitCallback')),
    exchangeCode: fromPromise<LoginStep, { loginId: string }>(notProvided('exchangeCode')),
    saveSignIn: fromPromise<LoginStep, { loginId: string }>(notProvided('saveSignIn')),
    awaitSuccessPage: fromPromise<LoginStep, { loginId: string }>(notProvided('awaitSuccessPage')),
    requestDeviceCode: fromPromise<LoginStep, { loginId: string }>(notProvided('requestDeviceCode')),
    pollDevice: fromPromise<LoginStep, { loginId: string }>(notProvided('pollDevice')),
    /** Looks for the workspace of who has just signed in. */
    settleSignIn: fromPromise<LoginStep>(notProvided('settleSignIn')),
  },
  actions: {
    because: assign(({ context }, p: { reason: Reason }) => decide(context, p.reason)),
    becauseItFailed: assign(({ context, event }) => {
      const failure = failureIn(event, context);
      return decide(context, failure.reason, failure.message);
    }),

    // Answers to requests
    noteTicket: assign(({ context, event }) => ({ ticket: { ...context.ticket, auth: ticketOf(event) } })),
    noteLoginTicket: assign(({ context, event }) => ({
      ticket: { ...context.ticket, login: ticketOf(event) },
    })),
    answerDone: assign(({ context, event }) => ({
      answer: { ticket: ticketOf(event) || context.ticket.auth, kind: 'done' } satisfies AccountAnswer,
    })),
    answerOpened: assign(({ context }) => ({
      answer: { ticket: context.ticket.login, kind: 'done' } satisfies AccountAnswer,
    })),
    answerNotFound: assign(({ event }) => ({
      answer: { ticket: ticketOf(event), kind: 'notFound' } satisfies AccountAnswer,
    })),
    refuse: assign(({ context, event }, p: { reason: Reason }) => ({
      answer: { ticket: ticketOf(event), kind: 'refused', reason: p.reason } satisfies AccountAnswer,
      ...decide(context, p.reason),
    })),
    answerFailed: assign(({ context, event }) => ({
      answer: {
        ticket: context.ticket.auth,
        kind: 'failed',
        failure: failureIn(event, context),
      } satisfies AccountAnswer,
    })),
    answerNotOpened: assign(({ context, event }) => ({
      answer: {
        ticket: context.ticket.login,
        kind: 'failed',
        failure: failureIn(event, context),
      } satisfies AccountAnswer,
    })),

    // Who is signed in
    keepStored: assign(({ context, event }) => {
      const stored = storedIn(event);
      if (stored === null) return {};
      const generation = stored.kind === 'chatgpt' ? stored.account.generation : -1;
      return { stored, dead: context.dead?.generation === generation ? context.dead : null };
    }),
    keepExternal: assign(({ event }) => {
      if (event.type === 'LOGIN.EXTERNAL') return { external: event.account };
      const got = outcomeOf(event);
      return got?.kind === 'replaced' ? { external: got.account } : {};
    }),
    dropExternal: assign({ external: null }),
    /** A sign-in was saved: the region that knows who is signed in takes it over. */
    takeOver: raise(({ context, event }) => ({
      type: 'STORED.CHANGED' as const,
      stored: storedIn(event) ?? context.stored,
    })),
    noteDead: assign(({ context, event }) => {
      const { stored } = context;
      if (stored.kind !== 'chatgpt') return {};
      return { dead: { generation: stored.account.generation, failure: failureIn(event, context) } };
    }),
    /** Other credentials than those that are dead, be it only another refresh token. ACC-54 */
    forgetDead: assign({ dead: null }),

    // Interactive sign-ins
    keepLogin: assign(({ event }) => {
      if (event.type === 'LOGIN.BROWSER') return { login: { id: event.loginId, kind: 'browser' as const } };
      if (event.type === 'LOGIN.DEVICE') return { login: { id: event.loginId, kind: 'device' as const } };
      return {};
    }),
    endAsSuccess: assign(({ context }) => ({
      endedLogin: { ...loginIn(context), failure: null },
      login: null,
    })),
    endAsFailure: assign(({ context, event }) => ({
      endedLogin: { ...loginIn(context), failure: failureIn(event, context) },
      login: null,
    })),
    endBecause: assign(({ context }, p: { reason: Reason; message: string }) => ({
      endedLogin: {
        ...loginIn(context),
        failure: { reason: p.reason, message: p.message, at: context.env.now() },
      },
      login: null,
      ...decide(context, p.reason),
    })),
    forgetLogin: assign({ login: null }),
    /** Tells clients how the sign-in ended: `account/login/completed`, and `account/updated` after a success. ACC-24 */
    tellCompleted: notProvided('tellCompleted'),
    /** The same, ahead of the answer to the request that took its place. ACC-26 */
    tellDisplaced: notProvided('tellDisplaced'),
    /** Closes the login server and forgets codes and verifiers. */
    closeLogin: notProvided('closeLogin'),

    // The workspace
    keepWorkspace: assign(({ context, event }) => {
      const got = outcomeOf(event);
      if (got?.kind !== 'found') return {};
      return {
        workspace: got.workspace,
        workspaceFailure: null,
        workspaceOf: workspaceKey(activeAccount(context)),
      };
    }),
    noteNoWorkspace: assign(({ context, event }) => ({
      workspace: null,
      workspaceFailure: failureIn(event, context),
      workspaceOf: workspaceKey(activeAccount(context)),
    })),
    noteAccountChanged: assign(({ context }) => ({
      workspace: null,
      workspaceFailure: {
        reason: 'workspaceUnknown' as const,
        message: 'account changed during workspace routing discovery',
        at: context.env.now(),
      },
      workspaceOf: workspaceKey(activeAccount(context)),
    })),
    forgetWorkspace: assign({ workspace: null, workspaceFailure: null, workspaceOf: null }),
  },
  guards: {
    externalActive: ({ context }) => context.external !== null,
    chatgptStored: ({ context }) => context.stored.kind === 'chatgpt',
    apiKeyStored: ({ context }) => context.stored.kind === 'apiKey',
    tokensDead: ({ context }) =>
      context.stored.kind === 'chatgpt' && context.dead?.generation === context.stored.account.generation,
    apiKeyForbidden: ({ context }) => context.policy.forcedMethod === 'chatgpt',
    chatgptForbidden: ({ context }) => context.policy.forcedMethod === 'api',
    workspaceForbidden: ({ context, event }) =>
      event.type === 'LOGIN.EXTERNAL' && !workspaceAllowed(context.policy, event.accountId),
    tokenUnreadable: ({ event }) => event.type === 'LOGIN.EXTERNAL' && event.account === null,
    /** The request is not refused outright, so that a sign-in under way gives way to it. ACC-26 */
    admitted: ({ context, event }) => {
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
    thisLogin: ({ context, event }) => event.type === 'LOGIN.CANCEL' && event.loginId === context.login?.id,
    stored: outcome('stored'),
    refreshed: outcome('refreshed'),
    reloaded: outcome('reloaded'),
    permanent: outcome('permanent'),
    replaced: outcome('replaced'),
    opened: outcome('opened'),
    code: outcome('code'),
    granted: outcome('granted'),
    savedForLocalPage: ({ event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'saved' && got.page === 'local';
    },
    saved: outcome('saved'),
    finished: outcome('finished'),
    foundForAnother: ({ context, event }) => {
      const got = outcomeOf(event);
      return got?.kind === 'found' && got.workspace.chatgptAccountId !== activeAccount(context)?.accountId;
    },
    found: outcome('found'),
    routingOn: ({ context }) => context.routing,
    nobody: ({ context }) => activeAccount(context) === null,
    workspaceOutdated: ({ context }) => context.workspaceOf !== workspaceKey(activeAccount(context)),
  },
  delays: {
    loginTimeout: ({ context }) => context.loginTimeout,
  },
});
