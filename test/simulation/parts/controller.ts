/** A controller: a client that pairs with the engine first, and again when the backend no longer knows it. */
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';
import { Client } from './client.js';
import { inside } from './process-of.js';

const PAUSES = [2_000, 4_000, 8_000, 15_000] as const;

/** Longer than a pairing may take, ms. */
const PAIRING_LIMIT = 40_000;

/** The close code of the backend for a machine that is not connected. */
const OFFLINE = 4404;

export interface ControllerDeps {
  readonly baseUrl: string;
  /** A pairing code of the engine; rejects when it has none. */
  readonly pair: () => Promise<string>;
  /** Ms while the engine can work: its machine is awake. */
  readonly now: () => number;
}

export class ControllerPart {
  readonly client: Client;
  readonly #world: World;
  readonly #deps: ControllerDeps;
  #token: string | undefined;
  #failures = 0;
  #attempts = 0;

  constructor(world: World, machine: Machine, name: string, deps: ControllerDeps) {
    this.#world = world;
    this.#deps = deps;
    const url = `${deps.baseUrl.replace(/^http/, 'ws')}/wham/remote/control/client`;
    const place = () =>
      this.#token === undefined ? undefined : { url, headers: { authorization: `Bearer ${this.#token}` } };
    this.client = new Client(world, machine, name, place, deps.now);
    this.client.onRefused = (status) => {
      if ((status !== 401 && status !== 404) || this.#token === undefined) return;
      this.#token = undefined;
      this.#pair();
    };
    let offline = 0;
    this.client.onClosed = (code) => {
      offline = code === OFFLINE ? offline + 1 : 0;
      // The machine may have another identity: a person pairs again.
      if (offline < 3 || this.#token === undefined) return;
      offline = 0;
      this.#token = undefined;
      this.#pair();
    };
    this.client.process.after(500, () => this.#pair());
  }

  get paired(): boolean {
    return this.#token !== undefined;
  }

  #pair(): void {
    const { process, code } = this.client;
    const { baseUrl, pair } = this.#deps;
    this.#attempts += 1;
    const attempt = this.#attempts;
    const again = (why: string): void => {
      // Only once: a process that has ended answers no more, and a late answer is not waited for.
      if (attempt !== this.#attempts) return;
      this.#attempts += 1;
      this.#world.trace.add(this.client.name, `not paired: ${why}`);
      process.after(PAUSES[Math.min(this.#failures, PAUSES.length - 1)] ?? 0, () => this.#pair());
      this.#failures += 1;
    };
    process.after(PAIRING_LIMIT, () => again('no answer'));
    pair()
      .then((text) =>
        inside(process, () => code.claim({ baseUrl }, { kind: 'pairing', code: new code.Secret(text) })),
      )
      .then(
        ({ token, environmentId }) => {
          if (attempt !== this.#attempts) return;
          this.#attempts += 1;
          this.#token = token.reveal();
          this.#failures = 0;
          this.#world.trace.add(this.client.name, `paired with ${environmentId}`);
        },
        (error: unknown) => again(String(error)),
      );
  }
}
