/**
 * WebSocket close codes: the ones of RFC 6455 7.4 and of the IANA registry that this program sends or gives a meaning
 * to, and the private ones that the embedded backend sends to controllers.
 */
export const CLOSE_CODES = {
  /** The conversation is complete. */
  normal: 1000,
  /** This end shuts down for good. */
  goingAway: 1001,
  /** A frame of a kind that is not accepted, such as binary. */
  unsupportedData: 1003,
  /** Never sent: the connection was lost without a close frame. */
  abnormalClosure: 1006,
  /** The peer may not do this, or no longer: its token expired, for example. */
  policyViolation: 1008,
  /** A message over the size limit. */
  messageTooBig: 1009,
  /** This end cannot continue: the app server behind it is gone. */
  internalError: 1011,
  /** The engine stops and may come back: connect again later. */
  serviceRestart: 1012,
  /** Too much data waits for or from this peer: connect again later. */
  tryAgainLater: 1013,
  /** The controller was revoked. */
  controllerRevoked: 4403,
  /** The paired machine is not connected to the backend. */
  environmentOffline: 4404,
  /** The engine on the paired machine restarted: its conversations are lost. */
  serverRestarted: 4410,
} as const;

const REPLACED =
  /\b(?:replaced|superseded|taken over)\b.*\b(?:connection|session|socket)\b|\b(?:newer|another|duplicate)\s+(?:connection|session|socket)\b/i;

/** True when a close frame says that another connection with the same identity took the place of this one. RC-110 */
export const saysReplaced = (code: number, reason: string): boolean =>
  code !== CLOSE_CODES.abnormalClosure && REPLACED.test(reason);

const NAMES = new Map<number, string>(
  Object.entries(CLOSE_CODES).map(([name, code]) => [
    code,
    name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
  ]),
);

/** A close code for people: `1012 service restart`; an unknown code stands alone. */
export function closeCodeText(code: number): string {
  const name = NAMES.get(code);
  return name === undefined ? String(code) : `${code} ${name}`;
}
