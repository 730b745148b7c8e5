import type { Account, AuthOutcome, RecoveryOutcome } from './outcomes.js';
import type { Secret } from './secret.js';

/** What is tried after a 401, one step a call; for one failing operation or one connection loop. ACC-64 */
export interface Recovery {
  /** `renewedTokenRejected`: the refused tokens come from a renewal, and have been good for nothing yet. */
  next(signal: AbortSignal, renewedTokenRejected?: boolean): Promise<RecoveryOutcome>;
  stop(): void;
}

/**
 * Where the account comes from. `remoteControl` knows it only through this port, so that a sign-in on disk, one
 * in memory and one owned by a parent app look the same to it.
 */
export interface AccountSource {
  /** The account in memory, read from its source the first time. */
  load(): AuthOutcome | Promise<AuthOutcome>;
  /** Reads the source again, whoever is signed in there, and arms recovery anew. RC-26, RC-28 */
  reload(): AuthOutcome | Promise<AuthOutcome>;
  /**
   * The next recovery step after the backend refused the tokens. One step an attempt. RC-28
   * @param asked A request of a client waits for it: an operation of its own, which may spend a renewal. ACC-64
   */
  recover(signal: AbortSignal, asked: boolean): Promise<RecoveryOutcome>;
  /** The same for one operation of its own: its steps are not those of the connection loop. ACC-64 */
  recovery(): Recovery;
  /** A call with these tokens succeeded: the next refusal starts recovery from its first step. */
  succeeded(): void;
  /** The access token, to be revealed only where it goes on the wire. */
  accessToken(): Secret | undefined;
  /** Another account, or none, is on disk while this one is in memory. RC-26 */
  readonly differsOnDisk: boolean;
  /** Tells changes that recovery did not make itself; null: deliberately signed out. RC-29 */
  watch(onChange: (account: Account | null) => void): void;
  close(): void;
}
