import type {
  AnyActorLogic,
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  InspectionEvent,
} from 'xstate';
import type { EngineWatcher, TransitionWatch } from '../observe/watcher.js';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import type { Secret } from '../protocol/secret.js';
import {
  activeStatesOf,
  ChartNames,
  endStatusOf,
  isInternal,
  isMachine,
  NO_NAMES,
  reasonOf,
  reasonOfEffects,
  truncated,
  UNKNOWN_EVENT,
} from './projection.js';
import { type Actor, type ActorKind, type EndStatus, type Entry, Timeline } from './timeline.js';
import { UpgradePaths } from './upgrade-paths.js';

/** Running actors that are recorded; above it, actors are only counted. */
const MAX_ACTORS = 20_000;
/** Identical steps within this time become one entry with a count, ms. */
const COALESCE_WINDOW = 100;

/** The last recorded state of a running actor. */
interface TrackedActor {
  readonly id: number;
  readonly names: ChartNames | undefined;
  edges: readonly string[];
  active: readonly string[];
  since: number;
  reason: string | null;
  last: Entry | undefined;
}

interface Step {
  readonly event: string;
  readonly active: readonly string[];
  readonly edges: readonly string[];
  readonly reason: string | null;
  readonly status?: EndStatus | undefined;
  /** The step is unrelated to the state before, so no duration is computed. */
  readonly independent?: true;
}

/**
 * Records the steps of the charts of an engine in a timeline. It reads charts only through the projection and never
 * throws into the engine.
 */
export class Recorder implements EngineWatcher {
  /** Set once there is a page. */
  newLink: (() => Secret) | undefined;
  readonly timeline: Timeline;
  /** Called once for each new entry. */
  onEntry: () => void = () => {};
  /** Errors inside the recorder. They are counted and never thrown into the engine. */
  internalErrors = 0;
  /** Actors that are not recorded because there are too many. */
  notShown = 0;
  readonly #now: () => number;
  #tracked = new WeakMap<object, TrackedActor>();
  #trackedCount = 0;
  #lastId = 0;
  /** Entries before this one are sent and must not change. */
  #sentBefore = 0;
  readonly #stepEdges = new WeakMap<AnyMachineSnapshot, Map<string, readonly string[]>>();
  #verdicts: TrackedActor | undefined;
  readonly #upgradePaths = new UpgradePaths();

  constructor(timeline = new Timeline(), now: () => number = Date.now) {
    this.timeline = timeline;
    this.#now = now;
  }

