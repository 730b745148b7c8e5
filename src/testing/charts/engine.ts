/** Model of the chart `engine`. */
import type { engineMachine } from '../../../machines/engine/machine.js';
import type { StepOutcome } from '../../protocol/engine-life.js';
import type { Reason } from '../../protocol/reasons.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const step = (reason: Reason = 'startFailed'): readonly StepOutcome[] => [
  { kind: 'done' },
  { kind: 'failed', failure: failure(reason) },
];

export function engineModel(): Variant<typeof engineMachine>[] {
  const env = new SimulatedEnv();
  return [
    {
      name: 'one engine',
      options: {
        input: { env, timing: { shutdownTimeout: 5_000 } },
        setTime: env.setTime,
        key: ({ context }) => [String(context.failure !== null)],
        events: [
          { type: 'START' },
          { type: 'STOP' },
          { type: 'REMOTE.ENDED', failure: null },
          { type: 'REMOTE.ENDED', failure: failure('authMissing') },
          { type: 'REMOTE.FAULT', failure: failure('engineFault') },
          { type: 'STDIO.ENDED', failure: null },
          { type: 'STDIO.ENDED', failure: failure('appServerFailed') },
        ],
        outcomes: {
          checkOptions: step(),
          openHome: step(),
          openStore: step(),
          takeHome: step(),
          wire: step(),
          startRemoteControl: step(),
          openControl: step(),
          openMetrics: step(),
          openListener: step(),
          awaitDecision: step('engineFault'),
          settle: step(),
          endRemoteControl: step('authMissing'),
          closeAccess: [undefined],
          closeAppServer: [undefined],
          closeStore: [undefined],
          releaseHome: [undefined],
          undoStore: [undefined],
          undoHome: [undefined],
        },
      },
    },
  ];
}
