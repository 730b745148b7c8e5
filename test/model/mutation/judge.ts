/** Decides who notices a mutant: hand-written tests and laws, or paths of the original machine. */
import type { AnyStateMachine } from 'xstate';
import { CHARTS } from '../../../src/engine/charts.js';
import { MODELS, pathsOfChart } from '../../../src/testing/charts/index.js';
import { actorDriver, runPaths } from '../../../src/testing/index.js';
import { PureMachine } from '../../../src/testing/pure-machine.js';
import { observed } from './implementations.js';
import { type Mutant, mutantsOf, mutate, mutateInPlace } from './mutants.js';

export const chartNames = Object.keys(CHARTS);

export function machineOf(name: string): AnyStateMachine {
  const machine = MODELS[name]?.machine;
  if (machine === undefined) throw new Error(`There is no model of the chart ${name} in src/testing/charts.`);
  return machine;
}

/** Puts the mistake into the chart that the tests import. */
export function putInto(name: string, mutant: Mutant): void {
  mutateInPlace(machineOf(name), mutant);
}

export class Paths {
  readonly #machine: AnyStateMachine;
  readonly #variants;

  constructor(name: string) {
    this.#machine = machineOf(name);
    this.#variants = pathsOfChart(MODELS[name]!, 'thorough').variants;
  }

  /** The mutants of the chart: what assignments clear is seen on the paths. */
  async mutants(): Promise<Mutant[]> {
    const { machine, found } = observed(this.#machine);
    for (const { variant, generated } of this.#variants)
      await runPaths(generated.paths, actorDriver(machine, { ...variant.options, edges: false }));
    return mutantsOf(this.#machine, { ...found, rivals: this.#rivals() });
  }

  #rivals(): Set<string> {
    const rivals = new Set<string>();
    for (const { variant, generated } of this.#variants) {
      const { input, setTime } = variant.options;
      const pure = new PureMachine(this.#machine, input, setTime);
      for (const { start, steps } of generated.paths) {
        let [snapshot, now] = [start.snapshot, 0];
        for (const { event, elapsed, expected } of steps) {
          now += elapsed;
          for (const pair of pure.take({ snapshot, now, timers: [] }, event).rivals) rivals.add(pair);
          snapshot = expected.snapshot;
        }
      }
    }
    return rivals;
  }

  /** The words of the step at which a path fails; undefined when none does. */
  notice(mutant: Mutant): Promise<string | undefined> {
    return this.noticeOf(mutate(this.#machine, mutant));
  }

  async noticeOf(machine: AnyStateMachine): Promise<string | undefined> {
    for (const { variant, generated } of this.#variants) {
      const driver = actorDriver(machine, { ...variant.options, edges: false });
      for (const path of generated.paths) {
        const [failure] = (await runPaths([path], driver)).failures;
        if (failure !== undefined) return failure.step?.words ?? 'the start';
      }
    }
    return undefined;
  }
}
