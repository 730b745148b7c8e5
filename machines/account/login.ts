/** Interactive sign-in: the region `login` of the chart `account`. */
import type { Reason } from '../../src/protocol/reasons.js';
import { setReason } from '../shared/decision.js';
import { accountSetup } from './setup.js';

const recordLoginEnd = (reason: Reason, message: string) =>
  ({ type: 'recordLoginEnd', params: { reason, message } }) as const;
const failedStep = {
  target: '#account.login.idle',
  description: 'The step failed; clients are notified. ACC-24',
  actions: ['recordLoginFailure', 'recordFailure', 'notifyCompleted'],
} as const;
const notOpened = {
  target: '#account.login.idle',
  description: 'The sign-in could not be started; its requester gets the error.',
  actions: ['respondNotOpened', 'recordFailure', 'clearLogin'],
} as const;
/** Another request displaces the sign-in; clients are notified of that first. ACC-26 */
const displace = {
  guard: 'requestAllowed',
  target: '#account.login.idle',
  description: 'Another request displaces this sign-in. ACC-26',
  actions: [recordLoginEnd('loginDisplaced', 'Login was not completed'), 'notifyDisplaced'],
} as const;
const startBrowser = {
  target: '#account.login.signingIn.browser',
  actions: ['assignLoginTicket', 'assignLogin', setReason('loginStarted')],
} as const;
const startDevice = {
  target: '#account.login.signingIn.device',
  actions: ['assignLoginTicket', 'assignLogin', setReason('loginStarted')],
} as const;
const displaceBySignIn = {
  guard: 'requestAllowed',
  description: 'Another sign-in displaces this one. ACC-26',
  reenter: true,
} as const;
const notifyFirst = [recordLoginEnd('loginDisplaced', 'Login was not completed'), 'notifyDisplaced'] as const;

