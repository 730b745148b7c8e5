/**
 * The embedded backend: the other side of the remote-control link, on this machine only. It issues identities and
 * tokens to servers (engines), pairs controllers with them, and relays messages between the two.
 */
import * as v from 'valibot';
import { EngineError } from '../protocol/errors.js';
import type { PairingStarted } from './directory.js';
import type { BackendEvent } from './events.js';
import { type FaultInput, FaultSchema } from './faults.js';
import { BackendListener } from './listener.js';
import { BASE_PATH, type BackendOptions, parseListen } from './options.js';
import { BackendService, type ServerStatus } from './service.js';

export type { BackendEvent } from './events.js';
export type { FaultInput } from './faults.js';
export type { BackendOptions } from './options.js';

/** Starts a backend. Throws EngineError: `usage` (bad address), `listenerFailed`, `storeUnavailable` (state file not valid). */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  return await Backend.open(options);
}

export class Backend {
  /** Base URL, in the form that `--base-url` expects. */
  readonly url: string;
  readonly #listener: BackendListener;
  readonly #service: BackendService;

  private constructor(listener: BackendListener, service: BackendService) {
    this.#listener = listener;
    this.#service = service;
    this.url = `${listener.origin}${BASE_PATH}`;
  }

  /** @internal use createBackend */
  static async open(options: BackendOptions): Promise<Backend> {
    const address = parseListen(options.listen ?? 'http://127.0.0.1:0');
    const service = await BackendService.open(options);
    let listener: BackendListener;
    try {
      listener = await BackendListener.open(address, service.listenerDeps(options.faults === true));
    } catch (error) {
      await service.end();
      throw error;
    }
    service.events.add('listening', { url: listener.origin });
    return new Backend(listener, service);
  }

  /** The latest events, oldest first: at most about 10,000. They hold no secrets and no message content. */
  get events(): readonly BackendEvent[] {
    return this.#service.events.recorded;
  }

  on(name: 'event', listener: (event: BackendEvent) => void): this {
    this.#service.events.on(name, listener);
    return this;
  }

  off(name: 'event', listener: (event: BackendEvent) => void): this {
    this.#service.events.off(name, listener);
    return this;
  }

  get servers(): readonly ServerStatus[] {
    return this.#service.servers();
  }

  /** Creates a pairing code without a request of the server. Throws EngineError `remoteRefused` for an unknown environment. */
  startPairing(environmentId: string): PairingStarted {
    return this.#service.startPairing(environmentId);
  }

  /** Injects a fault, effective at once. Throws EngineError `usage` when the input is not a valid fault. */
  fault(input: FaultInput): void {
    const parsed = v.safeParse(FaultSchema, input);
    if (!parsed.success) throw new EngineError('usage', `not a valid fault: ${parsed.issues[0].message}`);
    this.#service.applyFault(parsed.output);
  }

  /** Closes every socket and timer, and writes the state. Takes less than a second. */
  async close(): Promise<void> {
    await Promise.all([this.#listener.close(), this.#service.end()]);
    this.#service.events.add('closed');
  }
}
