/** Runs the model check of the engine with chosen bounds, and makes a report and a timeline for each counterexample. */
import type { AnyStateMachine } from 'xstate';
import { type EngineModelOptions, engineModel } from '../testing/product/engine-model.js';
import { type Counterexample, type Explored, exploreProduct } from '../testing/product/search.js';
import { timelineText } from './documents.js';
import { replayOnStage } from './replay.js';

export interface CheckOptions extends Pick<EngineModelOptions, 'events' | 'begin'> {
  readonly depth: number;
  /** Ms. */
  readonly time: number;
  readonly situations: number;
}

export interface Checked {
  readonly explored: Explored;
  /** In words. */
  readonly report: string;
  /** For `rc-engine inspect`, by the name of the law. */
  readonly timelines: ReadonlyMap<string, string>;
}

export function checkEngine(
  machines: Readonly<Record<string, AnyStateMachine>>,
  { events, begin, ...bounds }: CheckOptions,
): Checked {
  const model = engineModel({ machines, events, begin });
  const explored = exploreProduct(model, bounds);
  const timelines = explored.counterexamples.map((one): [string, string] => [
    one.law,
    timelineText(replayOnStage(model, one, machines), machines),
  ]);
  const { situations, legs, depth, endedBy, ms } = explored;
  const end = endedBy === null ? 'and there is nothing more' : `ended by ${endedBy}`;
  const report = [
    `From ${begin}, at most ${events} events: ${situations} situations, ${legs} acts, every way of ${depth} acts, ` +
      `${(ms / 1_000).toFixed(1)} s, ${end}.`,
    ...explored.counterexamples.map(words),
  ].join('\n');
  return { explored, report, timelines: new Map(timelines) };
}

function words({ law, why, words: acts, loop }: Counterexample): string {
  const from = acts.length - loop;
  return [
    `Broken: ${law}. ${why}`,
    ...acts.map((act, index) => `  ${index + 1}. ${act}${loop > 0 && index >= from ? ' (repeats)' : ''}`),
  ].join('\n');
}
