import type { StatelyInspectionEvent } from '@statelyai/inspect';

/** The only origin that messages are sent to. The content security policy of the page allows no other frame. */
const STATELY_ORIGIN = 'https://stately.ai';

const CONNECTED = '@statelyai.connected';
const DISCONNECTED = { type: '@statelyai.disconnected' };

/**
 * The frame of the Stately inspector. The browser adapter of the library is not used: it listens to any window, sends
 * to any origin, and buffers the last 200 events without the actors that they belong to. This class checks window and
 * origin and buffers nothing; a frame that connects receives the current state of each actor.
 */
export class StatelyFrame {
  readonly #frame: HTMLIFrameElement;
  #connected = false;

  constructor(frame: HTMLIFrameElement, onConnected: () => void) {
    this.#frame = frame;
    addEventListener('message', ({ source, origin, data }: MessageEvent<unknown>) => {
      if (source === null || source !== frame.contentWindow || origin !== STATELY_ORIGIN) return;
      if (typeof data !== 'object' || data === null || !('type' in data) || data.type !== CONNECTED) return;
      this.#connected = true;
      onConnected();
    });
  }

  get connected(): boolean {
    return this.#connected;
  }

  start(): void {
    this.#frame.src = `${STATELY_ORIGIN}/inspect`;
  }

  stop(): void {
    if (this.#connected) this.#post(DISCONNECTED);
  }

  send(event: StatelyInspectionEvent): void {
    if (this.#connected) this.#post(event);
  }

  #post(message: object): void {
    this.#frame.contentWindow?.postMessage(message, STATELY_ORIGIN);
  }
}
