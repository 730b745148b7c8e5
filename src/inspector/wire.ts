/** The messages of the server to a page, each as JSON text. A page sends no messages. */
import type { ActorState, Entry } from './timeline.js';

export interface Hello {
  readonly type: 'hello';
  readonly version: number;
  /** `live` continues; `replay` ends with the last saved entry. */
  readonly mode: 'live' | 'replay';
  readonly engine: string;
  /** Hash of each chart, by its name. */
  readonly charts: Readonly<Record<string, string>>;
  /** Only in a replay: the name of the file, and when it was saved (wall clock, ms). */
  readonly file?: string;
  readonly savedAt?: number;
  /** The engine ran before the recording began: wall clock of its begin, ms. */
  readonly attachedAt?: number;
  /** The state of each actor before the entry `first`, which is sent next. */
  readonly base: readonly ActorState[];
  readonly first: number;
}

interface EntriesMessage {
  readonly type: 'entries';
  readonly entries: readonly Entry[];
}

/** Every entry up to now is sent. */
interface CaughtUp {
  readonly type: 'caughtUp';
  /** Number of actors that are not shown because there are too many. */
  readonly notShown: number;
}

export type ServerMessage = Hello | EntriesMessage | CaughtUp;

/** WebSocket subprotocol of the timeline. The session follows it as a second one: a page can send no other header. */
export const SESSION_PROTOCOL = 'rc-inspector';
