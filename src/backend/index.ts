/**
 * The embedded backend: the other side of the remote-control link, on this machine only. It gives identities and
 * tokens to servers (engines), pairs controllers with them, and carries messages between the two.
 */
import * as v from 'valibot';
import { EngineError } from '../protocol/errors.js';
import { Core, type ServerStatus } from './core.js';
import type { BackendEvent } from './events.js';
import { type FaultInput, FaultSchema } from './faults.js';
import { Gate } from './gate.js';
import { BASE_PATH, type BackendOptions, parseListen } from './options.js';
import type { PairingStarted } from './pairing.js';

export type { ServerStatus } from './core.js';
export type { BackendEvent, BackendEventKind } from './events.js';
export type { FaultInput } from './faults.js';
export { type AccountPolicy, type BackendOptions, type BackendTiming, parseListen } from './options.js';
export type { PairingStarted } from './pairing.js';

/** Throws EngineError: `usage` (bad address), `listenerFailed`, `storeUnavailable` (state file not valid). */
export async function createBackend(options: BackendOptions = {}): Promise<Backend> {
  return await Backend.open(options);
}

export class Backend {
  /** Base URL, as `--base-url` wants it. */
  readonly url: string;
  readonly #gate: Gate;
  readonly #core: Core;

  private constructor(gate: Gate, core: Core) {
    this.#gate = gate;
    this.#core = core;
    this.url = `${gate.origin}${BASE_PATH}`;
  }

  /** @internal use createBackend */
  static async open(options: BackendOptions): Promise<Backend> {
    const address = parseListen(options.listen ?? 'http://127.0.0.1:0');
    const core = await Core.open(options);
    let gate: Gate;
    try {
      gate = await Gate.open(address, core.gateParts(options.faults === true));
    } catch (error) {
      await core.end();
      throw error;
    }
    core.events.add('listening', { url: gate.origin });
    return new Backend(gate, core);
  }

  /** What happened, oldest first, bounded. No secrets and no message content. */
  get events(): readonly BackendEvent[] {
    return this.#core.events.kept;
  }

  on(name: 'event', listener: (event: BackendEvent) => void): this {
    this.#core.events.on(name, listener);
    return this;
  }

  off(name: 'event', listener: (event: BackendEvent) => void): this {
    this.#core.events.off(name, listener);
    return this;
  }

  get servers(): readonly ServerStatus[] {
    return this.#core.servers();
  }

  /** A pairing code without asking the server. Throws EngineError `remoteRefused` for an unknown environment. */
  startPairing(environmentId: string): PairingStarted {
    return this.#core.startPairing(environmentId);
  }

  /** Switches a fault on, at once. Throws EngineError `usage` when it is not one. */
  fault(input: FaultInput): void {
    const parsed = v.safeParse(FaultSchema, input);
    if (!parsed.success) throw new EngineError('usage', `this is no fault: ${parsed.issues[0].message}`);
    this.#core.applyFault(parsed.output);
  }

  /** Ends every socket and timer, and writes the state. Done within a second. */
  async close(): Promise<void> {
    await Promise.all([this.#gate.close(), this.#core.end()]);
    this.#core.events.add('closed');
  }
}
