import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { TIMELINE_LENGTH, Timeline } from '../../timeline.js';
import type { ServerMessage } from '../../wire.js';
import { Translator } from './translator.js';

/** Past entries that the frame receives when it connects, and after it has missed some. */
export const HISTORY_ENTRIES = 500;
/** Between two flushes, ms, and entries of one flush. The frame cannot signal that it is overloaded, so both are limited. */
const FLUSH_INTERVAL = 50;
const FLUSH_ENTRIES = 100;

/** Sends the timeline to the frame at a limited rate. It has no queue: a frame that is too slow skips entries. */
export class Feed {
  readonly #translator: Translator;
  readonly #onSent: () => void;
  #timeline = new Timeline();
  #connected = false;
  /** Seq of the next entry to send; null when the frame has received nothing. */
  #next: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #caughtUp = false;
  /** Number of entries sent to the frame. */
  sent = 0;
  /** Number of entries not sent because they came too fast. */
  skipped = 0;

  constructor(
    send: (event: StatelyInspectionEvent) => void,
    charts: Readonly<Record<string, string>>,
    onSent: () => void = () => {},
  ) {
    this.#translator = new Translator(send, charts);
    this.#onSent = onSent;
  }

  receive(message: ServerMessage): void {
    switch (message.type) {
      case 'hello':
        this.#timeline = new Timeline(TIMELINE_LENGTH, message.base, message.first);
        break;
      case 'entries':
        for (const entry of message.entries) this.#timeline.add(entry);
        break;
      case 'caughtUp':
        this.#caughtUp = true;
    }
    this.#schedule();
  }

  /** A frame has connected. It has received nothing yet. */
  connect(): void {
    this.#translator.reset();
    this.#connected = true;
    this.#next = null;
    this.#schedule();
  }

  #schedule(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#flush();
    }, FLUSH_INTERVAL);
  }

  #flush(): void {
    const { first, next } = this.#timeline;
    if (!this.#connected || !this.#caughtUp) return;
    if (this.#next === null || this.#next < first) {
      const from = Math.max(first, next - HISTORY_ENTRIES);
      if (this.#next !== null) this.skipped += from - this.#next;
      this.#translator.sendStates(
        this.#timeline.actorStatesAt(from - 1),
        this.#timeline.get(from)?.time ?? Date.now(),
      );
      this.#next = from;
    }
    const entries = this.#timeline.slice(this.#next, this.#next + FLUSH_ENTRIES);
    for (const entry of entries) this.#translator.sendEntry(entry);
    this.sent += entries.length;
    this.#next += entries.length;
    if (this.#next < next) this.#schedule();
    this.#onSent();
  }
}
