/** The identity: loaded, enrolled, refreshed, verified and replaced. States of `active` in the chart `remoteControl`. */
import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { enrollmentOf, keyOf } from './context.js';
import { overdue } from './edges.js';
import { remoteControlSetup } from './setup.js';

export const loadingEnrollment = remoteControlSetup.createStateConfig({
  description: 'Loads the stored identity of this account. RC-15',
  tags: ['connecting', 'beforeIdentity'],
  initial: 'reading',
  states: {
    reading: {
      description: 'Reads the store; a read error never counts as "no enrollment". RC-6',
      invoke: {
        id: 'loadEnrollment',
        src: 'loadEnrollment',
        input: ({ context }) => keyOf(context),
        onDone: [
          {
            guard: 'recordOutdated',
            target: 'updating',
            description: 'The stored record has another host name or preference. RC-8a, RC-44',
            actions: ['assignEnrollment', 'updateServerName'],
          },
          { guard: 'found', target: '#remoteControl.active.preparing', actions: 'assignEnrollment' },
          { guard: 'none', target: '#remoteControl.active.enrolling', actions: 'assignEnrollment' },
          { target: '#remoteControl.active.backingOff.failed', actions: 'recordFailure' },
        ],
        onError: {
          target: '#remoteControl.active.backingOff.failed',
          actions: 'recordActorError',
        },
      },
      after: { storeLimit: overdue('#remoteControl.active.backingOff.failed', 'storeTimeout') },
    },
    updating: {
      description: 'The host name or the preference changed: updates the record. RC-8a, RC-44',
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
            description: 'The record could not be updated; the identity is still valid.',
            actions: 'recordFailure',
          },
        ],
        onError: { target: '#remoteControl.active.preparing', actions: 'recordActorError' },
      },
      after: { storeLimit: overdue('#remoteControl.active.preparing', 'storeTimeout') },
    },
  },
});

export const enrolling = remoteControlSetup.createStateConfig({
  description: 'Enrolls with the backend and persists the identity before its first use. RC-9, RC-23',
  tags: ['connecting'],
  initial: 'requesting',
  states: {
    requesting: {
      description: 'Sends POST enroll.',
      tags: ['beforeIdentity'],
      invoke: {
        id: 'enroll',
        src: 'enroll',
        input: ({ context }) => ({ account: context.account }),
        onDone: [
          { guard: 'granted', target: 'persisting', actions: ['assignGrant', setReason('enrolled')] },
          {
            guard: 'unauthorized',
            target: '#remoteControl.active.recoveringAuth',
            actions: 'recordFailure',
          },
          {
            guard: 'hasRetryAfter',
            target: '#remoteControl.active.backingOff.retryAfter',
            actions: ['recordFailure', 'assignRetryAfter'],
          },
          { target: '#remoteControl.active.backingOff.failed', actions: 'recordFailure' },
        ],
        onError: {
          target: '#remoteControl.active.backingOff.failed',
          actions: 'recordActorError',
        },
      },
      after: { requestLimit: overdue('#remoteControl.active.backingOff.failed', 'backendTimeout') },
    },
    persisting: {
      description:
        'Writes the identity before its first use, so that a crash does not cause a second enrollment. RC-23',
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
          { guard: 'done', target: 'persisted', actions: 'markPersisted' },
          { target: 'notPersisted', actions: 'recordFailure' },
        ],
        onError: { target: 'notPersisted', actions: 'recordActorError' },
      },
      after: { storeLimit: overdue('notPersisted', 'storeTimeout') },
    },
    notPersisted: {
      description: 'The identity could not be written: writes it again later, without a new enrollment. RC-6',
      tags: ['errored', 'waiting'],
      entry: ['confirmActivation', 'scheduleBackoff', 'markUnresolved'],
      on: { ENABLE: { target: 'persisting', actions: 'assignPreference' }, WAKE: 'persisting' },
      after: { pause: 'persisting' },
    },
    persisted: {
      description: 'The identity is persisted.',
      always: [
        {
          guard: 'identityLostBefore',
          target: '#remoteControl.active.backingOff.failed',
          description: 'The backend lost a new identity before: waits longer. RC-20',
          actions: setReason('serverGone'),
        },
        {
          guard: 'refreshNeeded',
          target: '#remoteControl.active.refreshing',
          description: 'The new server token is about to expire. RC-13',
        },
        { target: '#remoteControl.active.connecting', ...spine },
      ],
    },
  },
});

