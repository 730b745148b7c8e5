import type { AppServerConnection, AppServerEvents } from '../protocol/app-server.js';
import { type Failure, failure } from '../protocol/outcomes.js';
import type { Reason } from '../protocol/reasons.js';
import { errnoOf } from '../system/errno.js';

/** What a connector reports about one connection. */
export interface ConnectorEvents extends AppServerEvents {
  /** Just before `onClose`: the end is a failure of the app server. `exited`: its process died. */
  onFailed(failure: Failure, exited: boolean): void;
}

/** Connects one client to an app server. It decides nothing and tries nothing twice. */
export interface Connector {
  /**
   * @throws ConnectError when it cannot be reached; rejects when `signal` is aborted, and then nothing stays open.
   */
  connect(events: ConnectorEvents, signal: AbortSignal): Promise<AppServerConnection>;
  /** Ends everything that still runs. Resolves when it has ended. */
  close(): Promise<void>;
  /** Child processes that run now. */
  readonly children: number;
}

/** A connection could not be opened. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError';
  readonly failure: Failure;
  /** The engine has no file descriptors left: not a failure of the app server. */
  readonly starved: boolean;

  constructor(reason: Reason, message: string, cause: unknown) {
    super(message, { cause });
    this.starved = isStarved(cause);
    this.failure = failure(this.starved ? 'outOfDescriptors' : reason, message, Date.now());
  }
}

/** The engine, or the system, has no file descriptors left. */
export function isStarved(error: unknown): boolean {
  const code = errnoOf(error);
  return code === 'EMFILE' || code === 'ENFILE';
}

/** Why a command could not be started. */
export function startFailureReason(error: unknown): Reason {
  const code = errnoOf(error);
  if (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR') return 'appServerNotFound';
  return isStarved(error) ? 'outOfDescriptors' : 'appServerFailed';
}
