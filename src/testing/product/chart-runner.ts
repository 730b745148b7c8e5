/** Executes one chart without actors, for a search: as `PureMachine`, without the record of edges and guards. */
import {
  type AnyActorRef,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
  fromTransition,
} from 'xstate';
import { type Effect, type ExecutedAction, effectOf } from '../effects.js';
import type { Position } from '../pure-machine.js';
import { timersAfter } from '../timers.js';

export interface RunnerMove {
  readonly position: Position;
  /** What the chart does besides assignments, in order. */
  readonly effects: readonly Effect[];
}

type Scope = Parameters<AnyStateMachine['transition']>[2];

const IDLE = fromTransition((state: undefined) => state, undefined);
/** More events of a chart to itself, one after the other, than any chart needs. */
const MAX_OWN_EVENTS = 1000;

export class ChartRunner {
  readonly #machine: AnyStateMachine;
  readonly #setTime: (ms: number) => void;
  readonly #self: AnyActorRef;
  readonly #scope: Scope;
  #executed: ExecutedAction[] = [];

  /** `setTime` receives the simulated time before each step. */
  constructor(machine: AnyStateMachine, setTime: (ms: number) => void) {
    this.#machine = machine;
    this.#setTime = setTime;
    const parent = createActor(IDLE);
    // The actors that the chart starts are never started, so branches of the search can share their parent.
    this.#self = createActor(IDLE, { parent, id: machine.id });
    this.#scope = {
      ...{ self: this.#self, system: parent.system, id: '', sessionId: '' },
      ...{ logger: ignore, defer: ignore, stopChild: ignore, emit: ignore },
      actionExecutor: (action: ExecutedAction) => this.#executed.push(action),
    } as unknown as Scope;
  }

  start(now: number, input: unknown): RunnerMove {
    this.#setTime(now);
    return this.#step({ now, timers: [] }, () =>
      this.#machine.getInitialSnapshot(this.#scope as never, input as never),
    );
  }

  take(from: Position, event: EventObject): RunnerMove {
    this.#setTime(from.now);
    return this.#react(from, event);
  }

  /** Ends the next delay, and all others that end at the same time. */
  elapse(from: Position): RunnerMove {
    const now = Math.max(from.timers[0]?.due ?? 0, from.now);
    this.#setTime(now);
    let position: Position = { ...from, now };
    const effects: Effect[] = [];
    for (const timer of from.timers.filter(({ due }) => due <= now)) {
      if (!position.timers.includes(timer)) continue;
      const timers = position.timers.filter((other) => other !== timer);
      const move = this.#react({ ...position, timers }, timer.event);
      position = move.position;
      effects.push(...move.effects);
    }
    return { position, effects };
  }

  #react({ snapshot, now, timers }: Position, event: EventObject): RunnerMove {
    return this.#step({ now, timers }, () => this.#machine.transition(snapshot, event, this.#scope));
  }

  #step(before: Omit<Position, 'snapshot'>, run: () => AnyMachineSnapshot): RunnerMove {
    const first = this.#once(before, run);
    const effects = [...first.effects];
    const waiting = [...first.own];
    let { position } = first;
    for (let count = 0; waiting.length > 0 && position.snapshot.status === 'active'; count += 1) {
      if (count >= MAX_OWN_EVENTS) throw new Error(`${this.#machine.id} answers itself without end.`);
      const event = waiting.shift();
      const { snapshot } = position;
      if (event === undefined) break;
      const next = this.#once(position, () => this.#machine.transition(snapshot, event, this.#scope));
      position = next.position;
      effects.push(...next.effects);
      waiting.push(...next.own);
    }
    return { position, effects };
  }

  #once({ now, timers }: Omit<Position, 'snapshot'>, run: () => AnyMachineSnapshot) {
    this.#executed = [];
    const snapshot = run();
    const executed = this.#executed;
    const effects = executed.map((action) => effectOf(action, this.#self));
    const own = effects.flatMap(({ kind, name, delay, event }) =>
      kind === 'send' && name === 'self' && delay === undefined && event !== undefined ? [event] : [],
    );
    return {
      position: { snapshot, now, timers: timersAfter(timers, executed, now, this.#self) },
      effects,
      own,
    };
  }
}

function ignore(): void {}
