/** Which identity it has: loaded, made, renewed, doubted, made anew. Parts of `active` in the chart `remoteControl`. */
import { setReason } from '../shared/decision.js';
import { enrollmentOf, keyOf, remoteControlSetup } from './setup.js';

export const loadingEnrollment = remoteControlSetup.createStateConfig({
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
});

export const enrolling = remoteControlSetup.createStateConfig({
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
          { guard: 'granted', target: 'keeping', actions: ['keepGrant', setReason('enrolled')] },
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
          actions: setReason('serverGone'),
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
});

export const refreshing = remoteControlSetup.createStateConfig({
  description: 'Asks for a new server token for the same identity. RC-10, RC-13, RC-14',
  tags: ['connecting', 'beforeIdentity'],
  entry: 'passTrial',
  on: {
    'TOKEN.RENEWED': {
      guard: 'sameIdentity',
      target: 'connecting',
      description: 'Pairing refreshed first.',
      actions: ['keepRenewal', setReason('tokenRefreshed')],
    },
  },
  invoke: {
    id: 'refresh',
    src: 'refresh',
    input: ({ context }) => ({ account: context.account, enrollment: enrollmentOf(context) }),
    onDone: [
      { guard: 'granted', target: 'connecting', actions: ['keepGrant', setReason('tokenRefreshed')] },
      { guard: 'unauthorized', target: 'recoveringAuth', actions: 'becauseItFailed' },
      {
        guard: 'notFound',
        target: 'reenrolling',
        description: 'The backend does not know the identity. RC-20',
        actions: 'becauseItFailed',
      },
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
});

export const verifyingEnrollment = remoteControlSetup.createStateConfig({
  description: 'An unclear 404: refresh tells whether the identity is gone. Never dropped on a guess. RC-21',
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
        actions: ['keepGrant', setReason('identityVerified')],
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
});

export const reenrolling = remoteControlSetup.createStateConfig({
  description: 'The backend no longer knows the identity: clear it, and only it, then enroll. RC-20, RC-22',
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
});
