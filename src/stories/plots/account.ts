/** Stories about signing in and out. */
import type { Act, Story } from '../story.js';
import {
  answer,
  ENGINE_STARTS,
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

export const ACCOUNT_STORIES: readonly Story[] = [signedOut, browser, device];
