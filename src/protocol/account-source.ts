import type { Account, AuthOutcome, RecoveryOutcome } from './outcomes.js';
import type { Secret } from './secret.js';

/** Recovery after a 401, for one failing operation. Each call takes one step. ACC-64 */
export interface Recovery {
  /**
   * Takes the next step. Rejects with the reason of `signal`.
   * @param renewedTokenRejected The refused tokens come from a refresh, and no call has succeeded with them. Then
   * another refresh would not help. Default false.
   */
  next(signal: AbortSignal, renewedTokenRejected?: boolean): Promise<RecoveryOutcome>;
  stop(): void;
}

/**
 * Where remote control gets its account from: the account file, memory, or a parent app. An embedding program can
 * provide its own.
 */
export interface AccountSource {
  /** The account in memory. The first call reads it from the source. */
  load(): AuthOutcome | Promise<AuthOutcome>;
  /** Reads the source again and adopts whatever it says. The next recovery starts from its first step. RC-26, RC-28 */
  reload(): AuthOutcome | Promise<AuthOutcome>;
  /**
   * Takes the next recovery step of the connection loop, after the backend refused the tokens. RC-28
   * @param clientWaits A client waits for the result: a refresh is allowed even if the refused tokens come from one.
   * ACC-64
   */
  recover(signal: AbortSignal, clientWaits: boolean): Promise<RecoveryOutcome>;
  /**
   * A person or a client asks for another attempt: the next recovery starts from its first step, and may refresh tokens
   * again that come from a refresh. Optional. ACC-68
   */
  restartRecovery?(): void;
  /** A recovery for one other operation, with steps of its own. ACC-64 */
  recovery(): Recovery;
  /** A call with these tokens succeeded: the next refusal starts recovery from its first step. */
  succeeded(): void;
  /** Reveal it only to write it to a request. Undefined: there is no account. */
  accessToken(): Secret | undefined;
  /** The account file holds another account than the one in memory, or none. RC-26 */
  readonly differsOnDisk: boolean;
  /**
   * Watches the source until `close`.
   * @param onChange Called for each change that recovery did not cause. Null: nobody is signed in. RC-29
   */
  watch(onChange: (account: Account | null) => void): void;
  close(): void;
}
