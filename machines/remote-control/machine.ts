import { setReason } from '../shared/decision.js';
import { awaitingAuth, loadingAuth, recoveringAuth } from './auth.js';
import { cutShort, tryAgain } from './edges.js';
import { enrolling, loadingEnrollment, reenrolling, refreshing, verifyingEnrollment } from './enrollment.js';
import { connected, connecting, tokenInvalid } from './link.js';
import { keyOf, remoteControlSetup } from './setup.js';
import { NO_FAILURES } from './types.js';

/**
 * The whole life of the link to the backend: who asked for it, whose account it runs on, which identity it has,
 * how it connects, what it does when anything of that is lost, and how it ends.
 *
 *     idle → loadingAuth → loadingEnrollment → enrolling | refreshing → connecting → connected
 *                                                        ↖ tokenInvalid (401, 403) ↙
 *                                              enrolling ← reenrolling (404) ← ┘
 *
 * Every state that waits says so, every transition that a person could ask about names its reason, and each
 * attempt begins in `preparing`, where the next step is chosen from what is known.
 */
export const remoteControlMachine = remoteControlSetup.createMachine({
  id: 'remoteControl',
  description: 'The life of the link to the backend.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    trial: 'start',
    account: null,
    enrollment: 'unknown',
    keptServerId: null,
    preference: 'unset',
    token: null,
    socket: null,
    openedAt: null,
    sinceProof: NO_FAILURES,
    refreshNotBefore: 0,
    quiet: { ms: 0, until: 0 },
    pause: { ms: 0, until: 0 },
    refusedGeneration: null,
    refusedBecause: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
    lastFailure: null,
  }),
  output: ({ context }) => ({
    failure: context.decision.reason === 'stopped' ? null : context.lastFailure,
  }),
  initial: 'idle',
  on: {
    STOP: {
      target: '.stopping',
      description: 'Shut down, from any state. RC-46',
      actions: setReason('stopped'),
    },
  },
  states: {
    idle: {
      description:
        'Remote control is off. An identity and a token that is still good are kept for the next time.',
      tags: ['disabled'],
      entry: 'dropRemoteClients',
      on: {
        ENABLE: [
          {
            guard: 'targetRefused',
            description: 'Credentials may not be sent to the configured base URL. RC-2',
            actions: 'becauseTargetRefused',
          },
          {
            guard: 'storeMissing',
            description: 'Without a store an identity could not be persisted. RC-6',
            actions: 'becauseStoreMissing',
          },
          {
            guard: 'clientNameUnknown',
            target: 'awaitingClientName',
            actions: ['noteEnable', 'noteWish', setReason('clientNameAwaited')],
          },
          { target: 'active', actions: ['noteEnable', 'noteWish', 'startOver', setReason('enabled')] },
        ],
        DISABLE: { description: 'It is off already.', actions: ['noteWish', setReason('disabled')] },
        RESOLVE_PREFERENCE: [
          {
            guard: 'targetRefused',
            description: 'Credentials may not be sent to the configured base URL. RC-2',
            actions: 'becauseTargetRefused',
          },
          {
            guard: 'storeMissing',
            description: 'Without a store an identity could not be persisted. RC-6',
            actions: 'becauseStoreMissing',
          },
          {
            guard: 'clientNameUnknown',
            target: 'awaitingClientName.toResolve',
            actions: ['noteStart', setReason('clientNameAwaited')],
          },
          { target: 'resolvingPreference', actions: ['noteStart', setReason('starting')] },
        ],
        'CLIENT.NAMED': {
          guard: 'clientNameUnknown',
          description: 'Only the first name counts. RC-45',
          actions: 'noteClientName',
        },
      },
    },

    awaitingClientName: {
      description:
        'Over stdio the first client names itself, and its name is part of the enrollment key. RC-45',
      initial: 'toEnable',
      on: { DISABLE: { target: 'idle', actions: ['noteWish', setReason('disabled')] } },
      states: {
        toEnable: {
          description: 'Then remote control goes on.',
          tags: ['connecting'],
          on: {
            'CLIENT.NAMED': {
              target: '#remoteControl.active',
              actions: ['noteClientName', setReason('enabled')],
            },
            ENABLE: { description: 'It will go on already; only the wish is new.', actions: 'noteWish' },
          },
        },
        toResolve: {
          description: 'Then the stored preference decides.',
          tags: ['disabled'],
          on: {
            ENABLE: { target: 'toEnable', actions: ['noteEnable', 'noteWish'] },
            'CLIENT.NAMED': { target: '#remoteControl.resolvingPreference', actions: 'noteClientName' },
          },
        },
      },
    },

    resolvingPreference: {
      description: 'Started with "preference": the wish stored for this account decides. RC-44',
      tags: ['disabled'],
      initial: 'readingAccount',
      on: {
        ENABLE: { target: 'active', actions: ['noteEnable', 'noteWish', 'startOver', setReason('enabled')] },
        DISABLE: { target: 'idle', actions: ['noteWish', setReason('disabled')] },
        'AUTH.CHANGED': [
          {
            guard: 'signedOut',
            target: '.waitingForAccount',
            actions: ['dropAccount', setReason('authMissing')],
          },
          {
            target: '.readingAccount',
            description: 'Another wish may hold.',
            actions: setReason('authChanged'),
          },
        ],
      },
      states: {
        readingAccount: {
          description: 'Whose preference?',
          tags: ['undecided'],
          invoke: {
            id: 'loadAuth',
            src: 'loadAuth',
            input: { reload: true },
            onDone: [
              { guard: 'usable', target: 'readingPreference', actions: 'keepAccount' },
              {
                guard: 'authMustBeReady',
                target: '#remoteControl.stopping',
                description: 'This start requires a sign-in and found none. RC-27',
                actions: 'becauseItFailed',
              },
              { target: 'waitingForAccount', actions: 'becauseItFailed' },
            ],
            onError: { target: 'waitingForAccount', actions: 'becauseOfFault' },
          },
        },
        waitingForAccount: {
          description: 'Nobody is signed in yet.',
          after: { authPoll: 'readingAccount' },
        },
        readingPreference: {
          description: 'On, off or never said?',
          invoke: {
            id: 'loadPreference',
            src: 'loadEnrollment',
            input: ({ context }) => keyOf(context),
            onDone: [
              {
                guard: 'preferenceOn',
                target: '#remoteControl.active',
                actions: ['startOver', setReason('enabled')],
              },
              {
                guard: 'preferenceOff',
                target: '#remoteControl.idle',
                actions: setReason('preferenceOff'),
              },
              {
                guard: 'preferenceUnset',
                target: '#remoteControl.idle',
                actions: setReason('preferenceUnset'),
              },
              { target: 'waitingForStore', actions: 'becauseItFailed' },
            ],
            onError: { target: 'waitingForStore', actions: 'becauseOfFault' },
          },
        },
        waitingForStore: {
          description: 'The store cannot be read: no guess is made. RC-6',
          tags: ['pausing'],
          entry: 'pauseOnLadder',
          after: { pause: 'readingPreference' },
        },
      },
    },

    active: {
      description: 'Remote control is on.',
      initial: 'loadingAuth',
      on: {
        DISABLE: {
          target: 'idle',
          description: 'In any state: requests are cancelled, socket and clients closed. RC-43',
          actions: ['noteWish', setReason('disabled')],
        },
        'AUTH.CHANGED': [
          {
            guard: 'signedOut',
            target: '.awaitingAuth.missing',
            description: 'Deliberately signed out.',
            actions: ['dropAccount', setReason('authMissing'), 'dropRemoteClients'],
          },
          {
            guard: 'otherAccount',
            target: '.loadingAuth',
            description: 'Another account has its own identity. RC-7',
            actions: [setReason('authChanged'), 'dropRemoteClients'],
          },
        ],
        ENABLE: { description: 'It is on already; only the durable wish is new.', actions: 'noteWish' },
        'TOKEN.RENEWED': {
          guard: 'sameIdentity',
          description: 'Pairing did it under the shared lock. RC-47',
          actions: 'keepRenewal',
        },
        'ENROLLMENT.LOST': {
          guard: 'sameIdentity',
          target: '.reenrolling',
          description: 'Pairing learned it. RC-47',
          actions: 'becauseItFailed',
        },
      },
      states: {
        loadingAuth,
        awaitingAuth,
        preparing: {
          description: 'Chooses the next step of an attempt.',
          tags: ['connecting', 'beforeIdentity'],
          always: [
            {
              guard: 'toldToBeQuiet',
              target: 'backingOff.asTold',
              description: 'A Retry-After holds, whatever happened since. RC-14, RC-25',
              actions: setReason('backendRateLimited'),
            },
            { guard: 'enrollmentUnknown', target: 'loadingEnrollment' },
            { guard: 'notEnrolled', target: 'enrolling' },
            {
              guard: 'notKept',
              target: 'enrolling.keeping',
              description: 'It was interrupted while the identity was written. RC-6',
            },
            {
              guard: 'refreshNeeded',
              target: 'refreshing',
              description: 'The server token is missing or about to expire. RC-13',
            },
            { target: 'connecting', description: 'The cached token is good. RC-16' },
          ],
        },
        loadingEnrollment,
        enrolling,
        refreshing,
        connecting,
        connected,
        tokenInvalid,
        verifyingEnrollment,
        reenrolling,
        recoveringAuth,
        backingOff: {
          description: 'A pause before the next attempt. RC-25',
          initial: 'failed',
          on: cutShort,
          states: {
            failed: {
              description: 'After a failure: the next rung of the ladder.',
              tags: ['errored', 'waiting'],
              entry: ['passTrial', 'pauseOnLadder'],
              after: tryAgain,
            },
            reconnecting: {
              description: 'After a clean close: the same ladder, but nothing is wrong.',
              tags: ['connecting', 'waiting'],
              entry: 'pauseOnLadder',
              after: tryAgain,
            },
            handover: {
              description: 'After a 409: the other connection may be about to end. RC-24',
              tags: ['connecting', 'waiting'],
              entry: 'pauseForHandover',
              after: tryAgain,
            },
            recovered: {
              description: 'After a recovery step: briefly the first time.',
              tags: ['connecting', 'beforeIdentity'],
              initial: 'deciding',
              states: {
                deciding: {
                  description: 'How long?',
                  always: [
                    { guard: 'firstRecovery', target: 'pausing', actions: 'pauseBriefly' },
                    { target: 'pausing', actions: 'pauseOnLadder' },
                  ],
                },
                pausing: {
                  description: 'Then the refused call is made again.',
                  tags: ['pausing'],
                  after: tryAgain,
                },
              },
            },
            deferred: {
              description: 'No usable token, and refresh failed for now: until the deferral is over. RC-14',
              tags: ['errored', 'waiting'],
              entry: ['passTrial', 'pauseUntilDeferralEnds'],
              after: tryAgain,
            },
            asTold: {
              description: 'The backend said Retry-After: nothing cuts this short. RC-25',
              tags: ['errored', 'waiting'],
              entry: ['passTrial', 'pauseAsTold'],
              after: {
                pause: {
                  target: '#remoteControl.active.preparing',
                  actions: ['forgetRetryAfter', setReason('retrying')],
                },
              },
            },
          },
        },
      },
    },

    stopping: {
      description: 'Local clients are told, sockets close, the store is flushed. RC-46',
      tags: ['disabled', 'undecided'],
      entry: 'dropRemoteClients',
      on: { STOP: { description: 'It stops already.' } },
      invoke: { id: 'drain', src: 'drain', onDone: 'stopped', onError: 'stopped' },
      after: { shutdownTimeout: 'stopped' },
    },
    stopped: { type: 'final', description: 'The end.', tags: ['disabled'] },
  },
});
