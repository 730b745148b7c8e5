import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import type { Timeline } from './timeline.js';
import type { Hello, ServerMessage } from './wire.js';

/** Between two messages to a page, ms. */
const FLUSH_INTERVAL = 50;
/** The same while a page has not received the whole timeline yet, ms. */
const CATCH_UP_INTERVAL = 4;
/** Entries of one message. Messages end at multiples of this, so that pages share the same text. */
const MESSAGE_ENTRIES = 500;
/** Unsent bytes of one page above which nothing more is written to it for now. */
const HIGH_WATER = 1024 * 1024;
/** How long a page has to answer a close frame, ms. */
const CLOSE_TIMEOUT = 500;
/** Pings that a page may send. Browsers send none. */
const MAX_PINGS = 20;

interface Subscriber {
  readonly socket: WebSocket;
  /** Seq of the next entry to send. */
  next: number;
  caughtUp: boolean;
}

/**
 * The connected pages. Each one has a position in the timeline and no queue of its own. A page so slow that its next
 * entry has left the timeline is disconnected, so no page can delay the engine or the other pages.
 */
export class Subscribers {
  readonly #timeline: Timeline;
  readonly #hello: () => Omit<Hello, 'base' | 'first'>;
  readonly #onSent: (next: number) => void;
  readonly #notShown: () => number;
  readonly #subscribers = new Set<Subscriber>();
  #timer: NodeJS.Timeout | undefined;
  #behind = false;
  /** The latest message texts, by their first and last entry. */
  readonly #cache = new Map<string, string>();

  constructor(
    timeline: Timeline,
    deps: {
      readonly hello: () => Omit<Hello, 'base' | 'first'>;
      /** Called before entries up to this one are sent: they must not change any more. */
      readonly onSent: (next: number) => void;
      readonly notShown: () => number;
    },
  ) {
    this.#timeline = timeline;
    this.#hello = deps.hello;
    this.#onSent = deps.onSent;
    this.#notShown = deps.notShown;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  add(socket: WebSocket): void {
    const { first, base } = this.#timeline;
    const subscriber: Subscriber = { socket, next: first, caughtUp: false };
    this.#subscribers.add(subscriber);
    const remove = () => this.#subscribers.delete(subscriber);
    let pings = 0;
    socket.on('close', remove);
    socket.on('error', () => socket.terminate());
    socket.on('message', () =>
      this.#disconnect(subscriber, CLOSE_CODES.policyViolation, 'The inspector accepts no messages.'),
    );
    socket.on('ping', () => {
      pings += 1;
      if (pings > MAX_PINGS) socket.terminate();
    });
    send(socket, { ...this.#hello(), base, first });
    this.#schedule(true);
  }

  /** Call it for each new entry. Costs nothing while no page is connected. */
  notify(): void {
    if (this.#timer === undefined && this.#subscribers.size > 0) this.#schedule(false);
  }

  /** Sends the remaining entries, then closes every page. */
  close(message: string): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flush();
    clearTimeout(this.#timer);
    for (const subscriber of [...this.#subscribers])
      this.#disconnect(subscriber, CLOSE_CODES.goingAway, message);
  }

  #schedule(catchUp: boolean): void {
    if (this.#timer !== undefined && (this.#behind || !catchUp)) return;
    clearTimeout(this.#timer);
    this.#behind = catchUp;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#flush();
      },
      catchUp ? CATCH_UP_INTERVAL : FLUSH_INTERVAL,
    );
    // This timer must not keep the process running.
    this.#timer.unref();
  }

  #flush(): void {
    const { next, first } = this.#timeline;
    this.#onSent(next);
    let behind = false;
    let blocked = false;
    for (const subscriber of this.#subscribers) {
      const { socket } = subscriber;
      if (subscriber.next < first) {
        this.#disconnect(subscriber, CLOSE_CODES.tryAgainLater, 'This page was too slow. Reload it.');
        continue;
      }
      if (socket.bufferedAmount > HIGH_WATER) {
        blocked = true;
        continue;
      }
      const to = Math.min(next, (Math.floor(subscriber.next / MESSAGE_ENTRIES) + 1) * MESSAGE_ENTRIES);
      if (to > subscriber.next) {
        socket.send(this.#text(subscriber.next, to));
        subscriber.next = to;
      }
      if (subscriber.next < next) behind = true;
      else if (!subscriber.caughtUp) {
        subscriber.caughtUp = true;
        send(socket, { type: 'caughtUp', notShown: this.#notShown() });
      }
    }
    if (behind) this.#schedule(true);
    else if (blocked) this.#schedule(false);
  }

  #text(from: number, to: number): string {
    const key = `${from} ${to}`;
    let text = this.#cache.get(key);
    if (text === undefined) {
      text = JSON.stringify({ type: 'entries', entries: this.#timeline.slice(from, to) });
      if (this.#cache.size >= 8) this.#cache.delete(this.#cache.keys().next().value ?? '');
      this.#cache.set(key, text);
    }
    return text;
  }

  #disconnect(subscriber: Subscriber, code: number, reason: string): void {
    if (!this.#subscribers.delete(subscriber)) return;
    const { socket } = subscriber;
    socket.removeAllListeners('message');
    const timer = setTimeout(() => socket.terminate(), CLOSE_TIMEOUT);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    socket.close(code, reason);
  }
}

function send(socket: WebSocket, message: ServerMessage): void {
  socket.send(JSON.stringify(message));
}
