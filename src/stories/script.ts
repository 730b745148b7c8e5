/** Writes down what happens on the stage: the requests, events, actions and states of each chart. */
import type {
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  AnyTransitionDefinition,
  EventObject,
  InspectionEvent,
} from 'xstate';
import { activeStatesOf, reasonOf } from '../inspector/projection.js';
import type { AnyMoment } from './moments.js';

const AFTER = 'xstate.after.';

interface DelayParams {
  readonly event?: EventObject;
  readonly delay?: unknown;
}

interface Known {
  readonly chart: string;
  /** Ids of the actors on the way from the chart, for example `link.socket`. */
  readonly id: string;
  readonly machine: AnyStateMachine | undefined;
  states: readonly string[];
  reason: string | null;
  edges: string[];
  /** Length of each delay that was started, ms, by its event. */
  readonly delays: Map<string, number>;
  /** Where the step began that is in progress. */
  mark: number;
}

export class Script {
  readonly moments: AnyMoment[] = [];
  readonly #now: () => number;
  readonly #known = new WeakMap<object, Known>();
  readonly #all: Known[] = [];
  readonly #early = new WeakMap<object, string[]>();
  readonly #edges = new Map<AnyTransitionDefinition, string>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** The names of the transitions of a chart that is about to run. */
  names(edges: ReadonlyMap<AnyTransitionDefinition, string>): void {
    for (const [transition, id] of edges) this.#edges.set(transition, id);
  }

  cast(actor: AnyActorRef, chart: string): void {
    this.#know(actor, chart, '');
    // What its first state asks for was started together with it.
    const { children } = actor.getSnapshot() as AnyMachineSnapshot;
    for (const child of Object.values(children as Record<string, AnyActorRef>)) this.#born(child);
  }

  acted(chart: string, action: string, params: unknown): void {
    const values = typeof params === 'object' && params !== null ? Object.values(params) : [];
    const words = values.filter((one) => typeof one === 'string' || typeof one === 'number').map(String);
    this.#add({ kind: 'acted', at: this.#now(), chart, action, params: words });
  }

  /** An event is about to be sent to a chart, or by an actor to its chart. */
  received(ref: AnyActorRef, { type }: EventObject, by: string | null = null): void {
    const known = this.#known.get(ref);
    if (known === undefined) return;
    const from = known.machine === undefined ? { id: known.id, src: srcOf(ref) } : null;
    this.#add({ kind: 'received', at: this.#now(), chart: known.chart, event: type, from, by });
  }

  answered(ref: AnyActorRef, output: unknown): void {
    const known = this.#known.get(ref);
    if (known === undefined) return;
    const outcome =
      typeof output === 'object' && output !== null && 'kind' in output ? String(output.kind) : null;
    const { chart, id } = known;
    this.#add({ kind: 'answered', at: this.#now(), chart, id, src: srcOf(ref), outcome });
  }

  inspect(event: InspectionEvent): void {
    const ref = event.actorRef as AnyActorRef;
    if (event.type === '@xstate.actor') this.#born(ref);
    if (event.type === '@xstate.event')
      this.#event(ref, event.sourceRef as AnyActorRef | undefined, event.event);
    if (event.type === '@xstate.snapshot') this.#snapshot(ref, event.snapshot);
    if (event.type === '@xstate.action') {
      const { params } = event.action as { readonly params?: DelayParams };
      if (typeof params?.delay !== 'number') return;
      this.#known.get(ref)?.delays.set(params.event?.type ?? '', params.delay);
    }
    if (event.type === '@xstate.microstep') {
      // The first steps of an actor are taken before anybody can know it.
      const early = this.#early.get(ref) ?? [];
      const edges = this.#known.get(ref)?.edges ?? early;
      for (const transition of event._transitions) edges.push(this.#edges.get(transition) ?? '');
      this.#early.set(ref, early);
    }
  }

  #born(ref: AnyActorRef): void {
    const parent = ref._parent === undefined ? undefined : this.#known.get(ref._parent);
    if (parent === undefined || this.#known.has(ref)) return;
    const id = parent.id === '' ? ref.id : `${parent.id}.${ref.id}`;
    const { machine } = this.#know(ref, parent.chart, id);
    if (machine !== undefined) return;
    this.#add({ kind: 'asked', at: this.#now(), chart: parent.chart, id, src: srcOf(ref) });
  }

  #event(ref: AnyActorRef, source: AnyActorRef | undefined, { type }: EventObject): void {
    const known = this.#known.get(ref);
    if (known === undefined) return;
    if (known.machine !== undefined) {
      // What the first state asks for was written down when the chart was cast.
      if (known.id !== '' || type !== 'xstate.init') known.mark = this.moments.length;
      if (!type.startsWith(AFTER)) return;
      const [delay = ''] = type.slice(AFTER.length).split(`.${known.machine.id}.`);
      const ms = known.delays.get(type) ?? 0;
      this.#add({ kind: 'waited', at: this.#now(), chart: known.chart, delay, ms });
      known.mark = this.moments.length;
      return;
    }
    if (source === undefined || type.startsWith('xstate.') || this.#known.get(source)?.machine === undefined)
      return;
    const { chart, id } = known;
    this.#add({ kind: 'commanded', at: this.#now(), chart, id, src: srcOf(ref), event: type });
  }

  #snapshot(ref: AnyActorRef, snapshot: unknown): void {
    const known = this.#known.get(ref);
    if (known?.machine === undefined) return;
    const states = activeStatesOf(snapshot);
    const reason = reasonOf(snapshot) ?? reasonOf({ context: { decision: outputOf(snapshot) } }) ?? null;
    const edges = known.edges.filter((id) => id !== '');
    known.edges = [];
    const same = states.join() === known.states.join() && reason === known.reason;
    if (same) return;
    known.states = states;
    known.reason = reason;
    const { chart, machine, mark } = known;
    // What the step did is written down first; it is read as its consequence.
    this.moments.splice(mark, 0, {
      ...{ kind: 'moved', at: this.#now(), chart, definition: machine.id },
      ...{ states, reason, edges },
    });
    for (const other of this.#all) if (other.mark > mark) other.mark += 1;
  }

  #know(ref: AnyActorRef, chart: string, id: string): Known {
    const logic: unknown = 'logic' in ref ? ref.logic : undefined;
    const isChart = typeof logic === 'object' && logic !== null && 'root' in logic && 'states' in logic;
    const machine = isChart ? (logic as AnyStateMachine) : undefined;
    const known: Known = {
      ...{ chart, id, machine, states: [], reason: null, edges: this.#early.get(ref) ?? [] },
      delays: new Map(),
      mark: this.moments.length,
    };
    this.#known.set(ref, known);
    this.#all.push(known);
    return known;
  }

  #add(moment: AnyMoment): void {
    this.moments.push(moment);
  }
}

/** A chart that ends at once has its reason in its output. */
function outputOf(snapshot: unknown): unknown {
  return typeof snapshot === 'object' && snapshot !== null && 'output' in snapshot
    ? snapshot.output
    : undefined;
}

function srcOf(ref: AnyActorRef): string {
  const src: unknown = 'src' in ref ? ref.src : undefined;
  return typeof src === 'string' ? src : ref.id;
}
