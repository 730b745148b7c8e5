/** What the numbers mean that a log or a program shows: close codes, HTTP statuses, JSON-RPC errors. For `explain`. */
import { CLOSE_CODES } from './close-codes.js';
import { RPC } from './jsonrpc.js';
import { type ReasonText, reasonText } from './reasons.js';

type CodeTexts<K extends string> = Readonly<Record<K, ReasonText>>;

const CLOSE_TEXTS: CodeTexts<keyof typeof CLOSE_CODES> = {
  normal: reasonText('The conversation is complete.', 'Nothing.'),
  goingAway: reasonText('The other end shuts down for good.', 'Connect again when it runs again.'),
  unsupportedData: reasonText(
    'A frame of a kind that is not accepted was sent, such as a binary one.',
    'Send each JSON-RPC message as one text frame.',
  ),
  abnormalClosure: reasonText(
    'The connection was lost without a close frame: nobody sends this code.',
    'Look at the network and at the log of the other end; then connect again.',
  ),
  policyViolation: reasonText(
    'The peer may not do this, or no longer: its token expired, for example.',
    'Connect again with a new token.',
  ),
  messageTooBig: reasonText(
    'A message was over the size limit.',
    'Send smaller messages, or raise --max-message-bytes of the listener.',
  ),
  internalError: reasonText(
    'This end cannot continue: the app server behind the engine is gone.',
    'Run rc-engine status to see why, then connect again.',
  ),
  serviceRestart: reasonText('The engine stops and may come back.', 'Connect again in a few seconds.'),
  tryAgainLater: reasonText(
    'Too much data waited for or from this peer.',
    'Read faster or send less, and connect again later.',
  ),
  controllerRevoked: reasonText(
    'This controller was revoked by the owner of the machine.',
    'Pair it again: rc-engine pair on the machine shows a code.',
  ),
  environmentOffline: reasonText(
    'The paired machine is not connected to the backend.',
    'Run rc-engine status on that machine, or start rc-engine there.',
  ),
  serverRestarted: reasonText(
    'The engine on the paired machine restarted, so its conversations are lost.',
    'Begin a new conversation.',
  ),
};

const RPC_TEXTS: CodeTexts<keyof typeof RPC> = {
  parseError: reasonText('The message is not JSON.', 'Send one complete JSON object in each line or frame.'),
  invalidRequest: reasonText(
    'The message is JSON but no valid request, or its parameters are wrong; or it came before initialize.',
    'Read the message of the error: it names what is wrong.',
  ),
  methodNotFound: reasonText(
    'Neither the engine nor the app server has this method.',
    'Check its name. Methods marked experimental need capabilities.experimentalApi in initialize.',
  ),
  invalidParams: reasonText('The parameters of the request are wrong.', 'Read the message of the error.'),
  internalError: reasonText(
    'The request failed in the engine or the app server.',
    'Read the message; data.reason, where there is one, is a code for rc-engine explain.',
  ),
  overloaded: reasonText(
    'Too many requests of this connection wait for an answer.',
    'Wait for responses before sending more, then try again.',
  ),
  appServerUnavailable: reasonText(
    'The app server behind the engine cannot be reached.',
    'The message has the cause; rc-engine status shows it, too.',
  ),
  refusedByPolicy: reasonText(
    'This connection may not call this method.',
    'docs/authority.md says who may; --allow-method and --deny-method change it.',
  ),
  messageTooLarge: reasonText(
    'The response is too large for the remote-control link.',
    'Request less at once, for example with a limit or a cursor.',
  ),
};

/** As the listener of the engine and the backend use them. */
const HTTP_TEXTS: Readonly<Record<number, ReasonText>> = {
  101: reasonText('The WebSocket is open.', 'Nothing.'),
  400: reasonText('The request is not valid HTTP, or not a valid upgrade.', 'Use a WebSocket client.'),
  401: reasonText(
    'The credential is missing or wrong. From the listener: the token of the URL or the bearer token. From the backend: the sign-in or the server token.',
    'Listener: print the connect URL with rc-engine url. Backend: rc-engine status says whether a new sign-in is needed.',
  ),
  403: reasonText(
    'Refused whatever the credential is. From the listener: the request has an Origin header, or other users can enter the directory of the socket. From the backend: the account or the network is not allowed.',
    'Listener: connect from a program, not from a web page. Backend: read the message in rc-engine status.',
  ),
  404: reasonText(
    'From the backend: it does not know the identity of this machine. From the listener: nothing is at this path.',
    'The engine enrolls again automatically; then pair each controller again.',
  ),
  405: reasonText('Only GET is allowed there.', 'Use a WebSocket client.'),
  407: reasonText(
    'The proxy needs a user and a password.',
    'Put them into HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT',
  ),
  408: reasonText(
    'The handshake took too long.',
    'Connect again; look at the network if that does not help.',
  ),
  409: reasonText(
    'Another process is connected with the same identity.',
    'Stop that process; if it is on another machine, run rc-engine repair there.',
  ),
  426: reasonText(
    'The request is no WebSocket upgrade, or something between removes the upgrade.',
    'Use a WebSocket client, and let proxies pass upgrades.',
  ),
  429: reasonText('Too many requests.', 'Wait: the engine honors Retry-After.'),
  431: reasonText('The headers of the request are over 16 KiB or 100 lines.', 'Send fewer headers.'),
  500: reasonText('The backend failed.', 'Wait: the engine tries again automatically.'),
  502: reasonText(
    'A server between here and the backend failed.',
    'Wait: the engine tries again automatically.',
  ),
  503: reasonText(
    'Not ready, or too many connections. From the listener: the engine starts or stops, or it is full.',
    'Connect again after the time of Retry-After.',
  ),
  504: reasonText(
    'A server between here and the backend got no answer.',
    'Wait: the engine tries again automatically.',
  ),
  511: reasonText(
    'This network needs a sign-in of its own before it lets anything through.',
    'Open a browser and sign in to the network.',
  ),
};

/** A number and what it means. */
export interface NumericCode extends ReasonText {
  /** `close code 1012 (service restart)`. */
  readonly title: string;
}

const words = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

function named<K extends string>(
  kind: string,
  codes: Readonly<Record<K, number>>,
  texts: CodeTexts<K>,
): Array<readonly [number, NumericCode]> {
  return (Object.keys(codes) as K[]).map((name) => [
    codes[name],
    { title: `${kind} ${codes[name]} (${words(name)})`, ...texts[name] },
  ]);
}

const TABLE: ReadonlyMap<number, NumericCode> = new Map([
  ...named('close code', CLOSE_CODES, CLOSE_TEXTS),
  ...named('JSON-RPC error', RPC, RPC_TEXTS),
  ...Object.entries(HTTP_TEXTS).map(
    ([code, text]) => [Number(code), { title: `HTTP status ${code}`, ...text }] as const,
  ),
]);

export const NUMERIC_CODES: readonly number[] = [...TABLE.keys()];

/** @param code `1012`, `-32002`, `401` or `HTTP 401`; undefined: not a number that is used here */
export function explainNumber(code: string): NumericCode | undefined {
  const [, digits] = /^(?:http[ -]?)?(-?\d{3,5})$/i.exec(code.trim()) ?? [];
  return digits === undefined ? undefined : TABLE.get(Number(digits));
}
