/** Model of the chart `accountTokens`. */
import type { accountTokensMachine } from '../../../machines/account-tokens/machine.js';
import type { TokenTask } from '../../../machines/account-tokens/setup.js';
import type {
  LockAttempt,
  PlaceOutcome,
  RedeemOutcome,
  ReloadOutcome,
  StoreAccountOutcome,
  StoredAccount,
  StoredLookup,
  TokenRefreshOutcome,
} from '../../protocol/account.js';
import type { Reason } from '../../protocol/reasons.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const account = (generation: number): StoredAccount => ({
  kind: 'chatgpt',
  source: 'file',
  account: { accountId: 'anna', generation, email: null, plan: 'plus', userId: null },
  ineligible: null,
});
const failed = (reason: Reason) => ({ kind: 'failed', failure: failure(reason) }) as const;

const SAME = { kind: 'same', stored: account(1), refreshable: true, adopted: false } as const;
const RELOADED: readonly ReloadOutcome[] = [
  SAME,
  { kind: 'reloaded', stored: account(2) },
  { kind: 'skipped', failure: failure('accountDiffersOnDisk') },
];
const FIRST_RELOADED: readonly ReloadOutcome[] = [
  ...RELOADED,
  { ...SAME, refreshable: false },
  { ...SAME, adopted: true },
];
const LOCKED: readonly LockAttempt[] = [
  { kind: 'locked' },
  { kind: 'busy', failure: failure('authFileNotWritable') },
  failed('authFileNotWritable'),
];
const PREPARED: readonly PlaceOutcome[] = [{ kind: 'prepared' }, failed('authFileNotWritable')];
const REDEEMED: readonly RedeemOutcome[] = [
  { kind: 'granted', stored: account(2) },
  { kind: 'permanent', failure: failure('refreshTokenReused') },
  { kind: 'permanent', failure: failure('refreshTokenExpired') },
  failed('issuerFailed'),
];
const SAVED: readonly TokenRefreshOutcome[] = [{ kind: 'refreshed', stored: account(2) }];
const STORED: readonly StoreAccountOutcome[] = [
  { kind: 'stored', stored: { kind: 'apiKey' } },
  failed('authFileNotWritable'),
];
const FOUND: readonly StoredLookup[] = [{ kind: 'present' }, { kind: 'absent' }];

/** One variant for each task. */
export function accountTokensModel(): Variant<typeof accountTokensMachine>[] {
  const expired = failure('refreshTokenExpired');
  return [
    variant('a refresh on request', { kind: 'refresh', reason: 'forced', expired: null }),
    variant('a refresh that is due', { kind: 'refresh', reason: 'proactive_expiry', expired: null }),
    variant('a refresh of credentials that expired', { kind: 'refresh', reason: 'forced', expired }),
    variant('an API key', { kind: 'store', irreplaceable: false }),
    variant('a sign-in', { kind: 'store', irreplaceable: true }),
    variant('a sign-out', { kind: 'signOut' }),
  ];
}

function variant(name: string, task: TokenTask): Variant<typeof accountTokensMachine> {
  const env = new SimulatedEnv();
  return {
    name,
    options: {
      input: { env, file: 'auth.json', task, lockTimeout: 45_000, issuerTimeout: 30_000 },
      setTime: env.setTime,
      key: ({ context }) => [context.decision.reason, `${context.issued !== null} ${context.busy !== null}`],
      events: [{ type: 'CLOSE' }],
      outcomes: {
        reload: FIRST_RELOADED,
        reloadLocked: RELOADED,
        reloadAgain: RELOADED,
        tryLock: LOCKED,
        prepare: PREPARED,
        redeem: REDEEMED,
        save: SAVED,
        write: STORED,
        revoke: [undefined],
        lookUp: FOUND,
        remove: STORED,
        adopt: STORED,
        release: [undefined],
      },
    },
  };
}
