import { createActor, fromPromise, toPromise, waitFor } from 'xstate';
import { type HubNodeOpened, hubNodeMachine } from '../../machines/hub-node.js';
import { BusUnavailableError } from './bus/bus.js';

interface NodeLifeDeps {
  /** Over how long the sockets are closed at the end, ms. */
  readonly drain: number;
  /** Gives back what it has opened when the signal is aborted meanwhile. */
  readonly open: (signal: AbortSignal) => Promise<HubNodeOpened>;
  readonly closeSockets: (signal: AbortSignal) => Promise<void>;
  readonly end: () => Promise<void>;
  readonly checkControllers: () => void;
}

/** Runs the chart `hubNode` of one node. */
export class NodeLife {
  readonly #actor;
  readonly #ended: Promise<unknown>;
  #startError: unknown;

  constructor({ drain, open, closeSockets, end, checkControllers }: NodeLifeDeps) {
    const machine = hubNodeMachine.provide({
      actors: {
        open: fromPromise<HubNodeOpened>(async ({ signal }) => {
          try {
            return await open(signal);
          } catch (error) {
            this.#startError = error;
            throw error;
          }
        }),
        drain: fromPromise<unknown>(({ signal }) => closeSockets(signal)),
        end: fromPromise<unknown>(end),
      },
      actions: { checkControllers },
    });
    this.#actor = createActor(machine, { id: 'hubNode', input: { drain } });
    this.#ended = toPromise(this.#actor);
  }

  /** Resolves when the node serves. Throws the error of `open`, or BusUnavailableError when that took too long. */
  async start(): Promise<void> {
    this.#actor.start();
    const snapshot = await waitFor(this.#actor, (now) => now.hasTag('started') || now.status !== 'active');
    if (snapshot.hasTag('started')) return;
    throw this.#startError ?? new BusUnavailableError('the broker did not answer in time');
  }

  /** Resolves when the node has left: true for the first call. A second call does not wait for the sockets. */
  async stop(): Promise<boolean> {
    const first = !this.stopping && this.#actor.getSnapshot().status === 'active';
    if (this.#actor.getSnapshot().status === 'active') this.#actor.send({ type: 'STOP' });
    await this.#ended;
    return first;
  }

  onBroker(connected: boolean): void {
    if (this.#actor.getSnapshot().status === 'active')
      this.#actor.send({ type: connected ? 'BROKER.BACK' : 'BROKER.LOST' });
  }

  /** New connections belong to another node. */
  get stopping(): boolean {
    return this.#actor.getSnapshot().hasTag('stopping');
  }

  /** Undefined: the node is ready for new connections. */
  get problem(): 'draining' | 'noBroker' | undefined {
    if (this.stopping) return 'draining';
    return this.#actor.getSnapshot().hasTag('ready') ? undefined : 'noBroker';
  }
}
