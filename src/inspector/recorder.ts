import type {
  AnyActorLogic,
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  InspectionEvent,
} from 'xstate';
import type { EngineWatcher, TransitionWatch } from '../observe/watcher.js';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import {
  activeOf,
  ChartNames,
  clipped,
  endOf,
  isInternal,
  isMachine,
  NONE,
  reasonOf,
  reasonOfEffects,
  UNKNOWN_EVENT,
} from './projection.js';
import { type Actor, type ActorKind, type EndStatus, type Entry, Timeline } from './timeline.js';
import { UpgradePaths } from './upgrade-paths.js';

/** Living actors that are followed; more are only counted. */
const MAX_ACTORS = 20_000;
/** Alike and as near as this, ms: one entry with a count. */
const COALESCE_WITHIN = 100;

/** What is remembered of an actor while it lives. */
interface Followed {
  readonly id: number;
  readonly names: ChartNames | undefined;
  edges: readonly string[];
  active: readonly string[];
  since: number;
  reason: string | null;
  last: Entry | undefined;
}

interface Happened {
  readonly event: string;
  readonly active: readonly string[];
  readonly edges: readonly string[];
  readonly reason: string | null;
  readonly status?: EndStatus | undefined;
  /** It has nothing to do with what the actor was in before. */
  readonly apart?: true;
}

/**
 * Watches an engine's charts and keeps a timeline of what they did. It sees everything through the projection,
 * never throws into the engine, and does no work on its behalf but to write down names.
 */
export class Recorder implements EngineWatcher {
  readonly timeline: Timeline;
  /** Something was added; called at most once for each entry. */
  onAdded: () => void = () => {};
  /** Faults of its own, of which the engine must not learn. */
  faults = 0;
  /** Actors that were not followed because there are too many. */
  notShown = 0;
  readonly #now: () => number;
  #followed = new WeakMap<object, Followed>();
  #living = 0;
  #lastId = 0;
  /** Entries before this one have been told: they do not change any more. */
  #told = 0;
  readonly #steps = new WeakMap<AnyMachineSnapshot, Map<string, readonly string[]>>();
  #verdicts: Followed | undefined;
  readonly #upgradePaths = new UpgradePaths();

  constructor(timeline = new Timeline(), now: () => number = Date.now) {
    this.timeline = timeline;
    this.#now = now;
  }

