import type { AppServerMode } from '../../src/protocol/app-server.js';
import type { Decision } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Env, Timing } from '../../src/protocol/timing.js';

/** What the `appServer` chart starts with. */
export interface AppServerInput {
  readonly env: Env;
  readonly timing: Timing;
  /** `shared` falls back to `perClient` when the first child does not listen. */
  readonly mode: Exclude<AppServerMode, 'builtin'>;
  /** Why this mode, for people. */
  readonly modeReason: string;
}

/** The data of the `appServer` chart. */
export interface AppServerContext extends AppServerInput {
  /** Failures within the window that began with the first of them. */
  readonly recent: number;
  /** Failures since the start. */
  readonly failures: number;
  /** Exits of children that the engine did not stop, since the start. */
  readonly exits: number;
  readonly decision: Decision;
}

/** The events of the `appServer` chart. `client` is a connection id, `served` counts the clients that have an answer. */
export type AppServerEvent =
  /** The engine starts. */
  | { readonly type: 'START' }
  /** A client wants a connection and waits for `admitWaiting` or `refuseWaiting`. */
  | { readonly type: 'CLIENT.WAITS' }
  /** The client's `initialize` was passed on. */
  | { readonly type: 'INITIALIZE.SENT'; readonly client: string }
  /** The app server did not answer it in time. The chart sends this event to itself. */
  | { readonly type: 'INITIALIZE.OVERDUE'; readonly client: string }
  /** The client got its first response. */
  | { readonly type: 'ANSWERED'; readonly client: string }
  /** A connection ended, and nothing failed. */
  | { readonly type: 'CLIENT.LEFT'; readonly client: string; readonly served: number }
  /** The connection of a client failed: its child died or could not be started, or nothing answered. */
  | {
      readonly type: 'FAILED';
      readonly client: string;
      readonly served: number;
      readonly failure: Failure;
      readonly exited: boolean;
    }
  /** The engine has no file descriptors for a connection; this says nothing about the app server. */
  | { readonly type: 'STARVED'; readonly client: string; readonly failure: Failure }
  /** The shared child died. */
  | { readonly type: 'CHILD.EXITED'; readonly failure: Failure }
  /** The shared child does not accept a connection. */
  | { readonly type: 'UNREACHABLE' }
  /** The socket file of the shared child was deleted. */
  | { readonly type: 'SOCKET.GONE' }
  /** A minute has passed since the first of the recent failures. The chart sends this event to itself. */
  | { readonly type: 'WINDOW.OVER' }
  /** The engine wants new children, for example because the account changed. */
  | { readonly type: 'RESTART'; readonly cause: string };
