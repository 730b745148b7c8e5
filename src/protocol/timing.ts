/** Every delay of the engine, in milliseconds. The defaults are those of `DEFAULT_TIMING`. */
export interface Timing {
  /** Backoff between connection attempts: the n-th pause is 50 to 100 % of min(base × 2ⁿ, cap). RC-25 */
  readonly backoffBase: number;
  /** Longest pause of the backoff. */
  readonly backoffCap: number;
  /** Pause after the first rejected server token since the link was stable, random between min and max. RC-19 */
  readonly quickRetryMin: number;
  /** See `quickRetryMin`. */
  readonly quickRetryMax: number;
  /** Pause before the first quick retry after a connection conflict. RC-24 */
  readonly handoverFirst: number;
  /** Pause before the second one. */
  readonly handoverSecond: number;
  /** Conflicts that last longer cannot come from a connection of this engine that the backend still holds. RC-110 */
  readonly conflictPersists: number;
  /** Pause before a token refresh is tried again after a temporary failure, random between min and max. RC-12, RC-14 */
  readonly refreshDeferralMin: number;
  /** See `refreshDeferralMin`. */
  readonly refreshDeferralMax: number;
  /** Most that is added at random to a Retry-After. RC-25 */
  readonly retryAfterSpread: number;
  /** A server token that expires within this time is refreshed before it is used. RC-13 */
  readonly refreshRequired: number;
  /** A server token that expires within this time is refreshed if possible, and used if not. RC-13 */
  readonly refreshProactive: number;
  /** How long a pairing waits until remote control has a link, and with it an identity and a server token. RC-47 */
  readonly identityWait: number;
  /** Limit of one HTTP request, body included. RC-11 */
  readonly requestTimeout: number;
  /** Limit of the WebSocket handshake with the backend. RC-18 */
  readonly handshakeTimeout: number;
  /** Time between two pings to the backend. RC-41 */
  readonly pingInterval: number;
  /** Time without a pong after which the link counts as lost. RC-41 */
  readonly pongTimeout: number;
  /** Limit of the ping after a wake-up. RC-25a */
  readonly wakeProbeTimeout: number;
  /** A link that has been open for this time counts as stable: the failure counters start over. RC-25 */
  readonly stableAfter: number;
  /** Time between two checks for a missing account. RC-26 */
  readonly authPoll: number;
  /** A virtual client without a message or ping for this time is closed. RC-34 */
  readonly clientIdle: number;
  /** Time between two checks for idle virtual clients. RC-34 */
  readonly idleSweep: number;
  /** How long one virtual client may block the others. RC-41 */
  readonly clientStall: number;
  /** How long a closing socket may take before it is destroyed. RC-43 */
  readonly closeTimeout: number;
  /** Limit of a complete shutdown. RC-46 */
  readonly shutdownTimeout: number;
  /** A local client that reads nothing of queued data for this time is closed. WSA-18 */
  readonly sendStall: number;
  /** A local client from which nothing was received for this time gets a ping. RC-86 */
  readonly localSilence: number;
  /** Time between two checks for silent local clients. RC-86 */
  readonly localSweep: number;
  /** How long a local client may take to answer a ping; after two pings it is closed. RC-86 */
  readonly localPong: number;
  /** How long a local client may take to answer a close frame. */
  readonly localClose: number;
  /** Limit of the upgrade of a local connection to WebSocket. WSA-16 */
  readonly upgradeTimeout: number;
  /** Time between two readings of the certificate files of the listener. WSA-53 */
  readonly certificatePoll: number;
  /** A connection on this machine that has sent no valid `initialize` for this time is closed. WSA-36 */
  readonly initializeTimeout: number;
  /** Limit for opening the app-server connection of a virtual client. */
  readonly appServerOpen: number;
  /** How long a shared app server may take until it listens on its socket. */
  readonly appServerListen: number;
  /** How long an app server may take to answer `initialize`. */
  readonly appServerInitialize: number;
  /** Five failures within this time are too many. */
  readonly appServerWindow: number;
  /** Time between two attempts at a socket that failed too often. */
  readonly appServerProbe: number;
  /** Time between two checks whether the socket file of a shared app server still exists. */
  readonly appServerCheck: number;
  /** How long the exit of a shared app server may take to be reported after its socket is gone. */
  readonly appServerExit: number;
  /**
   * After the end of stdin over stdio, while requests are open: how long the app server may take for its first message,
   * and for each further one, before it gets the end of its input. RC-77
   */
  readonly stdioFirstAnswer: number;
  readonly stdioNextAnswer: number;
  /** How long it may then take for the responses that are still open. RC-77 */
  readonly stdioLastAnswer: number;
  /** How long it may run after the last response, when its input has ended. RC-77 */
  readonly stdioFinish: number;
}

