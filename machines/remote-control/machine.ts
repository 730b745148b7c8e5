import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { awaitingAuth, loadingAuth, recoveringAuth } from './auth.js';
import { keyOf } from './context.js';
import { overdue, retry, retryAtNewNetwork, retryEarly } from './edges.js';
import { enrolling, loadingEnrollment, reenrolling, refreshing, verifyingEnrollment } from './enrollment.js';
import { connected, connecting, tokenInvalid } from './link.js';
import { remoteControlSetup } from './setup.js';
import { NO_FAILURES } from './types.js';

/**
 * Remote control as a whole: it is enabled, loads an account and an identity, connects to the backend, recovers from
 * each loss, and stops.
 *
 *     idle → loadingAuth → loadingEnrollment → enrolling | refreshing → connecting → connected
 *                                                        ↖ tokenInvalid (401, 403) ↙
 *                                              enrolling ← reenrolling (404) ← ┘
 *
 * States that wait have a tag, each transition that a user may ask about sets a reason, and every attempt begins in
 * `preparing`, which selects the next step.
 */
export const remoteControlMachine = remoteControlSetup.createMachine({
  id: 'remoteControl',
  description: 'Keeps the link to the backend: account, identity, connection, recovery.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    activation: 'start',
    account: null,
    enrollment: 'unknown',
    persistedServerId: null,
    preference: 'unset',
    token: null,
    socket: null,
    openedAt: null,
    failureCounters: NO_FAILURES,
    refreshNotBefore: 0,
    retryAfter: { ms: 0, until: 0 },
    pause: { ms: 0, until: 0 },
    refusedGeneration: null,
    refusal: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
    lastFailure: null,
    unresolved: null,
    conflictSince: null,
    replaced: null,
    lostServerId: null,
  }),
  output: ({ context }) => ({
    failure: context.decision.reason === 'stopped' ? null : context.lastFailure,
  }),
  initial: 'idle',
  on: {
    STOP: {
      target: '.stopping',
      description: 'The engine stops, in any state. RC-46',
      actions: setReason('stopped'),
    },
  },
  states: {
    idle: {
      description: 'Remote control is off. The identity and a valid token stay for the next time.',
      tags: ['disabled'],
      entry: ['closeVirtualClients', 'clearUnresolved'],
      on: {
        ENABLE: [
          {
            guard: 'targetRefused',
            description: 'Credentials may not be sent to the configured base URL. RC-2',
            actions: 'recordTargetRefused',
          },
          {
            guard: 'storeMissing',
            description: 'Without a store an identity could not be persisted. RC-6',
            actions: 'recordStoreMissing',
          },
          {
            guard: 'clientNameUnknown',
            target: 'awaitingClientName',
            actions: ['assignActivation', 'assignPreference', setReason('clientNameAwaited')],
          },
          {
            target: 'active',
            actions: ['assignActivation', 'assignPreference', 'resetRetryState', setReason('enabled')],
            ...spine,
          },
        ],
        DISABLE: {
          description: 'Remote control is already off; only the preference changes.',
          actions: ['assignPreference', setReason('disabled')],
        },
        RESOLVE_PREFERENCE: [
          {
            guard: 'targetRefused',
            description: 'Credentials may not be sent to the configured base URL. RC-2',
            actions: 'recordTargetRefused',
          },
          {
            guard: 'storeMissing',
            description: 'Without a store an identity could not be persisted. RC-6',
            actions: 'recordStoreMissing',
          },
          {
            guard: 'clientNameUnknown',
            target: 'awaitingClientName.toResolve',
            actions: ['beginStartup', setReason('clientNameAwaited')],
          },
          { target: 'resolvingPreference', actions: ['beginStartup', setReason('starting')] },
        ],
        'CLIENT.NAMED': {
          guard: 'clientNameUnknown',
          description: 'The first client name is used. RC-45',
          actions: 'assignClientName',
        },
      },
    },

    awaitingClientName: {
      description:
        'Over stdio, waits for the name of the first client, which is part of the enrollment key. RC-45',
      initial: 'toEnable',
      on: { DISABLE: { target: 'idle', actions: ['assignPreference', setReason('disabled')] } },
      states: {
        toEnable: {
          description: 'Enables remote control once the name is known.',
          tags: ['connecting'],
          on: {
            'CLIENT.NAMED': {
              target: '#remoteControl.active',
              actions: ['assignClientName', setReason('enabled')],
            },
            ENABLE: {
              description: 'It will be enabled anyway; only the preference changes.',
              actions: 'assignPreference',
            },
          },
        },
        toResolve: {
          description: 'Reads the stored preference once the name is known. RC-44',
          tags: ['disabled'],
          on: {
            ENABLE: { target: 'toEnable', actions: ['assignActivation', 'assignPreference'] },
            'CLIENT.NAMED': { target: '#remoteControl.resolvingPreference', actions: 'assignClientName' },
          },
        },
      },
    },

    resolvingPreference: {
      description: 'Started with "preference": the stored preference of this account decides. RC-44',
      tags: ['disabled'],
      initial: 'readingAccount',
      on: {
        ENABLE: {
          target: 'active',
          actions: ['assignActivation', 'assignPreference', 'resetRetryState', setReason('enabled')],
        },
        DISABLE: { target: 'idle', actions: ['assignPreference', setReason('disabled')] },
        'AUTH.CHANGED': [
          {
            guard: 'signedOut',
            target: '.waitingForAccount',
            actions: ['clearAccount', setReason('authMissing')],
          },
          {
            target: '.readingAccount',
            description: 'Another account may have another preference.',
            actions: setReason('authChanged'),
          },
        ],
      },
      states: {
        readingAccount: {
          description: 'Loads the account whose preference applies.',
          tags: ['undecided'],
          invoke: {
            id: 'loadAuth',
            src: 'loadAuth',
            input: { reload: true },
            onDone: [
              { guard: 'usable', target: 'readingPreference', actions: 'assignAccount' },
              {
                guard: 'signInRequired',
                target: '#remoteControl.stopping',
                description: 'This start requires a sign-in and found none. RC-27',
                actions: 'recordFailure',
              },
              { target: 'waitingForAccount', actions: 'recordFailure' },
            ],
            onError: { target: 'waitingForAccount', actions: 'recordActorError' },
          },
          after: { accountLimit: overdue('waitingForAccount', 'accountTimeout') },
        },
        waitingForAccount: {
          description: 'There is no valid sign-in yet: polls the account source. RC-26',
          after: { authPoll: 'readingAccount' },
        },
        readingPreference: {
          description: 'Reads the stored preference: on, off or unset.',
          invoke: {
            id: 'loadPreference',
            src: 'loadEnrollment',
            input: ({ context }) => keyOf(context),
            onDone: [
              {
                guard: 'preferenceOn',
                target: '#remoteControl.active',
                actions: ['resetRetryState', setReason('enabled')],
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
              { target: 'waitingForStore', actions: 'recordFailure' },
            ],
            onError: { target: 'waitingForStore', actions: 'recordActorError' },
          },
          after: { storeLimit: overdue('waitingForStore', 'storeTimeout') },
        },
        waitingForStore: {
          description: 'The store cannot be read: retries with backoff. RC-6',
          tags: ['pausing'],
          entry: 'scheduleBackoff',
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
          description: 'Disabled in any state: requests are cancelled, socket and clients closed. RC-43',
          actions: ['assignPreference', setReason('disabled')],
        },
        'AUTH.CHANGED': [
          {
            guard: 'signedOut',
            target: '.awaitingAuth.missing',
            description: 'The user signed out.',
            actions: ['clearAccount', setReason('authMissing'), 'closeVirtualClients'],
          },
          {
            guard: 'otherAccount',
            target: '.loadingAuth',
            description: 'Another account signed in; it has its own identity. RC-7',
            actions: [setReason('authChanged'), 'closeVirtualClients', 'clearUnresolved'],
          },
        ],
        ENABLE: {
          description: 'Remote control is already on; only the preference changes.',
          actions: 'assignPreference',
        },
        'TOKEN.RENEWED': {
          guard: 'sameIdentity',
          description: 'Pairing refreshed the token. RC-47',
          actions: 'assignRenewedToken',
        },
        'ENROLLMENT.LOST': [
          {
            guard: 'sameIdentityInRetryAfter',
            target: '.backingOff.retryAfter',
            description: 'Nothing shortens a Retry-After; then a new identity is requested. RC-25',
            actions: ['recordFailure', 'clearToken', 'markIdentityLost'],
          },
          {
            guard: 'sameIdentity',
            target: '.reenrolling',
            description: 'Pairing found that the backend does not know the identity. RC-47',
            actions: 'recordFailure',
          },
        ],
      },
      states: {
        loadingAuth,
        awaitingAuth,
        preparing: {
          description: 'Selects the next step of an attempt.',
          tags: ['connecting', 'beforeIdentity'],
          always: [
            {
              guard: 'retryAfterActive',
              target: 'backingOff.retryAfter',
              description: 'A Retry-After is in effect, and nothing shortens it. RC-14, RC-25',
              actions: setReason('backendRateLimited'),
            },
            { guard: 'enrollmentUnknown', target: 'loadingEnrollment' },
            { guard: 'notEnrolled', target: 'enrolling', ...spine },
            {
              guard: 'identityLost',
              target: 'reenrolling',
              description: 'The new identity that replaces it was not granted yet. RC-20',
            },
            {
              guard: 'notPersisted',
              target: 'enrolling.persisting',
              description: 'Writing the identity was interrupted. RC-6',
            },
            {
              guard: 'refreshNeeded',
              target: 'refreshing',
              description: 'The server token is missing or about to expire. RC-13',
              ...spine,
            },
            { target: 'connecting', description: 'The cached token is valid. RC-16', ...spine },
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
          description: 'Waits before the next attempt. RC-25',
          initial: 'failed',
          on: { ...retryEarly, ...retryAtNewNetwork },
          states: {
            failed: {
              description: 'After a failure: exponential backoff. RC-25',
              tags: ['errored', 'waiting'],
              entry: ['confirmActivation', 'scheduleBackoff', 'markUnresolved'],
              after: retry,
            },
            reconnecting: {
              description: 'After a clean close: the same backoff, but not an error. RC-25',
              tags: ['connecting', 'waiting'],
              entry: 'scheduleBackoff',
              after: retry,
            },
            handover: {
              description:
                'After a 409: two quick retries, because the other connection may be closing. RC-24',
              tags: ['connecting', 'waiting'],
              entry: 'scheduleHandoverRetry',
              after: retry,
            },
            recovered: {
              description: 'After a recovery step: a short pause the first time, then backoff. RC-28',
              tags: ['connecting', 'beforeIdentity'],
              initial: 'deciding',
              states: {
                deciding: {
                  description: 'Selects the pause.',
                  always: [
                    { guard: 'firstRecovery', target: 'pausing', actions: 'scheduleQuickRetry' },
                    { target: 'pausing', actions: 'scheduleBackoff' },
                  ],
                },
                pausing: {
                  description: 'Waits, then repeats the refused call.',
                  tags: ['pausing'],
                  after: retry,
                },
              },
            },
            deferred: {
              description: 'No valid token, and the refresh failed: waits until it may be repeated. RC-14',
              tags: ['errored', 'waiting'],
              entry: ['confirmActivation', 'scheduleAfterDeferral', 'markUnresolved'],
              after: retry,
            },
            retryAfter: {
              description: 'The backend sent Retry-After: nothing shortens this pause. RC-25',
              tags: ['errored', 'waiting'],
              entry: ['confirmActivation', 'honorRetryAfter', 'markUnresolved'],
              after: {
                pause: {
                  target: '#remoteControl.active.preparing',
                  actions: ['clearRetryAfter', setReason('retrying')],
                },
              },
            },
          },
        },
      },
    },

    stopping: {
      description:
        'Local clients are notified, and sockets close. The chart engine then closes the rest. RC-46',
      tags: ['disabled', 'undecided'],
      entry: 'closeVirtualClients',
      on: { STOP: { description: 'It is already stopping.' } },
      invoke: { id: 'drain', src: 'drain', onDone: 'stopped', onError: 'stopped' },
      after: { shutdownTimeout: 'stopped' },
    },
    stopped: { type: 'final', description: 'Remote control has stopped.', tags: ['disabled'] },
  },
});
