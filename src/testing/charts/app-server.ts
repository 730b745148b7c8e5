/** Model of the chart `appServer`. */
import type { appServerMachine } from '../../../machines/app-server/machine.js';
import type { AppServerEvent } from '../../../machines/app-server/types.js';
import type { LaunchOutcome } from '../../protocol/outcomes.js';
import { DEFAULT_TIMING, type Timing } from '../../protocol/timing.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const LAUNCHED: readonly LaunchOutcome[] = [
  { kind: 'listening' },
  { kind: 'exited', failure: failure('appServerExited') },
  { kind: 'starved', failure: failure('outOfDescriptors') },
];

/** Delays that are multiples of one another: otherwise each order in which they can end is a situation of its own. */
const STEP = 10_000;
const TIMING: Timing = {
  ...DEFAULT_TIMING,
  appServerListen: STEP,
  appServerExit: STEP,
  appServerCheck: STEP,
  appServerProbe: STEP,
  appServerInitialize: 2 * STEP,
  appServerWindow: 3 * STEP,
  // With the random number of the simulation the pause is three quarters of it.
  backoffBase: (STEP * 4) / 3,
  backoffCap: (STEP * 4) / 3,
};

const client = 'c';
const failed = { type: 'FAILED', client, failure: failure('appServerExited'), exited: true } as const;

const EVENTS: readonly AppServerEvent[] = [
  { type: 'START' },
  { type: 'CLIENT.WAITS' },
  { type: 'INITIALIZE.SENT', client },
  { type: 'ANSWERED', client },
  { type: 'CLIENT.LEFT', client, served: 0 },
  { type: 'CLIENT.LEFT', client, served: 1 },
  { ...failed, served: 0 },
  { ...failed, served: 1 },
  { type: 'STARVED', client, failure: failure('outOfDescriptors') },
  { type: 'RESTART', cause: 'the account changed' },
];

const SHARED_EVENTS: readonly AppServerEvent[] = [
  { type: 'CHILD.EXITED', failure: failure('appServerExited') },
  { type: 'UNREACHABLE' },
  { type: 'SOCKET.GONE' },
];

const CHART_EVENTS: ReadonlySet<string> = new Set(['INITIALIZE.OVERDUE', 'WINDOW.OVER']);

export function appServerModel(): Variant<typeof appServerMachine>[] {
  const variant = (
    name: string,
    mode: 'shared' | 'perClient' | 'socket',
    events: readonly AppServerEvent[],
  ): Variant<typeof appServerMachine> => {
    const env = new SimulatedEnv();
    return {
      name,
      options: {
        input: { env, timing: TIMING, mode, modeReason: 'so it was chosen' },
        setTime: env.setTime,
        key: ({ context }) => [context.mode, `${Math.min(context.recent, 5)}`],
        // The chart sends the others to itself, after their delay.
        events: () => events.filter(({ type }) => !CHART_EVENTS.has(type)),
        outcomes: { launch: LAUNCHED, relaunch: LAUNCHED },
      },
    };
  };
  return [
    variant('one child for all clients', 'shared', [...EVENTS, ...SHARED_EVENTS]),
    variant('one child for each client', 'perClient', EVENTS),
    variant('a socket', 'socket', EVENTS),
  ];
}