  /** Entries up to this one have left: from now on they stay as they are. */
  told(next: number): void {
    if (next > this.#told) this.#told = next;
  }

  // --- what the engine calls

  actor(actor: AnyActorRef): void {
    this.#safely(() => {
      this.#followAll(actor, null);
      actor.system.inspect((event) => this.#inspectSafely(event));
    });
  }

  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): TransitionWatch {
    let followed: Followed | undefined;
    this.#safely(() => {
      followed = this.#begin({ name: id, kind: 'shared', chart: machine.id, parent: null }, machine);
      if (followed !== undefined) followed.active = activeOf(initial);
    });
    const names = ChartNames.of(machine);
    return (eventType, before, after, effects) =>
      this.#safely(() => {
        if (followed === undefined) return;
        const status = endOf(after);
        this.#note(followed, {
          event: names.event(eventType),
          active: names.active(after),
          edges: this.#edgesOf(machine, names, before, eventType),
          reason: reasonOfEffects(effects) ?? followed.reason,
          status,
        });
        if (status !== undefined) followed = undefined;
      });
  }

  verdict({ outcome, reason }: Verdict, facts: UpgradeFacts): void {
    this.#safely(() => {
      this.#verdicts ??= this.#begin({
        name: 'upgrades',
        kind: 'shared',
        chart: 'websocketAuth',
        parent: null,
      });
      if (this.#verdicts === undefined) return;
      const active = [`websocketAuth.${outcome}`];
      const edges = this.#upgradePaths.of(facts);
      this.#note(this.#verdicts, { event: 'upgrade', active, edges, reason, apart: true });
    });
  }

  // --- what XState tells

  #inspect(event: InspectionEvent): void {
    switch (event.type) {
      case '@xstate.microstep': {
        const followed = this.#followed.get(event.actorRef);
        if (followed?.names === undefined) return;
        for (const transition of event._transitions) {
          followed.edges = followed.names.edgesWith(followed.edges, transition);
        }
        return;
      }
      case '@xstate.snapshot': {
        const followed = this.#followed.get(event.actorRef);
        if (followed === undefined) return;
        const { type } = event.event;
        const { edges } = followed;
        followed.edges = NONE;
        const status = endOf(event.snapshot);
        // An actor that has begun is known already.
        if (type === 'xstate.init' && status === undefined && followed.names === undefined) return;
        this.#note(followed, {
          event: followed.names?.event(type) ?? (isInternal(type) ? clipped(type) : UNKNOWN_EVENT),
          active: followed.names?.active(event.snapshot) ?? NONE,
          edges,
          reason: reasonOf(event.snapshot) ?? null,
          status,
        });
        if (status !== undefined) this.#followed.delete(event.actorRef);
        return;
      }
      case '@xstate.actor':
        this.#followChild(event.actorRef as AnyActorRef);
    }
  }

  #followChild(actor: AnyActorRef): void {
    const parent = parentOf(actor);
    this.#follow(actor, parent === undefined ? null : (this.#followed.get(parent)?.id ?? null));
  }

  /** With the children that the chart's first state has made already. */
  #followAll(actor: AnyActorRef, parent: number | null): void {
    this.#follow(actor, parent);
    const id = this.#followed.get(actor)?.id ?? null;
    for (const child of childrenOf(actor)) this.#followAll(child, id);
  }

  #follow(actor: AnyActorRef, parent: number | null): void {
    const logic: AnyActorLogic | undefined = logicOf(actor);
    const machine = logic !== undefined && isMachine(logic) ? logic : undefined;
    const kind: ActorKind = machine === undefined ? 'task' : 'machine';
    const followed = this.#begin({ name: actor.id, kind, chart: machine?.id ?? null, parent }, machine);
    if (followed !== undefined) this.#followed.set(actor, followed);
  }

  // --- writing down

  #begin(actor: Omit<Actor, 'id'>, machine?: AnyStateMachine): Followed | undefined {
    if (this.#living >= MAX_ACTORS) {
      this.notShown += 1;
      return undefined;
    }
    this.#living += 1;
    this.#lastId += 1;
    const born = { ...actor, name: clipped(actor.name), id: this.#lastId };
    const since = this.#now();
    const followed: Followed = {
      id: born.id,
      names: machine === undefined ? undefined : ChartNames.of(machine),
      edges: NONE,
      active: NONE,
      since,
      reason: null,
      last: undefined,
    };
    this.#add(followed, {
      seq: this.timeline.next,
      time: since,
      actor: born.id,
      kind: 'started',
      event: 'started',
      active: NONE,
      edges: NONE,
      reason: null,
      lasted: null,
      count: 1,
      born,
    });
    return followed;
  }

  #note(followed: Followed, { event, active, edges, reason, status, apart }: Happened): void {
    const time = this.#now();
    const moved = !same(active, followed.active);
    const ended = status !== undefined;
    if (ended) this.#living -= 1;
    const quiet = edges.length === 0 && !moved && reason === followed.reason && event !== 'xstate.init';
    const kind = ended ? 'ended' : quiet && apart !== true ? 'ignored' : 'step';
    const last = followed.last;
    if (
      !ended &&
      !moved &&
      last !== undefined &&
      last.seq >= this.#told &&
      time - last.time < COALESCE_WITHIN &&
      last.event === event &&
      last.kind === kind &&
      last.reason === reason &&
      same(last.edges, edges)
    ) {
      const entry = { ...last, count: last.count + 1 };
      followed.last = entry;
      this.timeline.replace(entry);
      return;
    }
    const begins = (followed.active.length === 0 || apart === true) && !ended;
    const lasted = (moved && !begins) || ended ? Math.max(0, time - followed.since) : null;
    if (moved) followed.since = time;
    followed.active = moved ? active : followed.active;
    followed.reason = reason;
    const entry: Entry = {
      seq: this.timeline.next,
      time,
      actor: followed.id,
      kind,
      event,
      active: followed.active,
      edges,
      reason,
      lasted,
      count: 1,
    };
    this.#add(followed, status === undefined ? entry : { ...entry, status });
  }

  #add(followed: Followed, entry: Entry): void {
    followed.last = entry;
    this.timeline.add(entry);
    this.onAdded();
  }

  /** The edges that a step through a shared chart takes first; worked out once for each step. */
  #edgesOf(
    machine: AnyStateMachine,
    names: ChartNames,
    before: AnyMachineSnapshot,
    eventType: string,
  ): readonly string[] {
    let steps = this.#steps.get(before);
    if (steps === undefined) {
      steps = new Map();
      this.#steps.set(before, steps);
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

  /** At each event of each actor: without a closure for each. */
  #inspectSafely(event: InspectionEvent): void {
    try {
      this.#inspect(event);
    } catch {
      this.faults += 1;
    }
  }

  #safely(work: () => void): void {
    try {
      work();
    } catch {
      this.faults += 1;
    }
  }
}

function same(one: readonly string[], other: readonly string[]): boolean {
  if (one === other) return true;
  return one.length === other.length && one.every((item, index) => item === other[index]);
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
