import { EventEmitter } from 'node:events';

/** What happened, for tests and `--json`. Holds neither tokens, pairing codes nor message content. */
export type BackendEventKind =
  | 'listening'
  | 'closed'
  | 'request'
  | 'fault'
  | 'socketOpened'
  | 'socketRefused'
  | 'socketClosed'
  | 'streamOpened'
  | 'streamClosed'
  | 'frameIn'
  | 'frameOut'
  | 'frameSkipped'
  | 'messageLost'
  | 'paired'
  | 'revoked'
  | 'stateSaved'
  | 'stateFailed';

export type EventDetail = Readonly<Record<string, string | number | boolean | null | undefined>>;
export interface BackendEvent {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly kind: BackendEventKind;
  readonly detail: EventDetail;
}

/** Events kept; older ones are forgotten. */
const KEPT_EVENTS = 10_000;

export class EventRecord extends EventEmitter<{ event: [BackendEvent] }> {
  readonly #kept: BackendEvent[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    super();
    // Tests wait on many events at once; each waiter leaves by itself.
    this.setMaxListeners(0);
    this.#now = now;
  }

  get kept(): readonly BackendEvent[] {
    return this.#kept;
  }

  add(kind: BackendEventKind, detail: EventDetail = {}): void {
    const event: BackendEvent = { at: this.#now(), kind, detail };
    this.#kept.push(event);
    if (this.#kept.length > KEPT_EVENTS * 1.1) this.#kept.splice(0, this.#kept.length - KEPT_EVENTS);
    this.emit('event', event);
  }
}
