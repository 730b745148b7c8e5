/** Something is being started: the state `starting` of the chart `appServer`. */
import { setReason } from '../shared/decision.js';
import {
  admit,
  afterClientFailure,
  afterSharedFailure,
  answered,
  FAILURE_ACTIONS,
  socketGone,
  starved,
} from './edges.js';
import { appServerSetup } from './setup.js';

export const starting = appServerSetup.createStateConfig({
  description: 'Something is being started, and nothing has been proven.',
  initial: 'launching',
  states: {
    launching: {
      description: 'The first shared child starts; whether it can listen is not known.',
      invoke: {
        id: 'launch',
        src: 'launch',
        onDone: [
          { guard: 'listens', target: '#appServer.listening', actions: setReason('appServerListening') },
          {
            guard: 'starved',
            target: 'waiting',
            description: 'The engine has no file descriptors; the failure does not count.',
            actions: ['recordFailure', 'refuseWaiting'],
          },
          {
            target: '#appServer.idle',
            description: 'It exited before it listened: each client gets its own child.',
            actions: ['fallBack', 'askAgain'],
          },
        ],
        onError: { target: '#appServer.idle', actions: ['fallBack', 'askAgain'] },
      },
      after: {
        listenTimeout: {
          target: '#appServer.idle',
          description: 'It did not listen in time: each client gets its own child.',
          actions: ['fallBack', 'askAgain'],
        },
      },
      on: {
        RESTART: {
          target: 'launching',
          reenter: true,
          description: 'The child is replaced.',
          actions: 'endAll',
        },
      },
    },
    waiting: {
      description: 'The engine had no file descriptors for the first child.',
      tags: ['unavailable'],
      after: { restartPause: { target: 'launching' } },
      on: {
        'CLIENT.WAITS': { target: 'launching', description: 'A client needs it now.' },
        RESTART: { target: 'launching', description: 'The child is replaced.', actions: 'endAll' },
      },
    },
    relaunching: {
      description: 'A shared child that has listened before is being replaced.',
      invoke: {
        id: 'relaunch',
        src: 'launch',
        onDone: [
          { guard: 'listens', target: '#appServer.listening', actions: setReason('appServerListening') },
          {
            guard: 'starved',
            target: '#appServer.backingOff',
            description: 'The engine has no file descriptors; the failure does not count.',
            actions: 'recordFailure',
          },
          ...afterSharedFailure('It exited before it listened.'),
        ],
        onError: { target: '#appServer.backingOff', actions: [...FAILURE_ACTIONS] },
      },
      after: { listenTimeout: [...afterSharedFailure('It did not listen in time.')] },
      on: {
        RESTART: {
          target: 'relaunching',
          reenter: true,
          description: 'The child is replaced.',
          actions: ['recordRestart', 'endAll'],
        },
      },
    },
    confirming: {
      description:
        'The shared child does not accept a connection. Its exit is reported a moment later, or never.',
      after: { exitTimeout: socketGone },
      on: {
        'CHILD.EXITED': [...afterSharedFailure('The child exited.')],
        'SOCKET.GONE': socketGone,
      },
    },
    connecting: {
      description: 'The first client gets its child or its connection; nothing has answered yet.',
      on: {
        'CLIENT.WAITS': admit,
        ANSWERED: answered,
        'CLIENT.LEFT': {
          target: '#appServer.idle',
          description: 'It left before it got an answer.',
          actions: ['stopInitializeTimer', setReason('appServerIdle')],
        },
        FAILED: afterClientFailure('The connection of a client failed.'),
        STARVED: starved,
      },
    },
  },
});
