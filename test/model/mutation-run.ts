/** Finds the mutants that the generated paths detect: paths of the original machine, played against the mutant. */
import { CHARTS } from '../../src/engine/charts.js';
import { MODELS, pathsOfChart } from '../../src/testing/charts/index.js';
import { actorDriver, runPaths } from '../../src/testing/index.js';
import { type Mutant, mutantsOf, mutate } from './mutants.js';

export interface Verdict {
  readonly chart: string;
  readonly mutant: Mutant;
  readonly killed: boolean;
}

export const chartNames = Object.keys(CHARTS);

export async function* judge(name: string): AsyncGenerator<Verdict> {
  const model = MODELS[name];
  if (model === undefined) throw new Error(`there is no chart ${name}`);
  const { variants } = pathsOfChart(model);
  for (const mutant of mutantsOf(model.machine)) {
    yield { chart: name, mutant, killed: await isKilled(mutant) };
  }

  async function isKilled(mutant: Mutant): Promise<boolean> {
    const mutated = mutate(model!.machine, mutant);
    for (const { variant, generated } of variants) {
      for (const path of generated.paths) {
        const report = await runPaths([path], actorDriver(mutated, { ...variant.options, edges: false }));
        if (report.failures.length > 0) return true;
      }
    }
    return false;
  }
}
