import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { engineSetup } from './setup.js';
import { ended, overdue, stop, stopping, undoing } from './stop.js';

const refused = (description: string) =>
  ({ target: '#engine.failed', description, actions: 'recordFailure' }) as const;
const undone = {
  target: '#engine.undoing',
  description: 'Everything that was opened is closed again.',
  actions: 'recordFailure',
} as const;
const notOpened = {
  target: '#engine.stopping',
  description: 'It cannot be opened: everything that was started is stopped.',
  actions: 'recordFailure',
} as const;

const preparing = engineSetup.createStateConfig({
  description: 'Checks what can prevent a start, and takes the home. Nothing can be reached yet.',
  initial: 'checkingOptions',
  on: {
    STOP: {
      target: '#engine.stopping.settling',
      description: 'A stop during the start: the step in progress ends, then everything is closed.',
      actions: setReason('stopped'),
    },
  },
  states: {
    checkingOptions: {
      description: 'Checks the options, before anything is opened. RC-2, RC-6',
      invoke: {
        id: 'checkOptions',
        src: 'checkOptions',
        onDone: [
          { guard: 'done', target: 'openingHome', ...spine },
          refused('An option prevents the start.'),
        ],
        onError: refused('An option prevents the start.'),
      },
      after: { stepTimeout: overdue('#engine.failed', 'The check of the options') },
    },
    openingHome: {
      description: 'Makes the home directory where there is none, and checks who can write to it. RC-8c',
      invoke: {
        id: 'openHome',
        src: 'openHome',
        onDone: [{ guard: 'done', target: 'openingStore', ...spine }, refused('The home cannot be used.')],
        onError: refused('The home cannot be used.'),
      },
      after: { stepTimeout: overdue('#engine.failed', 'Opening the home directory') },
    },
    openingStore: {
      description: 'Opens the enrollment store; its file is read while the start continues. RC-6',
      invoke: {
        id: 'openStore',
        src: 'openStore',
        onDone: [{ guard: 'done', target: 'lockingHome', ...spine }, refused('The store cannot be used.')],
        onError: refused('The store cannot be used.'),
      },
      after: { stepTimeout: overdue('#engine.failed', 'Opening the enrollment store') },
    },
    lockingHome: {
      description: 'The chart homeLock takes the home, or another engine has it. RC-8',
      invoke: {
        id: 'takeHome',
        src: 'takeHome',
        onDone: [{ guard: 'done', target: 'wiring', ...spine }, undone],
        onError: undone,
      },
      after: { lockTimeout: overdue('#engine.undoing', 'Taking the home directory') },
    },
    wiring: {
      description: 'Creates all parts and connects them. No chart of theirs has started.',
      invoke: {
        id: 'wire',
        src: 'wire',
        onDone: [{ guard: 'done', target: '#engine.opening', ...spine }, undone],
        onError: undone,
      },
      after: { stepTimeout: overdue('#engine.undoing', 'Creating the parts of the engine') },
    },
  },
});

const opening = engineSetup.createStateConfig({
  description: 'Starts remote control, and opens what others can reach.',
  initial: 'startingRemoteControl',
  on: {
    STOP: stop,
    'REMOTE.ENDED': ended,
    'REMOTE.FAULT': {
      target: '#engine.stopping',
      description: 'The chart of remote control has failed.',
      actions: 'recordFailure',
    },
    'STDIO.ENDED': ended,
  },
  states: {
    startingRemoteControl: {
      description: 'Remote control and the app server begin to work.',
      invoke: {
        id: 'startRemoteControl',
        src: 'startRemoteControl',
        onDone: [{ guard: 'done', target: 'openingControl', ...spine }, notOpened],
        onError: notOpened,
      },
      after: { stepTimeout: overdue('#engine.stopping', 'Starting remote control') },
    },
    openingControl: {
      description: 'Opens the control socket. The lock is held, so that an existing socket is stale. RC-8b',
      invoke: {
        id: 'openControl',
        src: 'openControl',
        onDone: [{ guard: 'done', target: 'openingMetrics', ...spine }, notOpened],
        onError: notOpened,
      },
      after: { stepTimeout: overdue('#engine.stopping', 'Opening the control socket') },
    },
    openingMetrics: {
      description: 'Serves the metrics, where they are wanted. RC-170',
      invoke: {
        id: 'openMetrics',
        src: 'openMetrics',
        onDone: [{ guard: 'done', target: 'openingListener', ...spine }, notOpened],
        onError: notOpened,
      },
      after: { stepTimeout: overdue('#engine.stopping', 'Opening the metrics') },
    },
    openingListener: {
      description: 'Probes find the listener from here on; it accepts clients only after the start. WSA-20',
      invoke: {
        id: 'openListener',
        src: 'openListener',
        onDone: [{ guard: 'done', target: 'awaitingDecision', ...spine }, notOpened],
        onError: notOpened,
      },
      after: { stepTimeout: overdue('#engine.stopping', 'Opening the listener') },
    },
    awaitingDecision: {
      description: 'Waits until remote control knows whether it can start. RC-27, RC-45',
      invoke: {
        id: 'awaitDecision',
        src: 'awaitDecision',
        onDone: [
          {
            guard: 'done',
            target: '#engine.running',
            actions: ['admitClients', setReason('engineRuns')],
            ...spine,
          },
          notOpened,
        ],
        onError: notOpened,
      },
    },
  },
});

/** The life of one engine, from `start` to `stop`. */
export const engineMachine = engineSetup.createMachine({
  id: 'engine',
  description: 'Starts the parts of an engine in order, and stops them in order.',
  options: { maxIterations: 1_000 },
  context: ({ input }) => ({
    ...input,
    failure: null,
    decision: { reason: 'starting', detail: null, at: input.env.now() },
  }),
  output: ({ context }) => ({ failure: context.failure }),
  initial: 'idle',
  states: {
    idle: {
      description: 'Nothing has been touched. An engine starts once.',
      on: {
        START: { target: 'preparing', ...spine },
        STOP: { target: 'stopped', description: 'It will not start.', actions: setReason('stopped') },
      },
    },
    preparing,
    opening,
    running: {
      description: 'The engine runs: clients are accepted.',
      tags: ['ready'],
      entry: 'reportStarted',
      on: {
        STOP: { ...stop, ...spine },
        'REMOTE.ENDED': ended,
        'STDIO.ENDED': ended,
      },
    },
    stopping,
    undoing,
    stopped: { type: 'final', description: 'Everything has ended, and the home is free.', tags: ['ending'] },
    failed: {
      type: 'final',
      description: 'The start or the engine has failed; the output says why, and the home is free.',
      tags: ['ending'],
    },
  },
});
