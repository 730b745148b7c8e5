/** What can happen to a chart in a situation: events, the ends of its actors, and the end of a delay. */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import { toChart } from '../visualize/chart.js';
import { triggerText } from '../visualize/edge-text.js';
import { handles, sampleOf } from './event-types.js';
import type { Position } from './pure-machine.js';
import type { GenerateOptions, StepKind } from './types.js';
import { eventWords, valueWords } from './value-words.js';

/** An event, an outcome, a failure or a delay. */
export interface Act {
  /** Unique in a situation, and stable across situations. */
  readonly id: string;
  readonly kind: StepKind;
  readonly event: EventObject;
  readonly words: string;
  readonly actor: string | null;
  readonly value: unknown;
}

type Unnamed = Omit<Act, 'id'>;

/** The acts that are possible in a situation. */
export class Acts<M extends AnyStateMachine> {
  readonly #options: GenerateOptions<M>;
  readonly #names: ReadonlyMap<string, string>;

  constructor(machine: M, options: GenerateOptions<M>) {
    this.#options = options;
    this.#names = new Map(
      toChart(machine).edges.map(({ id, trigger }) => [id.split(' ')[1] ?? '', triggerText(trigger)]),
    );
  }

  at({ snapshot, timers, ended = [] }: Position): Act[] {
    const waits = this.#options.waits?.(snapshot as never) !== false;
    const due = waits ? timers.filter((timer) => timer.due === timers[0]?.due) : [];
    const words = due.map(({ event }) => this.#named(event.type)).join(' and ');
    const delay = due.slice(0, 1).map(({ event }): Unnamed => {
      return { kind: 'delay', event, words, actor: null, value: undefined };
    });
    const actorEnds = this.#actors(snapshot).filter(({ actor }) => actor === null || !ended.includes(actor));
    const times = new Map<string, number>();
    const possible = [...actorEnds, ...this.#snapshots(snapshot), ...this.#events(snapshot), ...delay];
    return possible.map((act): Act => {
      const { type } = act.event;
      const before = times.get(type) ?? 0;
      times.set(type, before + 1);
      return { ...act, id: `${type} ${before}` };
    });
  }

  #named(type: string): string {
    return this.#names.get(type) ?? type;
  }

  /** The events that the active states handle, each with its payloads. */
  #events(snapshot: AnyMachineSnapshot): Unnamed[] {
    const { events } = this.#options;
    const given: readonly EventObject[] =
      typeof events === 'function' ? events(snapshot as never) : (events ?? []);
    const descriptors = new Set(
      snapshot._nodes
        .flatMap((node) => node.ownEvents as string[])
        .filter((descriptor) => !descriptor.startsWith('xstate.')),
    );
    const chosen = new Set<EventObject>();
    for (const descriptor of descriptors) {
      const variants = given.filter(({ type }) => handles(descriptor, type));
      for (const event of variants) chosen.add(event);
      // An event that matches a wildcard may be handled by a more specific descriptor, but XState decides that.
      if (variants.length === 0 && typeof events !== 'function') chosen.add({ type: sampleOf(descriptor) });
    }
    return [...chosen].map((event): Unnamed => {
      return { kind: 'event', event, words: eventWords(event), actor: null, value: undefined };
    });
  }

  #actors(snapshot: AnyMachineSnapshot): Unnamed[] {
    const {
      outcomes,
      failures,
    }: Pick<GenerateOptions<AnyStateMachine>, 'outcomes' | 'failures'> = this.#options as never;
    return snapshot._nodes.flatMap((node) =>
      node.invoke.flatMap(({ id }): Unnamed[] => {
        if (snapshot.children[id] === undefined) return [];
        const given = outcomes?.[id] ?? [undefined];
        const outputs = typeof given === 'function' ? given(snapshot as never) : given;
        const done = outputs.map((output): Unnamed => {
          const event = { type: `xstate.done.actor.${id}`, output, actorId: id };
          return {
            kind: 'outcome',
            event,
            words: `${id} done${valueWords(output)}`,
            actor: id,
            value: output,
          };
        });
        const rejected = (failures?.[id] ?? [new Error('it failed')]).map((error): Unnamed => {
          const event = { type: `xstate.error.actor.${id}`, error, actorId: id };
          return { kind: 'failure', event, words: `${id} failed`, actor: id, value: error };
        });
        // A rejection that no state handles stops the machine. That is a mistake in the chart, not a path.
        const handled = snapshot._nodes.some(({ ownEvents }) =>
          ownEvents.includes(`xstate.error.actor.${id}`),
        );
        return [...done, ...(handled ? rejected : [])];
      }),
    );
  }

  /** Snapshots of invoked actors, for states with `onSnapshot`. */
  #snapshots(snapshot: AnyMachineSnapshot): Unnamed[] {
    const { snapshots } = this.#options;
    return snapshot._nodes.flatMap((node) =>
      node.invoke.flatMap(({ id }): Unnamed[] => {
        const type = `xstate.snapshot.${id}`;
        const isObserved = snapshot._nodes.some(({ ownEvents }) => ownEvents.includes(type));
        if (snapshot.children[id] === undefined || !isObserved) return [];
        const given = snapshots?.[id] ?? [ACTIVE];
        return given.map((value) => {
          const words = `${id} changed${valueWords(value)}`;
          const event = { type, snapshot: value } as EventObject;
          return { kind: 'event', event, words, actor: null, value: undefined };
        });
      }),
    );
  }
}

/** The snapshot of an actor that runs and has no value yet. */
const ACTIVE = { status: 'active', output: undefined, error: undefined };
