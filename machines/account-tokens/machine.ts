import { spine } from '../shared/spine.js';
import { accountTokensSetup } from './setup.js';

const ended = { target: '#accountTokens.releasing', actions: 'recordOutcome' } as const;
const slowFile = {
  target: '#accountTokens.releasing',
  description: 'The file system does not respond.',
  actions: 'recordSlowFile',
} as const;
const close = {
  target: '#accountTokens.releasing',
  description: 'The engine stops.',
  actions: 'recordClosed',
} as const;

/** Refresh: the file is read again, the token is redeemed, and the new tokens are saved. */
const refreshing = accountTokensSetup.createStateConfig({
  description: 'The lock is held: no other engine redeems this refresh token. ACC-48',
  initial: 'checking',
  states: {
    checking: {
      description: 'Reads the file again: the process that held the lock may have refreshed the tokens.',
      invoke: {
        id: 'reloadLocked',
        src: 'reload',
        onDone: [
          { guard: 'same', target: 'preparing', ...spine },
          { target: '#accountTokens.releasing', actions: 'recordOutcome' },
        ],
        onError: ended,
      },
      after: { diskTimeout: slowFile },
      on: { CLOSE: close },
    },
    preparing: {
      description: 'Proves that new tokens can be written, before the refresh token is used up. ACC-113',
      invoke: {
        id: 'prepare',
        src: 'prepare',
        onDone: [
          { guard: 'prepared', target: 'redeeming', ...spine },
          {
            target: '#accountTokens.releasing',
            description: 'Nothing can be written, so nothing is redeemed. ACC-113',
            actions: 'recordOutcome',
          },
        ],
        onError: ended,
      },
      after: { diskTimeout: slowFile },
      on: { CLOSE: close },
    },
    redeeming: {
      description: 'The refresh token is at the issuer: one request. ACC-51',
      invoke: {
        id: 'redeem',
        src: 'redeem',
        onDone: [
          { guard: 'granted', target: 'saving', actions: 'assignIssued', ...spine },
          {
            guard: 'permanent',
            target: 'otherProgram',
            description: 'The issuer refuses the token for good, unless another program used it. ACC-53',
            actions: 'recordOutcome',
          },
          {
            target: '#accountTokens.releasing',
            description: 'The refresh failed for now; the old tokens stay. ACC-17',
            actions: 'recordOutcome',
          },
        ],
        onError: ended,
      },
      after: {
        redeemTimeout: {
          target: '#accountTokens.releasing',
          description: 'The issuer does not respond. ACC-92',
          actions: 'recordSlowIssuer',
        },
      },
      on: { CLOSE: close },
    },
    otherProgram: {
      description:
        'Codex CLI holds no lock while it redeems a token: its new tokens are in the file, or will be soon.',
      initial: 'looking',
      after: {
        otherSaves: {
          target: '#accountTokens.releasing',
          description: 'No other program saved new tokens. ACC-48',
        },
      },
      on: { CLOSE: { target: '#accountTokens.releasing', description: 'The engine stops.' } },
      states: {
        looking: {
          description: 'Reads the file.',
          invoke: {
            id: 'reloadAgain',
            src: 'reload',
            onDone: [
              {
                guard: 'reloaded',
                target: '#accountTokens.releasing',
                description: 'Another program redeemed the token, and its tokens are adopted. ACC-48',
                actions: 'recordOutcome',
              },
              { guard: 'savedSoon', target: 'pausing' },
              {
                target: '#accountTokens.releasing',
                description: 'The refusal of the issuer stands. ACC-53',
              },
            ],
            onError: '#accountTokens.releasing',
          },
        },
        pausing: {
          description: 'The token was used by another program, which is about to save the new ones.',
          after: { savePoll: 'looking' },
        },
      },
    },
    saving: {
      description: 'The new tokens are in use and are being written; it is too late to stop. ACC-113',
      invoke: {
        id: 'save',
        src: 'save',
        onDone: { target: '#accountTokens.releasing', actions: 'recordOutcome', ...spine },
        onError: { target: '#accountTokens.releasing', actions: 'recordIssued' },
      },
      after: {
        writeTimeout: {
          target: '#accountTokens.releasing',
          description: 'The write takes too long to wait for it; the tokens are in use.',
          actions: 'recordIssued',
        },
      },
    },
  },
});

