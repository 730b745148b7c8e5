import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';

export interface ListenerLimits {
  /** Open connections. Default 1,024. WSA-16 */
  readonly maxConnections: number;
  /** Largest inbound message, bytes. Default 16 MiB. WSA-17 */
  readonly maxMessageBytes: number;
  readonly maxHandshakes: number;
  /** ms until an upgrade must be complete. */
  readonly upgradeTimeout: number;
}

/** PEM text. */
export interface TlsIdentity {
  readonly cert: string;
  readonly key: string;
}

/** An accepted connection, its socket open. */
export interface AcceptedConnection {
  readonly ws: WebSocket;
  /** The stream below, for what it says of bytes and drains. */
  readonly stream: Socket;
  /** Shared by all that were let in for the same reason: thousands a second may come. */
  readonly verdict: Verdict;
  /** Wall-clock ms at which the credential ends; null: it does not. */
  readonly expiresAt: number | null;
}

export interface Health {
  /** False turns `/readyz` to 503. */
  readonly ready: boolean;
  /** What it says; no secrets. */
  readonly body: object;
}

/** Whoever runs the listener: it decides and keeps the books, the listener does what it says. */
export interface LocalListenerDeps {
  decide(facts: UpgradeFacts): Verdict;
  /** `detail` is fixed text that holds nothing of the request. */
  onRejected(verdict: Verdict, peer: string, detail: string | null): void;
  onAccepted(connection: AcceptedConnection): void;
  health(): Health;
  now(): number;
}
