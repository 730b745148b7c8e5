import type { Reason } from '../../src/protocol/reasons.js';
import { setReason } from '../shared/decision.js';
import { login } from './login.js';
import { accountSetup } from './setup.js';

const refuse = (reason: Reason) => ({ type: 'refuse', params: { reason } }) as const;
/** News of the file while it is being worked on: whoever works on it compares for himself. */
const takeAlong = { description: 'Taken along.', actions: 'keepStored' } as const;

/**
 * Who is signed in, how they sign in, and where their workspace is: three questions with a life of their own.
 * Tokens stay with the host; the chart knows whose they are. Requests come with a ticket and get one answer.
 */
export const accountMachine = accountSetup.createMachine({
  id: 'account',
  description: 'The account of this engine.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    ticket: { auth: 0, login: 0 },
    stored: {
      kind: 'none',
      failure: { reason: 'authMissing', message: 'Nobody is signed in.', at: input.env.now() },
    },
    external: null,
    dead: null,
    login: null,
    endedLogin: null,
    workspaceOf: null,
    workspace: null,
    workspaceFailure: null,
    answer: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  type: 'parallel',
  states: {
    auth: {
      description: 'Who is signed in.',
      initial: 'deciding',
      on: {
        'STORED.CHANGED': { target: '.deciding', actions: ['keepStored', setReason('authChanged')] },
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
          { target: '.storingApiKey', actions: 'noteTicket' },
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
            description: 'In memory only, also in place of earlier external tokens. ACC-35, ACC-36',
            actions: ['keepExternal', 'answerDone', setReason('signedIn')],
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
        LOGOUT: { target: '.signingOut', actions: 'noteTicket' },
        REFRESH: { description: 'There is nothing to refresh.', actions: 'answerDone' },
        ASK: { description: 'There is nobody to ask.', actions: 'answerDone' },
      },
      states: {
        deciding: {
          description: 'What is there, in the order of precedence.',
          always: [
            { guard: 'externalActive', target: 'external' },
            { guard: 'tokensDead', target: 'chatgpt.expired' },
            { guard: 'chatgptStored', target: 'chatgpt' },
            { guard: 'apiKeyStored', target: 'apiKey' },
            { target: 'signedOut' },
          ],
        },
        signedOut: { description: 'Nobody, or nothing that can be read.' },
        apiKey: {
          description: 'An API key only: it cannot be refreshed and does not do for remote control.',
        },
        chatgpt: {
          description: 'A ChatGPT sign-in that this engine keeps itself.',
          initial: 'ready',
          states: {
            ready: {
              description: 'Its tokens are in use.',
              on: {
                REFRESH: { target: 'refreshing', actions: 'noteTicket' },
              },
            },
            refreshing: {
              description:
                'The file is looked at again, then the issuer is asked, one process at a time. ACC-48',
              tags: ['busy', 'refreshing'],
              on: {
                'STORED.CHANGED': takeAlong,
              },
              invoke: {
                id: 'refreshTokens',
                src: 'refreshTokens',
                input: ({ context, event }) => ({
                  reason: event.type === 'REFRESH' ? event.reason : 'forced',
                  dead:
                    context.stored.kind === 'chatgpt' &&
                    context.dead?.generation === context.stored.account.generation
                      ? context.dead.failure
                      : null,
                }),
                onDone: [
                  {
                    guard: 'refreshed',
                    target: '#account.auth.deciding',
                    actions: ['keepStored', 'answerDone', setReason('tokensRefreshed')],
                  },
                  {
                    guard: 'reloaded',
                    target: '#account.auth.deciding',
                    description: 'Somebody else was faster: nothing was spent.',
                    actions: ['keepStored', 'forgetDead', 'answerDone', setReason('tokensReloaded')],
                  },
                  {
                    guard: 'permanent',
                    target: 'expired',
                    actions: ['noteDead', 'answerFailed', 'becauseItFailed'],
                  },
                  {
                    target: '#account.auth.deciding',
                    description: 'What there was stays. ACC-17, ACC-18',
                    actions: ['answerFailed', 'becauseItFailed'],
                  },
                ],
                onError: {
                  target: '#account.auth.deciding',
                  actions: ['answerFailed', 'becauseItFailed'],
                },
              },
            },
            expired: {
              description:
                'The issuer will never refresh these credentials; only other ones end this. ACC-53, ACC-54',
              on: {
                REFRESH: {
                  target: 'refreshing',
                  description: 'The file may hold new ones by now; the issuer is not asked again.',
                  actions: 'noteTicket',
                },
              },
            },
          },
        },
        external: {
          description: 'Tokens of a parent app, in memory only.',
          initial: 'ready',
          on: {
            'STORED.CHANGED': { description: 'Beneath the external tokens.', actions: 'keepStored' },
          },
          states: {
            ready: {
              description: 'Its tokens are in use.',
              on: {
                ASK: { target: 'asking', actions: 'noteTicket' },
              },
            },
            asking: {
              description: 'The parent app is asked for new tokens, once, with a time limit. ACC-41, ACC-45',
              tags: ['busy', 'refreshing'],
              invoke: {
                id: 'askParent',
                src: 'askParent',
                onDone: [
                  {
                    guard: 'replaced',
                    target: 'ready',
                    actions: ['keepExternal', 'answerDone', setReason('tokensReplaced')],
                  },
                  {
                    target: 'ready',
                    description: 'The old tokens stay; the next refusal asks again.',
                    actions: ['answerFailed', 'becauseItFailed'],
                  },
                ],
                onError: { target: 'ready', actions: ['answerFailed', 'becauseItFailed'] },
              },
            },
          },
        },
        storingApiKey: {
          description: 'The key is written; what was stored before is gone with it. ACC-28',
          tags: ['busy'],
          on: { 'STORED.CHANGED': takeAlong },
          invoke: {
            id: 'storeApiKey',
            src: 'storeApiKey',
            onDone: [
              {
                guard: 'stored',
                target: 'deciding',
                actions: ['keepStored', 'answerDone', setReason('signedIn')],
              },
              { target: 'deciding', actions: ['answerFailed', 'becauseItFailed'] },
            ],
            onError: { target: 'deciding', actions: ['answerFailed', 'becauseItFailed'] },
          },
        },
        signingOut: {
          description:
            'External tokens are forgotten; a stored sign-in is revoked and deleted. ACC-39, ACC-55',
          tags: ['busy'],
          on: { 'STORED.CHANGED': takeAlong },
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
                actions: ['dropExternal', 'keepStored', 'answerDone', setReason('signedOut')],
              },
              { target: 'deciding', actions: ['answerFailed', 'becauseItFailed'] },
            ],
            onError: { target: 'deciding', actions: ['answerFailed', 'becauseItFailed'] },
          },
        },
      },
    },

    login,

    routing: {
      description: 'Where the workspace of the account is. ACC-60',
      initial: 'off',
      states: {
        off: {
          description: 'It is not asked for, unless the engine was started with --workspace-routing.',
          always: { guard: 'routingOn', target: 'unknown' },
        },
        unknown: {
          description: 'Nobody has needed it yet.',
          on: {
            'WORKSPACE.WANTED': [
              { guard: 'nobody', description: 'There is no account that could have one.' },
              { target: 'looking' },
            ],
          },
        },
        looking: {
          description: 'One lookup for all who wait for it.',
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
                guard: 'foundForAnother',
                target: 'failed',
                description: 'The account changed while its workspace was being looked up. ACC-46',
                actions: 'noteAccountChanged',
              },
              { guard: 'found', target: 'known', actions: 'keepWorkspace' },
              { target: 'failed', actions: ['noteNoWorkspace', 'becauseItFailed'] },
            ],
            onError: { target: 'failed', actions: ['noteNoWorkspace', 'becauseItFailed'] },
          },
        },
        known: {
          description: 'For the tokens at hand.',
          always: { guard: 'workspaceOutdated', target: 'unknown', actions: 'forgetWorkspace' },
        },
        failed: {
          description: 'Asked again as soon as somebody needs it.',
          on: {
            'WORKSPACE.WANTED': [
              { guard: 'nobody', target: 'unknown', actions: 'forgetWorkspace' },
              { target: 'looking' },
            ],
          },
        },
      },
    },
  },
});
