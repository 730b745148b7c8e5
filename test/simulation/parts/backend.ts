/** The embedded backend, as a process that can restart. Its identities are in a file of its disk. */
import type { Backend, BackendEvent, FaultInput } from '../../../src/backend/index.js';
import type { Machine } from '../world/machine.js';
import type { World } from '../world/world.js';
import { inside, type Running, startPeer } from './process-of.js';

const PORT = 8_787;

export class BackendPart {
  readonly url = `http://127.0.0.1:${PORT}/backend-api`;
  onEvent: (event: BackendEvent) => void = () => {};
  readonly #world: World;
  readonly #machine: Machine;
  #running: Running<'peer'> | undefined;
  #backend: Backend | undefined;

  constructor(world: World, machine: Machine) {
    this.#world = world;
    this.#machine = machine;
  }

  get process() {
    return this.#running?.process.alive === true ? this.#running.process : undefined;
  }

  get backend(): Backend | undefined {
    return this.process !== undefined ? this.#backend : undefined;
  }

  start(): void {
    if (this.process !== undefined) return;
    this.#running = startPeer(this.#world, this.#machine, 'backend');
    const { code, process } = this.#running;
    this.#backend = undefined;
    inside(process, () =>
      code.createBackend({
        listen: `http://127.0.0.1:${PORT}`,
        stateFile: '/tmp/backend.json',
      }),
    )
      .then((backend) => {
        this.#backend = backend;
        backend.on('event', (event) => this.onEvent(event));
      })
      .catch((error) => this.#world.scheduler.fail(error));
  }

  kill(): void {
    this.#running?.process.end({ code: null, signal: 'SIGKILL' });
  }

  fault(input: FaultInput): void {
    const { backend } = this;
    if (backend !== undefined) this.#running?.process.after(0, () => backend.fault(input));
  }
}
