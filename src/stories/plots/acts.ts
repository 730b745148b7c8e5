/** The words of the stories: the acts and values that they share. */
import type { EventObject } from 'xstate';
import type { AccountEvent } from '../../../machines/account/types.js';
import type { LinkEvent } from '../../../machines/link.js';
import type { RemoteControlEvent } from '../../../machines/remote-control/types.js';
import type { ChatgptAccount, StoredAccount } from '../../protocol/account.js';
import type { DialOutcome, Enrollment, Failure, ServerToken } from '../../protocol/outcomes.js';
import type { Reason } from '../../protocol/reasons.js';
import { Secret } from '../../protocol/secret.js';
import { DEFAULT_TIMING, type Env } from '../../protocol/timing.js';
import type { Party } from '../cast.js';
import type { Act } from '../story.js';

const HOUR = 3_600_000;
export const OLD: Enrollment = { serverId: 'srv-1', environmentId: 'env-1', serverName: 'laptop' };
export const NEW: Enrollment = { serverId: 'srv-2', environmentId: 'env-2', serverName: 'laptop' };

const ANNA: ChatgptAccount = { accountId: 'anna', generation: 1, email: null, plan: 'plus', userId: null };
/** A sign-in in the account file; `generation` grows with each new token. */
export const signedIn = (generation = 1): StoredAccount => ({
  ...{ kind: 'chatgpt', source: 'file', ineligible: null },
  account: { ...ANNA, generation },
});
export const NOBODY: StoredAccount = {
  kind: 'none',
  failure: { reason: 'authMissing', message: 'Nobody is signed in.', at: 0 },
};

export const failed = (env: Env, reason: Reason, message: string, extra: Partial<Failure> = {}): Failure => ({
  ...{ reason, message, at: env.now() },
  ...extra,
});

export const token = (env: Env): ServerToken => ({
  secret: new Secret('server token'),
  expiresAt: env.now() + HOUR,
});

export const start = (chart: string, input: (env: Env) => unknown, machine = chart): Act => ({
  ...{ kind: 'start', chart, machine, input },
});
export const send = (chart: string, event: EventObject, from: Party, words: string): Act => ({
  ...{ kind: 'send', chart, event, from, words },
});
export const answer = (to: string, words: string, output: (env: Env) => unknown): Act => ({
  ...{ kind: 'answer', to, output, words },
});
export const report = (to: string, words: string, event: EventObject): Act => ({
  ...{ kind: 'report', to, event, words },
});
export const next: Act = { kind: 'pass', time: 'next' };
export const passed = (ms: number): Act => ({ kind: 'pass', time: ms });

// --- the account

export const toAccount = (event: AccountEvent, from: Party, words: string): Act =>
  send('account', event, from, words);

export const startAccount = start('account', (env) => ({
  env,
  policy: { forcedMethod: null, workspaces: null },
  routing: false,
  limits: { loginTimeout: 600_000, issuerTimeout: 30_000, loginPorts: [1455, 1457] },
}));

/** The engine starts with a sign-in in the account file. */
export const ACCOUNT_KNOWN: readonly Act[] = [
  startAccount,
  toAccount({ type: 'STORED.CHANGED', stored: signedIn() }, 'accountFile', 'holds the sign-in of Anna'),
];

// --- remote control

export const toRemoteControl = (event: RemoteControlEvent, from: Party, words: string): Act =>
  send('remoteControl', event, from, words);

/** The engine has read who is signed in, and remote control is switched on. */
export const ENGINE_STARTS: readonly Act[] = [
  ...ACCOUNT_KNOWN,
  start('remoteControl', (env) => ({
    ...{ env, timing: DEFAULT_TIMING, target: { ok: true, socketUrl: 'wss://backend.example/server' } },
    ...{
      store: 'present',
      serverName: 'laptop',
      clientName: null,
      authStartup: 'recoverable',
      onConflict: 'wait',
    },
  })),
  toRemoteControl({ type: 'ENABLE', by: 'start', durable: false }, 'engine', 'switch remote control on'),
];

export const stored = answer('remoteControl.loadEnrollment', 'the identity srv-1', () => ({
  ...{ kind: 'found', enrollment: OLD, preference: 'on' },
}));
export const nothingStored = answer('remoteControl.loadEnrollment', 'none', () => ({
  ...{ kind: 'none', preference: 'unset' },
}));
export const written = answer('remoteControl.saveEnrollment', 'written', () => ({ kind: 'done' }));
export const refreshed = answer('remoteControl.refresh', '200 and a new server token', (env) => ({
  ...{ kind: 'granted', token: token(env) },
}));
export const dialed = (words: string, outcome: (env: Env) => DialOutcome): Act =>
  answer('remoteControl.dial', words, outcome);
export const opened = dialed('101, the WebSocket is open', () => ({ kind: 'open', socket: 1 }));

export const IS_CONNECTED = {
  words: 'the engine is connected, with the identity srv-1',
  acts: [...ENGINE_STARTS, stored, refreshed, opened],
} as const;

export const fromSocket = (words: string, event: LinkEvent): Act =>
  report('remoteControl.link.socket', words, event);
/** For example a deploy of the backend: the engine connects again. */
export const CLOSED: readonly Act[] = [
  fromSocket('the backend closes the WebSocket (1012)', {
    ...{ type: 'SOCKET.CLOSED', clean: true, code: 1012, fault: null },
  }),
  next,
];
export const SOCKET = 'remoteControl.link.socket';
