import type { WebSocket } from 'ws';
import { CLOSE_CODES } from '../protocol/close-codes.js';
import type { Timeline } from './timeline.js';
import type { Hello, ServerMessage } from './wire.js';

/** Between two looks at what is new, ms. */
const EVERY = 50;
/** While a page has not caught up, ms. */
const EVERY_WHILE_BEHIND = 4;
/** Entries of one message. Messages end at multiples of this, so that pages share them. */
const CHUNK = 500;
/** Unsent bytes of one page at which nothing more is written for now. */
const HIGH_WATER = 1024 * 1024;
/** A page that was told to go has this long, ms. */
const GOODBYE = 500;
/** Pings that a page may send; browsers send none. */
const MAX_PINGS = 20;

interface Browser {
  readonly socket: WebSocket;
  /** Seq of the entry that it needs next. */
  next: number;
  caughtUp: boolean;
}

/**
 * The pages that look on. Each has a place in the timeline and no queue of its own: one that is too slow for what
 * the timeline keeps is let go, and nobody waits for it.
 */
export class Browsers {
  readonly #timeline: Timeline;
  readonly #hello: () => Omit<Hello, 'base' | 'first'>;
  readonly #told: (next: number) => void;
  readonly #notShown: () => number;
  readonly #browsers = new Set<Browser>();
  #timer: NodeJS.Timeout | undefined;
  #behind = false;
  /** The messages that were sent last, by their first entry. */
  readonly #texts = new Map<string, string>();

  constructor(
    timeline: Timeline,
    ask: {
      readonly hello: () => Omit<Hello, 'base' | 'first'>;
      /** Entries before this one are on their way. */
      readonly told: (next: number) => void;
      readonly notShown: () => number;
    },
  ) {
    this.#timeline = timeline;
    this.#hello = ask.hello;
    this.#told = ask.told;
    this.#notShown = ask.notShown;
  }

  get size(): number {
    return this.#browsers.size;
  }

  add(socket: WebSocket): void {
    const { first, base } = this.#timeline;
    const browser: Browser = { socket, next: first, caughtUp: false };
    this.#browsers.add(browser);
    const forget = () => this.#browsers.delete(browser);
    let pings = 0;
    socket.on('close', forget);
    socket.on('error', () => socket.terminate());
    socket.on('message', () =>
      this.#dismiss(browser, CLOSE_CODES.policyViolation, 'The inspector takes no messages.'),
    );
    socket.on('ping', () => {
      pings += 1;
      if (pings > MAX_PINGS) socket.terminate();
    });
    send(socket, { ...this.#hello(), base, first });
    this.#arm(true);
  }

  /** There is something new. Costs nothing while nobody looks on. */
  wake(): void {
    if (this.#timer === undefined && this.#browsers.size > 0) this.#arm(false);
  }

  /** Sends what is left, and says goodbye. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pump();
    clearTimeout(this.#timer);
    for (const browser of [...this.#browsers])
      this.#dismiss(browser, CLOSE_CODES.goingAway, 'The engine has stopped.');
  }

  #arm(soon: boolean): void {
    if (this.#timer !== undefined && (this.#behind || !soon)) return;
    clearTimeout(this.#timer);
    this.#behind = soon;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#pump();
      },
      soon ? EVERY_WHILE_BEHIND : EVERY,
    );
    // The engine, or the replay, decides how long the process lives.
    this.#timer.unref();
  }

  #pump(): void {
    const { next, first } = this.#timeline;
    this.#told(next);
    let behind = false;
    let held = false;
    for (const browser of this.#browsers) {
      const { socket } = browser;
      if (browser.next < first) {
        this.#dismiss(browser, CLOSE_CODES.tryAgainLater, 'This page was too slow to follow. Reload it.');
        continue;
      }
      if (socket.bufferedAmount > HIGH_WATER) {
        held = true;
        continue;
      }
      const to = Math.min(next, (Math.floor(browser.next / CHUNK) + 1) * CHUNK);
      if (to > browser.next) {
        socket.send(this.#text(browser.next, to));
        browser.next = to;
      }
      if (browser.next < next) behind = true;
      else if (!browser.caughtUp) {
        browser.caughtUp = true;
        send(socket, { type: 'caughtUp', notShown: this.#notShown() });
      }
    }
    if (behind) this.#arm(true);
    else if (held) this.#arm(false);
  }

  #text(from: number, to: number): string {
    const key = `${from} ${to}`;
    let text = this.#texts.get(key);
    if (text === undefined) {
      text = JSON.stringify({ type: 'entries', entries: this.#timeline.slice(from, to) });
      if (this.#texts.size >= 8) this.#texts.delete(this.#texts.keys().next().value ?? '');
      this.#texts.set(key, text);
    }
    return text;
  }

  #dismiss(browser: Browser, code: number, why: string): void {
    if (!this.#browsers.delete(browser)) return;
    const { socket } = browser;
    socket.removeAllListeners('message');
    const timer = setTimeout(() => socket.terminate(), GOODBYE);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
    socket.close(code, why);
  }
}

function send(socket: WebSocket, message: ServerMessage): void {
  socket.send(JSON.stringify(message));
}
