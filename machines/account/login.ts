/** Interactive sign-in: the region `login` of the chart `account`. The chart `login` takes the steps. */
import type { Reason } from '../../src/protocol/reasons.js';
import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { accountSetup } from './setup.js';

const recordLoginEnd = (reason: Reason, message: string) =>
  ({ type: 'recordLoginEnd', params: { reason, message } }) as const;
const notOpened = {
  target: '#account.login.idle',
  description: 'The sign-in could not be started; its requester gets the error.',
  actions: ['respondNotOpened', 'recordFailure', 'clearLogin'],
} as const;
const failedLogin = {
  target: '#account.login.idle',
  description: 'The sign-in failed; clients are notified. ACC-24',
  actions: ['recordLoginFailure', 'recordFailure', 'notifyCompleted'],
} as const;
/** Another request displaces the sign-in; clients are notified of that first. ACC-26 */
const displace = {
  guard: 'requestAllowed',
  target: '#account.login.idle',
  description: 'Another request displaces this sign-in. ACC-26',
  actions: [recordLoginEnd('loginDisplaced', 'Login was not completed'), 'notifyDisplaced'],
} as const;
const start = {
  guard: 'requestAllowed',
  target: '#account.login.signingIn',
  actions: ['assignLoginTicket', 'assignLogin', setReason('loginStarted')],
} as const;
const displaceBySignIn = {
  ...start,
  description: 'Another sign-in displaces this one. ACC-26',
  reenter: true,
  actions: [recordLoginEnd('loginDisplaced', 'Login was not completed'), 'notifyDisplaced', ...start.actions],
} as const;
const tooLate = { description: 'It is too late to cancel. ACC-76', actions: 'respondNotFound' } as const;

export const login = accountSetup.createStateConfig({
  description: 'Interactive sign-in, one at a time. ACC-26',
  initial: 'idle',
  states: {
    idle: {
      description: 'No sign-in is in progress.',
      on: {
        'LOGIN.BROWSER': { ...start, ...spine },
        'LOGIN.DEVICE': start,
        'LOGIN.CANCEL': {
          description: 'There is nothing to cancel; this is no error. ACC-82',
          actions: 'respondNotFound',
        },
      },
    },
    signingIn: {
      description: 'A sign-in by browser or device code is in progress.',
      tags: ['signingIn'],
      exit: 'closeLogin',
      invoke: {
        id: 'login',
        src: 'login',
        input: ({ context }) => ({
          env: context.env,
          loginId: context.login?.id ?? '',
          kind: context.login?.kind ?? 'browser',
          ...context.limits,
        }),
        onDone: [
          {
            guard: 'finished',
            target: 'idle',
            actions: ['recordLoginSuccess', setReason('signedIn'), 'notifyCompleted'],
            ...spine,
          },
          { guard: 'notOpened', ...notOpened },
          failedLogin,
        ],
        onError: [{ guard: 'isOpening', ...notOpened }, failedLogin],
      },
      on: {
        'LOGIN.API_KEY': displace,
        'LOGIN.EXTERNAL': displace,
        LOGOUT: displace,
        'LOGIN.BROWSER': displaceBySignIn,
        'LOGIN.DEVICE': displaceBySignIn,
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
      initial: 'opening',
      states: {
        opening: {
          description: 'Its URL or code is not known yet.',
          tags: ['opening'],
          on: { 'SIGN_IN.OPENED': { target: 'waiting', actions: 'respondOpened', ...spine } },
        },
        waiting: {
          description: 'The person has the URL or the code. ACC-74, ACC-80',
          on: {
            'SIGN_IN.APPROVED': { target: 'exchanging', actions: setReason('loginCodeReceived'), ...spine },
          },
        },
        exchanging: {
          description: 'The person has approved; the code is being exchanged for tokens. ACC-75',
          on: { 'SIGN_IN.SAVING': { target: 'saving', ...spine } },
        },
        saving: {
          description: 'The tokens are being written. ACC-76',
          tags: ['saved'],
          on: {
            'LOGIN.CANCEL': tooLate,
            'SIGN_IN.SAVED': { target: 'awaitingSuccess', actions: 'raiseStoredChanged', ...spine },
          },
        },
        awaitingSuccess: {
          description: 'The tokens are saved; a browser loads the success page. ACC-76',
          tags: ['saved'],
          on: {
            'LOGIN.CANCEL': [
              {
                guard: 'isCurrentLogin',
                target: 'completing',
                description: 'The tokens are saved: the cancel only ends the wait for the browser. ACC-111',
                actions: ['respondNotFound', 'finishLogin'],
              },
              { description: 'Another sign-in id. ACC-82', actions: 'respondNotFound' },
            ],
            'LOGIN.FINISH': {
              target: 'completing',
              description: 'Another request is waiting.',
              actions: 'finishLogin',
            },
            'SIGN_IN.COMPLETING': { target: 'completing', ...spine },
          },
        },
        completing: {
          description: 'The new account is announced. ACC-60',
          tags: ['saved'],
          on: { 'LOGIN.CANCEL': tooLate },
        },
      },
    },
  },
});
