import type { StatelyInspectionEvent } from '@statelyai/inspect';

/** The only place that anything is sent to. The page's policy lets nothing else be framed. */
export const STATELY = 'https://stately.ai';

const CONNECTED = '@statelyai.connected';
const DISCONNECTED = { type: '@statelyai.disconnected' };

/**
 * The frame of the Stately inspector. The library's own adapter for browsers listens to any window, sends to any
 * origin, and keeps the last 200 events, without the actors that they belong to; this one names both sides and
 * keeps nothing: whoever connects is told how everything stands.
 */
export class StatelyFrame {
  readonly #frame: HTMLIFrameElement;
  #connected = false;

  constructor(frame: HTMLIFrameElement, onConnected: () => void) {
    this.#frame = frame;
    addEventListener('message', ({ source, origin, data }: MessageEvent<unknown>) => {
      if (source === null || source !== frame.contentWindow || origin !== STATELY) return;
      if (typeof data !== 'object' || data === null || !('type' in data) || data.type !== CONNECTED) return;
      this.#connected = true;
      onConnected();
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    this.#frame.src = `${STATELY}/inspect`;
  }

  stop(): void {
    if (this.#connected) this.#post(DISCONNECTED);
  }

  send(event: StatelyInspectionEvent): void {
    if (this.#connected) this.#post(event);
  }

  #post(message: object): void {
    this.#frame.contentWindow?.postMessage(message, STATELY);
  }
}
