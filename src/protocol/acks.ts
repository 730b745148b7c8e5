/** Acknowledgements to a peer, merged: one per virtual client and turn of the event loop. RC-36 */
import { streamKey } from './frames.js';

interface Ack {
  readonly clientId: string;
  readonly streamId: string;
  seqId: number;
}

export class Acks {
  readonly #due = new Map<string, Ack>();
  readonly #send: (frame: string) => void;
  #scheduled: NodeJS.Immediate | undefined;

  constructor(send: (frame: string) => void) {
    this.#send = send;
  }

  /** Schedules the ack of a virtual client whose frames are delivered up to this seq id. */
  add(clientId: string, streamId: string, seqId: number): void {
    const key = streamKey(clientId, streamId);
    const due = this.#due.get(key);
    if (due === undefined) this.#due.set(key, { clientId, streamId, seqId });
    else due.seqId = Math.max(due.seqId, seqId);
    this.#scheduled ??= setImmediate(() => this.#flush());
  }

  clear(): void {
    this.#due.clear();
    clearImmediate(this.#scheduled);
    this.#scheduled = undefined;
  }

  #flush(): void {
    this.#scheduled = undefined;
    for (const { clientId, streamId, seqId } of this.#due.values()) {
      this.#send(JSON.stringify({ type: 'ack', client_id: clientId, stream_id: streamId, seq_id: seqId }));
    }
    this.#due.clear();
  }
}
