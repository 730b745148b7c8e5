/** The way to an open link, the link itself, and a token that was refused. Parts of `active` in the chart `remoteControl`. */
import { setReason } from '../shared/decision.js';
import { cutShort } from './edges.js';
import { enrollmentOf, remoteControlSetup } from './setup.js';

export const connecting = remoteControlSetup.createStateConfig({
  description: 'The socket handshake. RC-17, RC-18',
  tags: ['connecting'],
  entry: 'passTrial',
  invoke: {
    id: 'dial',
    src: 'dial',
    input: ({ context }) => ({ enrollment: enrollmentOf(context), token: context.token }),
    onDone: [
      { guard: 'open', target: 'connected', actions: ['keepSocket', setReason('connected')] },
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
      {
        target: 'backingOff.failed',
        description: 'Any other failure: retry after a backoff pause. RC-25',
        actions: 'becauseItFailed',
      },
    ],
    onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
  },
});

export const connected = remoteControlSetup.createStateConfig({
  description: 'The link is open; virtual clients come and go over it.',
  tags: ['connected'],
  exit: 'forgetSocket',
  on: {
    'LINK.PROVEN': {
      description: 'The reconnect ladder starts over. RC-25',
      actions: ['forgetTroubles', setReason('linkProven')],
    },
    WAKE: { description: 'The machine woke up: check that the link is alive. RC-25a', actions: 'probeLink' },
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
        actions: ['countShortLife', setReason('flapping')],
      },
      {
        guard: 'lostYoungAgain',
        target: 'backingOff.failed',
        description: 'Accepted and dropped again. RC-25',
        actions: ['countShortLife', 'becauseLinkEnded', setReason('flapping')],
      },
      {
        guard: 'closedByPeer',
        target: 'backingOff.reconnecting',
        description: 'A clean close. RC-16, RC-25',
        actions: ['countShortLife', setReason('linkClosed')],
      },
      {
        target: 'backingOff.failed',
        description: 'It broke or fell silent. RC-41',
        actions: ['countShortLife', 'becauseLinkEnded'],
      },
    ],
    onError: { target: 'backingOff.failed', actions: 'becauseOfFault' },
  },
});

export const tokenInvalid = remoteControlSetup.createStateConfig({
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
});
