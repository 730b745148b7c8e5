/** What the HTTP requests of the protocol need to know and to change. The embedded backend and the hub have one each. */
import type { IncomingMessage } from 'node:http';
import type { Secret } from '../protocol/secret.js';
import type { HttpError } from './http.js';

/** An enrolled machine. */
export interface ServerIdentity {
  readonly serverId: string;
  readonly environmentId: string;
  readonly accountId: string;
  readonly installationId: string;
  readonly name: string;
}

/** A paired controller. */
export interface ControllerIdentity {
  readonly clientId: string;
  readonly environmentId: string;
  readonly displayName: string | null;
  /** Wall-clock milliseconds. */
  readonly createdAt: number;
  readonly lastSeenAt: number | null;
}

export interface EnrollRequest {
  readonly accountId: string;
  readonly installationId: string;
  readonly name: string;
  readonly os: string;
  readonly arch: string;
  readonly appServerVersion: string;
}

export interface ServerGrant {
  readonly server: ServerIdentity;
  readonly token: Secret;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

export interface PairingStarted {
  readonly pairingCode: Secret;
  readonly manualPairingCode: Secret | null;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** One of the two codes, as the peer sent it. */
export type PresentedCode = { readonly kind: 'pairing' | 'manual'; readonly text: string };

interface TooManyAttempts {
  readonly kind: 'tooManyAttempts';
  readonly retryAfterSeconds: number;
}
export type StatusResult =
  | { readonly kind: 'known'; readonly claimed: boolean }
  | { readonly kind: 'unknownCode' }
  | TooManyAttempts;
export type ClaimResult =
  | {
      readonly kind: 'claimed';
      readonly controller: ControllerIdentity;
      readonly token: Secret;
      readonly server: ServerIdentity;
    }
  | { readonly kind: 'unknownCode' }
  | TooManyAttempts
  | { readonly kind: 'otherEnvironment' }
  | { readonly kind: 'tooManyControllers' };

type Awaitable<T> = T | Promise<T>;

export interface Directory {
  /** The account of the bearer token of a request. Throws HttpError. */
  authenticateAccount(request: IncomingMessage): Awaitable<string>;
  /** Undefined: there is no room for one more, now. Throws HttpError. */
  enroll(request: EnrollRequest): Awaitable<ServerGrant | undefined>;
  /** The server, if it belongs to that account. */
  findServer(serverId: string, accountId: string): Awaitable<ServerIdentity | undefined>;
  /** Issues a new token for the server. */
  grant(server: ServerIdentity): Awaitable<ServerGrant>;
  /** Undefined: the token is unknown or expired. */
  serverOfToken(token: string): Awaitable<ServerIdentity | undefined>;
  /** The refusal of a request with a wrong token. */
  wrongToken(request: IncomingMessage, token: string): HttpError;
  startPairing(server: ServerIdentity, withManualCode: boolean): Awaitable<PairingStarted>;
  pairingStatus(server: ServerIdentity, code: PresentedCode): Awaitable<StatusResult>;
  /**
   * @param peer Address of the peer.
   * @param expected Id or name of the environment that the code must be for; the code of another one is not used up.
   */
  claim(
    code: PresentedCode,
    displayName: string | null,
    peer: string,
    expected: string | undefined,
  ): Awaitable<ClaimResult>;
  /** The account that the environment belongs to. */
  accountOf(environmentId: string): Awaitable<string | undefined>;
  controllersOf(environmentId: string): Awaitable<readonly ControllerIdentity[]>;
  /** Removes a controller and closes its sockets. False: the environment has no such controller. */
  revoke(environmentId: string, clientId: string): Awaitable<boolean>;
}
