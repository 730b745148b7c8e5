/** Model of the chart `homeLock`. */
import type { homeLockMachine } from '../../../machines/home-lock.js';
import type {
  FormerHolderOutcome,
  HolderOutcome,
  LockAttemptOutcome,
  StepOutcome,
} from '../../protocol/engine-life.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const inUse = failure('homeInUse');
const unusable = failure('homeLockFailed');
const TRIED: readonly LockAttemptOutcome[] = [
  { kind: 'locked' },
  { kind: 'busy' },
  { kind: 'failed', failure: unusable },
];
const READ: readonly HolderOutcome[] = [{ kind: 'unknown' }, { kind: 'named', failure: inUse }];
const FORMER: readonly FormerHolderOutcome[] = [{ kind: 'gone' }, { kind: 'alive', failure: inUse }];
const WRITTEN: readonly StepOutcome[] = [{ kind: 'done' }, { kind: 'failed', failure: unusable }];

export function homeLockModel(): Variant<typeof homeLockMachine>[] {
  const env = new SimulatedEnv();
  return [
    {
      name: 'one home',
      options: {
        input: { env },
        setTime: env.setTime,
        key: ({ context: { rounds, attempts, lastFailure } }) =>
          `${rounds} ${attempts} ${lastFailure?.reason}`,
        // Two rounds of eight attempts.
        maxSteps: 60,
        events: [],
        outcomes: {
          tryLock: TRIED,
          readHolder: READ,
          checkFormer: FORMER,
          writeInfo: WRITTEN,
          release: [undefined],
        },
      },
    },
  ];
}
