/** The product of the charts that talk to each other, explored within bounds, and mistakes that the search has to find. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { readTimeline, restoreTimeline } from '../../src/inspector/saved-timeline.js';
import { timelineText } from '../../src/stories/documents.js';
import { replayOnStage } from '../../src/stories/replay.js';
import { WAITS } from '../../src/testing/product/engine-laws.js';
import { type EngineModelOptions, engineModel } from '../../src/testing/product/engine-model.js';
import { type Bounds, type Explored, exploreProduct } from '../../src/testing/product/search.js';
import { chartHash, toChart } from '../../src/visualize/chart.js';
import { tmpFolder } from '../support/tmp.js';
import { FAULTS, type Fault, withFault } from './faults.js';

type Start = Pick<EngineModelOptions, 'events' | 'begin'>;

const MINUTE = 60_000;
const MANY = 1_000_000;

function explore(
  start: Start,
  bounds: Partial<Bounds>,
  machines: Readonly<Record<string, AnyStateMachine>>,
): Explored {
  return exploreProduct(engineModel({ machines, ...start }), {
    ...{ depth: 8, situations: MANY, time: 10 * MINUTE },
    ...bounds,
  });
}

/** Each search, and how deep it is in a test run. `npm run model-check` goes deeper. */
const SEARCHES: readonly (readonly [title: string, start: Start, depth: number])[] = [
  ['from the first start', { begin: 'off', events: 1 }, 9],
  ['from a link, with answers alone', { begin: 'connected', events: 0 }, 9],
  ['from a link, with one event', { begin: 'connected', events: 1 }, 7],
  ['from a link, with two events', { begin: 'connected', events: 2 }, 5],
];

describe('whatever happens outside, the charts of an engine together', () => {
  it.each(SEARCHES)(
    'have no deadlock, no livelock and one identity: %s',
    (title, start, depth) => {
      const found = explore(start, { depth }, CHARTS);
      console.log(
        `${title}: ${found.situations} situations, ${found.legs} acts, depth ${found.depth}, ${found.ms} ms`,
      );
      expect(found.counterexamples).toEqual([]);
      expect(found.situations).toBeGreaterThan(30);
    },
    5 * MINUTE,
  );

  it('names only states that exist as those that wait for a person', () => {
    const known = new Set(
      Object.values(CHARTS).flatMap((machine) => toChart(machine).states.map(({ id }) => id)),
    );
    expect(WAITS.filter((id) => !known.has(id))).toEqual([]);
  });
});

/** The searches that find the planted mistakes, the cheap ones first. */
const HUNTS: readonly (readonly [Start, number])[] = [
  [{ begin: 'connected', events: 0 }, 5],
  [{ begin: 'off', events: 2 }, 5],
  [{ begin: 'connected', events: 1 }, 7],
  [{ begin: 'connected', events: 0 }, 12],
];

function hunt({ chart, edit, law }: Fault) {
  const machines = { ...CHARTS, [chart]: withFault(CHARTS[chart], edit) };
  for (const [start, depth] of HUNTS) {
    const { counterexamples } = explore(start, { depth }, machines);
    const counterexample = counterexamples.find((one) => one.law === law);
    if (counterexample !== undefined) return { counterexample, machines, start };
  }
  return undefined;
}

describe('a planted mistake is found', () => {
  it.each(FAULTS.map((fault) => [fault.title, fault] as const))(
    '%s',
    async (_title, fault) => {
      const found = hunt(fault);
      expect(found?.counterexample.words, `nothing breaks “${fault.law}”`).toBeDefined();
      if (found === undefined) return;
      const { counterexample, machines, start } = found;
      console.log([fault.law, counterexample.why, ...counterexample.words].join('\n  '));
      // The running charts do the same, and the inspector shows it.
      const stage = replayOnStage(engineModel({ machines, ...start }), counterexample, machines);
      const file = join(await tmpFolder(), 'counterexample.json');
      await writeFile(file, timelineText(stage, machines));
      const hashes = Object.fromEntries(
        Object.entries(machines).map(([name, one]) => [name, chartHash(one)]),
      );
      const timeline = restoreTimeline(await readTimeline(file, hashes));
      expect(timeline.next).toBeGreaterThan(counterexample.words.length);
    },
    5 * MINUTE,
  );

  it('of each law', () => {
    expect([...new Set(FAULTS.map(({ law }) => law))]).toEqual([
      'no deadlock',
      'no livelock without a growing pause',
      'a token never outlives its identity',
      'a pairing code belongs to the identity in use',
      'disable always ends in idle',
      'one enrollment at a time',
    ]);
  });
});