/** The default delays, in milliseconds. */
export const DEFAULT_TIMING: Timing = {
  backoffBase: 1_000,
  backoffCap: 30_000,
  quickRetryMin: 100,
  quickRetryMax: 500,
  handoverFirst: 500,
  handoverSecond: 1_000,
  conflictPersists: 120_000,
  refreshDeferralMin: 24_000,
  refreshDeferralMax: 36_000,
  retryAfterSpread: 30_000,
  refreshRequired: 30_000,
  refreshProactive: 300_000,
  identityWait: 30_000,
  requestTimeout: 30_000,
  handshakeTimeout: 30_000,
  pingInterval: 10_000,
  pongTimeout: 60_000,
  wakeProbeTimeout: 5_000,
  stableAfter: 60_000,
  authPoll: 1_000,
  clientIdle: 600_000,
  idleSweep: 30_000,
  clientStall: 5_000,
  closeTimeout: 800,
  shutdownTimeout: 5_000,
  sendStall: 30_000,
  localSilence: 45_000,
  localSweep: 10_000,
  localPong: 25_000,
  localClose: 10_000,
  upgradeTimeout: 10_000,
  certificatePoll: 5_000,
  initializeTimeout: 15_000,
  appServerOpen: 45_000,
  appServerListen: 10_000,
  appServerInitialize: 30_000,
  appServerWindow: 60_000,
  appServerProbe: 1_000,
  appServerCheck: 10_000,
  appServerExit: 1_000,
  stdioFirstAnswer: 12_000,
  stdioNextAnswer: 60_000,
  stdioLastAnswer: 10_000,
  stdioFinish: 2_000,
};

/** The sources of time and randomness, injected so that tests control both. */
export interface Env {
  /** Wall-clock milliseconds: for times that people and other machines read. It may be corrected at any moment. */
  now(): number;
  /** Milliseconds of a clock that only advances: for pauses, limits and ages. */
  monotonic(): number;
  /** A number from 0 up to, not including, 1. */
  random(): number;
}

/** The clock and the randomness of the system. */
export const SYSTEM_ENV: Env = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  random: () => Math.random(),
};

/**
 * The wall-clock time of a monotonic one, by the clock as it is set now. After a correction of the clock, a state that
 * began ten minutes ago is still ten minutes old.
 */
export function wallTimeOf(env: Pick<Env, 'now' | 'monotonic'>, at: number): number {
  const measured = env.now() - env.monotonic();
  const known = offsets.get(env);
  // The two clocks tick at different moments: without this, a time would be a millisecond later in the next status.
  const offset = known !== undefined && Math.abs(measured - known) < SAME_OFFSET ? known : measured;
  offsets.set(env, offset);
  return Math.round(offset + at);
}

/** Differences between the clocks that are no correction, ms. */
const SAME_OFFSET = 5;
/** The difference between both clocks of an environment when it was last measured. */
const offsets = new WeakMap<object, number>();

/** Delays of `rc-engine connect`, ms. */
export const CONTROLLER_TIMING = {
  /** A new local connection waits this long for a link. */
  newStreamWait: 30_000,
  /** As long as the embedded backend keeps the streams without a link, and an engine an idle one. RC-34 */
  streamHold: 600_000,
} as const;
