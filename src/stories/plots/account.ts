/** Stories about signing in and out, and about the tokens of a sign-in. */
import type { TokenRefreshReason } from '../../protocol/account.js';
import type { Act, Story } from '../story.js';
import {
  answer,
  ENGINE_STARTS,
  failed,
  IS_CONNECTED,
  NOBODY,
  next,
  nothingStored,
  opened,
  refreshed,
  SOCKET,
  signedIn,
  stored,
  toAccount,
  token,
  written,
} from './acts.js';

/** Remote control is on, and nobody is signed in. */
const NOBODY_SIGNED_IN: readonly Act[] = ENGINE_STARTS.map((act) =>
  act.kind === 'send' && act.chart === 'account'
    ? toAccount({ type: 'STORED.CHANGED', stored: NOBODY }, 'accountFile', 'holds no sign-in')
    : act,
);

const ENROLLS: readonly Act[] = [
  nothingStored,
  answer('remoteControl.enroll', '200, the identity srv-1 and a server token', (env) => ({
    kind: 'granted',
    enrollment: { serverId: 'srv-1', environmentId: 'env-1', serverName: 'laptop' },
    token: token(env),
  })),
  written,
  opened,
];

const signedOut: Story = {
  name: 'signed-out',
  title: 'Signed out',
  summary: 'A sign-out closes the link at once; the engine waits for a sign-in and then connects again.',
  text: [
    'A client signs out while remote control is connected. The sign-in is revoked and deleted. Remote control learns of it at once: it drops the account and the server token, closes the link and the virtual clients, and waits. The identity stays in the store.',
    'Each second it looks for a sign-in. Anna signs in again with another program, which writes the account file. The engine finds it, reads the identity of this account, and connects.',
  ],
  requirements: ['RC-26', 'RC-7', 'ACC-55'],
  pictures: ['remoteControl', 'account'],
  begins: IS_CONNECTED,
  acts: [
    toAccount({ type: 'LOGOUT', ticket: 1, all: true }, 'client', 'account/logout'),
    answer('account.signOut', 'revoked and deleted', () => ({ kind: 'stored', stored: NOBODY })),
    next,
    toAccount(
      { type: 'STORED.CHANGED', stored: signedIn(2) },
      'accountFile',
      'holds the sign-in of Anna again',
    ),
    next,
    stored,
    refreshed,
    opened,
  ],
  open: [SOCKET],
};

const PLACE = answer('account.login.checkPlace', 'yes', () => ({ kind: 'prepared' }));

const browser: Story = {
  name: 'sign-in-browser',
  title: 'Sign-in with a browser',
  summary:
    'The browser returns to this machine with a code; the engine exchanges it, saves the tokens, and connects.',
  text: [
    'Nobody is signed in, and remote control waits. A client starts a sign-in. The engine opens a callback server on this machine and answers with the URL of the issuer. Anna signs in there, and the browser returns with an authorization code.',
    'The engine exchanges the code for tokens and writes them to the account file before it shows the success page. Remote control learns of the account, enrolls and connects.',
  ],
  requirements: ['ACC-70', 'ACC-74', 'ACC-75', 'ACC-76', 'ACC-24', 'RC-26'],
  pictures: ['login', 'account', 'remoteControl'],
  begins: { words: 'remote control is on and nobody is signed in', acts: NOBODY_SIGNED_IN },
  acts: [
    toAccount(
      { type: 'LOGIN.BROWSER', ticket: 1, loginId: 'login-1' },
      'client',
      'account/login/start (chatgpt)',
    ),
    PLACE,
    answer('account.login.openPort', 'it listens on 127.0.0.1:1455', () => ({ kind: 'opened' })),
    answer('account.login.awaitCallback', 'returns with an authorization code', () => ({ kind: 'code' })),
    answer('account.login.exchangeCode', 'tokens', () => ({ kind: 'granted' })),
    answer('account.login.saveSignIn', 'written', () => ({
      kind: 'saved',
      stored: signedIn(),
      page: 'local',
    })),
    answer('account.login.awaitSuccessPage', 'has loaded it', () => ({ kind: 'finished' })),
    ...ENROLLS,
  ],
  open: [SOCKET],
};

