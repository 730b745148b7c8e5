/** Whose account it runs on: looked for, waited for, mended after a refusal. Parts of `active` in the chart `remoteControl`. */
import { setReason } from '../shared/decision.js';
import { remoteControlSetup } from './setup.js';

export const loadingAuth = remoteControlSetup.createStateConfig({
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
            actions: [setReason('authChanged'), 'dropRemoteClients', 'keepAccount'],
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
            actions: [setReason('authChanged'), 'dropRemoteClients', 'keepAccount'],
          },
          { guard: 'usable', target: '#remoteControl.active.preparing', actions: 'keepAccount' },
          {
            guard: 'authMustBeReady',
            target: '#remoteControl.stopping',
            description: 'This start requires a sign-in and found none. RC-27',
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
});

export const awaitingAuth = remoteControlSetup.createStateConfig({
  description: 'Waits for a usable sign-in. RC-26',
  tags: ['connecting', 'waiting'],
  entry: 'passTrial',
  initial: 'missing',
  on: {
    'AUTH.CHANGED': [
      {
        guard: 'signedOut',
        target: '.missing',
        actions: ['dropAccount', setReason('authMissing'), 'dropRemoteClients'],
      },
      { target: 'loadingAuth', actions: setReason('authChanged') },
    ],
    ENABLE: { target: 'loadingAuth', actions: ['noteWish', setReason('enabled')] },
    WAKE: { target: 'loadingAuth', description: 'The machine woke up: check for a sign-in at once. RC-25a' },
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
});

export const recoveringAuth = remoteControlSetup.createStateConfig({
  description: 'The backend refused the account: one recovery step of the account. RC-28',
  tags: ['connecting', 'beforeIdentity'],
  on: {
    'AUTH.CHANGED': {
      guard: 'sameAccount',
      target: 'preparing',
      description: 'A newer sign-in from outside was faster. RC-29',
      actions: ['keepAccount', setReason('authChanged')],
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
        actions: [setReason('authChanged'), 'dropRemoteClients', 'keepAccount'],
      },
      {
        guard: 'recovered',
        target: 'backingOff.recovered',
        actions: ['countRecovery', 'keepAccount', setReason('authRecovered')],
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
});
