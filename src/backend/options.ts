import { EngineError } from '../protocol/errors.js';
import type { Secret } from '../protocol/secret.js';

/** Whose account tokens are taken: any that is not empty (development), or one (embedded in an engine). */
export type AccountPolicy = { readonly kind: 'any' } | { readonly kind: 'only'; readonly token: Secret };

/** Every delay of the backend, in milliseconds. */
export interface BackendTiming {
  /** Life of a server token. */
  readonly serverToken: number;
  /** Life of a pairing code. */
  readonly pairingCode: number;
  /** How long a controller that arrives waits for a server that is not connected. */
  readonly offlineHold: number;
  /** How long a controller that was being served waits for its server to come back. */
  readonly reconnectHold: number;
  /** Between two pings of a virtual client, so that the server does not take it for idle. RC-34 */
  readonly streamPing: number;
  /** Between two pings of a socket; one that has not answered by the next is ended. */
  readonly heartbeat: number;
  /** How soon after sending the server is asked whether it has taken what was sent. */
  readonly proof: number;
}

export const DEFAULT_BACKEND_TIMING: BackendTiming = {
  serverToken: 3_600_000,
  pairingCode: 600_000,
  offlineHold: 5_000,
  reconnectHold: 30_000,
  streamPing: 20_000,
  heartbeat: 30_000,
  proof: 250,
};

export interface BackendOptions {
  /** Where to listen, `http://127.0.0.1:PORT`; loopback only. Default port 0: a free one. */
  readonly listen?: string;
  /** Default: any token. */
  readonly accounts?: AccountPolicy;
  /** JSON file that keeps identities and clients (hashes of tokens, never tokens), mode 0600. Default: memory only. */
  readonly stateFile?: string;
  readonly timing?: Partial<BackendTiming>;
  /** A second socket of one server takes the place of the first, or is refused with 409. Default `replace`. */
  readonly onSecondSocket?: 'replace' | 'conflict';
  /** Serve `POST /__faults`. Default false. */
  readonly faults?: boolean;
  /** Also record every frame (without content) as an event. Default false. */
  readonly recordFrames?: boolean;
  /** Wall-clock milliseconds. Default Date.now. */
  readonly now?: () => number;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `listen`. Throws EngineError `usage`: the backend trusts its peers as only this machine's may be. */
export function parseListen(text: string): ListenAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const refuse = (because: string): never => {
    throw new EngineError('usage', `the embedded backend cannot listen on ${text}: ${because}`, {
      remediation: 'Give an address of this machine, as in http://127.0.0.1:8787.',
    });
  };
  if (url === undefined || url.protocol !== 'http:') return refuse('it is no http URL');
  if (url.username !== '' || url.password !== '' || url.search !== '' || url.hash !== '') {
    return refuse('it holds more than host and port');
  }
  if (url.pathname !== '/' && url.pathname.replace(/\/$/, '') !== BASE_PATH) {
    return refuse(`its path is always ${BASE_PATH}`);
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host !== 'localhost' && host !== '::1' && !/^127\.\d+\.\d+\.\d+$/.test(host)) {
    return refuse('it is not of this machine');
  }
  return { host, port: url.port === '' ? 80 : Number(url.port) };
}

/** What stands before `/wham/…` in every path. RC-1 */
export const BASE_PATH = '/backend-api';
