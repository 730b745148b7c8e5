import type { Reason } from '../../src/protocol/reasons.js';
import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { type LoginContext, loginSetup } from './setup.js';

const notOpened = {
  target: '#login.done',
  description: 'The sign-in could not be started; its requester gets the error.',
  actions: 'recordNotOpened',
} as const;
const silent = (reason: Reason, message: string) =>
  ({
    target: '#login.done',
    description: 'No response: the sign-in could not be started.',
    actions: { type: 'recordSilence', params: { reason, message } },
  }) as const;
const failed = {
  target: '#login.done',
  description: 'The step failed, and so the sign-in.',
  actions: ['recordFailure', 'showFailure'],
} as const;
const ends = (reason: Reason, message: string, description: string) =>
  ({
    target: '#login.done',
    description,
    actions: [{ type: 'recordEnd', params: { reason, message } }, 'showFailure'],
  }) as const;
const approved = {
  guard: 'codeReceived',
  target: '#login.exchanging',
  actions: [setReason('loginCodeReceived'), 'notifyApproved'],
  ...spine,
} as const;
const loginIn = ({ context: { loginId } }: { context: LoginContext }) => ({ loginId });
const portIn = ({ context: { loginId, loginPorts, port } }: { context: LoginContext }) => ({
  loginId,
  port: loginPorts[port] ?? 0,
});

const browser = loginSetup.createStateConfig({
  description: 'Sign-in by browser, which returns to this machine. ACC-70',
  initial: 'opening',
  states: {
    opening: {
      description: 'The callback server is being started on the first port that is free.',
      initial: 'listening',
      states: {
        listening: {
          description: 'One attempt at one port.',
          invoke: {
            id: 'openPort',
            src: 'openPort',
            input: portIn,
            onDone: [
              {
                guard: 'opened',
                target: '#login.browser.waiting',
                actions: 'notifyOpened',
                ...spine,
              },
              {
                guard: 'firstAttempt',
                target: 'asking',
                description:
                  'The port may belong to a sign-in of another client that nobody finishes. ACC-70',
                actions: 'countAttempt',
              },
              { guard: 'attemptsLeft', target: 'pausing', actions: 'countAttempt' },
              {
                guard: 'portsLeft',
                target: 'listening',
                reenter: true,
                description: 'The next port. ACC-70',
                actions: 'nextPort',
              },
              {
                guard: 'inUse',
                target: '#login.done',
                description: 'Other programs use all ports. ACC-70',
                actions: 'recordPortsBusy',
              },
              notOpened,
            ],
            onError: notOpened,
          },
          after: { portTimeout: silent('loginPortsBusy', 'the system opens no port') },
        },
        asking: {
          description: 'The program that uses the port is asked once to cancel its sign-in.',
          invoke: {
            id: 'requestCancel',
            src: 'requestCancel',
            input: portIn,
            onDone: 'pausing',
            onError: 'pausing',
          },
          after: { cancelTimeout: { target: 'pausing', description: 'It does not answer.' } },
        },
        pausing: {
          description: 'The port may become free.',
          after: { portPause: 'listening' },
        },
      },
    },
    waiting: {
      description: 'Waits until the browser returns from the issuer. ACC-74',
      invoke: {
        id: 'awaitCallback',
        src: 'awaitCallback',
        input: loginIn,
        onDone: [approved, failed],
        onError: failed,
      },
      after: {
        loginTimeout: ends(
          'loginTimedOut',
          'Login timed out',
          'The sign-in was not finished within the limit. ACC-77',
        ),
      },
    },
  },
});

const device = loginSetup.createStateConfig({
  description: 'Sign-in by a code that is entered on another device. ACC-79',
  initial: 'requesting',
  states: {
    requesting: {
      description: 'A device code is being requested from the issuer.',
      invoke: {
        id: 'requestDeviceCode',
        src: 'requestDeviceCode',
        input: loginIn,
        onDone: [
          { guard: 'opened', target: 'polling', actions: ['startCode', 'notifyOpened'], ...spine },
          notOpened,
        ],
        onError: notOpened,
      },
      after: {
        requestTimeout: silent(
          'issuerUnreachable',
          'failed to request device code: the issuer does not respond',
        ),
      },
    },
    polling: {
      description: 'One poll: was the code typed? ACC-80',
      invoke: {
        id: 'pollDevice',
        src: 'pollDevice',
        input: loginIn,
        onDone: [
          approved,
          {
            guard: 'codeOverAfterRetry',
            target: '#login.done',
            description: 'The code has ended, and the last poll failed. ACC-110',
            actions: ['recordFailure', 'showFailure'],
          },
          {
            guard: 'codeOver',
            ...ends(
              'loginTimedOut',
              'device auth timed out after 15 minutes',
              'The code was not typed within 15 minutes. ACC-80',
            ),
          },
          {
            guard: 'mustSlowDown',
            target: 'pausing',
            description: 'The issuer wants longer pauses from now on. ACC-110',
            actions: ['slowDown', 'schedulePoll'],
          },
          { guard: 'notYet', target: 'pausing', actions: 'schedulePoll', ...spine },
          failed,
        ],
        onError: failed,
      },
      after: {
        requestTimeout: {
          target: 'pausing',
          description: 'The issuer does not respond: it is asked again. ACC-110',
          actions: 'schedulePoll',
        },
      },
    },
    pausing: {
      description: 'The person has not typed the code yet, or the poll failed.',
      after: { pollPause: { target: 'polling', ...spine } },
    },
  },
});

