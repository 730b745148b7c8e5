/** Two ends of a connection in memory, which delivers in order and can be cut like a cable. */
import type { EngineSocket } from '../../src/hub/relay/owner.js';

export interface PipeEnd {
  onText(text: string): void;
  onPong?(text: string): void;
  onClosed(code: number, reason: string): void;
}

/** The end of a node, as the relay sees it. `far` gets what the node sends. */
export class Pipe implements EngineSocket {
  readonly bufferedAmount = 0;
  near: PipeEnd | undefined;
  readonly far: PipeEnd;
  #open = true;

  constructor(far: PipeEnd) {
    this.far = far;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  // --- from the node

  send(text: string, onWritten?: () => void): void {
    if (!this.#open) return;
    setImmediate(() => {
      if (!this.#open) return;
      this.far.onText(text);
      onWritten?.();
    });
  }

  ping(text: string): void {
    // Behind everything that was sent before, there and back.
    setImmediate(() => setImmediate(() => this.#open && this.near?.onPong?.(text)));
  }

  close(code: number, reason: string): void {
    setImmediate(() => this.#end(code, reason, true, true));
  }

  // --- from the far end

  sendToNode(text: string): void {
    if (this.#open) setImmediate(() => this.#open && this.near?.onText(text));
  }

  /** Both ends notice the end. */
  cut(): void {
    this.#end(1006, '', true, true);
  }

  /** The node does not notice: the connection is half open. */
  cutFarOnly(): void {
    this.#end(1006, '', false, true);
  }

  #end(code: number, reason: string, near: boolean, far: boolean): void {
    if (!this.#open) return;
    this.#open = false;
    if (near) this.near?.onClosed(code, reason);
    if (far) this.far.onClosed(code, reason);
  }
}
