import type { Reason } from '../src/protocol/reasons.js';
import { accountSetup } from './account.setup.js';

const because = (reason: Reason) => ({ type: 'because', params: { reason } }) as const;
const refuse = (reason: Reason) => ({ type: 'refuse', params: { reason } }) as const;
const endBecause = (reason: Reason, message: string) =>
  ({ type: 'endBecause', params: { reason, message } }) as const;

/** A step of a sign-in went wrong: whoever began it is told, and nothing is kept. */
const failedStep = {
  target: '#account.login.idle',
  actions: ['endAsFailure', 'becauseItFailed', 'tellCompleted'],
} as const;
const notOpened = {
  target: '#account.login.idle',
  actions: ['answerNotOpened', 'becauseItFailed', 'forgetLogin'],
} as const;

/** Another request takes its place; whoever waits for it learns that first. ACC-26 */
const displace = {
  guard: 'admitted',
  target: '#account.login.idle',
  actions: [endBecause('loginDisplaced', 'Login was not completed'), 'tellDisplaced'],
} as const;
const startBrowser = {
  target: '#account.login.signingIn.browser',
  actions: ['noteLoginTicket', 'keepLogin', because('loginStarted')],
} as const;
const startDevice = {
  target: '#account.login.signingIn.device',
  actions: ['noteLoginTicket', 'keepLogin', because('loginStarted')],
} as const;
/** News of the file while it is being worked on: whoever works on it compares for himself. */
const takeAlong = { description: 'Taken along.', actions: 'keepStored' } as const;
const instead = { guard: 'admitted', reenter: true } as const;
const tellFirst = [endBecause('loginDisplaced', 'Login was not completed'), 'tellDisplaced'] as const;

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
        'STORED.CHANGED': { target: '.deciding', actions: ['keepStored', because('authChanged')] },
        'LOGIN.API_KEY': [
          { guard: 'externalActive', description: 'ACC-29', actions: refuse('externalAuthActive') },
          { guard: 'apiKeyForbidden', description: 'ACC-30', actions: refuse('authMethodForbidden') },
          { target: '.storingApiKey', actions: 'noteTicket' },
        ],
        'LOGIN.EXTERNAL': [
          { guard: 'chatgptForbidden', description: 'ACC-30', actions: refuse('authMethodForbidden') },
          { guard: 'workspaceForbidden', description: 'ACC-37', actions: refuse('authWrongWorkspace') },
          { guard: 'tokenUnreadable', description: 'ACC-32', actions: refuse('authTokenUnreadable') },
          {
            target: '.external',
            description: 'In memory only, also in place of earlier external tokens. ACC-35, ACC-36',
            actions: ['keepExternal', 'answerDone', because('signedIn')],
          },
        ],
        'LOGIN.BROWSER': [
          { guard: 'externalActive', description: 'ACC-29', actions: refuse('externalAuthActive') },
          { guard: 'chatgptForbidden', description: 'ACC-30', actions: refuse('authMethodForbidden') },
        ],
        'LOGIN.DEVICE': [
          { guard: 'externalActive', description: 'ACC-29', actions: refuse('externalAuthActive') },
          { guard: 'chatgptForbidden', description: 'ACC-30', actions: refuse('authMethodForbidden') },
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
                    actions: ['keepStored', 'answerDone', because('tokensRefreshed')],
                  },
                  {
                    guard: 'reloaded',
                    target: '#account.auth.deciding',
                    description: 'Somebody else was faster: nothing was spent.',
                    actions: ['keepStored', 'forgetDead', 'answerDone', because('tokensReloaded')],
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
                    actions: ['keepExternal', 'answerDone', because('tokensReplaced')],
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
                actions: ['keepStored', 'answerDone', because('signedIn')],
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
                actions: ['dropExternal', 'keepStored', 'answerDone', because('signedOut')],
              },
              { target: 'deciding', actions: ['answerFailed', 'becauseItFailed'] },
            ],
            onError: { target: 'deciding', actions: ['answerFailed', 'becauseItFailed'] },
          },
        },
      },
    },

    login: {
      description: 'At most one sign-in that waits for a person. ACC-26',
      initial: 'idle',
      states: {
        idle: {
          description: 'None is under way.',
          on: {
            'LOGIN.BROWSER': { guard: 'admitted', ...startBrowser },
            'LOGIN.DEVICE': { guard: 'admitted', ...startDevice },
            'LOGIN.CANCEL': { description: 'Never an error. ACC-82', actions: 'answerNotFound' },
          },
        },
        signingIn: {
          description: 'A person is signing in.',
          tags: ['signingIn'],
          exit: 'closeLogin',
          on: {
            'LOGIN.API_KEY': displace,
            'LOGIN.EXTERNAL': displace,
            LOGOUT: displace,
            'LOGIN.BROWSER': {
              ...instead,
              ...startBrowser,
              actions: [...tellFirst, ...startBrowser.actions],
            },
            'LOGIN.DEVICE': { ...instead, ...startDevice, actions: [...tellFirst, ...startDevice.actions] },
            'LOGIN.CANCEL': [
              {
                guard: 'thisLogin',
                target: 'idle',
                description: 'ACC-83',
                actions: [
                  'answerDone',
                  endBecause('loginCancelled', 'Login was not completed'),
                  'tellCompleted',
                ],
              },
              { actions: 'answerNotFound' },
            ],
          },
          initial: 'browser',
          states: {
            browser: {
              description: 'With a browser that comes back to this machine. ACC-70',
              initial: 'opening',
              states: {
                opening: {
                  description: 'The callback server takes its port.',
                  tags: ['opening'],
                  invoke: {
                    id: 'openLoginServer',
                    src: 'openLoginServer',
                    input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                    onDone: [{ guard: 'opened', target: 'waiting', actions: 'answerOpened' }, notOpened],
                    onError: notOpened,
                  },
                },
                waiting: {
                  description: 'The person is at the issuer. ACC-74',
                  invoke: {
                    id: 'awaitCallback',
                    src: 'awaitCallback',
                    input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                    onDone: [
                      {
                        guard: 'code',
                        target: '#account.login.signingIn.exchanging',
                        actions: because('loginCodeReceived'),
                      },
                      failedStep,
                    ],
                    onError: failedStep,
                  },
                  after: {
                    loginTimeout: {
                      target: '#account.login.idle',
                      description: 'ACC-77',
                      actions: [endBecause('loginTimedOut', 'Login timed out'), 'tellCompleted'],
                    },
                  },
                },
              },
            },
            device: {
              description: 'With a code that is typed on another device. ACC-79',
              initial: 'requesting',
              states: {
                requesting: {
                  description: 'The issuer is asked for a code.',
                  tags: ['opening'],
                  invoke: {
                    id: 'requestDeviceCode',
                    src: 'requestDeviceCode',
                    input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                    onDone: [{ guard: 'opened', target: 'polling', actions: 'answerOpened' }, notOpened],
                    onError: notOpened,
                  },
                },
                polling: {
                  description: 'The issuer is asked at its interval whether the code was typed. ACC-80',
                  invoke: {
                    id: 'pollDevice',
                    src: 'pollDevice',
                    input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                    onDone: [
                      {
                        guard: 'code',
                        target: '#account.login.signingIn.exchanging',
                        actions: because('loginCodeReceived'),
                      },
                      failedStep,
                    ],
                    onError: failedStep,
                  },
                },
              },
            },
            exchanging: {
              description: 'The code is exchanged for tokens. ACC-75',
              invoke: {
                id: 'exchangeCode',
                src: 'exchangeCode',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: [{ guard: 'granted', target: 'saving' }, failedStep],
                onError: failedStep,
              },
            },
            saving: {
              description: 'The tokens go to disk; from here on a cancel comes too late. ACC-76',
              tags: ['saved'],
              on: {
                'LOGIN.CANCEL': { actions: 'answerNotFound' },
              },
              invoke: {
                id: 'saveSignIn',
                src: 'saveSignIn',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: [
                  { guard: 'savedForLocalPage', target: 'awaitingSuccess', actions: 'takeOver' },
                  { guard: 'saved', target: 'completing', actions: 'takeOver' },
                  failedStep,
                ],
                onError: failedStep,
              },
            },
            awaitingSuccess: {
              description: 'The browser is on its way to our last page. ACC-76',
              tags: ['saved'],
              on: {
                'LOGIN.CANCEL': { description: 'Never "failed but saved".', actions: 'answerNotFound' },
                'LOGIN.FINISH': 'completing',
              },
              invoke: {
                id: 'awaitSuccessPage',
                src: 'awaitSuccessPage',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: 'completing',
                onError: 'completing',
              },
              after: { loginTimeout: 'completing' },
            },
            completing: {
              description: 'Who signed in is taken over; with routing, their workspace is looked up. ACC-60',
              tags: ['saved'],
              on: {
                'LOGIN.CANCEL': { actions: 'answerNotFound' },
              },
              invoke: {
                id: 'settleSignIn',
                src: 'settleSignIn',
                onDone: [
                  {
                    guard: 'finished',
                    target: '#account.login.idle',
                    actions: ['endAsSuccess', because('signedIn'), 'tellCompleted'],
                  },
                  failedStep,
                ],
                onError: failedStep,
              },
            },
          },
        },
      },
    },

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
                description: 'ACC-46',
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
