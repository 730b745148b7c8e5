import { createHash, timingSafeEqual } from 'node:crypto';
import { EngineError } from '../protocol/errors.js';
import type { Secret } from '../protocol/secret.js';

/** Prefix of every path, before `/wham/…`. RC-1 */
export const BASE_PATH = '/backend-api';

/** Which account tokens are accepted: any that is not empty (development), or one (embedded in an engine). */
export type AccountPolicy = { readonly kind: 'any' } | { readonly kind: 'only'; readonly token: Secret };

export function isAccountToken(policy: AccountPolicy, token: string): boolean {
  if (policy.kind === 'any') return token !== '';
  const actual = createHash('sha256').update(token).digest();
  const expected = createHash('sha256').update(policy.token.reveal()).digest();
  return timingSafeEqual(actual, expected);
}

/** Every duration of the backend, in milliseconds. */
export interface BackendTiming {
  /** Lifetime of a server token. Default 1 hour. */
  readonly serverToken: number;
  /** Lifetime of a pairing code. Default 10 minutes. */
  readonly pairingCode: number;
  /** How long a new controller waits for a server that is not connected. Default 5 s. */
  readonly offlineHold: number;
  /** How long a connected controller waits for its server to reconnect. Default 30 s. */
  readonly reconnectHold: number;
  /** How long the streams of a controller with numbered frames wait for its next socket. Default 10 minutes. */
  readonly controllerHold: number;
  /** Between two pings of a virtual client, which keep the server from closing it as idle. Default 20 s. RC-34 */
  readonly streamPing: number;
  /** Between two pings of a socket. A socket that sends nothing until the next ping is destroyed. Default 30 s. */
  readonly heartbeat: number;
  /** From a send to the ping that confirms that the server has received it. Default 250 ms. */
  readonly deliveryCheck: number;
}

export const DEFAULT_BACKEND_TIMING: BackendTiming = {
  serverToken: 3_600_000,
  pairingCode: 600_000,
  offlineHold: 5_000,
  reconnectHold: 30_000,
  controllerHold: 600_000,
  streamPing: 20_000,
  heartbeat: 30_000,
  deliveryCheck: 250,
};

export interface BackendOptions {
  /** Address to listen on, loopback only. Default `http://127.0.0.1:0`: any free port. */
  readonly listen?: string;
  /** Accepted account tokens. Default: any token. */
  readonly accounts?: AccountPolicy;
  /** JSON file for identities and controllers, mode 0600; it holds hashes of tokens, never tokens. Default: memory only. */
  readonly stateFile?: string;
  readonly timing?: Partial<BackendTiming>;
  /** A second socket of one server replaces the first, or is refused with 409. Default `replace`. */
  readonly onSecondSocket?: 'replace' | 'conflict';
  /** Serve `POST /__faults`. Default false. */
  readonly faults?: boolean;
  /** Also record an event for every frame, without its content. Default false. */
  readonly recordFrames?: boolean;
  /** Wall clock, milliseconds. Default Date.now. */
  readonly now?: () => number;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Parses `listen`. Throws EngineError `usage` for another host: the backend trusts every peer, so it must stay local. */
export function parseListen(text: string): ListenAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const refuse = (problem: string): never => {
    throw new EngineError('usage', `the embedded backend cannot listen on ${text}: ${problem}`, {
      remediation: 'Use a loopback address, for example http://127.0.0.1:8787.',
    });
  };
  if (url === undefined || url.protocol !== 'http:')
    return refuse('it is not an http URL with a port of at most 65535');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return refuse('only host and port are allowed');
  }
  if (url.pathname !== '/' && url.pathname.replace(/\/$/, '') !== BASE_PATH) {
    return refuse(`the only allowed path is ${BASE_PATH}`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host !== 'localhost' && host !== '::1' && !/^127\.\d+\.\d+\.\d+$/.test(host)) {
    return refuse('it is not a loopback address');
  }
  return { host, port: url.port === '' ? 80 : Number(url.port) };
}
