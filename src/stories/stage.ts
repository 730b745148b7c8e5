/** Runs charts as actors on a simulated clock. Nothing answers but the story, or another chart on the stage. */
import {
  type AnyActor,
  type AnyActorLogic,
  type AnyMachineSnapshot,
  type AnyStateMachine,
  createActor,
  type EventObject,
  type InspectionEvent,
} from 'xstate';
import { Recorder } from '../inspector/recorder.js';
import { Timeline } from '../inspector/timeline.js';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import type { Env } from '../protocol/timing.js';
import { EPOCH } from '../testing/charts/model.js';
import { endHeld, heldActor } from '../testing/held-actor.js';
import { withNamedActors } from '../testing/named-actors.js';
import {
  type ActionCall,
  answerRequest,
  type Board,
  type Op,
  type Request,
  settleCharts,
  type Wiring,
} from '../testing/wiring.js';
import { edgeIds } from '../visualize/chart.js';
import { StageClock } from './clock.js';
import type { AnyMoment, Moved } from './moments.js';
import { Script } from './script.js';

interface StageOptions {
  /** The machine of each chart that may run, by name. */
  readonly machines: Readonly<Record<string, AnyStateMachine>>;
  readonly wiring: Wiring;
  /** A chart inside a chart waits for its answer like any other actor. Default: it runs. */
  readonly holdInnerCharts?: boolean;
}

/** More entries than a story has. */
const TIMELINE_ENTRIES = 1_000_000;

export class Stage implements Board {
  readonly clock = new StageClock();
  readonly env: Env;
  readonly recorder: Recorder;
  readonly #options: StageOptions;
  readonly #actors = new Map<string, AnyActor>();
  readonly #script: Script;
  readonly #begun = new Map<AnyActor, Request>();
  readonly #notes = new Map<string, string>();
  readonly #calls: (ActionCall & { readonly chart: string; readonly action: string })[] = [];

  constructor(options: StageOptions) {
    this.#options = options;
    const { clock } = this;
    const monotonic = () => clock.now();
    const now = () => EPOCH + clock.now();
    this.env = { now, monotonic, random: () => 0.5 };
    this.recorder = new Recorder(new Timeline(TIMELINE_ENTRIES), now);
    this.#script = new Script(() => clock.now());
  }

  get moments(): readonly AnyMoment[] {
    return this.#script.moments;
  }

  /** What the chart has done since its start. */
  moves(chart: string): readonly Moved[] {
    return this.moments.filter((one): one is Moved => one.kind === 'moved' && one.chart === chart);
  }