export const login = accountSetup.createStateConfig({
  description: 'Interactive sign-in, one at a time. ACC-26',
  initial: 'idle',
  states: {
    idle: {
      description: 'No sign-in is in progress.',
      on: {
        'LOGIN.BROWSER': { guard: 'requestAllowed', ...startBrowser },
        'LOGIN.DEVICE': { guard: 'requestAllowed', ...startDevice },
        'LOGIN.CANCEL': {
          description: 'There is nothing to cancel; this is no error. ACC-82',
          actions: 'respondNotFound',
        },
      },
    },
    signingIn: {
      description: 'A sign-in is in progress.',
      tags: ['signingIn'],
      exit: 'closeLogin',
      on: {
        'LOGIN.API_KEY': displace,
        'LOGIN.EXTERNAL': displace,
        LOGOUT: displace,
        'LOGIN.BROWSER': {
          ...displaceBySignIn,
          ...startBrowser,
          actions: [...notifyFirst, ...startBrowser.actions],
        },
        'LOGIN.DEVICE': {
          ...displaceBySignIn,
          ...startDevice,
          actions: [...notifyFirst, ...startDevice.actions],
        },
        'LOGIN.CANCEL': [
          {
            guard: 'isCurrentLogin',
            target: 'idle',
            description: 'The person or the client cancelled this sign-in. ACC-83',
            actions: [
              'respondDone',
              recordLoginEnd('loginCancelled', 'Login was not completed'),
              'notifyCompleted',
            ],
          },
          { description: 'Another sign-in id. ACC-82', actions: 'respondNotFound' },
        ],
      },
      initial: 'browser',
      states: {
        browser: {
          description: 'Sign-in by browser, which returns to this machine. ACC-70',
          initial: 'opening',
          states: {
            opening: {
              description: 'The callback server is being started.',
              tags: ['opening'],
              invoke: {
                id: 'openLoginServer',
                src: 'openLoginServer',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: [{ guard: 'opened', target: 'waiting', actions: 'respondOpened' }, notOpened],
                onError: notOpened,
              },
              after: { accountLimit: notOpened },
            },
            waiting: {
              description: 'Waits until the browser returns from the issuer. ACC-74',
              invoke: {
                id: 'awaitCallback',
                src: 'awaitCallback',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: [
                  {
                    guard: 'codeReceived',
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
                  description: 'The sign-in was not finished within the limit. ACC-77',
                  actions: [recordLoginEnd('loginTimedOut', 'Login timed out'), 'notifyCompleted'],
                },
              },
            },
          },
        },
        device: {
          description: 'Sign-in by a code that is entered on another device. ACC-79',
          initial: 'requesting',
          states: {
            requesting: {
              description: 'A device code is being requested from the issuer.',
              tags: ['opening'],
              invoke: {
                id: 'requestDeviceCode',
                src: 'requestDeviceCode',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: [{ guard: 'opened', target: 'polling', actions: 'respondOpened' }, notOpened],
                onError: notOpened,
              },
              after: { accountLimit: notOpened },
            },
            polling: {
              description: 'Polls the issuer at its interval until the code is entered. ACC-80',
              invoke: {
                id: 'pollDevice',
                src: 'pollDevice',
                input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
                onDone: [
                  {
                    guard: 'codeReceived',
                    target: '#account.login.signingIn.exchanging',
                    actions: setReason('loginCodeReceived'),
                  },
                  failedStep,
                ],
                onError: failedStep,
              },
              after: { deviceCodeLimit: failedStep },
            },
          },
        },
        exchanging: {
          description: 'The authorization code is being exchanged for tokens. ACC-75',
          invoke: {
            id: 'exchangeCode',
            src: 'exchangeCode',
            input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
            onDone: [{ guard: 'granted', target: 'saving' }, failedStep],
            onError: failedStep,
          },
          after: { accountLimit: failedStep },
        },
        saving: {
          description: 'The tokens are being written; it is too late to cancel. ACC-76',
          tags: ['saved'],
          on: {
            'LOGIN.CANCEL': { description: 'It is too late to cancel. ACC-76', actions: 'respondNotFound' },
          },
          invoke: {
            id: 'saveSignIn',
            src: 'saveSignIn',
            input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
            onDone: [
              { guard: 'savedWithLocalPage', target: 'awaitingSuccess', actions: 'raiseStoredChanged' },
              { guard: 'saved', target: 'completing', actions: 'raiseStoredChanged' },
              failedStep,
            ],
            onError: failedStep,
          },
          after: { accountLimit: failedStep },
        },
        awaitingSuccess: {
          description: 'Waits until the browser has loaded the success page. ACC-76',
          tags: ['saved'],
          on: {
            'LOGIN.CANCEL': [
              {
                guard: 'isCurrentLogin',
                target: 'completing',
                description: 'The tokens are saved: the cancel only ends the wait for the browser. ACC-111',
                actions: 'respondNotFound',
              },
              { description: 'Another sign-in id. ACC-82', actions: 'respondNotFound' },
            ],
            'LOGIN.FINISH': { target: 'completing', description: 'Another request is waiting.' },
          },
          invoke: {
            id: 'awaitSuccessPage',
            src: 'awaitSuccessPage',
            input: ({ context }) => ({ loginId: context.login?.id ?? '' }),
            onDone: 'completing',
            onError: 'completing',
          },
          after: {
            successPageTimeout: {
              target: 'completing',
              description: 'The browser did not load the page. ACC-111',
            },
          },
        },
        completing: {
          description: 'The new account is announced; with routing on, its workspace is looked up. ACC-60',
          tags: ['saved'],
          on: {
            'LOGIN.CANCEL': { description: 'It is too late to cancel. ACC-76', actions: 'respondNotFound' },
          },
          invoke: {
            id: 'completeSignIn',
            src: 'completeSignIn',
            onDone: [
              {
                guard: 'finished',
                target: '#account.login.idle',
                actions: ['recordLoginSuccess', setReason('signedIn'), 'notifyCompleted'],
              },
              failedStep,
            ],
            onError: failedStep,
          },
          after: { accountLimit: failedStep },
        },
      },
    },
  },
});
