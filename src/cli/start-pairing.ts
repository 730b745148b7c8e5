import type { Engine } from '../engine/engine.js';
import { EngineError } from '../protocol/errors.js';
import { isRecord } from '../protocol/jsonrpc.js';
import type { PairingResult } from '../protocol/outcomes.js';

/** Between two questions whether the code was claimed, ms. */
const POLL_INTERVAL = 2_000;

interface PairingEvents {
  shown(pairing: PairingResult): void;
  claimed(): void;
  /** It expired, or the backend gave none. */
  ended?(): void;
}

/** One pairing code for `start --pair`, once the engine is connected. */
export class StartPairing {
  readonly #engine: Engine;
  readonly #events: PairingEvents;
  #requested = false;

  constructor(engine: Engine, events: PairingEvents) {
    this.#engine = engine;
    this.#events = events;
  }

  /** Call it at each change of the status. */
  look(): void {
    if (this.#requested || this.#engine.status.status !== 'connected') return;
    this.#requested = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      const pairing = await this.#engine.pair({ manualCode: true });
      this.#events.shown(pairing);
      if (await this.#untilClaimed(pairing)) this.#events.claimed();
    } catch (error) {
      // The engine stops, or the link was lost again: status says so.
      if (!(error instanceof EngineError)) throw error;
    }
    this.#events.ended?.();
  }

  async #untilClaimed({ pairingCode, manualPairingCode, expiresAt }: PairingResult): Promise<boolean> {
    const { connectToEngine } = await import('./control-client.js');
    const client = await connectToEngine(this.#engine.home);
    const query = manualPairingCode == null ? { pairingCode } : { manualPairingCode };
    let open = true;
    void client.closed.then(() => {
      open = false;
    });
    try {
      while (open && Date.now() < expiresAt * 1000) {
        const answer = await client.request('remoteControl/pairing/status', query);
        if (isRecord(answer) && answer.claimed === true) return true;
        await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL).unref());
      }
      return false;
    } finally {
      client.close();
    }
  }
}
