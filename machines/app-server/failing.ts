/** The app server failed: states of the chart `appServer`. */
import { admit, afterClientFailure, answered, starved } from './edges.js';
import { appServerSetup } from './setup.js';

export const failing = appServerSetup.createStateConfig({
  description: 'The last attempt failed; the next client is another attempt.',
  initial: 'recent',
  on: {
    'CLIENT.WAITS': admit,
    ANSWERED: answered,
    FAILED: afterClientFailure('The connection of a client failed again.'),
    STARVED: starved,
  },
  states: {
    recent: {
      description: 'The failure is less than a minute old.',
      tags: ['unavailable'],
      on: {
        'WINDOW.OVER': {
          target: 'old',
          description: 'It may work again; only a client can find out.',
          actions: 'clearFailures',
        },
      },
    },
    old: { description: 'Nobody has tried for a minute.' },
  },
});

export const backingOff = appServerSetup.createStateConfig({
  description: 'The shared child failed; it is started again after a pause, or by the next client.',
  tags: ['unavailable'],
  entry: 'refuseWaiting',
  after: { restartPause: { target: 'starting.relaunching' } },
  on: { 'CLIENT.WAITS': { target: 'starting.relaunching', description: 'A client needs it now.' } },
});

export const down = appServerSetup.createStateConfig({
  description: 'Five failures within a minute: clients get an error with the cause.',
  tags: ['unavailable'],
  entry: 'refuseWaiting',
  initial: 'refusing',
  on: {
    'CLIENT.WAITS': { description: 'The client gets the cause.', actions: 'refuseWaiting' },
    ANSWERED: answered,
    FAILED: {
      description: 'One more child died; it had been started before.',
      actions: ['stopInitializeTimer', 'countFailure'],
    },
    'WINDOW.OVER': [
      {
        guard: 'isShared',
        target: 'starting.relaunching',
        description: 'A minute has passed since the first failure.',
        actions: 'clearFailures',
      },
      {
        target: 'failing.old',
        description: 'A minute has passed: the next client is another attempt.',
        actions: 'clearFailures',
      },
    ],
  },
  states: {
    refusing: {
      description: 'No attempt for now.',
      after: { probeInterval: { guard: 'isSocket', target: 'probing' } },
    },
    probing: {
      description: 'The next client is let through as a probe of the socket.',
      on: {
        'CLIENT.WAITS': {
          target: 'trying',
          description: 'One client, not more.',
          actions: 'admitWaiting',
        },
      },
    },
    trying: {
      description: 'The probe is under way; other clients are refused.',
      on: {
        FAILED: {
          target: 'refusing',
          actions: ['stopInitializeTimer', 'recordBreaker', 'countFailure', 'restartWindow'],
        },
        STARVED: { target: 'refusing', actions: 'recordFailure' },
        'CLIENT.LEFT': {
          target: 'probing',
          description: 'It left too early.',
          actions: 'stopInitializeTimer',
        },
      },
    },
  },
});
