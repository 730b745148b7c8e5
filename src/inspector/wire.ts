/** What the server tells a page, one JSON text each. A page tells the server nothing. */
import type { Entry, Standing } from './timeline.js';

export interface Hello {
  readonly type: 'hello';
  readonly version: number;
  /** `live`: goes on. `replay`: ends with the last entry that was saved. */
  readonly mode: 'live' | 'replay';
  readonly engine: string;
  /** Hash of each chart. */
  readonly charts: Readonly<Record<string, string>>;
  /** Of a replay: its file, and when it was saved, wall-clock ms. */
  readonly file?: string;
  readonly savedAt?: number;
  /** How everything stood before the entry `first`, which comes next. */
  readonly base: readonly Standing[];
  readonly first: number;
}

export interface Entries {
  readonly type: 'entries';
  readonly entries: readonly Entry[];
}

/** Everything up to now has been sent. */
export interface CaughtUp {
  readonly type: 'caughtUp';
  /** Actors that are not shown because there are too many. */
  readonly notShown: number;
}

export type ServerMessage = Hello | Entries | CaughtUp;
