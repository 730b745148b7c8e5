/** Every delay of the engine, in milliseconds. Machines and adapters read them from one `Timing` object. */
export interface Timing {
  /** First rung of the reconnect ladder; the n-th pause is half to all of min(base × 2ⁿ, cap). RC-25 */
  readonly backoffBase: number;
  readonly backoffCap: number;
  /** Pause after the first rejected token since proven life, random within the two. RC-19 */
  readonly quickRetryMin: number;
  readonly quickRetryMax: number;
  /** The two quick retries after a connection conflict. RC-24 */
  readonly handoverFirst: number;
  readonly handoverSecond: number;
  /** How long a refresh is put off after a transient failure, random within the two. RC-12, RC-14 */
  readonly refreshDeferralMin: number;
  readonly refreshDeferralMax: number;
  /** Random part added to a Retry-After. RC-25 */
  readonly retryAfterSpread: number;
  /** A token that ends within this time must be refreshed before it is used. RC-13 */
  readonly refreshRequired: number;
  /** A token that ends within this time is refreshed when that is possible. RC-13 */
  readonly refreshProactive: number;
  /** Limit of one HTTP request, body included. RC-11 */
  readonly requestTimeout: number;
  /** Limit of the socket handshake. RC-18 */
  readonly handshakeTimeout: number;
  /** Between two pings, and how long after the last pong the link is given up. RC-41 */
  readonly pingInterval: number;
  readonly pongTimeout: number;
  /** Limit of the ping sent on wake-up. RC-25a */
  readonly wakeProbeTimeout: number;
  /** How long a link must live before the ladder starts over. RC-25 */
  readonly stableAfter: number;
  /** How often the account is looked for while it is missing. RC-26 */
  readonly authPoll: number;
  /** A virtual client without messages or pings is closed after this; looked at each `idleSweep`. RC-34 */
  readonly clientIdle: number;
  readonly idleSweep: number;
  /** How long one virtual client may hold up the others. RC-41 */
  readonly clientStall: number;
  /** How long a closing socket may take before it is destroyed. RC-43 */
  readonly closeTimeout: number;
  /** How long a shutdown may take in all. RC-46 */
  readonly shutdownTimeout: number;
  /** How long data may wait for a local client before it is closed. WSA-18 */
  readonly sendStall: number;
  /** How long a local client may take to answer a close frame. */
  readonly localClose: number;
  /** How long a local connection may take to become a WebSocket. WSA-16 */
  readonly upgradeTimeout: number;
  /** How long a virtual client's app-server connection may take to open. */
  readonly appServerOpen: number;
}

export const DEFAULT_TIMING: Timing = {
  backoffBase: 1_000,
  backoffCap: 30_000,
  quickRetryMin: 100,
  quickRetryMax: 500,
  handoverFirst: 500,
  handoverSecond: 1_000,
  refreshDeferralMin: 24_000,
  refreshDeferralMax: 36_000,
  retryAfterSpread: 30_000,
  refreshRequired: 30_000,
  refreshProactive: 300_000,
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
  localClose: 10_000,
  upgradeTimeout: 10_000,
  appServerOpen: 30_000,
};

/** The sources of time and randomness, injected so that tests control both. */
export interface Env {
  /** Wall-clock milliseconds. */
  now(): number;
  /** A number from 0 up to, not including, 1. */
  random(): number;
}

/** The clock and the randomness of the system. */
export const SYSTEM_ENV: Env = { now: () => Date.now(), random: () => Math.random() };
