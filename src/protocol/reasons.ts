/**
 * What a reason code means. `rc-engine explain`, the status line, the audit and docs/errors.md all read this table,
 * so that they cannot disagree.
 */
export interface ReasonText {
  /** One sentence: what happened. */
  readonly means: string;
  /** One sentence: the next step for a person, or that none is needed. */
  readonly todo: string;
}

const NOTHING = 'Nothing: the engine continues automatically.';

/** Every reason code. Codes are stable: scripts rely on them. */
export const REASONS = {
  // --- lifecycle
  starting: { means: 'The engine has just started.', todo: NOTHING },
  enabled: { means: 'Remote control was switched on.', todo: NOTHING },
  disabled: {
    means: 'Remote control is switched off.',
    todo: 'Switch it on with the JSON-RPC method remoteControl/enable, or start with --remote-control on.',
  },
  preferenceOff: {
    means: 'The stored preference of this account is off.',
    todo: 'Switch it on durably with remoteControl/enable, or start with --remote-control on.',
  },
  preferenceUnset: {
    means: 'This account has no stored preference for remote control, or no enrollment yet.',
    todo: 'Switch it on once with remoteControl/enable, or start with --remote-control on.',
  },
  clientNameAwaited: {
    means: 'The enrollment depends on the name of the local client, and no client has sent its name yet.',
    todo: 'Let the client send initialize, or pass --client-name.',
  },
  enrolled: { means: 'The backend gave this machine an identity.', todo: NOTHING },
  tokenRefreshed: { means: 'The backend issued a new server token.', todo: NOTHING },
  connected: { means: 'The link to the backend is open.', todo: NOTHING },
  stopped: { means: 'The engine was asked to stop.', todo: 'Start it again with rc-engine start.' },
  retrying: { means: 'The pause before the next attempt is over.', todo: NOTHING },
  repairRequested: { means: 'A new identity was requested with rc-engine repair.', todo: NOTHING },
  wokeUp: { means: 'The machine woke up or its network changed.', todo: NOTHING },
  authChanged: { means: 'The account on this machine changed.', todo: NOTHING },
  // --- account
  authMissing: {
    means: 'Nobody is signed in.',
    todo: 'Sign in with rc-engine login; the engine notices it within a second.',
  },
  authApiKeyOnly: {
    means: 'Only an API key is present, and remote control needs a ChatGPT sign-in.',
    todo: 'Sign in with rc-engine login.',
  },
  authUnreadable: {
    means: 'The account file cannot be read or is not a valid auth.json.',
    todo: 'Check its permissions and content, or sign in again to write a new one.',
  },
  authNoAccountId: { means: 'The sign-in has no account id.', todo: 'Sign in again and choose a workspace.' },
  accountDiffersOnDisk: {
    means: 'The account file now holds a different account; the engine still uses the previous one.',
    todo: 'To switch now, call account/login/start or restart the engine; otherwise it switches when the previous account stops working.',
  },
  authRejected: {
    means: 'The backend refused the access token of the account, and every recovery step has failed.',
    todo: 'Sign in again with rc-engine login; the engine then reconnects automatically.',
  },
  authRecovered: { means: 'A recovery step produced working account tokens.', todo: NOTHING },
  authRecoveryFailed: {
    means: 'A step to recover the account tokens failed; the engine will try it again.',
    todo: 'If it keeps failing, check the network and sign in again.',
  },
  refreshTokenExpired: {
    means: 'The sign-in expired: the issuer no longer accepts the refresh token.',
    todo: 'Sign in again with rc-engine login; the engine then continues automatically.',
  },
  refreshTokenReused: {
    means:
      'The issuer reports that the refresh token was used before: another program uses the same sign-in.',
    todo: 'Sign in again with rc-engine login, and give each program its own sign-in.',
  },
  refreshTokenRevoked: {
    means: 'The sign-in was revoked at the issuer, by a sign-out or an administrator.',
    todo: 'Sign in again with rc-engine login; the engine then continues automatically.',
  },
  refreshTokenRefused: {
    means: 'The issuer refuses to refresh this sign-in.',
    todo: 'Sign in again with rc-engine login; the engine then continues automatically.',
  },
  refreshTokenMissing: {
    means: 'The sign-in has no refresh token, so a refused access token cannot be renewed.',
    todo: 'Sign in again with rc-engine login, or set a new RC_ENGINE_ACCESS_TOKEN.',
  },
  issuerUnreachable: {
    means: 'The issuer of the sign-in cannot be reached or does not answer.',
    todo: 'Check the network, the proxy and --issuer; the engine tries again automatically.',
  },
  issuerFailed: {
    means: 'The issuer of the sign-in returned an error or an invalid response.',
    todo: 'Wait: the engine tries again automatically. If it keeps failing, sign in again.',
  },
  authFileNotWritable: {
    means: 'The account file cannot be written, so the engine neither refreshes tokens nor saves a sign-in.',
    todo: 'Check the permissions of the file and its directory, and the free disk space.',
  },
  authWrongWorkspace: {
    means: 'The sign-in belongs to a workspace that --forced-workspace does not allow.',
    todo: 'Sign in again and choose an allowed workspace, or change --forced-workspace.',
  },
  authMethodForbidden: {
    means: '--forced-login-method does not allow this way to sign in.',
    todo: 'Sign in the allowed way, or change --forced-login-method.',
  },
  authTokenUnreadable: {
    means: 'The access token is not a JWT.',
    todo: 'Let the parent app pass the access token unchanged, as the issuer gave it.',
  },
  externalAuthActive: {
    means: 'A parent app provides the tokens, so no other sign-in is accepted.',
    todo: 'Sign out first with account/logout or rc-engine logout.',
  },
  parentSilent: {
    means: 'The parent app did not answer the request for new tokens in time.',
    todo: 'Check the parent app; the engine asks it again after the next refused token.',
  },
  parentRefused: {
    means: 'The parent app answered the request for new tokens with an error.',
    todo: 'Sign in again in the parent app; its own error message has the details.',
  },
  parentBadAnswer: {
    means: 'The parent app answered the request for new tokens without any tokens.',
    todo: 'Report it to the makers of the parent app; the engine asks it again after the next refused token.',
  },
  parentWrongWorkspace: {
    means: 'The parent app sent tokens of a workspace that --forced-workspace does not allow.',
    todo: 'Choose an allowed workspace in the parent app, or change --forced-workspace.',
  },
  parentGone: {
    means: 'The parent app that provides the tokens has disconnected, and its tokens are refused.',
    todo: 'Start the parent app again so that it signs in, or sign out with rc-engine logout.',
  },
  signedIn: { means: 'A sign-in was completed.', todo: NOTHING },
  signedOut: { means: 'The account was signed out.', todo: 'Sign in with rc-engine login.' },
  tokensRefreshed: { means: 'The issuer issued new account tokens.', todo: NOTHING },
  tokensReloaded: { means: 'Newer account tokens were found on disk.', todo: NOTHING },
  tokensReplaced: { means: 'The parent app sent new account tokens.', todo: NOTHING },
  loginStarted: { means: 'A sign-in has started and waits for a person.', todo: 'Finish it in the browser.' },
  loginCodeReceived: { means: 'The person approved the sign-in; it is being completed.', todo: NOTHING },
  loginCancelled: {
    means: 'The sign-in was cancelled.',
    todo: 'Start it again with rc-engine login when you are ready.',
  },
  loginDisplaced: { means: 'Another sign-in or a sign-out replaced this sign-in.', todo: NOTHING },
  loginTimedOut: {
    means: 'The sign-in was not finished in time.',
    todo: 'Start it again with rc-engine login.',
  },
  loginRefused: {
    means: 'The issuer did not allow the sign-in.',
    todo: "Read the issuer's message and try again.",
  },
  loginFailed: {
    means: 'The person approved the sign-in, but the issuer returned no tokens.',
    todo: "Try again; if it keeps failing, read the issuer's message.",
  },
  loginPortsBusy: {
    means: 'Other programs use both local ports that the browser can return to.',
    todo: 'End the other sign-in that uses 127.0.0.1:1455, or use rc-engine login --device.',
  },
  deviceLoginUnavailable: {
    means: 'The issuer does not offer sign-in with a device code.',
    todo: 'Sign in with a browser on this machine: rc-engine login.',
  },
  deviceCodeDenied: {
    means: 'The issuer ended the sign-in with a device code.',
    todo: 'Get a new code with rc-engine login --device.',
  },
  workspaceUnknown: {
    means: 'The engine could not find out which backend serves the workspace.',
    todo: 'Check the network and that the account is a member of the workspace; each account/read tries again.',
  },
  // --- requests to the backend
  backendUnauthorized: { means: 'The backend refused the access token of the account.', todo: NOTHING },
  backendNotFound: {
    means: 'The backend does not know this route.',
    todo: 'Check --base-url: it must end before /wham/….',
  },
  backendConflict: { means: 'The backend reports a conflict for this request.', todo: NOTHING },
  backendRateLimited: { means: 'The backend limits the rate of requests.', todo: NOTHING },
  backendUnavailable: { means: 'The backend answered with a server error.', todo: NOTHING },
  backendTimeout: {
    means: 'The backend did not answer in time.',
    todo: 'Wait: the engine tries again automatically. If it lasts, check the network or proxy.',
  },
  backendRefused: {
    means: 'The backend refused the request.',
    todo: 'Read the HTTP status and body preview in rc-engine status, and report the request id.',
  },
  backendBadAnswer: {
    means: 'The backend returned an invalid response.',
    todo: 'Check --base-url and any proxy in between; if they are right, report the request id.',
  },
  identityMissing: {
    means: 'This machine has no identity at the backend yet.',
    todo: 'Run rc-engine status: it shows what prevents the enrollment.',
  },
  identityMismatch: {
    means: 'The backend answered for a different identity; the stored one was kept.',
    todo: 'If it lasts, report the request id to the operator of the backend.',
  },
  redirectRefused: {
    means:
      'The backend answered with a redirect; the engine never follows one, so that credentials stay with the target.',
    todo: 'If you trust the address of the redirect, set --base-url to it.',
  },
  networkUnreachable: {
    means: 'The backend cannot be reached from here.',
    todo: 'Check the network, and the host and port of --base-url.',
  },
  tlsFailed: {
    means: 'The TLS certificate of the backend is not trusted.',
    todo: 'If a company proxy signs it, pass --ca-cert or set NODE_EXTRA_CA_CERTS.',
  },
  proxyFailed: {
    means: 'The configured proxy failed or refused the connection.',
    todo: 'Check HTTPS_PROXY, ALL_PROXY and NO_PROXY; the engine never bypasses a proxy.',
  },
  // --- the link
  tokenRejected: { means: 'The backend refused the server token.', todo: NOTHING },
  serverGone: { means: 'The backend no longer knows this identity.', todo: NOTHING },
  ambiguousNotFound: {
    means: 'The link got a 404 that does not say whether the identity still exists; the engine checks it.',
    todo: 'If it lasts, check --base-url and any proxy in between.',
  },
  identityVerified: { means: 'The backend still knows this identity.', todo: NOTHING },
  connectionConflict: {
    means:
      'Another process holds the connection of this identity; after sleep it is often the old connection of this engine.',
    todo: 'Stop the other engine that uses a copy of this home, or run rc-engine repair.',
  },
  handshakeTimeout: {
    means: 'The backend did not finish the WebSocket handshake in time.',
    todo: 'Wait: the engine tries again automatically. If it lasts, check whether a proxy blocks WebSockets.',
  },
  handshakeFailed: {
    means: 'The backend refused the WebSocket.',
    todo: 'Read the HTTP status in rc-engine status, and report the request id.',
  },
  linkClosed: { means: 'The backend closed the link.', todo: NOTHING },
  linkLost: { means: 'The link broke.', todo: NOTHING },
  pongTimeout: { means: 'The backend stopped answering pings.', todo: NOTHING },
  wakeProbeFailed: { means: 'The link did not answer after a wake-up.', todo: NOTHING },
  flapping: {
    means: 'The backend accepts the link and drops it repeatedly.',
    todo: 'Wait: the engine tries again automatically. If it lasts, look for a proxy that cuts WebSockets or a second engine.',
  },
  linkProven: { means: 'The link has been open long enough to count as stable.', todo: NOTHING },
  // --- configuration and store
  targetRefused: {
    means: 'The engine does not send credentials to this base URL.',
    todo: 'Use https to chatgpt.com or to a host allowed with --allow-host, or http(s) to this machine.',
  },
  storeMissing: {
    means: 'There is no enrollment store, so an identity could not be saved.',
    todo: 'Start with --store sqlite:PATH, or without --store.',
  },
  storeUnavailable: {
    means: 'The enrollment store cannot be read, and the engine does not enroll without it.',
    todo: 'Check that the file exists, is readable and is not corrupt; move a corrupt one away to start with a new one.',
  },
  storeWriteFailed: {
    means: 'The enrollment store cannot be written.',
    todo: 'Check the free disk space and the permissions; the engine tries again automatically.',
  },
  engineFault: {
    means: 'A part of the engine failed unexpectedly.',
    todo: 'Report it with the surrounding log lines.',
  },
  // --- virtual clients
  initialized: { means: 'The client sent initialize.', todo: NOTHING },
  reinitialized: { means: 'The client sent initialize again on an open stream.', todo: NOTHING },
  clientClosed: { means: 'The client disconnected.', todo: NOTHING },
  clientIdle: { means: 'The client sent no message and no ping for too long.', todo: NOTHING },
  clientStalled: {
    means: 'The client blocked its own traffic for too long.',
    todo: 'Reconnect; if it happens again, check why the app server does not accept messages.',
  },
  clientOverloaded: {
    means: 'Too many messages were queued for one client.',
    todo: 'Send fewer messages at a time.',
  },
  tooManyClients: {
    means: 'The engine has reached its limit of remote clients.',
    todo: 'Close some clients, or raise maxRemoteClients in a program that embeds the engine.',
  },
  appServerClosed: {
    means: 'The app server ended this connection.',
    todo: 'Read the log of the app server, then connect again.',
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
    means:
      'The connection is the stdin and stdout of the engine, so it belongs to the program that started the engine.',
    todo: NOTHING,
  },
  uncheckedMissing: {
    means: 'The token check is switched off; the connection presented no token.',
    todo: 'Start without --no-token-check to refuse such connections.',
  },
  uncheckedAmbiguous: {
    means: 'The token check is switched off; the connection presented more than one token.',
    todo: 'Start without --no-token-check to refuse such connections.',
  },
  uncheckedInvalid: {
    means: 'The token check is switched off; the connection presented a wrong token.',
    todo: 'Start without --no-token-check to refuse such connections.',
  },
  originRefused: {
    means: 'The request has an Origin header, so it comes from a web page; web pages may not connect.',
    todo: 'Connect from a program that sends no Origin header.',
  },
  malformedUpgrade: {
    means: 'The request is not a valid WebSocket upgrade.',
    todo: 'Use a WebSocket client (version 13, GET, HTTP/1.1) and the printed URL.',
  },
  headersTooLarge: {
    means: 'The headers of the request exceed 16 KiB or 100 lines.',
    todo: 'Send fewer or shorter headers.',
  },
  handshakeTooSlow: {
    means: 'The handshake was not completed in time.',
    todo: 'Connect again; if it keeps failing, check the client and the network.',
  },
  clientGone: { means: 'The client disconnected before it got a response.', todo: NOTHING },
  tooManyHandshakes: {
    means: 'Too many handshakes were in progress at once.',
    todo: 'Try again after the time in Retry-After.',
  },
  tooManyConnections: {
    means: 'The listener has reached its limit of connections.',
    todo: 'Close some connections, or raise --max-connections.',
  },
  listenerNotReady: {
    means: 'The listener is starting or stopping.',
    todo: 'Try again after the time in Retry-After, or start the engine again.',
  },
  missingToken: {
    means: 'The connection presented no token in its query.',
    todo: 'Use the connect URL that was printed at start, with ?token=….',
  },
  ambiguousToken: {
    means: 'The connection presented more than one token in its query.',
    todo: 'Present the token exactly once.',
  },
  invalidToken: {
    means: 'The token in the query is not the one of this process.',
    todo: 'Use the connect URL of this start; each start makes a new token.',
  },
  missingBearer: {
    means: 'The connection presented no Authorization header.',
    todo: 'Send Authorization: Bearer with the token; this mode ignores a token in the query.',
  },
  malformedAuthorization: {
    means: 'The Authorization header is not exactly one Bearer credential.',
    todo: 'Send one header: Authorization: Bearer, one space, the token.',
  },
  invalidCapability: {
    means: 'The capability token is not the configured one.',
    todo: 'Compare it with the file of --ws-token-file or the digest of --ws-token-sha256.',
  },
  invalidJwt: {
    means: 'The signed token is not a valid HS256 token for this listener.',
    todo: 'Sign it with the shared secret, HS256 and an integer exp; rc-engine token sign makes one.',
  },
  expiredJwt: { means: 'The signed token has expired.', todo: 'Sign a new one.' },
  jwtNotYetValid: {
    means: 'The signed token is not valid yet.',
    todo: 'Wait until its nbf time, or compare the clocks of both machines.',
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
    means: 'The signed token expired while the connection was open.',
    todo: 'Connect again with a new one, or start without --close-on-token-expiry.',
  },
  refusedByPolicy: {
    means: 'The method policy does not allow this method on this connection.',
    todo: 'To allow it, change --allow-method, --deny-method or --degraded-authority.',
  },
  messageTooLarge: {
    means: 'The client sent a message over the size limit.',
    todo: 'Send smaller messages, or raise --max-message-bytes.',
  },
  appServerBreaker: {
    means: 'The app server failed five times within a minute, so the engine pauses before it tries again.',
    todo: 'Run the command after -- by hand, or check the address of --app-server.',
  },
  // --- pairing
  pairingStarted: { means: 'A pairing code was requested.', todo: NOTHING },
  pairingCodeShown: {
    means: 'A pairing code is waiting to be claimed.',
    todo: 'Enter it on the other device.',
  },
  pairingClaimed: { means: 'A controller claimed the pairing code.', todo: NOTHING },
  pairingExpired: { means: 'The pairing code expired.', todo: 'Get a new one with rc-engine pair.' },
  pairingFailed: { means: 'The backend returned no pairing code.', todo: 'Read the message and try again.' },
  pairingUnavailable: {
    means: 'Pairing is unavailable until the enrollment completes.',
    todo: 'Run rc-engine wait, then request the code again.',
  },
} as const satisfies Record<string, ReasonText>;

export type Reason = keyof typeof REASONS;

export function isReason(code: string): code is Reason {
  return Object.hasOwn(REASONS, code);
}
