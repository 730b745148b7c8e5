/** Model of the chart `login`. */
import type { loginMachine } from '../../../machines/login/machine.js';
import type {
  CodeOutcome,
  DeviceOutcome,
  DevicePoll,
  ExchangeStep,
  LoginOutcome,
  PlaceOutcome,
  PortOutcome,
  SaveOutcome,
  StoredAccount,
} from '../../protocol/account.js';
import type { Reason } from '../../protocol/reasons.js';
import { failure, SimulatedEnv, type Variant } from './model.js';

const failed = (reason: Reason) => ({ kind: 'failed', failure: failure(reason) }) as const;
const ACCOUNT: StoredAccount = {
  kind: 'chatgpt',
  source: 'file',
  account: { accountId: 'anna', generation: 1, email: null, plan: 'plus', userId: null },
  ineligible: null,
};
const PREPARED: readonly PlaceOutcome[] = [{ kind: 'prepared' }, failed('authFileNotWritable')];
const OPENED: readonly PortOutcome[] = [{ kind: 'opened' }, { kind: 'inUse' }, failed('engineFault')];
const CODE: readonly CodeOutcome[] = [{ kind: 'code' }, failed('loginRefused')];
const POLLED: readonly DevicePoll[] = [
  { kind: 'code' },
  { kind: 'pending', slowDown: false, retryAfter: 0 },
  { kind: 'pending', slowDown: true, retryAfter: 0 },
  // As long as the code, so that a path reaches its end in one pause.
  { kind: 'pending', slowDown: false, retryAfter: 900_000 },
  { kind: 'retry', failure: failure('issuerFailed'), retryAfter: 0 },
  failed('deviceCodeDenied'),
];
const GRANTED: readonly ExchangeStep[] = [{ kind: 'granted' }, failed('loginFailed')];
const SAVED: readonly SaveOutcome[] = [
  { kind: 'saved', stored: ACCOUNT, page: 'local' },
  { kind: 'saved', stored: ACCOUNT, page: 'none' },
  failed('authFileNotWritable'),
];
const COMPLETED: readonly LoginOutcome[] = [{ kind: 'finished' }, failed('workspaceUnknown')];

/** One variant for each way to sign in. */
export function loginModel(): Variant<typeof loginMachine>[] {
  return [variant('browser'), variant('device')];
}

function variant(kind: 'browser' | 'device'): Variant<typeof loginMachine> {
  const env = new SimulatedEnv();
  const device: readonly DeviceOutcome[] = [{ kind: 'opened', interval: 1_000 }, failed('issuerFailed')];
  return {
    name: kind,
    options: {
      input: {
        env,
        loginId: 'login',
        kind,
        loginTimeout: 600_000,
        issuerTimeout: 30_000,
        loginPorts: [1455, 1457],
      },
      setTime: env.setTime,
      key: ({ context }) => {
        const { port, attempt, codeEnds, pause, interval } = context;
        const isOver = codeEnds > 0 && codeEnds - env.monotonic() < interval.first;
        return `${port} ${attempt} ${isOver} ${pause > 60_000}`;
      },
      events: [{ type: 'FINISH' }],
      outcomes: {
        checkPlace: PREPARED,
        openPort: OPENED,
        requestCancel: [undefined],
        awaitCallback: CODE,
        awaitOther: [undefined],
        requestDeviceCode: device,
        pollDevice: POLLED,
        exchangeCode: GRANTED,
        saveSignIn: SAVED,
        awaitSuccessPage: [undefined],
        completeSignIn: COMPLETED,
      },
    },
  };
}
