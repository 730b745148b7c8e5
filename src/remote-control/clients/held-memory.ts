import type { VirtualClient } from './virtual-client.js';

/** Characters that all virtual clients may hold together. */
const MAX_HELD_CHARS = 256 * 1024 * 1024;
/** Characters that pass between two counts, so that counting costs nothing. */
const CHARS_BETWEEN_COUNTS = 16 * 1024 * 1024;

/**
 * Limits what virtual clients hold together: requests that wait, and frames that nobody acknowledges. Each of them has
 * limits of its own, but a controller opens as many as it likes. RC-190
 */
export class HeldMemory {
  readonly #clients: () => readonly VirtualClient[];
  readonly #heldBy: (client: VirtualClient) => number;
  readonly #limit: number;
  #passed = 0;

  /** @param heldBy characters that one client holds, in both directions */
  constructor(
    clients: () => readonly VirtualClient[],
    heldBy: (client: VirtualClient) => number,
    limit = MAX_HELD_CHARS,
  ) {
    this.#clients = clients;
    this.#heldBy = heldBy;
    this.#limit = limit;
  }

  /** The clients to close now, after `chars` more have come or gone; mostly none. */
  surplusAfter(chars: number): readonly VirtualClient[] {
    this.#passed += chars;
    if (this.#passed < Math.min(CHARS_BETWEEN_COUNTS, this.#limit)) return [];
    this.#passed = 0;
    return this.#surplus();
  }

  /** Of the controller that holds most, the streams that hold most, until the rest is within the limit. */
  #surplus(): VirtualClient[] {
    const held = this.#clients().map((client) => ({ client, chars: this.#heldBy(client) }));
    const ofController = new Map<string, number>();
    let total = 0;
    for (const { client, chars } of held) {
      total += chars;
      ofController.set(client.clientId, (ofController.get(client.clientId) ?? 0) + chars);
    }
    const surplus: VirtualClient[] = [];
    held.sort((a, b) => b.chars - a.chars);
    while (total > this.#limit) {
      const [most] = [...ofController].sort((a, b) => b[1] - a[1]);
      const next = held.findIndex(({ client }) => client.clientId === most?.[0]);
      const [largest] = held.splice(next, 1);
      if (most === undefined || largest === undefined) break;
      surplus.push(largest.client);
      total -= largest.chars;
      ofController.set(most[0], most[1] - largest.chars);
    }
    return surplus;
  }
}
