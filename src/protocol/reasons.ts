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
  repairRequested: {
    means: 'Somebody asked for a new identity with rc-engine repair.',
    todo: NOTHING,
  },
  wokeUp: { means: 'The machine woke up or its network changed.', todo: NOTHING },
  authChanged: { means: 'The account on this machine changed.', todo: NOTHING },
  // --- account
  authMissing: {
    means: 'Nobody is signed in.',
    todo: 'Sign in with rc-engine login; the engine goes on within a second.',
  },
  authApiKeyOnly: {
    means: 'Only an API key is present; remote control needs a ChatGPT sign-in.',
    todo: 'Sign in with rc-engine login; an API key alone cannot own a remote-control identity.',
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
    todo: 'Sign in again with rc-engine login; the engine reconnects by itself.',
  },
  authRecovered: { means: 'A recovery step brought usable account tokens.', todo: NOTHING },
  authRecoveryFailed: {
    means: 'A recovery step of the account failed and may be tried again.',
    todo: 'If it lasts, check the network and sign in again.',
  },
  refreshTokenExpired: {
    means: 'The sign-in ran out: the issuer says that the refresh token has expired.',
    todo: 'Sign in again with rc-engine login; the engine goes on by itself.',
  },
  refreshTokenReused: {
    means: 'The issuer says that the refresh token was used before: another program spends the same sign-in.',
    todo: 'Sign in again with rc-engine login, and give each program a sign-in of its own.',
  },
  refreshTokenRevoked: {
    means: 'The sign-in was revoked at the issuer, by a sign-out or an administrator.',
    todo: 'Sign in again with rc-engine login; the engine goes on by itself.',
  },
  refreshTokenRefused: {
    means: 'The issuer refuses to refresh this sign-in.',
    todo: 'Sign in again with rc-engine login; the engine goes on by itself.',
  },
  refreshTokenMissing: {
    means: 'The sign-in carries no refresh token, so that a refused access token cannot be renewed.',
    todo: 'Sign in again with rc-engine login, or set a new RC_ENGINE_ACCESS_TOKEN.',
  },
  issuerUnreachable: {
    means: 'The issuer of the sign-in cannot be reached or does not answer.',
    todo: 'Check the network, the proxy and --issuer; the engine tries again.',
  },
  issuerFailed: {
    means: 'The issuer of the sign-in answered with an error or with something that is no answer.',
    todo: 'Nothing at once: it is tried again; if it lasts, sign in again.',
  },
  authFileNotWritable: {
    means: 'The account file cannot be written, so no refresh token is spent and no sign-in kept.',
    todo: 'Check the permissions of the file and its folder, and the free disk space.',
  },
  authWrongWorkspace: {
    means: 'The sign-in belongs to another workspace than --forced-workspace allows.',
    todo: 'Sign in again and choose an allowed workspace, or change --forced-workspace.',
  },
  authMethodForbidden: {
    means: 'This way to sign in is not allowed by --forced-login-method.',
    todo: 'Sign in the allowed way, or change --forced-login-method.',
  },
  authTokenUnreadable: {
    means: 'The access token has not the form of a token (JWT).',
    todo: 'Let the parent app pass the access token as the issuer gave it.',
  },
  externalAuthActive: {
    means: 'A parent app owns the tokens; no other sign-in is taken meanwhile.',
    todo: 'Sign out first with account/logout or rc-engine logout.',
  },
  parentSilent: {
    means: 'The parent app did not answer the request for new tokens in time.',
    todo: 'Look at the parent app; it is asked again at the next refusal.',
  },
  parentRefused: {
    means: 'The parent app answered the request for new tokens with an error.',
    todo: 'Sign in again in the parent app; its own message says more.',
  },
  parentBadAnswer: {
    means: 'The parent app answered the request for new tokens with something that holds none.',
    todo: 'Report it to the makers of the parent app; it is asked again at the next refusal.',
  },
  parentWrongWorkspace: {
    means: 'The parent app gave tokens of another workspace than --forced-workspace allows.',
    todo: 'Choose an allowed workspace in the parent app, or change --forced-workspace.',
  },
  parentGone: {
    means: 'The parent app that owns the tokens has disconnected, and its tokens are refused.',
    todo: 'Start the parent app again so that it signs in, or sign out with rc-engine logout.',
  },
  signedIn: { means: 'Somebody signed in.', todo: NOTHING },
  signedOut: { means: 'Somebody signed out.', todo: 'Sign in with rc-engine login.' },
  tokensRefreshed: { means: 'The issuer gave new account tokens.', todo: NOTHING },
  tokensReloaded: { means: 'Newer account tokens were found on disk.', todo: NOTHING },
  tokensReplaced: { means: 'The parent app gave new account tokens.', todo: NOTHING },
  loginStarted: { means: 'A sign-in was begun and waits for a person.', todo: 'Finish it in the browser.' },
  loginCodeReceived: { means: 'The person said yes; the sign-in is being completed.', todo: NOTHING },
  loginCancelled: { means: 'The sign-in was cancelled.', todo: 'Begin again when you like.' },
  loginDisplaced: { means: 'Another sign-in or a sign-out took the place of this one.', todo: NOTHING },
  loginTimedOut: {
    means: 'The sign-in was not finished in time.',
    todo: 'Begin again with rc-engine login.',
  },
  loginRefused: {
    means: 'The issuer did not let the person sign in.',
    todo: 'Read the message of the issuer and try again.',
  },
  loginFailed: {
    means: 'The person said yes, but the issuer gave no tokens for it.',
    todo: 'Try again; if it lasts, read the message of the issuer.',
  },
  loginPortsBusy: {
    means: 'Other programs hold both ports that the browser can come back to.',
    todo: 'End the other sign-in that holds 127.0.0.1:1455, or use rc-engine login --device.',
  },
  deviceLoginUnavailable: {
    means: 'The issuer does not offer sign-in with a device code.',
    todo: 'Sign in with a browser on this machine: rc-engine login.',
  },
  deviceCodeDenied: {
    means: 'The issuer ended the sign-in with a device code.',
    todo: 'Ask for a new code with rc-engine login --device.',
  },
  workspaceUnknown: {
    means: 'The backend of the workspace could not be found out.',
    todo: 'It is asked again at each account/read; check the network and that the account is a member.',
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
  identityMissing: {
    means: 'This machine has no identity at the backend yet.',
    todo: 'Let it enroll first: rc-engine status says what is in the way.',
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
    todo: 'Stop the other engine that uses a copy of this home, or run rc-engine repair: it goes step by step up to a new identity.',
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
  // --- local listener
  tokenMatched: { means: 'The connection presented the token of the connect URL.', todo: NOTHING },
  capabilityMatched: { means: 'The connection presented the capability token.', todo: NOTHING },
  jwtVerified: { means: 'The connection presented a valid signed token.', todo: NOTHING },
  stdioInherited: {
    means: 'The connection is the stdin and stdout of the engine itself: whoever started it holds them.',
    todo: NOTHING,
  },
  uncheckedMissing: {
    means: 'The token check is switched off; the connection came without a token.',
    todo: 'Start without --no-token-check to refuse such connections.',
  },
  uncheckedAmbiguous: {
    means: 'The token check is switched off; the connection came with more than one token.',
    todo: 'Start without --no-token-check to refuse such connections.',
  },
  uncheckedInvalid: {
    means: 'The token check is switched off; the connection came with a wrong token.',
    todo: 'Start without --no-token-check to refuse such connections.',
  },
  originRefused: {
    means: 'The request carries an Origin header, so a web page made it; pages may not connect.',
    todo: 'Connect from a program that sends no Origin header.',
  },
  malformedUpgrade: {
    means: 'The request is no valid WebSocket upgrade.',
    todo: 'Use a WebSocket client (version 13, GET, HTTP/1.1) and the printed URL.',
  },
  headersTooLarge: {
    means: 'The header section of the request is over 16 KiB or 100 lines.',
    todo: 'Send fewer or shorter headers.',
  },
  handshakeTooSlow: {
    means: 'The handshake was not complete within its time limit.',
    todo: 'Connect again; if it lasts, look for what slows the client or the network.',
  },
  clientGone: { means: 'The client went away before it could be answered.', todo: NOTHING },
  tooManyHandshakes: {
    means: 'Too many handshakes were in progress at once.',
    todo: 'Try again after the time of Retry-After.',
  },
  tooManyConnections: {
    means: 'The listener already serves as many connections as it may.',
    todo: 'Close some, or raise --max-connections.',
  },
  listenerNotReady: {
    means: 'The listener is starting or stopping.',
    todo: 'Try again after the time of Retry-After, or start the engine again.',
  },
  missingToken: {
    means: 'The connection came without a token in its query.',
    todo: 'Use the connect URL that was printed at start, with ?token=….',
  },
  ambiguousToken: {
    means: 'The connection came with more than one token in its query.',
    todo: 'Present the token exactly once.',
  },
  invalidToken: {
    means: 'The token in the query is not the one of this process.',
    todo: 'Use the connect URL of this start; each start makes a new token.',
  },
  missingBearer: {
    means: 'The connection came without an Authorization header.',
    todo: 'Send Authorization: Bearer with the token; a token in the query is not looked at in this mode.',
  },
  malformedAuthorization: {
    means: 'The Authorization header is not exactly one Bearer credential.',
    todo: 'Send one header: Authorization: Bearer, one space, the token.',
  },
  invalidCapability: {
    means: 'The capability token is not the configured one.',
    todo: 'Compare it with the file or digest of --ws-token-file or --ws-token-sha256.',
  },
  invalidJwt: {
    means: 'The signed token is no valid HS256 token of this listener.',
    todo: 'Sign it with the shared secret, HS256 and an integer exp; rc-engine token sign makes one.',
  },
  expiredJwt: { means: 'The signed token has expired.', todo: 'Sign a new one.' },
  jwtNotYetValid: {
    means: 'The signed token is not valid yet.',
    todo: 'Wait until its nbf, or compare the clocks of both machines.',
  },
  issuerMismatch: {
    means: 'The issuer of the signed token is not the configured one.',
    todo: 'Sign it with the iss of --ws-issuer.',
  },
  audienceMismatch: {
    means: 'The signed token is not meant for this listener.',
    todo: 'Sign it with the aud of --ws-audience.',
  },
  jwtRanOut: {
    means: 'The signed token of an open connection has expired.',
    todo: 'Connect again with a new one, or start without --close-on-token-expiry.',
  },
  refusedByPolicy: {
    means: 'The execution policy of this connection does not allow the method.',
    todo: 'Change --allow-method, --deny-method or --degraded-authority, if it should be allowed.',
  },
  messageTooLarge: {
    means: 'The client sent a message over the limit.',
    todo: 'Send smaller messages, or raise --max-message-bytes.',
  },
  appServerBreaker: {
    means: 'The app server died or failed five times within a minute, so it is left alone for a while.',
    todo: 'Run the command after -- by hand, or look at what --app-server names; the engine tries again by itself.',
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
