import type { Reason } from '../src/protocol/reasons.js';
import { enrollmentOf, keyOf, remoteControlSetup } from './remote-control.setup.js';
import { PROVEN } from './remote-control.types.js';

const because = (reason: Reason) => ({ type: 'because', params: { reason } }) as const;

const tryAgain = {
  pause: { target: '#remoteControl.active.preparing', actions: because('retrying') },
} as const;

/** What ends an ordinary pause before its time. A Retry-After is not one: `preparing` goes back to it. RC-25 */
const cutShort = {
  'AUTH.CHANGED': {
    guard: 'sameAccount',
    target: '#remoteControl.active.preparing',
    description: 'A newer sign-in of this account.',
    actions: ['keepAccount', because('authChanged')],
  },
  ENABLE: { target: '#remoteControl.active.preparing', actions: ['noteWish', because('enabled')] },
  WAKE: { target: '#remoteControl.active.preparing', description: 'RC-25a', actions: because('wokeUp') },
} as const;

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
    sinceProof: PROVEN,
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
  on: { STOP: { target: '.stopping', description: 'RC-46', actions: because('stopped') } },
  states: {
    idle: {
      description:
        'Remote control is off. An identity and a token that is still good are kept for the next time.',
      tags: ['disabled'],
      entry: 'dropRemoteClients',
      on: {
        ENABLE: [
          { guard: 'targetRefused', description: 'RC-2', actions: 'becauseTargetRefused' },
          { guard: 'storeMissing', description: 'RC-6', actions: 'becauseStoreMissing' },
          {
            guard: 'clientNameUnknown',
            target: 'awaitingClientName',
            actions: ['noteEnable', 'noteWish', because('clientNameAwaited')],
          },
          { target: 'active', actions: ['noteEnable', 'noteWish', 'startOver', because('enabled')] },
        ],
        DISABLE: { description: 'It is off already.', actions: ['noteWish', because('disabled')] },
        RESOLVE_PREFERENCE: [
          { guard: 'targetRefused', description: 'RC-2', actions: 'becauseTargetRefused' },
          { guard: 'storeMissing', description: 'RC-6', actions: 'becauseStoreMissing' },
          {
            guard: 'clientNameUnknown',
            target: 'awaitingClientName.toResolve',
            actions: ['noteStart', because('clientNameAwaited')],
          },
          { target: 'resolvingPreference', actions: ['noteStart', because('starting')] },
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
      on: { DISABLE: { target: 'idle', actions: ['noteWish', because('disabled')] } },
      states: {
        toEnable: {
          description: 'Then remote control goes on.',
          tags: ['connecting'],
          on: {
            'CLIENT.NAMED': {
              target: '#remoteControl.active',
              actions: ['noteClientName', because('enabled')],
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
        ENABLE: { target: 'active', actions: ['noteEnable', 'noteWish', 'startOver', because('enabled')] },
        DISABLE: { target: 'idle', actions: ['noteWish', because('disabled')] },
        'AUTH.CHANGED': [
          {
            guard: 'signedOut',
            target: '.waitingForAccount',
            actions: ['dropAccount', because('authMissing')],
          },
          {
            target: '.readingAccount',
            description: 'Another wish may hold.',
            actions: because('authChanged'),
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
                description: 'RC-27',
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
                actions: ['startOver', because('enabled')],
              },
              {
                guard: 'preferenceOff',
                target: '#remoteControl.idle',
                actions: because('preferenceOff'),
              },
              {
                guard: 'preferenceUnset',
                target: '#remoteControl.idle',
                actions: because('preferenceUnset'),
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
          actions: ['noteWish', because('disabled')],
        },
        'AUTH.CHANGED': [
          {
            guard: 'signedOut',
            target: '.awaitingAuth.missing',
            description: 'Deliberately signed out.',
            actions: ['dropAccount', because('authMissing'), 'dropRemoteClients'],
          },
          {
            guard: 'otherAccount',
            target: '.loadingAuth',
            description: 'Another account has its own identity. RC-7',
            actions: [because('authChanged'), 'dropRemoteClients'],
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
        loadingAuth: {
          description: 'Who is signed in here? The source is read again once before giving up. RC-26',
          tags: ['connecting', 'beforeIdentity', 'undecided'],
          initial: 'reading',
          states: {
            reading: {
              description: 'The account in memory.',
              invoke: {
                id: 'loadAuth',
                src: 'loadAuth',
                input: { reload: false },
                onDone: [
                  {
                    guard: 'usableAsOther',
                    target: '#remoteControl.active.preparing',
                    actions: [because('authChanged'), 'dropRemoteClients', 'keepAccount'],
                  },
                  { guard: 'usable', target: '#remoteControl.active.preparing', actions: 'keepAccount' },
                  { target: 'reloading' },
                ],
                onError: { target: 'reloading', actions: 'becauseOfFault' },
              },
            },
            reloading: {
              description: 'The account on disk.',
              invoke: {
                id: 'reloadAuth',
                src: 'loadAuth',
                input: { reload: true },
                onDone: [
                  {
                    guard: 'refusedBefore',
                    target: '#remoteControl.active.awaitingAuth.refused',
                    description: 'Still the tokens that were refused. RC-28',
                    actions: ['keepAccount', 'becauseStillRefused'],
                  },
                  {
                    guard: 'usableAsOther',
                    target: '#remoteControl.active.preparing',
                    actions: [because('authChanged'), 'dropRemoteClients', 'keepAccount'],
                  },
                  { guard: 'usable', target: '#remoteControl.active.preparing', actions: 'keepAccount' },
                  {
                    guard: 'authMustBeReady',
                    target: '#remoteControl.stopping',
                    description: 'RC-27',
                    actions: 'becauseItFailed',
                  },
                  { guard: 'onTrial', target: '#remoteControl.idle', actions: 'becauseItFailed' },
                  { target: '#remoteControl.active.awaitingAuth.missing', actions: 'becauseItFailed' },
                ],
                onError: {
                  target: '#remoteControl.active.awaitingAuth.missing',
                  actions: 'becauseOfFault',
                },
              },
            },
          },
        },

        awaitingAuth: {
          description: 'Waits for a usable sign-in. RC-26',
          tags: ['connecting', 'waiting'],
          entry: 'passTrial',
          initial: 'missing',
          on: {
            'AUTH.CHANGED': [
              {
                guard: 'signedOut',
                target: '.missing',
                actions: ['dropAccount', because('authMissing'), 'dropRemoteClients'],
              },
              { target: 'loadingAuth', actions: because('authChanged') },
            ],
            ENABLE: { target: 'loadingAuth', actions: ['noteWish', because('enabled')] },
            WAKE: { target: 'loadingAuth', description: 'RC-25a' },
            'ENROLLMENT.LOST': {
              guard: 'sameIdentity',
              description: 'Nobody could enroll now; the next account does.',
              actions: ['forgetIdentity', 'dropRemoteClients'],
            },
          },
          states: {
            missing: {
              description: 'None, an API key only, unreadable, or without account id: looked at each second.',
              entry: 'pauseUntilNextLook',
              after: { authPoll: { target: '#remoteControl.active.loadingAuth.reloading' } },
            },
            refused: {
              description: 'The backend refused these tokens and recovery is used up. RC-28',
              entry: 'pauseOnLadder',
              after: { pause: { target: '#remoteControl.active.loadingAuth' } },
            },
          },
        },

        preparing: {
          description: 'Chooses the next step of an attempt.',
          tags: ['connecting', 'beforeIdentity'],
          always: [
            {
              guard: 'toldToBeQuiet',
              target: 'backingOff.asTold',
              description: 'A Retry-After holds, whatever happened since. RC-14, RC-25',
              actions: because('backendRateLimited'),
            },
            { guard: 'enrollmentUnknown', target: 'loadingEnrollment' },
            { guard: 'notEnrolled', target: 'enrolling' },
            {
              guard: 'notKept',
              target: 'enrolling.keeping',
              description: 'It was interrupted while the identity was written. RC-6',
            },
            { guard: 'refreshNeeded', target: 'refreshing', description: 'RC-13' },
            { target: 'connecting', description: 'The cached token is good. RC-16' },
          ],
        },

        loadingEnrollment: {
          description: 'Does this account have an identity already? RC-15',
          tags: ['connecting', 'beforeIdentity'],
          initial: 'reading',
          states: {
            reading: {
              description: 'A store that cannot be read is an error, never "no enrollment". RC-6',
              invoke: {
                id: 'loadEnrollment',
                src: 'loadEnrollment',
                input: ({ context }) => keyOf(context),
                onDone: [
                  { guard: 'recordOutdated', target: 'updating', actions: ['keepLoaded', 'useHostName'] },
                  { guard: 'found', target: '#remoteControl.active.preparing', actions: 'keepLoaded' },
                  { guard: 'none', target: '#remoteControl.active.enrolling', actions: 'keepLoaded' },
                  { target: '#remoteControl.active.backingOff.failed', actions: 'becauseItFailed' },
                ],
                onError: {
                  target: '#remoteControl.active.backingOff.failed',
                  actions: 'becauseOfFault',
                },
              },
            },
            updating: {
              description: 'The host was renamed or the preference changed: same identity. RC-8a',
              invoke: {
                id: 'updateEnrollment',
                src: 'saveEnrollment',
                input: ({ context }) => ({
                  key: keyOf(context),
                  enrollment: enrollmentOf(context),
                  preference: context.preference,
                }),
                onDone: [
                  { guard: 'done', target: '#remoteControl.active.preparing' },
                  {
                    target: '#remoteControl.active.preparing',
                    description: 'The identity is good all the same.',
                    actions: 'becauseItFailed',
                  },
                ],
                onError: { target: '#remoteControl.active.preparing', actions: 'becauseOfFault' },
              },
            },
          },
        },

        enrolling: {
          description: 'Asks the backend for an identity and keeps it on disk before it is used. RC-9, RC-23',
          tags: ['connecting'],
          initial: 'requesting',
          states: {
            requesting: {
              description: 'POST enroll.',
              tags: ['beforeIdentity'],
              invoke: {
                id: 'enroll',
                src: 'enroll',
                input: ({ context }) => ({ account: context.account }),
                onDone: [
                  { guard: 'granted', target: 'keeping', actions: ['keepGrant', because('enrolled')] },
                  {
                    guard: 'unauthorized',
                    target: '#remoteControl.active.recoveringAuth',
                    actions: 'becauseItFailed',
                  },
                  {
                    guard: 'toldToWait',
                    target: '#remoteControl.active.backingOff.asTold',
                    actions: ['becauseItFailed', 'noteRetryAfter'],
                  },
                  { target: '#remoteControl.active.backingOff.failed', actions: 'becauseItFailed' },
                ],
                onError: {
                  target: '#remoteControl.active.backingOff.failed',
                  actions: 'becauseOfFault',
                },
              },
            },
            keeping: {
              description: 'Written before the first use, so that a crash never costs a second enrollment.',
              tags: ['beforeIdentity'],
              invoke: {
                id: 'saveEnrollment',
                src: 'saveEnrollment',
                input: ({ context }) => ({
                  key: keyOf(context),
                  enrollment: enrollmentOf(context),
                  preference: context.preference,
                }),
                onDone: [
                  { guard: 'done', target: 'kept', actions: 'noteKept' },
                  { target: 'notKept', actions: 'becauseItFailed' },
                ],
                onError: { target: 'notKept', actions: 'becauseOfFault' },
              },
            },
            notKept: {
              description: 'The store refused the identity: it is offered again, not asked for again. RC-6',
              tags: ['errored', 'waiting'],
              entry: ['passTrial', 'pauseOnLadder'],
              on: { ENABLE: { target: 'keeping', actions: 'noteWish' }, WAKE: 'keeping' },
              after: { pause: 'keeping' },
            },
            kept: {
              description: 'The identity is safe.',
              always: [
                {
                  guard: 'identityLostBefore',
                  target: '#remoteControl.active.backingOff.failed',
                  description: 'A backend that loses each new identity is not hammered. RC-20',
                  actions: because('serverGone'),
                },
                {
                  guard: 'refreshNeeded',
                  target: '#remoteControl.active.refreshing',
                  description: 'Its token is about to end. RC-13',
                },
                { target: '#remoteControl.active.connecting' },
              ],
            },
          },
        },

        refreshing: {
          description: 'Asks for a new server token for the same identity. RC-10, RC-13, RC-14',
          tags: ['connecting', 'beforeIdentity'],
          on: {
            'TOKEN.RENEWED': {
              guard: 'sameIdentity',
              target: 'connecting',
              description: 'Pairing refreshed first.',
              actions: ['keepRenewal', because('tokenRefreshed')],
            },
          },
          invoke: {
            id: 'refresh',
            src: 'refresh',
            input: ({ context }) => ({ account: context.account, enrollment: enrollmentOf(context) }),
            onDone: [
              { guard: 'granted', target: 'connecting', actions: ['keepGrant', because('tokenRefreshed')] },
              { guard: 'unauthorized', target: 'recoveringAuth', actions: 'becauseItFailed' },
              { guard: 'notFound', target: 'reenrolling', description: 'RC-20', actions: 'becauseItFailed' },
              {
                guard: 'toldToWait',
                target: 'backingOff.asTold',
                actions: ['becauseItFailed', 'noteRetryAfter'],
              },
              {
                guard: 'refreshCanWait',
                target: 'connecting',
                description: 'The token at hand is still good: connect, and ask later. RC-14',
                actions: ['becauseItFailed', 'deferRefresh'],
              },
              {
                guard: 'transient',
                target: 'backingOff.deferred',
                description: 'No token to connect with. RC-14',
                actions: ['becauseItFailed', 'deferRefresh'],
              },
              { target: 'backingOff.failed', actions: 'becauseItFailed' },
            ],
            onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
          },
        },

        connecting: {
          description: 'The socket handshake. RC-17, RC-18',
          tags: ['connecting'],
          entry: 'passTrial',
          invoke: {
            id: 'dial',
            src: 'dial',
            input: ({ context }) => ({ enrollment: enrollmentOf(context), token: context.token }),
            onDone: [
              { guard: 'open', target: 'connected', actions: ['keepSocket', because('connected')] },
              {
                guard: 'tokenRejected',
                target: 'tokenInvalid',
                description: '401 or 403. RC-19',
                actions: ['countTokenRejection', 'becauseItFailed'],
              },
              {
                guard: 'serverGone',
                target: 'reenrolling',
                description: 'A 404 that says so. RC-20',
                actions: 'becauseItFailed',
              },
              {
                guard: 'toldToWait',
                target: 'backingOff.asTold',
                actions: ['becauseItFailed', 'noteRetryAfter'],
              },
              {
                guard: 'ambiguousNotFound',
                target: 'verifyingEnrollment',
                description: 'Any other 404. RC-21',
                actions: 'becauseItFailed',
              },
              {
                guard: 'handoverLikely',
                target: 'backingOff.handover',
                description: '409. RC-24',
                actions: ['countConflict', 'becauseItFailed'],
              },
              {
                guard: 'conflictMeansReenroll',
                target: 'reenrolling',
                description: '--on-conflict reenroll',
                actions: 'becauseItFailed',
              },
              {
                guard: 'conflictMeansExit',
                target: '#remoteControl.stopping',
                description: '--on-conflict exit',
                actions: 'becauseItFailed',
              },
              { target: 'backingOff.failed', description: 'RC-25', actions: 'becauseItFailed' },
            ],
            onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
          },
        },

        connected: {
          description: 'The link is open; virtual clients come and go over it.',
          tags: ['connected'],
          exit: 'forgetSocket',
          on: {
            'LINK.PROVEN': {
              description: 'The reconnect ladder starts over. RC-25',
              actions: ['forgetTroubles', because('linkProven')],
            },
            WAKE: { description: 'RC-25a', actions: 'probeLink' },
          },
          invoke: {
            id: 'link',
            src: 'link',
            input: ({ context }) => ({ socket: context.socket ?? 0, timing: context.timing }),
            onDone: [
              {
                guard: 'closedYoungAgain',
                target: 'backingOff.reconnecting',
                description: 'Accepted and closed again. RC-25',
                actions: ['countShortLife', because('flapping')],
              },
              {
                guard: 'lostYoungAgain',
                target: 'backingOff.failed',
                description: 'Accepted and dropped again. RC-25',
                actions: ['countShortLife', 'becauseLinkEnded', because('flapping')],
              },
              {
                guard: 'closedByPeer',
                target: 'backingOff.reconnecting',
                description: 'A clean close. RC-16, RC-25',
                actions: ['countShortLife', because('linkClosed')],
              },
              {
                target: 'backingOff.failed',
                description: 'It broke or fell silent. RC-41',
                actions: ['countShortLife', 'becauseLinkEnded'],
              },
            ],
            onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
          },
        },

        tokenInvalid: {
          description: 'The backend refused the server token: only the token is dropped. RC-19',
          tags: ['connecting'],
          initial: 'deciding',
          entry: 'forgetToken',
          on: cutShort,
          states: {
            deciding: {
              description: 'The first time since proven life a short pause will do.',
              always: [
                { guard: 'firstTokenRejection', target: 'pausing', actions: 'pauseBriefly' },
                { target: 'pausing', actions: 'pauseOnLadder' },
              ],
            },
            pausing: {
              description: 'Then the same identity is refreshed.',
              tags: ['pausing'],
              after: {
                pause: [
                  { guard: 'refreshNeeded', target: '#remoteControl.active.refreshing' },
                  {
                    target: '#remoteControl.active.connecting',
                    description: 'Pairing has renewed the token meanwhile.',
                  },
                ],
              },
            },
          },
        },

        verifyingEnrollment: {
          description:
            'An unclear 404: refresh tells whether the identity is gone. Never dropped on a guess. RC-21',
          tags: ['connecting'],
          invoke: {
            id: 'verify',
            src: 'refresh',
            input: ({ context }) => ({ account: context.account, enrollment: enrollmentOf(context) }),
            onDone: [
              {
                guard: 'granted',
                target: 'backingOff.failed',
                description: 'It is still ours; the route is at fault.',
                actions: ['keepGrant', because('identityVerified')],
              },
              { guard: 'notFound', target: 'reenrolling', actions: 'becauseItFailed' },
              {
                guard: 'unauthorized',
                target: 'recoveringAuth',
                description: 'Without a token the next attempt refreshes, and so verifies.',
                actions: ['forgetToken', 'becauseItFailed'],
              },
              {
                guard: 'toldToWait',
                target: 'backingOff.asTold',
                actions: ['becauseItFailed', 'noteRetryAfter'],
              },
              { target: 'backingOff.failed', actions: 'becauseItFailed' },
            ],
            onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
          },
        },

        reenrolling: {
          description:
            'The backend no longer knows the identity: clear it, and only it, then enroll. RC-20, RC-22',
          tags: ['connecting'],
          entry: ['countIdentityLoss', 'dropRemoteClients'],
          on: { 'ENROLLMENT.LOST': { description: 'It is being cleared already.' } },
          invoke: {
            id: 'clearEnrollment',
            src: 'clearEnrollment',
            input: ({ context }) => ({ key: keyOf(context), enrollment: enrollmentOf(context) }),
            onDone: [
              {
                guard: 'done',
                target: 'preparing',
                description: 'Without an identity the next step is to enroll.',
                actions: 'forgetIdentity',
              },
              {
                target: 'backingOff.failed',
                description: 'A store that cannot be written must not cost an enrollment each time. RC-6',
                actions: 'becauseItFailed',
              },
            ],
            onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
          },
        },

        recoveringAuth: {
          description: 'The backend refused the account: one recovery step of the account. RC-28',
          tags: ['connecting', 'beforeIdentity'],
          on: {
            'AUTH.CHANGED': {
              guard: 'sameAccount',
              target: 'preparing',
              description: 'A newer sign-in from outside was faster. RC-29',
              actions: ['keepAccount', because('authChanged')],
            },
          },
          invoke: {
            id: 'recoverAuth',
            src: 'recoverAuth',
            input: ({ context }) => ({ asked: context.trial === 'request' }),
            onDone: [
              {
                guard: 'usableAsOtherOnTrial',
                target: '#remoteControl.idle',
                description: 'Not the account that was to be enabled. ACC-46',
                actions: ['becauseAccountChanged', 'dropRemoteClients', 'keepAccount'],
              },
              {
                guard: 'usableAsOther',
                target: 'preparing',
                description: 'Recovery brought another account. RC-7',
                actions: [because('authChanged'), 'dropRemoteClients', 'keepAccount'],
              },
              {
                guard: 'recovered',
                target: 'backingOff.recovered',
                actions: ['countRecovery', 'keepAccount', because('authRecovered')],
              },
              {
                guard: 'refusedOnTrial',
                target: '#remoteControl.idle',
                description: 'Whoever asked is told, and may ask again. ACC-69',
                actions: 'becauseItFailed',
              },
              {
                guard: 'exhausted',
                target: 'loadingAuth.reloading',
                description: 'Read the source once more, arm recovery anew, then wait.',
                actions: ['noteRefused', 'becauseItFailed'],
              },
              { target: 'backingOff.failed', actions: 'becauseItFailed' },
            ],
            onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
          },
        },

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
                  actions: ['forgetRetryAfter', because('retrying')],
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
