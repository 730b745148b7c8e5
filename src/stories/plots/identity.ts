/** Stories about the identity of this machine and its token. */
import type { Story } from '../story.js';
import {
  answer,
  CLOSED,
  dialed,
  ENGINE_STARTS,
  failed,
  fromSocket,
  IS_CONNECTED,
  NEW,
  next,
  nothingStored,
  opened,
  refreshed,
  SOCKET,
  signedIn,
  stored,
  token,
  written,
} from './acts.js';

const firstStart: Story = {
  name: 'first-start',
  title: 'The first start',
  summary: 'An engine without an identity enrolls, writes the identity down, and connects.',
  text: [
    'Anna has signed in on her laptop and starts the engine for the first time. The store holds no identity, so the engine asks the backend for one. It writes the identity to the store before it uses it: if the process dies now, the next start finds it and does not enroll a second time.',
    'The enrollment comes with a server token. With it the engine opens one WebSocket to the backend, and remote control is connected. A ping every ten seconds shows that the backend is still there.',
  ],
  requirements: ['RC-5', 'RC-9', 'RC-15', 'RC-17', 'RC-23', 'RC-41'],
  pictures: ['remoteControl'],
  acts: [
    ...ENGINE_STARTS,
    nothingStored,
    answer('remoteControl.enroll', '200, the identity srv-1 and a server token', (env) => ({
      kind: 'granted',
      enrollment: { serverId: 'srv-1', environmentId: 'env-1', serverName: 'laptop' },
      token: token(env),
    })),
    written,
    opened,
    next,
    fromSocket('pong', { type: 'PONG' }),
  ],
  open: [SOCKET],
};

const restart: Story = {
  name: 'restart',
  title: 'A restart',
  summary: 'An engine with a stored identity gets a new server token and connects; it does not enroll.',
  text: [
    'The engine was stopped and starts again. The store holds the identity of this machine, so controllers that were paired before find it under the same name. Server tokens are never written down, so the engine asks for a new one and connects.',
  ],
  requirements: ['RC-5', 'RC-10', 'RC-13', 'RC-15', 'RC-16'],
  pictures: ['remoteControl'],
  acts: [...ENGINE_STARTS, stored, refreshed, opened],
  open: [SOCKET],
};

const tokenRefused: Story = {
  name: 'token-refused',
  title: 'The backend refuses the server token (401)',
  summary: 'Only the token is dropped: the engine refreshes it for the same identity and connects again.',
  text: [
    'The backend closed the link, and when the engine opens it again the backend answers 401: it does not accept the server token any more. A 401 (or 403) says nothing about the identity. So the engine drops the token, keeps the identity, waits a fraction of a second, and asks for a new token.',
    'The first refusal is followed by a short pause. If the new token were refused too, the pauses would grow.',
  ],
  requirements: ['RC-18', 'RC-19', 'RC-25'],
  pictures: ['remoteControl'],
  begins: IS_CONNECTED,
  acts: [
    ...CLOSED,
    dialed('401', (env) => ({
      kind: 'tokenRejected',
      failure: failed(env, 'tokenRejected', 'The backend answered 401 to the WebSocket.', {
        httpStatus: 401,
      }),
    })),
    next,
    refreshed,
    opened,
  ],
  open: [SOCKET],
};

const accountRefused: Story = {
  name: 'account-refused',
  title: 'The backend refuses the account (401)',
  summary: 'The account tokens are renewed step by step: first from the file, then at the issuer.',
  text: [
    'The engine starts and asks for a server token, and the backend answers 401 to the access token of the account. Another program may have refreshed the sign-in already, so the first step reads the account file again and repeats the request. When it is refused again, the second step redeems the refresh token at the issuer. The request then succeeds.',
    'After the first step the request is repeated almost at once; after the second one there is a pause, so that refusals cannot follow each other quickly.',
  ],
  requirements: ['RC-28', 'ACC-48', 'ACC-51', 'ACC-64', 'ACC-65'],
  pictures: ['remoteControl', 'authRecovery', 'account'],
  begins: {
    words: 'the engine has just started and has read its identity',
    acts: [...ENGINE_STARTS, stored],
  },
  acts: [
    answer('remoteControl.refresh', '401', (env) => ({
      kind: 'unauthorized',
      failure: failed(env, 'backendUnauthorized', 'The backend answered 401.', { httpStatus: 401 }),
    })),
    answer('authRecovery.reload', 'the same tokens', () => ({
      kind: 'recovered',
      account: { accountId: 'anna', generation: 1 },
    })),
    next,
    answer('remoteControl.refresh', '401 again', (env) => ({
      kind: 'unauthorized',
      failure: failed(env, 'backendUnauthorized', 'The backend answered 401.', { httpStatus: 401 }),
    })),
    answer('account.refreshTokens', 'new tokens', () => ({ kind: 'refreshed', stored: signedIn(2) })),
    next,
    refreshed,
    opened,
  ],
  open: [SOCKET],
};

