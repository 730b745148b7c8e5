import { setReason } from '../shared/decision.js';
import { afterClientFailure, answered, FAILURE_ACTIONS, starved } from './edges.js';
import { backingOff, down, failing } from './failing.js';
import { listening, serving } from './serving.js';
import { appServerSetup } from './setup.js';
import { starting } from './starting.js';

/**
 * The app server behind the engine: whether it can serve, and what happens when it cannot. Messages do not pass through
 * the chart, and there is one actor per engine, not per client.
 */
export const appServerMachine = appServerSetup.createMachine({
  id: 'appServer',
  description:
    'The app server behind the engine: starts, listens, serves, fails, waits, and is given up for a time.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    recent: 0,
    failures: 0,
    exits: 0,
    decision: { reason: 'appServerNotStarted', detail: null, at: input.env.now() },
  }),
  initial: 'idle',
  on: {
    'INITIALIZE.SENT': { description: 'The deadline of its answer begins.', actions: 'startInitializeTimer' },
    'INITIALIZE.OVERDUE': {
      description: 'The app server is mute: the client gets an error.',
      actions: 'giveUp',
    },
    ANSWERED: { description: 'A child that was retired still answers.', actions: 'stopInitializeTimer' },
    'CLIENT.LEFT': { description: 'A connection ended in good order.', actions: 'stopInitializeTimer' },
    FAILED: { description: 'A connection failed.', actions: [...FAILURE_ACTIONS] },
    'WINDOW.OVER': {
      description: 'The failures are a minute old and no longer count.',
      actions: 'clearFailures',
    },
    RESTART: [
      {
        guard: 'isShared',
        target: '.starting.relaunching',
        description: 'The child is replaced.',
        actions: ['recordRestart', 'endAll'],
      },
      {
        target: '.idle',
        description: 'The children or connections are ended; the next client gets a new one.',
        actions: ['recordRestart', 'endAll'],
      },
    ],
  },
  states: {
    idle: {
      description: 'Nothing runs, or nothing that has answered a client.',
      on: {
        START: {
          guard: 'isShared',
          target: 'starting.launching',
          description: 'A shared child starts with the engine.',
          actions: setReason('appServerStarting'),
        },
        'CLIENT.WAITS': [
          { guard: 'isShared', target: 'starting.launching', actions: setReason('appServerStarting') },
          { target: 'starting.connecting', actions: [setReason('appServerStarting'), 'admitWaiting'] },
        ],
        ANSWERED: answered,
        FAILED: afterClientFailure('The connection of a client failed.'),
        STARVED: starved,
      },
    },
    starting,
    listening,
    serving,
    failing,
    backingOff,
    down,
  },
});
