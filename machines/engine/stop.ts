/** The order in which an engine ends, with a deadline for each part. RC-46, RC-219 */
import { setReason } from '../shared/decision.js';
import { spine } from '../shared/spine.js';
import { engineSetup } from './setup.js';

/** A step of the start that does not end. RC-218 */
export const overdue = <Target extends string>(target: Target, what: string) =>
  ({
    target,
    description: 'The step does not end: the start fails. RC-218',
    actions: { type: 'recordStartOverdue', params: { what } },
  }) as const;

export const stop = {
  target: '#engine.stopping',
  description: 'The engine is asked to stop. RC-46',
  actions: setReason('stopped'),
} as const;

/** Remote control or the client over stdio has ended. */
export const ended = [
  {
    guard: 'hasFailure',
    target: '#engine.stopping',
    description: 'It ended with a failure, which is the reason of the stop. RC-27, RC-77',
    actions: 'recordFailure',
  },
  {
    target: '#engine.stopping',
    description: 'It ended without an error, and the engine with it.',
    actions: setReason('stopped'),
  },
] as const;

/** A part did not end in time: the next one is closed. RC-219 */
const late = <Target extends string>(target: Target, what: string) =>
  ({
    target,
    description: 'It does not end: the engine stops without it. RC-219',
    actions: { type: 'recordStopOverdue', params: { what } },
  }) as const;
const broken = <Target extends string>(target: Target) =>
  ({
    target,
    description: 'It fails while it ends: the stop continues.',
    actions: 'recordStopError',
  }) as const;

const STORE = 'The enrollment store';
const HOME = 'The release of the home directory';

export const stopping = engineSetup.createStateConfig({
  description: 'Ends everything in order; a part that does not end does not keep the others. RC-46',
  tags: ['ending'],
  entry: 'refuseClients',
  initial: 'endingRemoteControl',
  states: {
    endingRemoteControl: {
      description: 'Remote control closes its clients, the local clients and the link.',
      invoke: {
        id: 'endRemoteControl',
        src: 'endRemoteControl',
        onDone: [
          { guard: 'done', target: 'settling', ...spine },
          { target: 'settling', description: 'It ended with a failure.', actions: 'recordFailure' },
        ],
        onError: broken('settling'),
      },
      after: { remoteControlTimeout: late('settling', 'Remote control') },
    },
    settling: {
      description: 'A step of the start that was in progress ends, so that its result can be closed.',
      invoke: {
        id: 'settle',
        src: 'settle',
        onDone: [
          { guard: 'done', target: 'closingAccess', ...spine },
          {
            target: 'closingAccess',
            description: 'The step failed, so the start would have failed.',
            actions: 'recordFailure',
          },
        ],
        onError: broken('closingAccess'),
      },
      after: { settleTimeout: late('closingAccess', 'A step of the start') },
    },
    closingAccess: {
      description: 'Closes the account, the metrics, the control socket and the listener.',
      invoke: {
        id: 'closeAccess',
        src: 'closeAccess',
        onDone: { target: 'closingAppServer', ...spine },
        onError: broken('closingAppServer'),
      },
      after: { accessTimeout: late('closingAppServer', 'The local access') },
    },
    closingAppServer: {
      description: 'Nothing may outlive the engine, also when its start failed.',
      invoke: {
        id: 'closeAppServer',
        src: 'closeAppServer',
        onDone: { target: 'closingStore', ...spine },
        onError: broken('closingStore'),
      },
      after: { appServerTimeout: late('closingStore', 'The app server') },
    },
    closingStore: {
      description: 'The last writes of the store end. Another process that locks it delays nothing.',
      invoke: {
        id: 'closeStore',
        src: 'closeStore',
        onDone: { target: 'releasingHome', ...spine },
        onError: broken('releasingHome'),
      },
      after: { storeTimeout: late('releasingHome', STORE) },
    },
    releasingHome: {
      description: 'Gives the home back, when nothing uses it any more.',
      invoke: {
        id: 'releaseHome',
        src: 'releaseHome',
        onDone: { target: 'deciding', ...spine },
        onError: broken('deciding'),
      },
      after: { homeTimeout: late('deciding', HOME) },
    },
    deciding: {
      description: 'Everything has ended; the first failure is the reason.',
      exit: 'reportEnded',
      always: [
        { guard: 'hasFailed', target: '#engine.failed' },
        { target: '#engine.stopped', ...spine },
      ],
    },
  },
});

export const undoing = engineSetup.createStateConfig({
  description: 'The start failed before anything ran: what it opened is closed again, in order.',
  tags: ['ending'],
  initial: 'closingStore',
  states: {
    closingStore: {
      description: 'Closes the store.',
      invoke: {
        id: 'undoStore',
        src: 'closeStore',
        onDone: 'releasingHome',
        onError: broken('releasingHome'),
      },
      after: { storeTimeout: late('releasingHome', STORE) },
    },
    releasingHome: {
      description: 'Gives the home back, if it was taken.',
      invoke: {
        id: 'undoHome',
        src: 'releaseHome',
        onDone: '#engine.failed',
        onError: broken('#engine.failed'),
      },
      after: { homeTimeout: late('#engine.failed', HOME) },
    },
  },
});
