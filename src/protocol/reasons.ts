/**
 * The vocabulary of "why": each reason with what it means and what to do. `rc-engine explain`, the status line,
 * the audit ring and docs/errors.md all read this table, so that they cannot disagree.
 */
export interface ReasonText {
  /** One sentence: what happened. */
  readonly means: string;
  /** One sentence: what a person does about it, or that nothing needs doing. */
  readonly todo: string;
}

const NOTHING = 'Nothing: the engine goes on by itself.';

export const REASONS = {
  // --- ordinary life
  starting: { means: 'The engine has just been started.', todo: NOTHING },
  enabled: { means: 'Remote control was switched on.', todo: NOTHING },
  disabled: {
    means: 'Remote control is switched off.',
    todo: 'Switch it on with the JSON-RPC method remoteControl/enable, or start with --remote-control on.',
  },
  preferenceOff: {
    means: 'The stored preference of this account is off.',
    todo: 'Enable it durably with remoteControl/enable, or start with --remote-control on.',
  },
  preferenceUnset: {
    means: 'This account has never stored a preference for remote control, or has no enrollment yet.',
    todo: 'Enable it once with remoteControl/enable, or start with --remote-control on.',
  },
  clientNameAwaited: {
    means: 'The enrollment belongs to the name of the local client, and no client has said its name yet.',
    todo: 'Let the client send initialize, or pass --client-name.',
  },
  enrolled: { means: 'The backend gave this machine an identity.', todo: NOTHING },
  tokenRefreshed: { means: 'The backend gave a new server token.', todo: NOTHING },
  connected: { means: 'The link to the backend is open.', todo: NOTHING },
  stopped: { means: 'The engine was asked to stop.', todo: 'Start it again with rc-engine start.' },
  retrying: { means: 'The pause before the next attempt is over.', todo: NOTHING },
  wokeUp: { means: 'The machine woke up or its network changed.', todo: NOTHING },
  authChanged: { means: 'The account on this machine changed.', todo: NOTHING },
  // --- account
  authMissing: {
    means: 'Nobody is signed in.',
    todo: 'Sign in with ChatGPT so that auth.json appears; the engine takes it within a second.',
  },
  authApiKeyOnly: {
    means: 'Only an API key is present; remote control needs a ChatGPT sign-in.',
    todo: 'Sign in with ChatGPT; an API key alone cannot own a remote-control identity.',
  },
  authUnreadable: {
    means: 'The account file cannot be read or is no valid auth.json.',
    todo: 'Check its permissions and content, or sign in again to write a new one.',
  },
  authNoAccountId: {
    means: 'The sign-in carries no account id.',
    todo: 'Sign in again and choose a workspace.',
  },
  accountDiffersOnDisk: {
    means: 'The account file holds another account than the one in use, which was kept.',
    todo: 'To switch, call account/login/start or restart; it is taken by itself once the present one can no longer be used.',
  },
  authRejected: {
    means: 'The backend refused the account access token and every recovery step is used up.',
    todo: 'Sign in again; the engine reconnects as soon as the account file changes.',
  },
  authRecovered: { means: 'A recovery step brought usable account tokens.', todo: NOTHING },
  authRecoveryFailed: {
    means: 'A recovery step of the account failed and may be tried again.',
    todo: 'If it lasts, check the network and sign in again.',
  },
  // --- requests to the backend
  backendUnauthorized: { means: 'The backend refused the account access token.', todo: NOTHING },
  backendNotFound: {
    means: 'The backend does not know this route.',
    todo: 'Check --base-url: it must end before /wham/….',
  },
  backendConflict: { means: 'The backend reports a conflict for this request.', todo: NOTHING },
  backendRateLimited: { means: 'The backend asked to slow down.', todo: NOTHING },
  backendUnavailable: { means: 'The backend answered with a server error.', todo: NOTHING },
  backendTimeout: {
    means: 'The backend did not answer in time.',
    todo: 'Nothing at once; if it lasts, check the network or proxy.',
  },
  backendRefused: {
    means: 'The backend refused the request.',
    todo: 'Read the status and body preview in rc-engine status; report the request id.',
  },
  backendBadAnswer: {
    means: 'The backend answered something that is no valid answer.',
    todo: 'Check --base-url and any proxy in between; report the request id.',
  },
  identityMismatch: {
    means: 'The backend answered for another identity; the stored one was kept.',
    todo: 'If it lasts, report the request id to the operator of the backend.',
  },
  redirectRefused: {
    means:
      'The backend answered with a redirect, which is never followed: credentials do not leave the target.',
    todo: 'Set --base-url to the address that the redirect names, if you trust it.',
  },
  networkUnreachable: {
    means: 'The backend cannot be reached from here.',
    todo: 'Check the network, the name and the port of --base-url.',
  },
  tlsFailed: {
    means: 'The TLS certificate of the backend is not trusted.',
    todo: 'If a company proxy signs it, pass --ca-cert or set NODE_EXTRA_CA_CERTS.',
  },
  proxyFailed: {
    means: 'The configured proxy refused or failed.',
    todo: 'Check HTTPS_PROXY, ALL_PROXY and NO_PROXY; the engine never goes around a proxy by itself.',
  },
  // --- the link
  tokenRejected: { means: 'The backend refused the server token.', todo: NOTHING },
  serverGone: { means: 'The backend no longer knows this identity.', todo: NOTHING },
  ambiguousNotFound: {
    means: 'The link got a 404 that does not say that the identity is gone; it is being verified.',
    todo: 'If it lasts, check --base-url and any proxy in between.',
  },
  identityVerified: { means: 'The backend still knows this identity.', todo: NOTHING },
  connectionConflict: {
    means: 'Another process holds the connection of this identity (often its own ghost after sleep).',
    todo: 'Stop the other engine that uses a copy of this home; or start with --on-conflict reenroll to take a new identity.',
  },
  handshakeTimeout: {
    means: 'The backend did not finish the socket handshake in time.',
    todo: 'Nothing at once; if it lasts, a proxy may not let WebSockets through.',
  },
  handshakeFailed: {
    means: 'The backend refused the socket.',
    todo: 'Read the HTTP status in rc-engine status; report the request id.',
  },
  linkClosed: { means: 'The backend closed the link.', todo: NOTHING },
  linkLost: { means: 'The link broke.', todo: NOTHING },
  pongTimeout: { means: 'The backend stopped answering pings.', todo: NOTHING },
  wakeProbeFailed: { means: 'After a wake-up the link did not answer.', todo: NOTHING },
  flapping: {
    means: 'The backend accepts the link and drops it again and again.',
    todo: 'Nothing at once; if it lasts, look for a proxy that cuts WebSockets or a second engine.',
  },
  linkProven: { means: 'The link has lived long enough to count as stable.', todo: NOTHING },
  // --- configuration and store
  targetRefused: {
    means: 'The base URL is not one that credentials may be sent to.',
    todo: 'Use https to chatgpt.com or a host named with --allow-host, or http(s) to this machine.',
  },
  storeMissing: {
    means: 'There is no enrollment store, so an identity could not be kept.',
    todo: 'Start with --store sqlite:PATH, or without --store.',
  },
  storeUnavailable: {
    means: 'The enrollment store cannot be read; the engine does not enroll on a guess.',
    todo: 'Check that the file is there, readable and not corrupt; move a corrupt one away to start afresh.',
  },
  storeWriteFailed: {
    means: 'The enrollment store cannot be written.',
    todo: 'Check free disk space and permissions; the engine tries again.',
  },
  engineFault: {
    means: 'An adapter failed in a way that nobody expected.',
    todo: 'Report it with the log around it.',
  },
  // --- virtual clients
  initialized: { means: 'The client sent initialize.', todo: NOTHING },
  reinitialized: { means: 'The client sent initialize again on an open stream.', todo: NOTHING },
  clientClosed: { means: 'The client went away.', todo: NOTHING },
  clientIdle: { means: 'The client sent neither message nor ping for too long.', todo: NOTHING },
  clientStalled: {
    means: 'The client held up its own traffic for too long.',
    todo: 'Reconnect; if it lasts, the app server behind this stream does not take messages.',
  },
  clientOverloaded: { means: 'Too many messages waited for one client.', todo: 'Send fewer at a time.' },
  tooManyClients: {
    means: 'The engine already serves as many remote clients as it may.',
    todo: 'Close some, or raise --max-remote-clients.',
  },
  appServerClosed: {
    means: 'The app server ended this connection.',
    todo: 'Read the app server log; the next connection starts anew.',
  },
  appServerFailed: {
    means: 'The app server could not be reached.',
    todo: 'Check --app-server or the command after --.',
  },
  // --- pairing
  pairingStarted: { means: 'A pairing code was asked for.', todo: NOTHING },
  pairingCodeShown: {
    means: 'A pairing code is waiting to be claimed.',
    todo: 'Enter it on the other device.',
  },
  pairingClaimed: { means: 'A controller claimed the pairing code.', todo: NOTHING },
  pairingExpired: { means: 'The pairing code ran out.', todo: 'Ask for a new one with rc-engine pair.' },
  pairingFailed: { means: 'The backend gave no pairing code.', todo: 'Read the message and try again.' },
  pairingUnavailable: {
    means: 'Pairing is unavailable until enrollment completes.',
    todo: 'Wait until rc-engine wait returns, then ask again.',
  },
} as const satisfies Record<string, ReasonText>;

export type Reason = keyof typeof REASONS;

export function isReason(code: string): code is Reason {
  return Object.hasOwn(REASONS, code);
}
