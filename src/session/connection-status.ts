import type { Origin } from '../protocol/app-server.js';
import type { AuthorityMode, UpgradeOutcome } from '../protocol/authority.js';
import type { Reason } from '../protocol/reasons.js';

/** One connection of a client on this machine, as status lists it. Holds no secret. Times are wall-clock ms. */
export interface ConnectionStatus {
  readonly id: string;
  readonly origin: Exclude<Origin, 'remote' | 'control'>;
  /** `inherited`: the streams of the process itself; whoever started it holds them. */
  readonly mode: AuthorityMode | 'inherited';
  readonly outcome: UpgradeOutcome;
  readonly reason: Reason;
  readonly state: string;
  /** Nothing is read from it for now: its app server takes nothing more. */
  readonly held: boolean;
  readonly since: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly peer: string;
  /** What the client called itself in `initialize`. */
  readonly client: string | null;
  /** When its signed token ends, skew included. */
  readonly expiresAt: number | null;
}
