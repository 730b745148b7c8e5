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

/** The `todo` where no step is needed. */
export const NOTHING = 'Nothing: the engine continues automatically.';

/** One entry of the table; by default no step is needed. */
export const reasonText = (means: string, todo: string = NOTHING): ReasonText => ({ means, todo });

/** Every reason code. Codes are stable: scripts rely on them. */
export const REASONS = {
  // --- lifecycle
  starting: reasonText('The engine has just started.'),
  enabled: reasonText('Remote control was switched on.'),
  disabled: reasonText(
    'Remote control is switched off.',
    'Switch it on with rc-engine enable, or start with --remote-control on.',
  ),
  preferenceOff: reasonText(
    'The stored preference of this account is off.',
    'Switch it on with rc-engine enable, or start with --remote-control on.',
  ),
  preferenceUnset: reasonText(
    'This account has no stored preference for remote control, or no enrollment yet.',
    'Switch it on once with rc-engine enable, or start with --remote-control on.',
  ),
  clientNameAwaited: reasonText(
    'The enrollment depends on the name of the local client, and no client has sent its name yet.',
    'Let the client send initialize, or pass --client-name.',
  ),
  enrolled: reasonText('The backend gave this machine an identity.'),
  identityReplaced: reasonText(
    'The backend did not know the identity of this machine any more and gave it another one.',
    'Pair each controller again with rc-engine pair: controllers of the old environment do not reach the new one.',
  ),
  tokenRefreshed: reasonText('The backend issued a new server token.'),
  connected: reasonText('The link to the backend is open.'),
  stopped: reasonText('The engine was asked to stop.', 'Start it again with rc-engine start.'),
  engineRuns: reasonText('The start has succeeded.'),
  startFailed: reasonText(
    'A step of the start failed, so the engine did not start.',
    'Read the message: it says what was wrong and the next step.',
  ),
  startTimeout: reasonText(
    'A step of the start did not end in time, so the engine did not start.',
    'Check the disk and the file system of the home directory, then start again.',
  ),
  stopTimeout: reasonText(
    'A part of the engine did not end in time, so the engine stopped without it.',
    'Check for a locked database and for processes of the app server that are left.',
  ),
  homeBusy: reasonText('Another process holds the lock of the home directory.'),
  homeLocked: reasonText('The home directory belongs to this engine.'),
  homeInUse: reasonText(
    'Another engine uses the home directory.',
    'Use that engine, stop it, or choose another --home.',
  ),
  homeLockFailed: reasonText(
    'The lock of the home directory cannot be used.',
    'Read the message: it names the file and the error of the system.',
  ),
  homeLockTimeout: reasonText(
    'The file system of the home directory did not respond in time.',
    'Check the disk, or choose another --home.',
  ),
  retrying: reasonText('The pause before the next attempt is over.'),
  repairRequested: reasonText('A new identity was requested with rc-engine repair.'),
  wokeUp: reasonText('The machine woke up or its network changed.'),
  authChanged: reasonText('The account on this machine changed.'),
  // --- account
  authMissing: reasonText(
    'Nobody is signed in.',
    'Sign in with rc-engine login; the engine notices it within a second.',
  ),
  authApiKeyOnly: reasonText(
    'Only an API key is present, and remote control needs a ChatGPT sign-in.',
    'Sign in with rc-engine login.',
  ),
  authUnreadable: reasonText(
    'The account file cannot be read or is not a valid auth.json.',
    'Check its permissions and content, or write a new one with rc-engine login.',
  ),
  authNoAccountId: reasonText(
    'The sign-in has no account id.',
    'Sign in again with rc-engine login and choose a workspace.',
  ),
  accountDiffersOnDisk: reasonText(
    'The account file now holds a different account; the engine still uses the previous one.',
    'To switch now, call account/login/start or restart the engine; otherwise it switches when the previous account stops working.',
  ),
  authRejected: reasonText(
    'The backend refused the access token of the account, and every recovery step has failed.',
    'Sign in again with rc-engine login; the engine then reconnects automatically.',
  ),
  authRecovered: reasonText('A recovery step produced working account tokens.'),
  authRecoveryFailed: reasonText(
    'A step to recover the account tokens failed; the engine will try it again.',
    'If it keeps failing, check the network and sign in again with rc-engine login.',
  ),
  accountTimeout: reasonText(
    'Reading or renewing the account tokens did not end in time.',
    'Wait: the engine tries again automatically. If it lasts, check the network and the disk of the account file.',
  ),
  refreshTokenExpired: reasonText(
    'The sign-in expired: the issuer no longer accepts the refresh token.',
    'Sign in again with rc-engine login; the engine then continues automatically.',
  ),
  refreshTokenReused: reasonText(
    'The issuer reports that the refresh token was used before: another program uses the same sign-in.',
    'Sign in again with rc-engine login, and give each program its own sign-in.',
  ),
  refreshTokenRevoked: reasonText(
    'The sign-in was revoked at the issuer, by a sign-out or an administrator.',
    'Sign in again with rc-engine login; the engine then continues automatically.',
  ),
  refreshTokenRefused: reasonText(
    'The issuer refuses to refresh this sign-in.',
    'Sign in again with rc-engine login; the engine then continues automatically.',
  ),
  refreshTokenMissing: reasonText(
    'The sign-in has no refresh token, so a refused access token cannot be renewed.',
    'Sign in again with rc-engine login, or set a new RC_ENGINE_ACCESS_TOKEN.',
  ),
  issuerUnreachable: reasonText(
    'The issuer of the sign-in cannot be reached or does not answer.',
    'Check the network, the proxy and --issuer; the engine tries again automatically.',
  ),
  issuerFailed: reasonText(
    'The issuer of the sign-in returned an error or an invalid response.',
    'Wait: the engine tries again automatically. If it keeps failing, sign in again with rc-engine login.',
  ),
  authFileNotWritable: reasonText(
    'The account file cannot be written, so the engine redeems no refresh token and saves no sign-in; new tokens that it has are in memory only.',
    'Check the permissions of the file and its directory, and the free disk space; the engine then saves what it has.',
  ),
  tokensSaved: reasonText('The account tokens in use are saved in the account file.'),
  authWrongWorkspace: reasonText(
    'The sign-in belongs to a workspace that --forced-workspace does not allow.',
    'Sign in again with rc-engine login and choose an allowed workspace, or change --forced-workspace.',
  ),
  authMethodForbidden: reasonText(
    '--forced-login-method does not allow this way to sign in.',
    'Sign in the allowed way, or change --forced-login-method.',
  ),
  authTokenUnreadable: reasonText(
    'The access token is not a JWT.',
    'Let the parent app pass the access token unchanged, as the issuer gave it.',
  ),
  externalAuthActive: reasonText(
    'A parent app provides the tokens, so no other sign-in is accepted.',
    'Sign out first with account/logout or rc-engine logout.',
  ),
  parentSilent: reasonText(
    'The parent app did not answer the request for new tokens in time.',
    'Check the parent app; the engine asks it again after the next refused token.',
  ),
  parentRefused: reasonText(
    'The parent app answered the request for new tokens with an error.',
    'Sign in again in the parent app; its own error message has the details.',
  ),
  parentBadAnswer: reasonText(
    'The parent app answered the request for new tokens without any tokens.',
    'Report it to the makers of the parent app; the engine asks it again after the next refused token.',
  ),
  parentWrongWorkspace: reasonText(
    'The parent app sent tokens of a workspace that --forced-workspace does not allow.',
    'Choose an allowed workspace in the parent app, or change --forced-workspace.',
  ),
  parentGone: reasonText(
    'The parent app that provides the tokens has disconnected, and its tokens are refused.',
    'Start the parent app again so that it signs in, or sign out with rc-engine logout.',
  ),
  signedIn: reasonText('A sign-in was completed.'),
  signedOut: reasonText('The account was signed out.', 'Sign in with rc-engine login.'),
  tokensRefreshed: reasonText('The issuer issued new account tokens.'),
  tokensReloaded: reasonText('Newer account tokens were found on disk.'),
  tokensReplaced: reasonText('The parent app sent new account tokens.'),
  loginStarted: reasonText('A sign-in has started and waits for a person.', 'Finish it in the browser.'),
  loginCodeReceived: reasonText('The person approved the sign-in; it is being completed.'),
  loginCancelled: reasonText(
    'The sign-in was cancelled.',
    'Start it again with rc-engine login when you are ready.',
  ),
  loginDisplaced: reasonText('Another sign-in or a sign-out replaced this sign-in.'),
  loginTimedOut: reasonText('The sign-in was not finished in time.', 'Start it again with rc-engine login.'),
  loginRefused: reasonText(
    'The issuer did not allow the sign-in.',
    "Read the issuer's message and try again.",
  ),
  loginFailed: reasonText(
    'The person approved the sign-in, but the issuer returned no tokens.',
    "Try again; if it keeps failing, read the issuer's message.",
  ),
  loginPortsBusy: reasonText(
    'Other programs use both local ports that the browser can return to.',
    'End the other sign-in that uses 127.0.0.1:1455, or use rc-engine login --device.',
  ),
  deviceLoginUnavailable: reasonText(
    'The issuer does not offer sign-in with a device code.',
    'Sign in with a browser on this machine: rc-engine login.',
  ),
  deviceCodeDenied: reasonText(
    'The issuer ended the sign-in with a device code.',
    'Get a new code with rc-engine login --device.',
  ),
  workspaceUnknown: reasonText(
    'The engine could not find out which backend serves the workspace.',
    'Check the network and that the account is a member of the workspace; each account/read tries again.',
  ),
  // --- requests to the backend
  backendUnauthorized: reasonText('The backend refused the access token of the account.'),
  backendNotFound: reasonText(
    'The backend does not know this route.',
    'Check --base-url: it must end before /wham/….',
  ),
  backendRoutesMissing: reasonText(
    'The backend answers 404 to each request, so a proxy, a gateway or a wrong address answers in its place. The identity is kept.',
    'Wait if the backend is being deployed. If it lasts, check --base-url and any proxy in between.',
  ),
  backendConflict: reasonText('The backend reports a conflict for this request.'),
  backendRateLimited: reasonText('The backend limits the rate of requests.'),
  backendUnavailable: reasonText('The backend answered with a server error.'),
  backendTimeout: reasonText(
    'The backend did not answer in time.',
    'Wait: the engine tries again automatically. If it lasts, check the network or proxy.',
  ),
  backendRefused: reasonText(
    'The backend refused the request.',
    'Read the HTTP status and body preview in rc-engine status, and report the request id.',
  ),
  backendBadAnswer: reasonText(
    'The backend returned an invalid response.',
    'Check --base-url and any proxy in between; if they are right, report the request id.',
  ),
  identityMissing: reasonText(
    'This machine has no identity at the backend yet.',
    'Run rc-engine status: it shows what prevents the enrollment.',
  ),
  identityMismatch: reasonText(
    'The backend answered for a different identity; the stored one was kept.',
    'If it lasts, report the request id to the operator of the backend.',
  ),
  redirectRefused: reasonText(
    'The backend answered with a redirect; the engine never follows one, so that credentials stay with the target.',
    'If you trust the address of the redirect, set --base-url to it.',
  ),
  networkUnreachable: reasonText(
    'The backend cannot be reached from here.',
    'Check the network, and the host and port of --base-url.',
  ),
  tlsFailed: reasonText(
    'The TLS certificate of the backend is not trusted.',
    'If a company proxy signs it, pass --ca-cert or set NODE_EXTRA_CA_CERTS.',
  ),
  certificateNameInvalid: reasonText(
    'The TLS certificate that answers is for another host name.',
    'Check the host of --base-url. If the sign-in page or the proxy of a network answers in its place, sign in there or set HTTPS_PROXY.',
  ),
  tlsHandshakeFailed: reasonText(
    'The TLS handshake with the backend failed.',
    'Check the port of --base-url, and that it is https there. Where a proxy is used, HTTPS_PROXY starts with http:// unless the proxy itself uses TLS.',
  ),
  certificateTimeInvalid: reasonText(
    'The TLS certificate of the backend is not valid at the time that the clock of this machine shows.',
    'Check the clock of this machine with the command date. If it is right, the operator of the backend must renew the certificate.',
  ),
  proxyFailed: reasonText(
    'The configured proxy failed or refused the connection.',
    'Check HTTPS_PROXY, ALL_PROXY and NO_PROXY; the engine never bypasses a proxy.',
  ),
  // --- the link
  tokenRejected: reasonText('The backend refused the server token.'),
  serverGone: reasonText('The backend no longer knows this identity.'),
  ambiguousNotFound: reasonText(
    'The link got a 404 that does not say whether the identity still exists; the engine checks it.',
    'If it lasts, check --base-url and any proxy in between.',
  ),
  identityVerified: reasonText('The backend still knows this identity.'),
  connectionConflict: reasonText(
    'Another process holds the connection of this identity; after sleep it is often the old connection of this engine.',
    'Stop the other engine that uses a copy of this home. If both are to run, give one of them an identity of its own: rc-engine repair --step installation-id.',
  ),
  handshakeTimeout: reasonText(
    'The backend did not finish the WebSocket handshake in time.',
    'Wait: the engine tries again automatically. If it lasts, check whether a proxy blocks WebSockets.',
  ),
  handshakeFailed: reasonText(
    'The backend refused the WebSocket.',
    'Read the HTTP status in rc-engine status, and report the request id.',
  ),
  linkClosed: reasonText('The backend closed the link.'),
  linkReplaced: reasonText(
    'The backend closed the link, because a newer connection of this identity took its place.',
  ),
  duplicateInstallation: reasonText(
    'Another engine runs with the installation id of this one, most likely on a copy of this home directory, and both take the connection from each other.',
    'Stop one of them. To keep both, stop this one, run rc-engine repair --step installation-id --yes, and start it again.',
  ),
  linkLost: reasonText('The link broke.'),
  pongTimeout: reasonText('The backend stopped answering pings.'),
  wakeProbeFailed: reasonText('The link did not answer after a wake-up.'),
  controllerRevoked: reasonText(
    'The backend no longer knows this controller: it was revoked on the paired machine, or the backend lost its data.',
    'Pair again: rc-engine pair on that machine, then rc-engine connect --code-stdin here.',
  ),
  frameTooLarge: reasonText(
    'A message of the backend was too large (more than 64 MiB), so the engine ended the link.',
    'Let the controller send less in one message.',
  ),
  frameInvalid: reasonText(
    'The backend sent bytes that are not valid WebSocket frames or not UTF-8, so the engine ended the link.',
    'Check any proxy in between; if there is none, report it to the operator of the backend.',
  ),
  flapping: reasonText(
    'The backend accepts the link and drops it repeatedly.',
    'Wait: the engine tries again automatically. If it lasts, look for a proxy that cuts WebSockets, or for an engine on a copy of this home: rc-engine repair --step installation-id gives one of them an identity of its own.',
  ),
  linkProven: reasonText('The link has been open long enough to count as stable.'),
  // --- configuration and store
  targetRefused: reasonText(
    'The engine does not send credentials to this base URL.',
    'Use https to chatgpt.com or to a host allowed with --allow-host, or http(s) to this machine.',
  ),
  storeMissing: reasonText(
    'There is no enrollment store, so an identity could not be saved.',
    'Start with --store sqlite:PATH, or without --store.',
  ),
  storeUnavailable: reasonText(
    'The enrollment store cannot be read, and the engine does not enroll without it.',
    'Check that the file exists, is readable and is not corrupt; move a corrupt one away: this machine then gets a new identity, and its devices must be paired again.',
  ),
  storeTimeout: reasonText(
    'The enrollment store did not answer in time.',
    'Check the disk and the file system of the store; the engine tries again automatically.',
  ),
  storeWriteFailed: reasonText(
    'The enrollment store cannot be written.',
    'Check the free disk space and the permissions; the engine tries again automatically.',
  ),
  engineFault: reasonText(
    'A part of the engine failed unexpectedly.',
    'Report it with the surrounding log lines.',
  ),
  // --- virtual clients
  initialized: reasonText('The client sent initialize.'),
  reinitialized: reasonText('The client sent initialize again on an open stream.'),
  clientClosed: reasonText('The client disconnected.'),
  clientIdle: reasonText('The client sent no message and no ping for too long.'),
  clientStalled: reasonText(
    'The client blocked its own traffic for too long.',
    'Reconnect; if it happens again, check why the app server does not accept messages.',
  ),
  clientOverloaded: reasonText(
    'Too many messages were queued for one client.',
    'Send fewer messages at a time.',
  ),
  clientVanished: reasonText(
    'The client did not answer two pings and was closed.',
    'Connect again. A program that connects must answer WebSocket pings, as its library does by itself.',
  ),
  tooManyClients: reasonText(
    'The engine has reached its limit of remote clients.',
    'Close some clients, or raise --max-remote-clients.',
  ),
  tooManyStreams: reasonText(
    'The client has opened more streams than it may have app servers: its quietest stream was closed.',
    'Close streams that are no longer used, or raise --max-children.',
  ),
  appServerClosed: reasonText(
    'The app server ended this connection.',
    'Read the log of the app server, then connect again.',
  ),
  appServerFailed: reasonText(
    'The app server could not be reached.',
    'Check --app-server or the command after --.',
  ),
  // --- local listener
  tokenMatched: reasonText('The connection presented the token of the connect URL.'),
  capabilityMatched: reasonText('The connection presented the capability token.'),
  jwtVerified: reasonText('The connection presented a valid signed token.'),
  socketPrivate: reasonText(
    'The connection came through a unix socket in a directory that only the user of the engine can enter.',
  ),
  socketExposed: reasonText(
    'Other users can enter the directory of the unix socket, so a connection through it proves nothing.',
    'Run chmod 700 on that directory as the user of the engine, then connect again.',
  ),
  stdioInherited: reasonText(
    'The connection is the stdin and stdout of the engine, so it belongs to the program that started the engine.',
  ),
  uncheckedMissing: reasonText(
    'The token check is switched off; the connection presented no token.',
    'Start without --no-token-check to refuse such connections.',
  ),
  uncheckedAmbiguous: reasonText(
    'The token check is switched off; the connection presented more than one token.',
    'Start without --no-token-check to refuse such connections.',
  ),
  uncheckedInvalid: reasonText(
    'The token check is switched off; the connection presented a wrong token.',
    'Start without --no-token-check to refuse such connections.',
  ),
  originRefused: reasonText(
    'The request has an Origin header, so it comes from a web page; web pages may not connect.',
    'Connect from a program that sends no Origin header.',
  ),
  malformedUpgrade: reasonText(
    'The request is not a valid WebSocket upgrade.',
    'Use a WebSocket client (version 13, GET, HTTP/1.1) and the printed URL.',
  ),
  headersTooLarge: reasonText(
    'The headers of the request exceed 16 KiB or 100 lines.',
    'Send fewer or shorter headers.',
  ),
  handshakeTooSlow: reasonText(
    'The handshake was not completed in time.',
    'Connect again; if it keeps failing, check the client and the network.',
  ),
  clientGone: reasonText('The client disconnected before it got a response.'),
  tooManyHandshakes: reasonText(
    'Too many handshakes were in progress at once.',
    'Try again after the time in Retry-After.',
  ),
  tooManyConnections: reasonText(
    'The listener has reached its limit of connections.',
    'Close some connections, or raise --max-connections.',
  ),
  connectionReplaced: reasonText(
    'The listener was full, and a client with the token needed the place of this connection, which had none.',
    'Connect with the token, or raise --max-connections.',
  ),
  listenerNotReady: reasonText(
    'The listener is starting or stopping.',
    'Try again after the time in Retry-After, or start the engine again.',
  ),
  missingToken: reasonText(
    'The connection presented no token in its query.',
    'Use the connect URL that was printed at start, with ?token=….',
  ),
  ambiguousToken: reasonText(
    'The connection presented more than one token in its query.',
    'Present the token exactly once.',
  ),
  invalidToken: reasonText(
    'The token in the query is not the one of this process.',
    'Use the connect URL of this start; each start makes a new token.',
  ),
  missingBearer: reasonText(
    'The connection presented no Authorization header.',
    'Send Authorization: Bearer with the token; this mode ignores a token in the query.',
  ),
  malformedAuthorization: reasonText(
    'The Authorization header is not exactly one Bearer credential.',
    'Send one header: Authorization: Bearer, one space, the token.',
  ),
  invalidCapability: reasonText(
    'The capability token is not the configured one.',
    'Compare it with the file of --ws-token-file or the digest of --ws-token-sha256.',
  ),
  invalidJwt: reasonText(
    'The signed token is not a valid HS256 token for this listener.',
    'Sign it with the shared secret, HS256 and an integer exp; rc-engine token sign makes one.',
  ),
  expiredJwt: reasonText('The signed token has expired.', 'Sign a new one.'),
  jwtNotYetValid: reasonText(
    'The signed token is not valid yet.',
    'Wait until its nbf time, or compare the clocks of both machines.',
  ),
  issuerMismatch: reasonText(
    'The issuer of the signed token is not the configured one.',
    'Sign it with the iss of --ws-issuer.',
  ),
  audienceMismatch: reasonText(
    'The signed token is not meant for this listener.',
    'Sign it with the aud of --ws-audience.',
  ),
  jwtRanOut: reasonText(
    'The signed token expired while the connection was open.',
    'Connect again with a new one, or start without --close-on-token-expiry.',
  ),
  initializeMissing: reasonText(
    'The client sent no valid initialize in time.',
    'Send initialize as the first message, within 15 s of connecting.',
  ),
  refusedByPolicy: reasonText(
    'The method policy does not allow this method on this connection.',
    'To allow it, change --allow-method, --deny-method or --degraded-authority.',
  ),
  messageTooLarge: reasonText(
    'The client sent a message over the size limit.',
    'Send smaller messages, or raise --max-message-bytes.',
  ),
  appServerBuiltin: reasonText(
    'The engine answers initialize itself; no app server is configured.',
    'To serve your own app server, put its command after --, or pass --app-server URL.',
  ),
  appServerNotStarted: reasonText('No client has needed the app server yet.'),
  appServerIdle: reasonText('No client uses the app server now.'),
  appServerStarting: reasonText('The app server is being started.'),
  appServerListening: reasonText('The app server listens; no client has got an answer from it yet.'),
  appServerServing: reasonText('The app server answers clients.'),
  appServerNotFound: reasonText(
    'The command of the app server cannot be run.',
    'Check the command after --: its name, its path and its permissions.',
  ),
  appServerExited: reasonText(
    'The app server exited while clients used it.',
    'Read the log of the app server; the next client starts it again.',
  ),
  appServerNotListening: reasonText(
    'The app server did not listen on the socket that the engine gave it.',
    'Start with --app-server-mode per-client, or put {socket} into its arguments.',
  ),
  appServerMute: reasonText(
    'The app server did not answer initialize in time.',
    'Run the command after -- by hand and look at its log.',
  ),
  appServerUnreachable: reasonText(
    'The app server does not accept connections.',
    'Check that it runs and that the address of --app-server is right.',
  ),
  appServerRestarted: reasonText('The engine restarted the app server.', 'Connect again.'),
  appServerSocketGone: reasonText(
    'The socket file of the app server was deleted, so new clients cannot reach it.',
    'Nothing: the engine restarts it as soon as no client uses it.',
  ),
  outOfDescriptors: reasonText(
    'The engine has no file descriptors left.',
    'Raise the limit of open files (ulimit -n, LimitNOFILE), or close some clients.',
  ),
  appServerAccountIdle: reasonText('No app server uses the account of the engine now.'),
  appServerAccountPerClient: reasonText(
    'Each child of the app server reads the sign-in of the agent when it starts, and is restarted when the account changes.',
  ),
  appServerAccountConnecting: reasonText('The account of the engine is handed to the app server.'),
  appServerAccountShared: reasonText('The app server uses the account of the engine.'),
  appServerAccountRenewing: reasonText('The app server requested new tokens.'),
  appServerAccountOwn: reasonText(
    'The agent keeps a sign-in of its own; the account of the engine does not reach it.',
    'Sign the agent in or out with its own command, for example codex login.',
  ),
  appServerAccountSilent: reasonText(
    'The app server did not answer the account methods in time, so the agent keeps a sign-in of its own.',
    'Sign the agent in or out with its own command.',
  ),
  appServerAccountRefused: reasonText(
    'The app server did not take the account of the engine, so the agent keeps a sign-in of its own.',
    'Sign the agent in or out with its own command.',
  ),
  appServerAccountChanged: reasonText('The account changed, so the app server is restarted.'),
  appServerAccountSignedOut: reasonText('The account was signed out, so the app server is restarted.'),
  appServerBreaker: reasonText(
    'The app server failed five times within a minute, so the engine pauses before it tries again.',
    'Run the command after -- by hand, or check the address of --app-server.',
  ),
  // --- pairing
  pairingStarted: reasonText('A pairing code was requested.'),
  pairingCodeShown: reasonText('A pairing code is waiting to be claimed.', 'Enter it on the other device.'),
  pairingClaimed: reasonText('A controller claimed the pairing code.'),
  pairingExpired: reasonText('The pairing code expired.', 'Get a new one with rc-engine pair.'),
  pairingFailed: reasonText('The backend returned no pairing code.', 'Read the message and try again.'),
  pairingUnavailable: reasonText(
    'Pairing is unavailable until the enrollment completes.',
    'Run rc-engine wait, then request the code again.',
  ),
} as const satisfies Record<string, ReasonText>;

/** A reason code, a key of `REASONS`. */
export type Reason = keyof typeof REASONS;

/** False for a reason after which the engine continues without help. */
export const needsPerson = (reason: Reason): boolean => REASONS[reason].todo !== NOTHING;

export function isReason(code: string): code is Reason {
  return Object.hasOwn(REASONS, code);
}