const enrollmentGone: Story = {
  name: 'enrollment-gone',
  title: 'The identity is gone (a clear 404)',
  summary:
    'The backend says that it does not know this machine: the engine enrolls again and replaces the identity.',
  text: [
    'The backend answers 404 to the WebSocket, and the body says that the server is unknown. There is no doubt, so the engine asks for a new identity. The old one stays in the store until the new one is granted: replace, never drop.',
    'Controllers are paired with an identity. Clients of the old one have no rights under the new one, so their virtual clients are closed, and the reason names both environments: each controller must be paired again.',
  ],
  requirements: ['RC-20', 'RC-20a', 'RC-22', 'RC-23'],
  pictures: ['remoteControl'],
  begins: IS_CONNECTED,
  acts: [
    ...CLOSED,
    dialed('404, “server not found”', (env) => ({
      kind: 'serverGone',
      failure: failed(env, 'serverGone', 'The backend does not know this server.', { httpStatus: 404 }),
    })),
    answer('remoteControl.enrollAgain', '200, the identity srv-2 and a server token', (env) => ({
      kind: 'granted',
      enrollment: NEW,
      token: token(env),
    })),
    written,
    opened,
  ],
  open: [SOCKET],
};

const ambiguous: Story = {
  name: 'ambiguous-404',
  title: 'A 404 that may not be the backend’s',
  summary: 'A 404 without a clear body is verified first; the identity is kept.',
  text: [
    'The WebSocket gets a 404 whose body does not say what is missing. A proxy, a gateway or a deploy in progress may have answered. An identity is not thrown away for that: the engine verifies it with a refresh. Here the backend grants a new token, so the identity exists and the 404 has another cause. The engine waits and tries again.',
    'Had the backend answered the refresh with its own 404, the engine would have enrolled again, as in the story of the [clear 404](enrollment-gone.md).',
  ],
  requirements: ['RC-20', 'RC-21', 'RC-25'],
  pictures: ['remoteControl'],
  begins: IS_CONNECTED,
  acts: [
    ...CLOSED,
    dialed('404 with a page of a proxy', (env) => ({
      kind: 'ambiguousNotFound',
      failure: failed(env, 'ambiguousNotFound', 'The answer was 404 without a known body.', {
        httpStatus: 404,
      }),
    })),
    answer('remoteControl.verify', '200 and a new server token: the identity exists', (env) => ({
      kind: 'granted',
      token: token(env),
    })),
    next,
    opened,
  ],
  open: [SOCKET],
};

const conflict: Story = {
  name: 'conflict',
  title: 'Another connection is still there (409)',
  summary: 'Two quick retries for a connection that is closing, then pauses that grow.',
  text: [
    'After a short loss of the network the engine connects again, but the backend still holds the old connection and answers 409. Mostly it lets go of it within a second, so the engine tries twice quickly. The status stays “connecting” during that time.',
    'When the conflict lasts, it is an error: another engine may run on a copy of this home directory. The engine does not fight for the connection; it waits with growing pauses, and connects when the place is free.',
  ],
  requirements: ['RC-24', 'RC-25', 'RC-110'],
  pictures: ['remoteControl'],
  begins: IS_CONNECTED,
  acts: [
    fromSocket('the connection breaks', { type: 'SOCKET.CLOSED', clean: false, code: null, fault: null }),
    next,
    ...[1, 2, 3].flatMap(() => [
      dialed('409', (env) => ({
        kind: 'conflict' as const,
        failure: failed(env, 'connectionConflict', 'The backend answered 409.', { httpStatus: 409 }),
      })),
      next,
    ]),
    opened,
  ],
  open: [SOCKET],
};

export const IDENTITY_STORIES: readonly Story[] = [
  firstStart,
  restart,
  tokenRefused,
  accountRefused,
  enrollmentGone,
  ambiguous,
  conflict,
];
