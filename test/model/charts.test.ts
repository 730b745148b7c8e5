/** Every transition of every chart, on paths generated from the machines of the engine. */
import { readFile } from 'node:fs/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { CHARTS } from '../../src/engine/charts.js';
import { MODELS, pathsOfChart } from '../../src/testing/charts/index.js';
import {
  actorDriver,
  coverageWords,
  failureWords,
  pathsMarkdown,
  runPaths,
} from '../../src/testing/index.js';
import { chartHash, toChart } from '../../src/visualize/chart.js';

/** Ids of transitions without a path, each with its reason. */
const WITHOUT_PATH: Readonly<Record<string, string>> = {};
/** Guards that always hold or always fail, each with its reason. */
const ONE_SIDED: Readonly<Record<string, string>> = {};

const report: string[] = [];

describe.each(Object.entries(CHARTS))('%s', (name, machine) => {
  const model = MODELS[name];
  if (model === undefined) {
    it('has a model in src/testing/charts', () => expect(Object.keys(MODELS)).toContain(name));
    return;
  }
  const { variants, coverage } = pathsOfChart(model);
  const paths = variants.flatMap(({ generated }) => generated.paths);
  const steps = paths.reduce((sum, path) => sum + path.steps.length, 0);
  report.push(`${name}: ${paths.length} paths, ${steps} steps. ${coverageWords(coverage)}`);

  it('is the machine of the model', () => expect(model.machine).toBe(machine));

  it('has a path for every transition', () => {
    expect(coverage.transitions.missing.filter((id) => WITHOUT_PATH[id] === undefined)).toEqual([]);
  });

  it('has a path to every state', () => expect(coverage.states.missing).toEqual([]));

  it('has a path on which every guard holds, and one on which it fails', () => {
    expect(coverage.guards.missing.filter((id) => ONE_SIDED[id] === undefined)).toEqual([]);
  });

  it('has the committed scenarios (npm run charts updates them)', async () => {
    const file = new URL(`../../visualizations/${name}.scenarios.md`, import.meta.url);
    expect(pathsMarkdown(name, chartHash(machine), { variants, coverage })).toBe(
      await readFile(file, 'utf8'),
    );
  });

  it('does the same from each state that inherits a transition, and when several guards hold', {
    timeout: 120_000,
  }, async () => {
    for (const { variant, generated } of pathsOfChart(model, 'thorough').variants) {
      const run = await runPaths(generated.paths, actorDriver(machine, variant.options));
      expect(failureWords(run), variant.name).toBe('');
    }
  });

  it('follows every path as an actor on a simulated clock', async () => {
    const taken = new Set<string>();
    for (const { variant, generated } of variants) {
      const run = await runPaths(generated.paths, actorDriver(machine, variant.options));
      expect(failureWords(run), variant.name).toBe('');
      for (const id of run.edges) taken.add(id);
    }
    // Edges that are taken at the start are not part of a step.
    if (steps > 0) {
      const atStart = new Set(variants.flatMap(({ generated }) => generated.startEdges));
      const untaken = toChart(machine).edges.filter(({ id }) => !taken.has(id) && !atStart.has(id));
      expect(untaken.map(({ id }) => id).filter((id) => WITHOUT_PATH[id] === undefined)).toEqual([]);
    }
  });
});

it('every exception is for an existing transition or guard', () => {
  const known = Object.values(CHARTS).flatMap((machine) =>
    toChart(machine).edges.flatMap(({ id, guard }) => [id, `${guard} holds`, `${guard} fails`]),
  );
  for (const id of [...Object.keys(WITHOUT_PATH), ...Object.keys(ONE_SIDED)]) expect(known).toContain(id);
});

afterAll(() => console.log(report.join('\n')));
