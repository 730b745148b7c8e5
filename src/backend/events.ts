import { EventEmitter } from 'node:events';

/** Kind of an event, for tests and `backend --json`. Events hold no tokens, pairing codes or message content. */
type BackendEventKind =
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
  /** Two engines with one installation id have been connected at the same time. RC-110 */
  | 'duplicateInstallation'
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

/** Events in memory; the oldest are removed first. */
const MAX_EVENTS = 10_000;

export class EventLog extends EventEmitter<{ event: [BackendEvent] }> {
  readonly #recorded: BackendEvent[] = [];
  readonly #now: () => number;

  constructor(now: () => number) {
    super();
    // Tests wait for many events at once; each waiter removes its own listener.
    this.setMaxListeners(0);
    this.#now = now;
  }

  get recorded(): readonly BackendEvent[] {
    return this.#recorded;
  }

  add(kind: BackendEventKind, detail: EventDetail = {}): void {
    const event: BackendEvent = { at: this.#now(), kind, detail };
    this.#recorded.push(event);
    if (this.#recorded.length > MAX_EVENTS * 1.1)
      this.#recorded.splice(0, this.#recorded.length - MAX_EVENTS);
    this.emit('event', event);
  }
}
