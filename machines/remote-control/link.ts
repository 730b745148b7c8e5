/** The link: dialed, connected, and refused for its token. States of `active` in the chart `remoteControl`. */
import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { enrollmentOf } from './context.js';
import { overdue, retryEarly } from './edges.js';
import { remoteControlSetup } from './setup.js';

export const connecting = remoteControlSetup.createStateConfig({
  description: 'Dials the backend socket. RC-17, RC-18',
  tags: ['connecting'],
  entry: 'confirmActivation',
  invoke: {
    id: 'dial',
    src: 'dial',
    input: ({ context }) => ({ enrollment: enrollmentOf(context), token: context.token }),
    onDone: [
      { guard: 'open', target: 'connected', actions: ['assignSocket', setReason('connected')], ...spine },
      {
        guard: 'tokenRejected',
        target: 'tokenInvalid',
        description: 'The backend answered 401 or 403: the server token is refused. RC-19',
        actions: ['countTokenRejection', 'recordFailure'],
        ...spine,
      },
      {
        guard: 'serverGone',
        target: 'reenrolling',
        description: 'The backend answered 404: the identity is gone. RC-20',
        actions: 'recordFailure',
        ...spine,
      },
      {
        guard: 'hasRetryAfter',
        target: 'backingOff.retryAfter',
        actions: ['recordFailure', 'assignRetryAfter'],
      },
      {
        guard: 'ambiguousNotFound',
        target: 'verifyingEnrollment',
        description: 'Any other 404: the identity must be verified. RC-21',
        actions: 'recordFailure',
        ...spine,
      },
      {
        guard: 'handoverLikely',
        target: 'backingOff.handover',
        description: 'The backend answered 409: another connection may be closing. RC-24',
        actions: ['countConflict', 'recordFailure'],
      },
      {
        guard: 'reenrollOnConflict',
        target: 'reenrolling',
        description: 'The conflict persists and --on-conflict is reenroll. RC-24',
        actions: 'recordFailure',
      },
      {
        guard: 'exitOnConflict',
        target: '#remoteControl.stopping',
        description: 'The conflict persists and --on-conflict is exit. RC-24',
        actions: 'recordFailure',
      },
      {
        guard: 'duplicateLikely',
        target: 'backingOff.failed',
        description:
          'The conflicts alternate with links, or do not end: another engine uses this identity. RC-110',
        actions: ['countConflict', 'recordDuplicate'],
      },
      {
        target: 'backingOff.failed',
        description: 'Any other failure: retries with backoff. RC-25',
        actions: 'recordFailure',
      },
    ],
    onError: { target: 'backingOff.failed', actions: 'recordActorError' },
  },
  after: { handshakeLimit: overdue('backingOff.failed', 'handshakeTimeout') },
});

export const connected = remoteControlSetup.createStateConfig({
  description: 'The link is open and carries virtual clients.',
  tags: ['connected'],
  entry: 'clearUnresolved',
  exit: 'clearSocket',
  on: {
    'LINK.STABLE': {
      description: 'The link is stable: the backoff starts over. RC-25',
      actions: ['resetFailureCounters', setReason('linkProven')],
    },
    WAKE: { description: 'The machine woke up: check that the link is alive. RC-25a', actions: 'probeLink' },
    'NETWORK.CHANGED': {
      description: 'The network addresses changed: check that the link is alive. RC-25a',
      actions: 'probeLink',
    },
  },
  invoke: {
    id: 'link',
    src: 'link',
    input: ({ context }) => ({ socket: context.socket ?? 0, timing: context.timing }),
    onDone: [
      {
        guard: 'reenrollOnConflict',
        target: 'reenrolling',
        description: 'Another engine uses this identity and --on-conflict is reenroll. RC-24, RC-110',
        actions: ['countUnstableLink', 'countTakeover', 'recordDuplicate'],
      },
      {
        guard: 'exitOnConflict',
        target: '#remoteControl.stopping',
        description: 'Another engine uses this identity and --on-conflict is exit. RC-24, RC-110',
        actions: ['countTakeover', 'recordDuplicate'],
      },
      {
        guard: 'duplicateLikely',
        target: 'backingOff.failed',
        description: 'Another engine takes the connection again and again: it uses this identity. RC-110',
        actions: ['countUnstableLink', 'countTakeover', 'recordDuplicate'],
      },
      {
        guard: 'replaced',
        target: 'backingOff.reconnecting',
        description: 'Another connection of this identity replaced the link. RC-110',
        actions: ['countUnstableLink', 'countTakeover', setReason('linkReplaced')],
      },
      {
        guard: 'closedUnstableAgain',
        target: 'backingOff.reconnecting',
        description: 'The backend closed an unstable link again. RC-25',
        actions: ['countUnstableLink', setReason('flapping')],
      },
      {
        guard: 'lostUnstableAgain',
        target: 'backingOff.failed',
        description: 'An unstable link was lost again. RC-25',
        actions: ['countUnstableLink', 'recordLinkEnd', setReason('flapping')],
      },
      {
        guard: 'closedByPeer',
        target: 'backingOff.reconnecting',
        description: 'The backend closed the link cleanly. RC-16, RC-25',
        actions: ['countUnstableLink', setReason('linkClosed')],
      },
      {
        target: 'backingOff.failed',
        description: 'The link was lost or timed out. RC-41',
        actions: ['countUnstableLink', 'recordLinkEnd'],
        ...spine,
      },
    ],
    onError: { target: 'backingOff.failed', actions: 'recordActorError' },
  },
});

export const tokenInvalid = remoteControlSetup.createStateConfig({
  description: 'The backend refused the server token: only the token is cleared. RC-19',
  tags: ['connecting'],
  initial: 'deciding',
  entry: 'clearToken',
  on: retryEarly,
  states: {
    deciding: {
      description:
        'Selects the pause: short after the first refusal since the link was stable, then backoff. RC-19',
      always: [
        { guard: 'firstTokenRejection', target: 'pausing', actions: 'scheduleQuickRetry' },
        { target: 'pausing', actions: 'scheduleBackoff' },
      ],
    },
    pausing: {
      description: 'Waits, then refreshes the token of the same identity. RC-19',
      tags: ['pausing'],
      after: {
        pause: [
          { guard: 'refreshNeeded', target: '#remoteControl.active.refreshing', ...spine },
          {
            target: '#remoteControl.active.connecting',
            description: 'Pairing refreshed the token meanwhile. RC-47',
          },
        ],
      },
    },
  },
});