  /** Starts a chart under its own name, or under another one if there are several. */
  start(name: string, input: unknown, machineName = name): void {
    this.#startActor(name, input, machineName);
    settleCharts(this, this.#options.wiring);
  }

  #startActor(name: string, input: unknown, machineName: string): void {
    const machine = this.#options.machines[machineName];
    if (machine === undefined) throw new Error(`There is no chart ${machineName}.`);
    this.stop(name);
    const actor = createActor(this.#staged(machine, name), {
      ...{ id: name, input, clock: this.clock },
      inspect: (event: InspectionEvent) => this.#script.inspect(event),
    } as never);
    this.#script.cast(actor, name);
    // It is done before it runs. The recorder has its own way to such a verdict, as in the engine.
    const { output } = actor.getSnapshot() as AnyMachineSnapshot;
    if (machine.id === 'websocketAuth') this.recorder.verdict(output as Verdict, input as UpgradeFacts);
    else this.recorder.actor(actor);
    this.#actors.set(name, actor);
    actor.start();
  }

  stop(name: string): void {
    this.#actors.get(name)?.stop();
    this.#actors.delete(name);
  }

  send(chart: string, event: EventObject): void {
    this.perform({ kind: 'send', chart, event });
    settleCharts(this, this.#options.wiring);
  }

  /** Ends an actor that waits, for example `remoteControl.enroll`. */
  answer(name: string, output: unknown): void {
    answerRequest(this, this.#options.wiring, this.#named(name), output);
    settleCharts(this, this.#options.wiring);
  }

  /** An actor sends an event to the chart that has started it. */
  report(name: string, event: EventObject): void {
    const ref = this.#refOf(this.#named(name));
    this.#script.received(ref, event);
    ref._parent?.send(event);
    settleCharts(this, this.#options.wiring);
  }

  /** Time passes: to the end of the next delay, or so many ms. */
  pass(time: number | 'next'): void {
    const ms = time === 'next' ? this.clock.nextIn : time;
    if (ms === null) throw new Error('No delay is running.');
    this.clock.pass(ms);
    settleCharts(this, this.#options.wiring);
  }

  // --- Board

  snapshot(chart: string): AnyMachineSnapshot | undefined {
    return this.#actors.get(chart)?.getSnapshot() as AnyMachineSnapshot | undefined;
  }

  requests(): readonly Request[] {
    return [...this.#actors].flatMap(([chart, actor]) =>
      heldIn(actor, '').map(({ ref, id }): Request => ({ chart, id, src: srcOf(ref), input: inputOf(ref) })),
    );
  }

  note(name: string): string | undefined {
    return this.#notes.get(name);
  }

  setNote(name: string, value: string | undefined): void {
    if (value === undefined) this.#notes.delete(name);
    else this.#notes.set(name, value);
  }

  takeCalls() {
    return this.#calls.splice(0);
  }

  takeAbandoned(): readonly Request[] {
    const gone = [...this.#begun].filter(
      ([ref]) => (ref.getSnapshot() as { status: string }).status !== 'active',
    );
    for (const [ref] of gone) this.#begun.delete(ref);
    return gone.map(([, request]) => request);
  }

  isBegun(request: Request): boolean {
    return this.#begun.has(this.#refOf(request));
  }

  markBegun(request: Request): void {
    this.#begun.set(this.#refOf(request), request);
  }

  perform(op: Op, by: string | null = null): void {
    if (op.kind === 'stop') this.stop(op.chart);
    else if (op.kind === 'note') this.setNote(op.name, op.value);
    else if (op.kind === 'start') this.#startActor(op.chart, op.input, op.chart);
    else {
      const actor = this.#actors.get(op.chart);
      if (actor === undefined) return;
      this.#script.received(actor, op.event, by);
      actor.send(op.event);
    }
  }

  end(request: Request, output: unknown): void {
    const ref = this.#refOf(request);
    this.#begun.delete(ref);
    this.#script.answered(ref, output);
    endHeld(ref, { status: 'done', output });
  }

  #named(name: string): Request {
    const found = this.requests().find(({ chart, id }) => `${chart}.${id}` === name);
    if (found !== undefined) return found;
    const open = this.requests().map(({ chart, id }) => `${chart}.${id}`);
    throw new Error(`Nobody waits for ${name}. These wait: ${open.join(', ') || 'none'}.`);
  }

  #refOf({ chart, id }: Request): AnyActor {
    const actor = this.#actors.get(chart);
    const found = actor === undefined ? undefined : heldIn(actor, '').find((one) => one.id === id);
    if (found === undefined) throw new Error(`${chart}.${id} does not wait.`);
    return found.ref;
  }

  /** The machine with actors that wait and actions that are recorded; charts inside it are staged too. */
  #staged(machine: AnyStateMachine, chart: string): AnyStateMachine {
    const named = withNamedActors(machine);
    const actors = Object.entries(named.implementations.actors).map(([src, logic]) => {
      const inner = this.#options.holdInnerCharts === true ? undefined : machineOf(logic);
      return [src, inner === undefined ? heldActor(logic as AnyActorLogic) : this.#staged(inner, chart)];
    });
    const actions = Object.entries(named.implementations.actions).flatMap(([name, action]) =>
      // Actions of XState decide; all others are done by the host.
      typeof action === 'function' && 'resolve' in action ? [] : [[name, this.#action(chart, name)]],
    );
    const staged = named.provide({
      actors: Object.fromEntries(actors),
      actions: Object.fromEntries(actions),
    } as never);
    this.#script.names(edgeIds(staged));
    return staged;
  }

  #action(chart: string, action: string) {
    return ({ context, event }: ActionCall, params: unknown): void => {
      this.#calls.push({ chart, action, context, event });
      this.#script.acted(chart, action, params);
    };
  }
}

interface Held {
  readonly id: string;
  readonly ref: AnyActor;
}

/** The actors that wait, with those of charts inside the chart. */
function heldIn(actor: AnyActor, prefix: string): Held[] {
  const { children } = actor.getSnapshot() as AnyMachineSnapshot;
  return Object.values(children as Record<string, AnyActor | undefined>).flatMap((ref) => {
    if (ref === undefined || (ref.getSnapshot() as { status: string }).status !== 'active') return [];
    const id = `${prefix}${ref.id}`;
    return machineOf(ref.logic) === undefined ? [{ id, ref }] : heldIn(ref, `${id}.`);
  });
}

export function machineOf(logic: unknown): AnyStateMachine | undefined {
  return typeof logic === 'object' && logic !== null && 'root' in logic && 'states' in logic
    ? (logic as AnyStateMachine)
    : undefined;
}

const srcOf = (ref: AnyActor): string => (typeof ref.src === 'string' ? ref.src : ref.id);

function inputOf(ref: AnyActor): unknown {
  const { options } = ref as unknown as { readonly options?: { readonly input?: unknown } };
  return options?.input;
}