export const refreshing = remoteControlSetup.createStateConfig({
  description: 'Requests a new server token for the same identity. RC-10, RC-13, RC-14',
  tags: ['connecting', 'beforeIdentity'],
  entry: 'confirmActivation',
  on: {
    'TOKEN.RENEWED': {
      guard: 'sameIdentity',
      target: 'connecting',
      description: 'Pairing refreshed the token first. RC-47',
      actions: ['assignRenewedToken', setReason('tokenRefreshed')],
    },
  },
  invoke: {
    id: 'refresh',
    src: 'refresh',
    input: ({ context }) => ({ account: context.account, enrollment: enrollmentOf(context) }),
    onDone: [
      {
        guard: 'granted',
        target: 'connecting',
        actions: ['assignGrant', setReason('tokenRefreshed')],
        ...spine,
      },
      { guard: 'unauthorized', target: 'recoveringAuth', actions: 'recordFailure' },
      {
        guard: 'notFound',
        target: 'reenrolling',
        description: 'The backend itself says that it does not know the identity. RC-20',
        actions: 'recordFailure',
        ...spine,
      },
      {
        guard: 'hasRetryAfter',
        target: 'backingOff.retryAfter',
        actions: ['recordFailure', 'assignRetryAfter'],
      },
      {
        guard: 'refreshCanWait',
        target: 'connecting',
        description: 'The current token is still valid: connects and refreshes later. RC-14',
        actions: ['recordFailure', 'deferRefresh'],
      },
      {
        guard: 'transient',
        target: 'backingOff.deferred',
        description: 'There is no valid token: waits until the refresh may be repeated. RC-14',
        actions: ['recordFailure', 'deferRefresh'],
      },
      { target: 'backingOff.failed', actions: 'recordFailure' },
    ],
    onError: { target: 'backingOff.failed', actions: 'recordActorError' },
  },
  after: { requestLimit: overdue('backingOff.failed', 'backendTimeout') },
});

export const verifyingEnrollment = remoteControlSetup.createStateConfig({
  description: 'An ambiguous 404: a refresh shows whether the identity still exists. RC-21',
  tags: ['connecting'],
  invoke: {
    id: 'verify',
    src: 'refresh',
    input: ({ context }) => ({ account: context.account, enrollment: enrollmentOf(context) }),
    onDone: [
      {
        guard: 'granted',
        target: 'backingOff.failed',
        description: 'The identity exists, so the 404 has another cause. RC-21',
        actions: ['assignGrant', setReason('identityVerified')],
      },
      { guard: 'notFound', target: 'reenrolling', actions: 'recordFailure', ...spine },
      {
        guard: 'unauthorized',
        target: 'recoveringAuth',
        description: 'The account was refused; without a token the next attempt verifies again.',
        actions: ['clearToken', 'recordFailure'],
      },
      {
        guard: 'hasRetryAfter',
        target: 'backingOff.retryAfter',
        actions: ['recordFailure', 'assignRetryAfter'],
      },
      { target: 'backingOff.failed', actions: 'recordFailure' },
    ],
    onError: { target: 'backingOff.failed', actions: 'recordActorError' },
  },
  after: { requestLimit: overdue('backingOff.failed', 'backendTimeout') },
});

export const reenrolling = remoteControlSetup.createStateConfig({
  description:
    'The backend does not know the identity: requests a new one, which replaces it. Until then it stays stored. RC-20, RC-22',
  tags: ['connecting', 'beforeIdentity'],
  entry: ['clearToken', 'markIdentityLost'],
  on: { 'ENROLLMENT.LOST': { description: 'A new identity is already being requested.' } },
  invoke: {
    id: 'enrollAgain',
    src: 'enroll',
    input: ({ context }) => ({ account: context.account }),
    onDone: [
      {
        guard: 'granted',
        target: 'enrolling.persisting',
        description: 'Clients of the old identity have no rights under the new one.',
        actions: ['countIdentityLoss', 'closeVirtualClients', 'recordReplacement', 'assignGrant'],
        ...spine,
      },
      { guard: 'unauthorized', target: 'recoveringAuth', actions: 'recordFailure' },
      {
        guard: 'hasRetryAfter',
        target: 'backingOff.retryAfter',
        actions: ['recordFailure', 'assignRetryAfter'],
      },
      {
        guard: 'routeMissing',
        target: 'backingOff.failed',
        description:
          'The route to enroll is missing, too, so something else answers: tries the old identity again. RC-20',
        actions: 'recordRouteMissing',
      },
      {
        target: 'backingOff.failed',
        description: 'There is no new identity yet: the next attempt requests one again.',
        actions: 'recordFailure',
      },
    ],
    onError: { target: 'backingOff.failed', actions: 'recordActorError' },
  },
  after: { requestLimit: overdue('backingOff.failed', 'backendTimeout') },
});