/** One interactive sign-in, from its request until the new account is announced. The chart `account` invokes it. */
export const loginMachine = loginSetup.createMachine({
  id: 'login',
  description: 'One sign-in by browser or device code.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    port: 0,
    attempt: 0,
    interval: { first: 0, now: 0 },
    codeEnds: 0,
    pause: 0,
    outcome: null,
    decision: { reason: 'loginStarted', detail: null, at: input.env.now() },
  }),
  output: ({ context }) =>
    context.outcome ?? { kind: 'failed', failure: { reason: 'engineFault', message: 'no outcome', at: 0 } },
  initial: 'checking',
  states: {
    checking: {
      description: 'Finds out whether a sign-in can be saved, before a person goes through it. ACC-113',
      invoke: {
        id: 'checkPlace',
        src: 'checkPlace',
        onDone: [{ guard: 'prepared', target: 'starting', ...spine }, notOpened],
        onError: notOpened,
      },
      after: { diskTimeout: silent('authFileNotWritable', 'the file system does not respond') },
    },
    starting: {
      description: 'Selects the way to sign in.',
      always: [{ guard: 'isBrowser', target: 'browser', ...spine }, { target: 'device' }],
    },
    browser,
    device,
    exchanging: {
      description: 'The authorization code is being exchanged for tokens. ACC-75',
      invoke: [
        {
          id: 'exchangeCode',
          src: 'exchangeCode',
          input: loginIn,
          onDone: [{ guard: 'granted', target: 'saving', actions: 'notifySaving', ...spine }, failed],
          onError: failed,
        },
        {
          id: 'awaitOther',
          src: 'awaitOther',
          input: loginIn,
          onDone: ends(
            'loginCancelled',
            'Login cancelled',
            'Another program asks for the port, before the tokens are saved. ACC-76',
          ),
          onError: failed,
        },
      ],
      after: {
        exchangeTimeout: ends(
          'issuerUnreachable',
          'Token exchange failed: the issuer does not respond',
          'The issuer does not respond. ACC-92',
        ),
      },
    },
    saving: {
      description: 'The tokens are being written; it is too late to cancel. ACC-76',
      invoke: {
        id: 'saveSignIn',
        src: 'saveSignIn',
        input: loginIn,
        onDone: [
          {
            guard: 'savedWithLocalPage',
            target: 'awaitingSuccess',
            actions: 'notifySaved',
            ...spine,
          },
          { guard: 'saved', target: 'completing', actions: 'notifySaved' },
          failed,
        ],
        onError: failed,
      },
      after: {
        saveTimeout: ends(
          'authFileNotWritable',
          'the account file could not be written in time',
          'The write does not end.',
        ),
      },
    },
    awaitingSuccess: {
      description: 'Waits until the browser has loaded the success page. ACC-76',
      on: { FINISH: { target: 'completing', description: 'Another request is waiting. ACC-111' } },
      invoke: {
        id: 'awaitSuccessPage',
        src: 'awaitSuccessPage',
        input: loginIn,
        onDone: { target: 'completing', ...spine },
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
      entry: 'notifyCompleting',
      invoke: {
        id: 'completeSignIn',
        src: 'completeSignIn',
        onDone: [{ guard: 'finished', target: 'done', actions: 'recordSuccess', ...spine }, failed],
        onError: failed,
      },
      after: {
        completeTimeout: {
          target: 'done',
          description: 'The credentials are saved, so the sign-in is a success.',
          actions: 'recordSuccess',
        },
      },
    },
    done: { type: 'final', description: 'The sign-in ended; the output says how.' },
  },
});