const device: Story = {
  name: 'sign-in-device',
  title: 'Sign-in with a device code',
  summary: 'A code is shown here and entered on another device; the engine polls the issuer until it is.',
  text: [
    'The machine has no browser, so a client starts a sign-in with a device code. The issuer gives a code, and the client shows it. The engine polls the issuer at the interval that the issuer asks for.',
    'Anna enters the code on her phone. The issuer then gives an authorization code, which the engine exchanges for tokens. It saves them, remote control learns of the account, enrolls and connects.',
  ],
  requirements: ['ACC-79', 'ACC-80', 'ACC-75', 'ACC-24', 'RC-26'],
  pictures: ['login', 'account', 'remoteControl'],
  begins: { words: 'remote control is on and nobody is signed in', acts: NOBODY_SIGNED_IN },
  acts: [
    toAccount(
      { type: 'LOGIN.DEVICE', ticket: 1, loginId: 'login-1' },
      'client',
      'account/login/start (chatgptDeviceCode)',
    ),
    PLACE,
    answer('account.login.requestDeviceCode', 'the code to enter', () => ({
      kind: 'opened',
      interval: 5_000,
    })),
    answer('account.login.pollDevice', 'entered: an authorization code', () => ({ kind: 'code' })),
    answer('account.login.exchangeCode', 'tokens', () => ({ kind: 'granted' })),
    answer('account.login.saveSignIn', 'written', () => ({
      kind: 'saved',
      stored: signedIn(),
      page: 'none',
    })),
    ...ENROLLS,
  ],
  open: [SOCKET],
};

// --- two programs refresh the tokens of one account file

const SAME = { kind: 'same', stored: signedIn(), refreshable: true, adopted: false } as const;

/** A refresh begins: the file has nothing newer. */
const refreshBegins = (reason: TokenRefreshReason, words: string): readonly Act[] => [
  {
    ...{ kind: 'start', chart: 'accountTokens', machine: 'accountTokens', from: 'engine', words },
    input: (env) => ({
      ...{ env, file: 'auth.json', lockTimeout: 45_000, issuerTimeout: 30_000 },
      task: { kind: 'refresh', reason, expired: null },
    }),
  },
  answer('accountTokens.reload', 'the tokens that are in use', () => SAME),
];

const lockTaken = answer('accountTokens.tryLock', 'taken', () => ({ kind: 'locked' }));
const released = answer('accountTokens.release', 'given back', () => undefined);
const adopted = (invoke: string, generation: number): Act =>
  answer(`accountTokens.${invoke}`, 'newer tokens of the same account', () => ({
    ...{ kind: 'reloaded', stored: signedIn(generation) },
  }));

const tokensShared: Story = {
  name: 'tokens-shared',
  title: 'Two programs refresh the same tokens',
  summary:
    'A refresh token can be used once: who comes second finds the new tokens in the file and uses those.',
  text: [
    'The tokens of Anna end soon, and two engines share one account file. This engine reads the file, finds nothing newer, and wants the lock. The other engine holds it, so this one waits and tries again. When it has the lock, it reads the file once more: the other engine has refreshed the tokens. They are used, and the issuer is not asked.',
    'Codex CLI takes no lock while it asks the issuer. Next time it is a moment faster: this engine holds the lock, redeems the refresh token, and the issuer answers that it was used before. That is no sign-out. The engine reads the file until the new tokens of Codex CLI are there, for a second at most, and uses them.',
    'At last nobody else is there: the engine proves that it can write, redeems the refresh token once, and saves the new tokens before it gives the lock back.',
  ],
  requirements: ['ACC-48', 'ACC-50', 'ACC-51', 'ACC-53', 'ACC-59', 'ACC-113'],
  pictures: ['accountTokens'],
  acts: [
    ...refreshBegins('proactive_expiry', 'refresh the tokens: they end soon'),
    answer('accountTokens.tryLock', 'another engine holds it', (env) => ({
      kind: 'busy',
      failure: failed(env, 'authFileNotWritable', 'Another engine holds the lock.'),
    })),
    next,
    lockTaken,
    adopted('reloadLocked', 2),
    released,
    ...refreshBegins('proactive_expiry', 'refresh the tokens: they end soon again'),
    lockTaken,
    answer('accountTokens.reloadLocked', 'the tokens that are in use', () => SAME),
    answer('accountTokens.prepare', 'yes', () => ({ kind: 'prepared' })),
    answer('accountTokens.redeem', 'it was used before', (env) => ({
      kind: 'permanent',
      failure: failed(env, 'refreshTokenReused', 'The refresh token was used before.'),
    })),
    answer('accountTokens.reloadAgain', 'the old tokens', () => SAME),
    next,
    adopted('reloadAgain', 3),
    released,
    ...refreshBegins('proactive_expiry', 'refresh the tokens: they end soon once more'),
    lockTaken,
    answer('accountTokens.reloadLocked', 'the tokens that are in use', () => SAME),
    answer('accountTokens.prepare', 'yes', () => ({ kind: 'prepared' })),
    answer('accountTokens.redeem', '200 and new tokens', () => ({ kind: 'granted', stored: signedIn(4) })),
    answer('accountTokens.save', 'written', () => ({ kind: 'refreshed', stored: signedIn(4) })),
    released,
  ],
  open: [],
};

export const ACCOUNT_STORIES: readonly Story[] = [signedOut, browser, device, tokensShared];
