import type { StatelyInspectionEvent } from '@statelyai/inspect';
import { TIMELINE_LENGTH, Timeline } from '../../timeline.js';
import type { ServerMessage } from '../../wire.js';
import { Translator } from './translator.js';

/** Entries of the past that a frame is told when it connects, and after it has missed some. */
export const HISTORY = 500;
/** Between two rounds, ms, and entries of one round: a frame has no way to say that it is too much. */
const EVERY = 50;
const ROUND = 100;

/** Tells a frame what happens, from the timeline on: there is no queue to grow, and one that is too slow skips. */
export class Feed {
  readonly #translator: Translator;
  readonly #onTold: () => void;
  #timeline = new Timeline();
  #connected = false;
  /** Seq of the entry that the frame needs next; null while it knows nothing. */
  #next: number | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #caughtUp = false;
  /** Entries that the frame was told, and that it was not told because they came too fast. */
  told = 0;
  skipped = 0;

  constructor(
    send: (event: StatelyInspectionEvent) => void,
    charts: Readonly<Record<string, string>>,
    onTold: () => void = () => {},
  ) {
    this.#translator = new Translator(send, charts);
    this.#onTold = onTold;
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
    this.#arm();
  }

  /** A frame is there, and knows nothing. */
  connect(): void {
    this.#translator.forget();
    this.#connected = true;
    this.#next = null;
    this.#arm();
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, EVERY);
  }

  #pump(): void {
    const { first, next } = this.#timeline;
    if (!this.#connected || !this.#caughtUp) return;
    if (this.#next === null || this.#next < first) {
      const from = Math.max(first, next - HISTORY);
      if (this.#next !== null) this.skipped += from - this.#next;
      this.#translator.stand(
        this.#timeline.standingAt(from - 1),
        this.#timeline.get(from)?.time ?? Date.now(),
      );
      this.#next = from;
    }
    const entries = this.#timeline.slice(this.#next, this.#next + ROUND);
    for (const entry of entries) this.#translator.entry(entry);
    this.told += entries.length;
    this.#next += entries.length;
    if (this.#next < next) this.#arm();
    this.#onTold();
  }
}
