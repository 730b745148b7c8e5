/** How people sign in: the region `login` of the chart `account`. */
import type { Reason } from '../../src/protocol/reasons.js';
import { setReason } from '../shared/decision.js';
import { accountSetup } from './setup.js';

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
  actions: ['noteLoginTicket', 'keepLogin', setReason('loginStarted')],
} as const;
const startDevice = {
  target: '#account.login.signingIn.device',
  actions: ['noteLoginTicket', 'keepLogin', setReason('loginStarted')],
} as const;
const instead = { guard: 'admitted', reenter: true } as const;
const tellFirst = [endBecause('loginDisplaced', 'Login was not completed'), 'tellDisplaced'] as const;

export const login = accountSetup.createStateConfig({
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
            description: 'The person, or the client that started it, cancelled this sign-in. ACC-83',
            actions: ['answerDone', endBecause('loginCancelled', 'Login was not completed'), 'tellCompleted'],
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
                    actions: setReason('loginCodeReceived'),
                  },
                  failedStep,
                ],
                onError: failedStep,
              },
              after: {
                loginTimeout: {
                  target: '#account.login.idle',
                  description: 'Nobody finished the sign-in within the limit. ACC-77',
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
                    actions: setReason('loginCodeReceived'),
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
                actions: ['endAsSuccess', setReason('signedIn'), 'tellCompleted'],
              },
              failedStep,
            ],
            onError: failedStep,
          },
        },
      },
    },
  },
});