  /** Entries before this one are sent: the recorder does not change them any more. */
  markSent(next: number): void {
    if (next > this.#sentBefore) this.#sentBefore = next;
  }

  // --- calls of the engine

  actor(actor: AnyActorRef): void {
    this.#guarded(() => {
      this.#trackWithChildren(actor, null);
      actor.system.inspect((event) => this.#inspectGuarded(event));
    });
  }

  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): TransitionWatch {
    let tracked: TrackedActor | undefined;
    this.#guarded(() => {
      tracked = this.#addActor({ name: id, kind: 'shared', chart: machine.id, parent: null }, machine);
      if (tracked !== undefined) tracked.active = activeStatesOf(initial);
    });
    const names = ChartNames.of(machine);
    return (eventType, before, after, effects) =>
      this.#guarded(() => {
        if (tracked === undefined) return;
        const status = endStatusOf(after);
        this.#recordStep(tracked, {
          event: names.event(eventType),
          active: names.activeStates(after),
          edges: this.#edgesOf(machine, names, before, eventType),
          reason: reasonOfEffects(effects) ?? tracked.reason,
          status,
        });
        if (status !== undefined) tracked = undefined;
      });
  }

  verdict({ outcome, reason }: Verdict, facts: UpgradeFacts): void {
    this.#guarded(() => {
      this.#verdicts ??= this.#addActor({
        name: 'upgrades',
        kind: 'shared',
        chart: 'websocketAuth',
        parent: null,
      });
      if (this.#verdicts === undefined) return;
      const active = [`websocketAuth.${outcome}`];
      const edges = this.#upgradePaths.of(facts);
      this.#recordStep(this.#verdicts, { event: 'upgrade', active, edges, reason, independent: true });
    });
  }

  // --- events of XState

  #inspect(event: InspectionEvent): void {
    switch (event.type) {
      case '@xstate.microstep': {
        const tracked = this.#tracked.get(event.actorRef);
        if (tracked?.names === undefined) return;
        for (const transition of event._transitions) {
          tracked.edges = tracked.names.edgesWith(tracked.edges, transition);
        }
        return;
      }
      case '@xstate.snapshot': {
        const tracked = this.#tracked.get(event.actorRef);
        if (tracked === undefined) return;
        const { type } = event.event;
        const { edges } = tracked;
        tracked.edges = NO_NAMES;
        const status = endStatusOf(event.snapshot);
        // The entry `started` covers this event.
        if (type === 'xstate.init' && status === undefined && tracked.names === undefined) return;
        this.#recordStep(tracked, {
          event: tracked.names?.event(type) ?? (isInternal(type) ? truncated(type) : UNKNOWN_EVENT),
          active: tracked.names?.activeStates(event.snapshot) ?? NO_NAMES,
          edges,
          reason: reasonOf(event.snapshot) ?? null,
          status,
        });
        if (status !== undefined) this.#tracked.delete(event.actorRef);
        return;
      }
      case '@xstate.actor':
        this.#trackChild(event.actorRef as AnyActorRef);
    }
  }

  #trackChild(actor: AnyActorRef): void {
    const parent = parentOf(actor);
    this.#track(actor, parent === undefined ? null : (this.#tracked.get(parent)?.id ?? null));
  }

  /** Includes the children that the initial state has already created. */
  #trackWithChildren(actor: AnyActorRef, parent: number | null): void {
    this.#track(actor, parent);
    const id = this.#tracked.get(actor)?.id ?? null;
    for (const child of childrenOf(actor)) this.#trackWithChildren(child, id);
  }

  #track(actor: AnyActorRef, parent: number | null): void {
    const logic: AnyActorLogic | undefined = logicOf(actor);
    const machine = logic !== undefined && isMachine(logic) ? logic : undefined;
    const kind: ActorKind = machine === undefined ? 'task' : 'machine';
    const tracked = this.#addActor({ name: actor.id, kind, chart: machine?.id ?? null, parent }, machine);
    if (tracked !== undefined) this.#tracked.set(actor, tracked);
  }

  // --- entries

  #addActor(actor: Omit<Actor, 'id'>, machine?: AnyStateMachine): TrackedActor | undefined {
    if (this.#trackedCount >= MAX_ACTORS) {
      this.notShown += 1;
      return undefined;
    }
    this.#trackedCount += 1;
    this.#lastId += 1;
    const born = { ...actor, name: truncated(actor.name), id: this.#lastId };
    const since = this.#now();
    const tracked: TrackedActor = {
      id: born.id,
      names: machine === undefined ? undefined : ChartNames.of(machine),
      edges: NO_NAMES,
      active: NO_NAMES,
      since,
      reason: null,
      last: undefined,
    };
    this.#append(tracked, {
      seq: this.timeline.next,
      time: since,
      actor: born.id,
      kind: 'started',
      event: 'started',
      active: NO_NAMES,
      edges: NO_NAMES,
      reason: null,
      lasted: null,
      count: 1,
      born,
    });
    return tracked;
  }

  #recordStep(tracked: TrackedActor, { event, active, edges, reason, status, independent }: Step): void {
    const time = this.#now();
    const stateChanged = !sameItems(active, tracked.active);
    const ended = status !== undefined;
    if (ended) this.#trackedCount -= 1;
    const noEffect =
      edges.length === 0 && !stateChanged && reason === tracked.reason && event !== 'xstate.init';
    const kind = ended ? 'ended' : noEffect && independent !== true ? 'ignored' : 'step';
    const last = tracked.last;
    if (
      !ended &&
      !stateChanged &&
      last !== undefined &&
      last.seq >= this.#sentBefore &&
      time - last.time < COALESCE_WINDOW &&
      last.event === event &&
      last.kind === kind &&
      last.reason === reason &&
      sameItems(last.edges, edges)
    ) {
      const entry = { ...last, count: last.count + 1 };
      tracked.last = entry;
      this.timeline.replace(entry);
      return;
    }
    const isFirstState = (tracked.active.length === 0 || independent === true) && !ended;
    const lasted = (stateChanged && !isFirstState) || ended ? Math.max(0, time - tracked.since) : null;
    if (stateChanged) tracked.since = time;
    tracked.active = stateChanged ? active : tracked.active;
    tracked.reason = reason;
    const entry: Entry = {
      seq: this.timeline.next,
      time,
      actor: tracked.id,
      kind,
      event,
      active: tracked.active,
      edges,
      reason,
      lasted,
      count: 1,
    };
    this.#append(tracked, status === undefined ? entry : { ...entry, status });
  }

  #append(tracked: TrackedActor, entry: Entry): void {
    tracked.last = entry;
    this.timeline.add(entry);
    this.onEntry();
  }

  /** The first edges of a step in a shared chart; computed once for each step. */
  #edgesOf(
    machine: AnyStateMachine,
    names: ChartNames,
    before: AnyMachineSnapshot,
    eventType: string,
  ): readonly string[] {
    let steps = this.#stepEdges.get(before);
    if (steps === undefined) {
      steps = new Map();
      this.#stepEdges.set(before, steps);
    }
    let edges = steps.get(eventType);
    if (edges === undefined) {
      edges = machine
        .getTransitionData(before, { type: eventType })
        .flatMap((transition) => names.edge(transition) ?? []);
      steps.set(eventType, edges);
    }
    return edges;
  }

  /** Runs at each event of each actor, so it avoids a closure for each. */
  #inspectGuarded(event: InspectionEvent): void {
    try {
      this.#inspect(event);
    } catch {
      this.internalErrors += 1;
    }
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch {
      this.internalErrors += 1;
    }
  }
}

function sameItems(a: readonly string[], b: readonly string[]): boolean {
  if (a === b) return true;
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

function parentOf(actor: AnyActorRef): AnyActorRef | undefined {
  return '_parent' in actor ? actor._parent : undefined;
}

function logicOf(actor: AnyActorRef): AnyActorLogic | undefined {
  return 'logic' in actor ? (actor.logic as AnyActorLogic) : undefined;
}

function childrenOf(actor: AnyActorRef): readonly AnyActorRef[] {
  const snapshot: unknown = actor.getSnapshot();
  if (typeof snapshot !== 'object' || snapshot === null || !('children' in snapshot)) return [];
  return Object.values(snapshot.children as Record<string, AnyActorRef | undefined>).flatMap(
    (child) => child ?? [],
  );
}
