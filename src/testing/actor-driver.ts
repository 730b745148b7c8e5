/** Plays paths against the machine itself, which runs as an actor on a simulated clock. */
import {
  type AnyActor,
  type AnyActorLogic,
  type AnyStateMachine,
  createActor,
  createMachine,
  type InspectionEvent,
} from 'xstate';
import { edgeIds } from '../visualize/chart.js';
import { assertMachine } from '../visualize/machine-check.js';
import { textOf } from './context-key.js';
import { effectOf, effectWords } from './effects.js';
import { endHeld, heldActor } from './held-actor.js';
import { withNamedActors } from './named-actors.js';
import { PathClock } from './path-clock.js';
import { loopWords, MAX_MICROSTEPS } from './pure-machine.js';
import type { Driver } from './run.js';
import type { Expected, GenerateOptions, Step } from './types.js';

const settled = (): Promise<void> => new Promise((done) => setImmediate(done));

/**
 * A driver whose system is the machine with its own timers, invokes and actions. Each invoked actor waits for the outcome
 * that the path gives it, and actions of the host are recorded. The driver checks states, tags, context, the edges taken
 * and the effects: actions with their params, messages, delays, and the actors that start and stop.
 */
export function actorDriver<M extends AnyStateMachine>(
  machine: M,
  options: Pick<GenerateOptions<M>, 'input' | 'setTime'> & {
    /** False: the edges taken are not checked, only their result. Default: true. */
    readonly edges?: boolean;
  } = {},
): Driver {
  assertMachine(machine);
  return new ActorDriver(machine, options.input, options.setTime ?? (() => {}), options.edges ?? true);
}

class ActorDriver implements Driver {
  readonly #machine: AnyStateMachine;
  readonly #edges: ReturnType<typeof edgeIds>;
  readonly #input: unknown;
  readonly #setTime: (ms: number) => void;
  #clock = new PathClock(() => {});
  #parent: AnyActor | undefined;
  #actor: AnyActor | undefined;
  #taken: string[] = [];
  #effects: string[] = [];

  readonly #checkEdges: boolean;

  constructor(machine: AnyStateMachine, input: unknown, setTime: (ms: number) => void, checkEdges: boolean) {
    this.#checkEdges = checkEdges;
    const named = withNamedActors(machine);
    this.#machine = named.provide({
      actors: this.#actors(named),
      actions: this.#actions(machine),
    } as never);
    this.#edges = edgeIds(this.#machine);
    this.#input = input;
    this.#setTime = setTime;
  }

  start(): void {
    this.#taken = [];
    this.#effects = [];
    this.#clock = new PathClock(this.#setTime);
    this.#setTime(0);
    const { id } = this.#machine;
    // The actor has a parent, so that a chart can send events to it.
    const invoke = { id, src: this.#machine, input: () => this.#input } as never;
    const parent = createActor(createMachine({ invoke }), {
      clock: this.#clock,
      inspect: (event) => this.#inspect(event),
    });
    this.#parent = parent;
    parent.subscribe({ error: () => {} });
    parent.start();
  }

  async act(step: Step): Promise<void> {
    this.#taken = [];
    this.#effects = [];
    if (step.kind === 'event') this.#actor?.send(step.event);
    else if (step.kind === 'delay') await this.#pass(step.elapsed);
    else this.#end(step);
    await settled();
  }

  #end({ kind, actor, value }: Step): void {
    const ref = actor === null ? undefined : this.#actor?.getSnapshot().children[actor];
    if (ref === undefined) throw new Error(`The actor ${actor} is not running.`);
    endHeld(ref, kind === 'outcome' ? { status: 'done', output: value } : { status: 'error', error: value });
  }

  /** Fails when the delay ends a millisecond early. The check after the step fails when it ends late. */
  async #pass(ms: number): Promise<void> {
    if (ms > 1) {
      this.#clock.pass(ms - 1);
      await settled();
      if (this.#taken.length > 0) throw new Error(`The delay ended before ${ms} ms.`);
    }
    this.#clock.pass(Math.min(ms, 1));
  }

  check(expected: Expected, step: Step | null): void {
    const snapshot = this.#actor?.getSnapshot();
    if (snapshot === undefined) throw new Error('The machine was not started.');
    if (snapshot.status === 'error') throw new Error('The machine failed.', { cause: snapshot.error });
    assertSame('state', snapshot.value, expected.value);
    assertSame('status', snapshot.status, expected.status);
    assertSame('tags', [...snapshot.tags].sort(), expected.tags);
    assertSame('context', snapshot.context, expected.snapshot.context);
    assertSame('output', snapshot.output, expected.snapshot.output);
    assertSame('effects', this.#effects, expected.effects.map(effectWords));
    if (step !== null && this.#checkEdges) assertSame('edges', this.#taken, step.edges);
  }

  end(): void {
    this.#parent?.stop();
    this.#actor = undefined;
  }

  #inspect(event: InspectionEvent): void {
    if (event.type === '@xstate.actor' && (event.actorRef as AnyActor).id === this.#machine.id) {
      this.#actor = event.actorRef as AnyActor;
    }
    if (event.type === '@xstate.action' && this.#actor !== undefined && event.actorRef === this.#actor) {
      this.#effects.push(effectWords(effectOf(event.action, this.#actor)));
    }
    if (event.type !== '@xstate.microstep') return;
    for (const transition of event._transitions) {
      const id = this.#edges.get(transition);
      if (id !== undefined) this.#taken.push(id);
    }
    if (this.#taken.length > MAX_MICROSTEPS) throw new Error(loopWords(this.#taken));
  }

  #actors(machine: AnyStateMachine): Record<string, unknown> {
    const { actors } = machine.implementations;
    return Object.fromEntries(
      Object.entries(actors).map(([name, actor]) => [name, heldActor(logicOf(actor))]),
    );
  }

  #actions(machine: AnyStateMachine): Record<string, unknown> {
    const { actions } = machine.implementations;
    return Object.fromEntries(
      Object.entries(actions).flatMap(([name, action]: [string, unknown]) =>
        // Actions made by XState (assign, raise, sendTo …) stay. A plain function is an action of the host.
        typeof action === 'function' && !('resolve' in action) ? [[name, () => {}]] : [],
      ),
    );
  }
}

/** An actor is given as logic, or as logic with its input. */
function logicOf(actor: unknown): AnyActorLogic | undefined {
  if (typeof actor !== 'object' || actor === null) return undefined;
  if ('getInitialSnapshot' in actor) return actor as AnyActorLogic;
  return 'src' in actor ? logicOf(actor.src) : undefined;
}

function assertSame(what: string, actual: unknown, expected: unknown): void {
  const [a, b] = [actual, expected].map(textOf);
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}
