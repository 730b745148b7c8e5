import type {
  AnyActorLogic,
  AnyActorRef,
  AnyMachineSnapshot,
  AnyStateMachine,
  InspectionEvent,
} from 'xstate';
import { decisionIdOf, runningDecisionId } from '../observe/decision-ids.js';
import type { EngineWatcher, LinkOptions, TransitionWatch } from '../observe/watcher.js';
import type { UpgradeFacts, Verdict } from '../protocol/authority.js';
import type { Secret } from '../protocol/secret.js';
import { childrenOf, hasStarted, hasStopped, logicOf, parentOf } from './actor-parts.js';
import { CausalOrder } from './causal-order.js';
import {
  activeStatesOf,
  ChartNames,
  endStatusOf,
  failureIn,
  isInternal,
  isMachine,
  NO_NAMES,
  reasonOf,
  reasonOfEffects,
  shownFailure,
  truncated,
  UNKNOWN_EVENT,
} from './projection.js';
import { type Draft, repeats, type Step, sameItems, type TrackedActor } from './recorded-step.js';
import { type Actor, type ActorKind, ATTACHED_EVENT, type EntryFailure, Timeline } from './timeline.js';
import { UpgradePaths } from './upgrade-paths.js';

/** Running actors that are recorded; above it, actors are only counted. */
const MAX_ACTORS = 20_000;
/**
 * Records the steps of the charts of an engine in a timeline. It reads charts only through the projection and never
 * throws into the engine.
 */
export class Recorder implements EngineWatcher {
  /** Set once there is a page. */
  newLink: ((options?: LinkOptions) => Secret) | undefined;
  /** True while it gets charts that run already: they are recorded in the state that they are in. */
  seeding = false;
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
  /** By root actor. */
  readonly #subscriptions = new Map<object, { unsubscribe(): void }>();
  readonly #order: CausalOrder<Draft>;

  constructor(timeline = new Timeline(), now: () => number = Date.now) {
    this.timeline = timeline;
    this.#now = now;
    this.#order = new CausalOrder((draft) => this.#append(draft), now);
  }

  /** Observes nothing from now on. */
  close(): void {
    for (const subscription of this.#subscriptions.values()) subscription.unsubscribe();
    this.#subscriptions.clear();
    this.#tracked = new WeakMap();
  }

  /** Entries before this one are sent: the recorder does not change them any more. */
  markSent(next: number): void {
    if (next > this.#sentBefore) this.#sentBefore = next;
  }

  // --- calls of the engine

  actor(actor: AnyActorRef): void {
    this.#guarded(() => {
      this.#trackWithChildren(actor, null);
      this.#subscriptions.set(
        actor,
        actor.system.inspect((event) => this.#inspectGuarded(event)),
      );
    });
  }

