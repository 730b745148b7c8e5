/** The app server can serve: states of the chart `appServer`. */
import { setReason } from '../shared/decision.js';
import {
  admit,
  afterClientFailure,
  afterSharedFailure,
  answered,
  checkSocket,
  FAILURE_ACTIONS,
  socketGone,
  unreachable,
} from './edges.js';
import { appServerSetup } from './setup.js';

export const listening = appServerSetup.createStateConfig({
  description: 'The shared child listens; no client has got an answer from it.',
  entry: 'admitWaiting',
  after: checkSocket('#appServer.listening'),
  on: {
    'CLIENT.WAITS': admit,
    ANSWERED: { ...answered, target: 'serving.shared' },
    FAILED: [...afterSharedFailure('The child does not answer.', 'retireChild')],
    STARVED: { description: 'The engine has no file descriptors.', actions: 'recordFailure' },
    'CHILD.EXITED': [...afterSharedFailure('The child exited.')],
    UNREACHABLE: unreachable,
    'SOCKET.GONE': socketGone,
  },
});

export const serving = appServerSetup.createStateConfig({
  description: 'Clients get answers.',
  on: {
    'CLIENT.WAITS': admit,
    ANSWERED: {
      description: 'One more client got an answer.',
      actions: ['stopInitializeTimer', 'setServing'],
    },
    STARVED: { description: 'The engine has no file descriptors.', actions: 'recordFailure' },
  },
  initial: 'perClient',
  states: {
    perClient: {
      description: 'At least one client with a child or a connection of its own has got an answer.',
      entry: 'forgiveSocket',
      on: {
        'CLIENT.LEFT': [
          {
            guard: 'nobodyServed',
            target: '#appServer.idle',
            description: 'The last client that was served has left.',
            actions: ['stopInitializeTimer', setReason('appServerIdle')],
          },
          { description: 'Other clients are served.', actions: 'stopInitializeTimer' },
        ],
        FAILED: [
          ...afterClientFailure('The connection of a client failed.').slice(0, 1),
          {
            guard: 'othersServed',
            description: 'One child died; other clients are served.',
            actions: [...FAILURE_ACTIONS],
          },
          ...afterClientFailure('The connection of the last client failed.').slice(1),
        ],
      },
    },
    shared: {
      description: 'The shared child serves its clients, and goes on when all have left.',
      after: checkSocket('#appServer.serving.shared'),
      on: {
        FAILED: [
          {
            guard: 'othersServed',
            description: 'One client got no answer; others are served.',
            actions: [...FAILURE_ACTIONS],
          },
          ...afterSharedFailure('The child does not answer.', 'retireChild'),
        ],
        'CHILD.EXITED': [...afterSharedFailure('The child exited.')],
        UNREACHABLE: unreachable,
        'SOCKET.GONE': socketGone,
      },
    },
  },
});
