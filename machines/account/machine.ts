import { failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { setReason } from '../shared/decision.js';
import { login } from './login.js';
import { accountSetup } from './setup.js';

const refuse = (reason: Reason) => ({ type: 'respondRefused', params: { reason } }) as const;
/** The file changed during a request; the actor of the request reads it again itself. */
const storedChanged = { description: 'The file changed meanwhile.', actions: 'assignStored' } as const;

/**
 * The account in use, interactive sign-in, and workspace routing, in three parallel regions. The host holds the tokens; the
 * chart knows only which account they belong to. Each request has a ticket and gets one response.
 */
export const accountMachine = accountSetup.createMachine({
  id: 'account',
  description: 'The account of this engine: authentication, sign-in and workspace.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    ticket: { auth: 0, login: 0 },
    stored: {
      kind: 'none',
      failure: failure('authMissing', 'Nobody is signed in.', input.env.now()),
    },
    external: null,
    expired: null,
    login: null,
    endedLogin: null,
    workspaceAccountKey: null,
    workspace: null,
    workspaceFailure: null,
    response: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  type: 'parallel',
  states: {
    auth: {
      description: 'The account in use.',
      initial: 'deciding',
      on: {
        'STORED.CHANGED': {
          target: '.deciding',
          description: 'The stored sign-in changed.',
          actions: ['assignStored', setReason('authChanged')],
        },
        'LOGIN.API_KEY': [
          {
            guard: 'externalActive',
            description: 'Refused while a parent app provides the tokens. ACC-29',
            actions: refuse('externalAuthActive'),
          },
          {
            guard: 'apiKeyForbidden',
            description: 'The forced login method does not allow API keys. ACC-30',
            actions: refuse('authMethodForbidden'),
          },
          {
            target: '.storingApiKey',
            description: 'The API key replaces the stored sign-in. ACC-28',
            actions: 'assignTicket',
          },
        ],
        'LOGIN.EXTERNAL': [
          {
            guard: 'chatgptForbidden',
            description: 'The forced login method allows API keys only. ACC-30',
            actions: refuse('authMethodForbidden'),
          },
          {
            guard: 'workspaceForbidden',
            description: 'The workspace is not one of the forced workspaces. ACC-37',
            actions: refuse('authWrongWorkspace'),
          },
          {
            guard: 'tokenUnreadable',
            description: 'The token is not a readable JWT; the earlier sign-in stays. ACC-32',
            actions: refuse('authTokenUnreadable'),
          },
          {
            target: '.external',
            description: 'The tokens stay in memory and replace earlier external tokens. ACC-35, ACC-36',
            actions: ['assignExternal', 'respondDone', setReason('signedIn')],
          },
        ],
        'LOGIN.BROWSER': [
          {
            guard: 'externalActive',
            description: 'Refused while a parent app provides the tokens. ACC-29',
            actions: refuse('externalAuthActive'),
          },
          {
            guard: 'chatgptForbidden',
            description: 'The forced login method allows API keys only. ACC-30',
            actions: refuse('authMethodForbidden'),
          },
        ],
        'LOGIN.DEVICE': [
          {
            guard: 'externalActive',
            description: 'Refused while a parent app provides the tokens. ACC-29',
            actions: refuse('externalAuthActive'),
          },
          {
            guard: 'chatgptForbidden',
            description: 'The forced login method allows API keys only. ACC-30',
            actions: refuse('authMethodForbidden'),
          },
        ],
        LOGOUT: { target: '.signingOut', description: 'A client signs out. ACC-55', actions: 'assignTicket' },
        REFRESH: { description: 'There are no tokens to refresh.', actions: 'respondDone' },
        'REFRESH.EXTERNAL': { description: 'No parent app owns the tokens.', actions: 'respondDone' },
      },
      states: {
        deciding: {
          description: 'Selects the account by precedence: external, ChatGPT, API key.',
          always: [
            { guard: 'externalActive', target: 'external' },
            { guard: 'tokensExpired', target: 'chatgpt.expired' },
            { guard: 'chatgptStored', target: 'chatgpt' },
            { guard: 'apiKeyStored', target: 'apiKey' },
            { target: 'signedOut' },
          ],
        },
        signedOut: { description: 'Nobody is signed in, or the stored sign-in cannot be read.' },
        apiKey: {
          description: 'An API key: it cannot be refreshed and is not valid for remote control.',
        },
        chatgpt: {
          description: 'A ChatGPT sign-in that this engine manages.',
          initial: 'ready',
          states: {
            ready: {
              description: 'The stored tokens are in use.',
              on: {
                REFRESH: {
                  target: 'refreshing',
                  description: 'The tokens are about to expire or were refused. ACC-48',
                  actions: 'assignTicket',
                },
              },
            },
            refreshing: {
              description:
                'The file is read again, then the tokens are refreshed, one process at a time. ACC-48',
              tags: ['busy', 'refreshing'],
              on: {
                'STORED.CHANGED': storedChanged,
              },
              invoke: {
                id: 'refreshTokens',
                src: 'refreshTokens',
                input: ({ context, event }) => ({
                  reason: event.type === 'REFRESH' ? event.reason : 'forced',
                  expired:
                    context.stored.kind === 'chatgpt' &&
                    context.expired?.generation === context.stored.account.generation
                      ? context.expired.failure
                      : null,
                }),
                onDone: [
                  {
                    guard: 'refreshed',
                    target: '#account.auth.deciding',
                    actions: ['assignStored', 'respondDone', setReason('tokensRefreshed')],
                  },
                  {
                    guard: 'reloaded',
                    target: '#account.auth.deciding',
                    description: 'Another process refreshed the tokens first, so they are only read. ACC-48',
                    actions: ['assignStored', 'clearExpired', 'respondDone', setReason('tokensReloaded')],
                  },
                  {
                    guard: 'permanent',
                    target: 'expired',
                    description: 'The issuer rejected the refresh token for good. ACC-53',
                    actions: ['markExpired', 'respondFailed', 'recordFailure'],
                  },
                  {
                    target: '#account.auth.deciding',
                    description: 'The refresh failed; the old tokens stay. ACC-17, ACC-18',
                    actions: ['respondFailed', 'recordFailure'],
                  },
                ],
                onError: {
                  target: '#account.auth.deciding',
                  actions: ['respondFailed', 'recordFailure'],
                },
              },
              after: {
                accountLimit: {
                  target: '#account.auth.deciding',
                  description: 'There is no result within the limit of the chart. RC-112',
                  actions: ['respondFailed', 'recordFailure'],
                },
              },
            },
            expired: {
              description:
                'The issuer does not refresh these credentials any more; a new sign-in is needed. ACC-53, ACC-54',
              on: {
                REFRESH: {
                  target: 'refreshing',
                  description: 'The file may hold new credentials; the issuer is not called again. ACC-54',
                  actions: 'assignTicket',
                },
              },
            },
          },
        },
        external: {
          description: 'A parent app owns the tokens; they are in memory only. ACC-35',
          initial: 'ready',
          on: {
            'STORED.CHANGED': {
              description: 'The stored sign-in changed; external tokens keep precedence. ACC-35',
              actions: 'assignStored',
            },
          },
          states: {
            ready: {
              description: 'The external tokens are in use.',
              on: {
                'REFRESH.EXTERNAL': {
                  target: 'requesting',
                  description: 'The external tokens were refused. ACC-41',
                  actions: 'assignTicket',
                },
              },
            },
            requesting: {
              description: 'New tokens were requested from the parent app, with a time limit. ACC-41, ACC-45',
              tags: ['busy', 'refreshing'],
              invoke: {
                id: 'requestExternalTokens',
                src: 'requestExternalTokens',
                onDone: [
                  {
                    guard: 'replaced',
                    target: 'ready',
                    actions: ['assignExternal', 'respondDone', setReason('tokensReplaced')],
                  },
                  {
                    target: 'ready',
                    description: 'The old tokens stay; the next refusal requests again. ACC-45',
                    actions: ['respondFailed', 'recordFailure'],
                  },
                ],
                onError: { target: 'ready', actions: ['respondFailed', 'recordFailure'] },
              },
              after: {
                accountLimit: {
                  target: 'ready',
                  description: 'There is no result within the limit of the chart. RC-112',
                  actions: ['respondFailed', 'recordFailure'],
                },
              },
            },
          },
        },
        storingApiKey: {
          description: 'The API key is being written and replaces what was stored. ACC-28',
          tags: ['busy'],
          on: { 'STORED.CHANGED': storedChanged },
          invoke: {
            id: 'storeApiKey',
            src: 'storeApiKey',
            onDone: [
              {
                guard: 'stored',
                target: 'deciding',
                actions: ['assignStored', 'respondDone', setReason('signedIn')],
              },
              { target: 'deciding', actions: ['respondFailed', 'recordFailure'] },
            ],
            onError: { target: 'deciding', actions: ['respondFailed', 'recordFailure'] },
          },
          after: {
            accountLimit: {
              target: 'deciding',
              description: 'There is no result within the limit of the chart. RC-112',
              actions: ['respondFailed', 'recordFailure'],
            },
          },
        },
        signingOut: {
          description: 'External tokens are dropped; a stored sign-in is revoked and deleted. ACC-39, ACC-55',
          tags: ['busy'],
          on: { 'STORED.CHANGED': storedChanged },
          invoke: {
            id: 'signOut',
            src: 'signOut',
            input: ({ context, event }) => ({
              stored: context.external === null || (event.type === 'LOGOUT' && event.all),
            }),
            onDone: [
              {
                guard: 'stored',
                target: 'deciding',
                actions: ['clearExternal', 'assignStored', 'respondDone', setReason('signedOut')],
              },
              { target: 'deciding', actions: ['respondFailed', 'recordFailure'] },
            ],
            onError: { target: 'deciding', actions: ['respondFailed', 'recordFailure'] },
          },
          after: {
            accountLimit: {
              target: 'deciding',
              description: 'There is no result within the limit of the chart. RC-112',
              actions: ['respondFailed', 'recordFailure'],
            },
          },
        },
      },
    },

    login,

    routing: {
      description: 'Workspace routing: finds the workspace of the account. ACC-60',
      initial: 'off',
      states: {
        off: {
          description: 'Routing is off, unless the engine was started with --workspace-routing.',
          always: { guard: 'routingEnabled', target: 'unknown' },
        },
        unknown: {
          description: 'The workspace was not needed yet.',
          on: {
            'WORKSPACE.REQUESTED': [
              { guard: 'noAccount', description: 'There is no account, and so no workspace.' },
              { target: 'looking' },
            ],
          },
        },
        looking: {
          description: 'The workspace is being looked up, once for all requests that wait for it.',
          tags: ['looking'],
          invoke: {
            id: 'lookUpWorkspace',
            src: 'lookUpWorkspace',
            input: ({ context }) => ({
              account:
                context.external ?? (context.stored.kind === 'chatgpt' ? context.stored.account : null),
            }),
            onDone: [
              {
                guard: 'foundForOtherAccount',
                target: 'failed',
                description: 'The account changed during the lookup. ACC-46',
                actions: 'recordAccountChanged',
              },
              { guard: 'found', target: 'known', actions: 'assignWorkspace' },
              { target: 'failed', actions: ['recordWorkspaceFailure', 'recordFailure'] },
            ],
            onError: { target: 'failed', actions: ['recordWorkspaceFailure', 'recordFailure'] },
          },
          after: {
            accountLimit: {
              target: 'failed',
              description: 'There is no result within the limit of the chart. RC-112',
              actions: ['recordWorkspaceFailure', 'recordFailure'],
            },
          },
        },
        known: {
          description: 'The workspace is known for the current tokens.',
          always: { guard: 'workspaceOutdated', target: 'unknown', actions: 'clearWorkspace' },
        },
        failed: {
          description: 'The lookup failed; it is repeated when the workspace is needed. ACC-60',
          on: {
            'WORKSPACE.REQUESTED': [
              { guard: 'noAccount', target: 'unknown', actions: 'clearWorkspace' },
              { target: 'looking' },
            ],
          },
        },
      },
    },
  },
});
