/**
 * Laws of a chart: what holds after any sequence of events. The sequences are random, with the events, outcomes and delays of
 * the model of the chart, and a sequence that breaks a law is shortened by fast-check. The laws are written from the
 * requirements, so a wrong transition breaks them.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import { type Act, Acts } from '../../../src/testing/acts.js';
import { MODELS, pathsOfChart } from '../../../src/testing/charts/index.js';
import type { Variant } from '../../../src/testing/charts/model.js';
import type { Effect } from '../../../src/testing/effects.js';
import { type Position, PureMachine } from '../../../src/testing/pure-machine.js';
import type { Step } from '../../../src/testing/types.js';

/** One step of a sequence. */
export interface Moment<Context> {
  readonly event: EventObject & Readonly<Record<string, unknown>>;
  readonly words: string;
  /** Id of the actor that ended; null for events and delays. */
  readonly actor: string | null;
  /** Simulated ms since the start, after the step. A clock in the context shows the end of the sequence instead. */
  readonly now: number;
  readonly was: Context;
  readonly is: Context;
  /** Active states before and after, without the name of the chart. */
  readonly from: readonly string[];
  readonly to: readonly string[];
  readonly tags: readonly string[];
  readonly effects: readonly Effect[];
  /** Names of the actions of the host, with their params. */
  readonly did: readonly string[];
  /** The steps before this one. */
  readonly history: readonly Moment<Context>[];
}

export interface Law<Context> {
  readonly title: string;
  /** Default: each moment. */
  readonly when?: (moment: Moment<Context>) => boolean;
  readonly holds: (moment: Moment<Context>) => boolean;
}

const RUNS = 150;
const STEPS = 24;

/** The beginning of a generated path, and what happens after it. */
interface Sequence {
  readonly path: number;
  readonly prefix: number;
  readonly picks: readonly number[];
}

/**
 * Declares a test for each law. All look at the same random sequences. A law that is broken fails with the shortest sequence
 * that breaks it; one that applied to no moment fails, too.
 */
export function lawsOf<Context>(name: string, laws: readonly Law<Context>[]): void {
  const model = MODELS[name];
  if (model === undefined) throw new Error(`There is no model of the chart ${name}.`);
  const { machine } = model;
  const paths = pathsOfChart(model).variants.flatMap(({ variant, generated }) =>
    generated.paths.map(({ steps }): Start => ({ variant, steps })),
  );
  const sequence: fc.Arbitrary<Sequence> = fc.record({
    path: fc.nat(paths.length - 1),
    prefix: fc.nat(40),
    picks: fc.array(fc.nat(5_000), { minLength: 1, maxLength: STEPS }),
  });
  const whole = paths.map(({ steps }, path): Sequence => ({ path, prefix: steps.length, picks: [] }));
  const play = (one: Sequence) => [...momentsOf<Context>(machine, paths[one.path]!, one)];
  let played: (readonly [Sequence, Moment<Context>[]])[] | undefined;

  describe(`after any sequence of events of ${name}`, { timeout: 120_000 }, () => {
    it.each(laws)('$title', ({ when = () => true, holds }) => {
      // The generated paths take every transition, so that no law depends on a random sequence that comes by.
      played ??= [...whole, ...fc.sample(sequence, RUNS)].map((one) => [one, play(one)] as const);
      const broken = (moments: readonly Moment<Context>[]) =>
        moments.find((moment) => when(moment) && !holds(moment));
      const [example] = played.find(([, moments]) => broken(moments) !== undefined) ?? [];
      if (example !== undefined) {
        const property = fc.property(sequence, (one) => {
          const moment = broken(play(one));
          if (moment !== undefined) throw new Error(story(moment));
        });
        fc.assert(property, { examples: [[example]], numRuns: 1 });
      }
      expect(
        played.some(([, moments]) => moments.some(when)),
        'the law applies to some moment',
      ).toBe(true);
    });
  });
}

interface Start {
  readonly variant: Variant;
  readonly steps: readonly Step[];
}

function* momentsOf<Context>(
  machine: AnyStateMachine,
  { variant: { options }, steps }: Start,
  { prefix, picks }: Sequence,
): Generator<Moment<Context>> {
  const pure = new PureMachine(machine, options.input, options.setTime);
  const acts = new Acts(machine, options as never);
  let { position } = pure.start();
  const history: Moment<Context>[] = [];
  const perform = (
    act: Pick<Act, 'kind' | 'event' | 'words' | 'actor'>,
    before: Position,
  ): Moment<Context> => {
    options.setTime?.(before.now);
    const move = act.kind === 'delay' ? pure.elapse(before) : pure.take(before, act.event);
    position = move.position;
    const moment: Moment<Context> = {
      event: act.event as Moment<Context>['event'],
      words: act.words,
      actor: act.actor,
      now: position.now,
      was: before.snapshot.context,
      is: position.snapshot.context,
      from: statesOf(machine, before.snapshot),
      to: statesOf(machine, position.snapshot),
      tags: [...position.snapshot.tags],
      effects: move.effects,
      did: move.effects.flatMap(({ kind, name }) => (kind === 'action' ? [name] : [])),
      history: [...history],
    };
    history.push(moment);
    return moment;
  };
  for (const step of steps.slice(0, prefix)) {
    if (position.snapshot.status !== 'active' || (step.kind === 'delay' && position.timers.length === 0))
      return;
    yield perform(step, position);
  }
  for (const pick of picks) {
    if (position.snapshot.status !== 'active') return;
    const possible = acts.at(position);
    const act = possible[pick % Math.max(possible.length, 1)];
    if (act === undefined) return;
    yield perform(act, act.kind !== 'delay' && pick % 7 === 0 ? later(position) : position);
  }
}

/** In the middle of the next delay: an event must do the same as at its start. */
function later(position: Position): Position {
  const [next] = position.timers;
  return next === undefined
    ? position
    : { ...position, now: position.now + Math.floor((next.due - position.now) / 2) };
}

function statesOf(machine: AnyStateMachine, { _nodes }: AnyMachineSnapshot): string[] {
  return _nodes.filter(({ id }) => id !== machine.id).map(({ id }) => id.slice(machine.id.length + 1));
}

function story<Context>(moment: Moment<Context>): string {
  return [...moment.history, moment]
    .map(({ words, from, to }) => `${words}: ${from.at(-1)} → ${to.at(-1)}`)
    .join('\n');
}

/** A law for each tag: it holds exactly in these states. They are what adapters read, so they are part of the interface. */
export function tagLaws(tags: Readonly<Record<string, readonly string[]>>): Law<unknown>[] {
  return Object.entries(tags).map(([tag, states]) => ({
    title: `the tag ${tag} holds exactly in ${states.join(', ')}`,
    holds: ({ tags: found, to }) => found.includes(tag) === states.some((state) => to.includes(state)),
  }));
}