  run(id: string, machine: AnyStateMachine, initial: AnyMachineSnapshot): TransitionWatch {
    let tracked: TrackedActor | undefined;
    this.#guarded(() => {
      tracked = this.#addActor(
        { name: id, kind: 'shared', chart: machine.id, parent: null },
        machine,
        this.seeding ? initial : undefined,
      );
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
          decision: runningDecisionId(),
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
      this.#recordStep(this.#verdicts, {
        event: 'upgrade',
        active,
        edges,
        reason,
        independent: true,
        decision: runningDecisionId(),
      });
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
      case '@xstate.event': {
        const { actorRef, sourceRef } = event;
        const tracked = this.#tracked.get(actorRef);
        if (tracked === undefined || hasStopped(actorRef)) return;
        const sender = sourceRef === undefined ? undefined : this.#tracked.get(sourceRef)?.id;
        if (event.event.type === 'xstate.init') this.#order.begin(actorRef);
        else if (!hasStarted(actorRef) || this.#order.isIn(actorRef)) {
          tracked.senders.push(sender);
        } else this.#beginStep(actorRef, tracked, sender);
        return;
      }
      case '@xstate.snapshot':
        this.#inspectSnapshot(event);
        return;
      case '@xstate.actor':
        this.#trackChild(event.actorRef as AnyActorRef);
    }
  }

  #beginStep(actor: object, tracked: TrackedActor, sender: number | undefined): void {
    tracked.sender = sender;
    this.#order.begin(actor);
  }

  #inspectSnapshot({
    actorRef,
    event,
    snapshot,
  }: Extract<InspectionEvent, { type: '@xstate.snapshot' }>): void {
    const tracked = this.#tracked.get(actorRef);
    if (tracked === undefined) return;
    const { type } = event;
    const { edges, names, sender } = tracked;
    tracked.edges = NO_NAMES;
    tracked.sender = undefined;
    const status = endStatusOf(snapshot);
    // The entry `started` covers this event.
    const covered = type === 'xstate.init' && status === undefined && names === undefined;
    this.#order.end(
      actorRef,
      covered
        ? undefined
        : this.#draftOf(
            tracked,
            {
              event: names?.event(type) ?? (isInternal(type) ? truncated(type) : UNKNOWN_EVENT),
              active: names?.activeStates(snapshot) ?? NO_NAMES,
              edges,
              reason: reasonOf(snapshot) ?? null,
              failure: this.#newFailure(tracked, snapshot),
              status,
              decision: names === undefined ? undefined : decisionIdOf(snapshot),
            },
            this.#order.timeOf(actorRef),
            sender,
          ),
    );
    if (status !== undefined) {
      this.#tracked.delete(actorRef);
      this.#subscriptions.delete(actorRef);
    } else if (tracked.senders.length > 0) this.#beginStep(actorRef, tracked, tracked.senders.shift());
  }

  /** The failure that this step has recorded, if any. */
  #newFailure(tracked: TrackedActor, snapshot: unknown): EntryFailure | undefined {
    const failure = failureIn(snapshot);
    if (failure === tracked.failure) return undefined;
    tracked.failure = failure;
    return failure === undefined ? undefined : shownFailure(failure);
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
    const tracked = this.#addActor(
      { name: actor.id, kind, chart: machine?.id ?? null, parent },
      machine,
      this.seeding && hasStarted(actor) ? actor.getSnapshot() : undefined,
    );
    if (tracked !== undefined) this.#tracked.set(actor, tracked);
  }

  // --- entries

  /** @param running the state that it is in already; undefined: it begins */
  #addActor(
    actor: Omit<Actor, 'id'>,
    machine?: AnyStateMachine,
    running?: unknown,
  ): TrackedActor | undefined {
    if (this.#trackedCount >= MAX_ACTORS) {
      this.notShown += 1;
      return undefined;
    }
    this.#trackedCount += 1;
    this.#lastId += 1;
    const born = { ...actor, name: truncated(actor.name), id: this.#lastId };
    const names = machine === undefined ? undefined : ChartNames.of(machine);
    const since = this.#now();
    const failure = failureIn(running);
    const reason = reasonOf(running) ?? null;
    const tracked: TrackedActor = {
      id: born.id,
      names,
      edges: NO_NAMES,
      active: names === undefined ? NO_NAMES : names.activeStates(running),
      since,
      reason,
      last: undefined,
      senders: [],
      sender: undefined,
      failure,
    };
    this.#order.add({
      tracked,
      entry: {
        time: since,
        actor: born.id,
        kind: 'started',
        event: running === undefined ? 'started' : ATTACHED_EVENT,
        active: tracked.active,
        edges: NO_NAMES,
        reason,
        lasted: null,
        count: 1,
        born,
        // One that has been recovered from says nothing about this state.
        ...(failure !== undefined && failure.reason === reason ? { failure: shownFailure(failure) } : {}),
      },
    });
    return tracked;
  }

  #draftOf(
    tracked: TrackedActor,
    { event, active, edges, reason, failure, status, independent, decision }: Step,
    time: number,
    from: number | undefined,
  ): Draft {
    const stateChanged = !sameItems(active, tracked.active);
    const ended = status !== undefined;
    if (ended) this.#trackedCount -= 1;
    const noEffect =
      edges.length === 0 && !stateChanged && reason === tracked.reason && event !== 'xstate.init';
    const kind = ended ? 'ended' : noEffect && independent !== true ? 'ignored' : 'step';
    const isFirstState = (tracked.active.length === 0 || independent === true) && !ended;
    const lasted = (stateChanged && !isFirstState) || ended ? Math.max(0, time - tracked.since) : null;
    if (stateChanged) {
      tracked.since = time;
      tracked.active = active;
    }
    tracked.reason = reason;
    return {
      tracked,
      entry: {
        time,
        actor: tracked.id,
        kind,
        event,
        active: tracked.active,
        edges,
        reason,
        lasted,
        count: 1,
        ...(from === undefined || from === tracked.id ? {} : { from }),
        ...(failure === undefined ? {} : { failure }),
        // An event that was ignored made nothing: its snapshot is that of an earlier step.
        ...(decision === undefined || kind === 'ignored' ? {} : { decision }),
        ...(status === undefined ? {} : { status }),
      },
    };
  }

  #recordStep(tracked: TrackedActor, step: Step): void {
    this.#order.add(this.#draftOf(tracked, step, this.#now(), undefined));
  }

  #append({ tracked, entry }: Draft): void {
    const { last } = tracked;
    if (last !== undefined && last.seq >= this.#sentBefore && repeats(last, entry)) {
      const repeated = { ...last, count: last.count + 1 };
      tracked.last = repeated;
      this.timeline.replace(repeated);
      return;
    }
    const placed = { seq: this.timeline.next, ...entry };
    tracked.last = placed;
    this.timeline.add(placed);
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
