/** Model of the chart `tokenSaving`. */
import type { tokenSavingMachine } from '../../../machines/token-saving.js';
import type { StoreOutcome } from '../../protocol/outcomes.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const SAVED: readonly StoreOutcome[] = [
  { kind: 'done' },
  { kind: 'failed', failure: failure('authFileNotWritable') },
  { kind: 'failed', failure: failure('storeWriteFailed') },
];

export function tokenSavingModel(): Variant<typeof tokenSavingMachine>[] {
  const env = new SimulatedEnv();
  return [
    {
      name: 'the account file',
      options: {
        input: { env },
        setTime: env.setTime,
        key: ({ context }) => [String(context.lastFailure?.reason), String(context.attempt > 0)],
        events: [
          { type: 'REFUSED', failure: failure('authFileNotWritable') },
          { type: 'REFUSED', failure: failure('storeWriteFailed') },
          { type: 'WRITABLE' },
          { type: 'UNSAVED', failure: failure('authFileNotWritable') },
          { type: 'UNSAVED', failure: failure('storeWriteFailed') },
          { type: 'SAVED' },
          { type: 'CLOSE' },
        ],
        outcomes: { saveTokens: SAVED, saveLast: SAVED },
      },
    },
  ];
}
