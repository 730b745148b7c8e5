/** The account: loaded, awaited, and recovered after a refusal. States of `active` in the chart `remoteControl`. */
import { setReason } from '../shared/decision.js';
import { overdue } from './edges.js';
import { remoteControlSetup } from './setup.js';

export const loadingAuth = remoteControlSetup.createStateConfig({
  description: 'Loads the account; its source is read again once before giving up. RC-26',
  tags: ['connecting', 'beforeIdentity', 'undecided'],
  initial: 'reading',
  states: {
    reading: {
      description: 'Reads the account in memory.',
      invoke: {
        id: 'loadAuth',
        src: 'loadAuth',
        input: { reload: false },
        onDone: [
          {
            guard: 'otherAccountUsable',
            target: '#remoteControl.active.preparing',
            actions: [setReason('authChanged'), 'closeVirtualClients', 'assignAccount'],
          },
          { guard: 'usable', target: '#remoteControl.active.preparing', actions: 'assignAccount' },
          { target: 'reloading' },
        ],
        onError: { target: 'reloading', actions: 'recordActorError' },
      },
      after: { accountLimit: overdue('reloading', 'accountTimeout') },
    },
    reloading: {
      description: 'Reads the account from its source again.',
      invoke: {
        id: 'reloadAuth',
        src: 'loadAuth',
        input: { reload: true },
        onDone: [
          {
            guard: 'refusedBefore',
            target: '#remoteControl.active.awaitingAuth.refused',
            description: 'The tokens are still those that the backend refused. RC-28',
            actions: ['assignAccount', 'recordStillRefused'],
          },
          {
            guard: 'otherAccountUsable',
            target: '#remoteControl.active.preparing',
            actions: [setReason('authChanged'), 'closeVirtualClients', 'assignAccount'],
          },
          { guard: 'usable', target: '#remoteControl.active.preparing', actions: 'assignAccount' },
          {
            guard: 'signInRequired',
            target: '#remoteControl.stopping',
            description: 'This start requires a sign-in and found none. RC-27',
            actions: 'recordFailure',
          },
          {
            guard: 'requestPending',
            target: '#remoteControl.idle',
            description: 'A request to enable fails without a sign-in. ACC-69',
            actions: 'recordFailure',
          },
          { target: '#remoteControl.active.awaitingAuth.missing', actions: 'recordFailure' },
        ],
        onError: {
          target: '#remoteControl.active.awaitingAuth.missing',
          actions: 'recordActorError',
        },
      },
      after: { accountLimit: overdue('#remoteControl.active.awaitingAuth.missing', 'accountTimeout') },
    },
  },
});

export const awaitingAuth = remoteControlSetup.createStateConfig({
  description: 'Waits for a valid sign-in. RC-26',
  tags: ['connecting', 'waiting'],
  entry: ['confirmActivation', 'clearUnresolved'],
  initial: 'missing',
  on: {
    'AUTH.CHANGED': [
      {
        guard: 'signedOut',
        target: '.missing',
        actions: ['clearAccount', setReason('authMissing'), 'closeVirtualClients'],
      },
      { target: 'loadingAuth', actions: setReason('authChanged') },
    ],
    ENABLE: { target: 'loadingAuth', actions: ['assignPreference', setReason('enabled')] },
    WAKE: { target: 'loadingAuth', description: 'The machine woke up: check for a sign-in at once. RC-25a' },
    'ENROLLMENT.LOST': {
      guard: 'sameIdentity',
      description: 'The next attempt requests a new identity. RC-47',
      actions: ['clearToken', 'markIdentityLost'],
    },
  },
  states: {
    missing: {
      description: 'There is no valid sign-in: polls the account source. RC-26',
      entry: 'scheduleAuthPoll',
      after: { authPoll: { target: '#remoteControl.active.loadingAuth.reloading' } },
    },
    refused: {
      description: 'The backend refused the tokens and recovery is exhausted. RC-28',
      entry: 'scheduleBackoff',
      after: { pause: { target: '#remoteControl.active.loadingAuth' } },
    },
  },
});

export const recoveringAuth = remoteControlSetup.createStateConfig({
  description: 'The backend refused the account: takes one recovery step. RC-28',
  tags: ['connecting', 'beforeIdentity'],
  on: {
    'AUTH.CHANGED': {
      guard: 'sameAccount',
      target: 'preparing',
      description: 'A newer sign-in of this account arrived first. RC-29',
      actions: ['assignAccount', setReason('authChanged')],
    },
  },
  invoke: {
    id: 'recoverAuth',
    src: 'recoverAuth',
    input: ({ context }) => ({ requested: context.activation === 'request' }),
    onDone: [
      {
        guard: 'otherAccountWhilePending',
        target: '#remoteControl.idle',
        description: 'The account changed, so the request to enable fails. ACC-46',
        actions: ['recordAccountChanged', 'closeVirtualClients', 'assignAccount'],
      },
      {
        guard: 'otherAccountAgain',
        target: 'backingOff.recovered',
        description:
          'Recovery brings one account after another, and the backend refuses them: backs off. RC-28',
        actions: ['countRecovery', setReason('authChanged'), 'closeVirtualClients', 'assignAccount'],
      },
      {
        guard: 'otherAccountUsable',
        target: 'preparing',
        description: 'Recovery found another account. RC-7',
        actions: ['countRecovery', setReason('authChanged'), 'closeVirtualClients', 'assignAccount'],
      },
      {
        guard: 'recovered',
        target: 'backingOff.recovered',
        actions: ['countRecovery', 'assignAccount', setReason('authRecovered')],
      },
      {
        guard: 'recoveryFailedWhilePending',
        target: '#remoteControl.idle',
        description: 'The request to enable fails; its client may try again. ACC-69',
        actions: 'recordFailure',
      },
      {
        guard: 'exhausted',
        target: 'loadingAuth.reloading',
        description: 'Recovery is exhausted: reads the source once more, then waits. RC-28',
        actions: ['recordRefusal', 'recordFailure'],
      },
      { target: 'backingOff.failed', actions: 'recordFailure' },
    ],
    onError: { target: 'backingOff.failed', actions: 'recordActorError' },
  },
  after: { recoveryLimit: overdue('backingOff.failed', 'accountTimeout') },
});