const signingOut = accountTokensSetup.createStateConfig({
  description: 'A sign-out: what is stored is revoked first. ACC-55',
  initial: 'revoking',
  on: { CLOSE: close },
  states: {
    revoking: {
      description: 'The issuer revokes the tokens: one attempt, which may fail.',
      invoke: { id: 'revoke', src: 'revoke', onDone: 'lookingUp', onError: 'lookingUp' },
      after: { revokeTimeout: { target: 'lookingUp', description: 'The issuer does not respond.' } },
    },
    lookingUp: {
      description: 'Finds out whether there is anything to delete.',
      invoke: {
        id: 'lookUp',
        src: 'lookUp',
        onDone: [{ guard: 'absent', target: 'adopting' }, { target: '#accountTokens.locking' }],
        onError: '#accountTokens.locking',
      },
      after: { diskTimeout: slowFile },
    },
    adopting: {
      description: 'Nothing is stored: only memory is cleared. ACC-56',
      invoke: { id: 'adopt', src: 'adopt', onDone: ended, onError: ended },
      after: { diskTimeout: slowFile },
    },
  },
});

/**
 * One change of the stored sign-in: a refresh, a write, or a sign-out. Only one engine at a time changes the account
 * file. The chart ends with the outcome.
 */
export const accountTokensMachine = accountTokensSetup.createMachine({
  id: 'accountTokens',
  description: 'One change of the stored sign-in: refresh, write or delete.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    outcome: null,
    busy: null,
    issued: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  output: ({ context }) =>
    context.outcome ?? { kind: 'failed', failure: { reason: 'engineFault', message: 'no outcome', at: 0 } },
  initial: 'starting',
  states: {
    starting: {
      description: 'Selects the way of the task.',
      always: [
        { guard: 'isRefresh', target: 'reloading', ...spine },
        { guard: 'isSignOut', target: 'signingOut' },
        { target: 'locking' },
      ],
    },
    reloading: {
      description: 'The file is read again: another process may have refreshed the tokens. ACC-48',
      invoke: {
        id: 'reload',
        src: 'reload',
        onDone: [
          {
            guard: 'settled',
            target: 'done',
            description: 'The file has newer tokens, or another account, or none. ACC-50',
            actions: 'recordOutcome',
          },
          {
            guard: 'knownExpired',
            target: 'done',
            description: 'The issuer refused these credentials for good; it is not asked again. ACC-54',
            actions: 'recordExpired',
          },
          { guard: 'noRefreshToken', target: 'done', actions: 'recordNoRefreshToken' },
          {
            guard: 'newEnough',
            target: 'done',
            description: 'The watch has just adopted newer tokens: a forced refresh finds them new enough.',
            actions: 'recordAdopted',
          },
          { target: 'locking', ...spine },
        ],
        onError: { target: 'done', actions: 'recordOutcome' },
      },
      after: { diskTimeout: slowFile },
      on: { CLOSE: close },
    },
    signingOut,
    locking: {
      description: 'Waits until no other engine changes this file. ACC-59',
      initial: 'trying',
      after: {
        lockTimeout: {
          target: 'releasing',
          description: 'Another process holds the lock for too long: nothing is redeemed or written. ACC-59',
          actions: 'recordLocked',
        },
      },
      on: { CLOSE: close },
      states: {
        trying: {
          description: 'One attempt to take the lock.',
          invoke: {
            id: 'tryLock',
            src: 'tryLock',
            onDone: [
              { guard: 'locked', target: '#accountTokens.locked', ...spine },
              { guard: 'busy', target: 'pausing', actions: 'recordBusy' },
              {
                target: '#accountTokens.releasing',
                description: 'The lock cannot be used.',
                actions: 'recordOutcome',
              },
            ],
            onError: ended,
          },
        },
        pausing: {
          description: 'Another process holds the lock.',
          after: { lockPause: 'trying' },
        },
      },
    },
    locked: {
      description: 'The file belongs to this engine now.',
      always: [
        { guard: 'isRefresh', target: 'refreshing', ...spine },
        { guard: 'isSignOut', target: 'removing' },
        { target: 'writing' },
      ],
    },
    refreshing,
    writing: {
      description: 'An API key or a sign-in is being written. ACC-28, ACC-76',
      invoke: { id: 'write', src: 'write', onDone: ended, onError: ended },
      after: { writeTimeout: slowFile },
      on: {
        CLOSE: [
          {
            guard: 'isIrreplaceable',
            description: 'The issuer does not issue these tokens a second time: the write is finished.',
          },
          close,
        ],
      },
    },
    removing: {
      description: 'The account file is being deleted. ACC-55',
      invoke: { id: 'remove', src: 'remove', onDone: ended, onError: ended },
      after: { writeTimeout: slowFile },
      on: { CLOSE: close },
    },
    releasing: {
      description: 'The lock, and space that is not needed, are given back.',
      invoke: { id: 'release', src: 'release', onDone: { target: 'done', ...spine }, onError: 'done' },
      after: {
        releaseTimeout: {
          target: 'done',
          description: 'A write takes long: the lock is held until it is done.',
        },
      },
    },
    done: { type: 'final', description: 'The change ended; the output says how.' },
  },
});
