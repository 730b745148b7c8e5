/** The command `npm run simulate`. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { bundle } from './bundle.js';
import { runPlanted } from './planted/run.js';
import { Pool } from './pool.js';
import { shrink } from './shrink.js';
import type { SeedReport } from './worker.js';

const HELP = `Usage: npm run simulate -- [options]
  --seeds N     how many seeds (1)
  --seed S      the first one (1)
  --steps LIST  only these steps of the seed, as a shrunk failure prints them
  --trace       print the trace of each seed
  --shrink      print the fewest steps with which a failing seed still fails
  --jobs N      seeds at a time (the processors of this machine)
  --planted     check that each planted fault is found (--only NAME,NAME: these)`;

export async function main(root: string, workerSource: string, args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seeds: { type: 'string', default: '1' },
      seed: { type: 'string', default: '1' },
      steps: { type: 'string' },
      trace: { type: 'boolean', default: false },
      shrink: { type: 'boolean', default: false },
      jobs: { type: 'string', default: String(availableParallelism()) },
      planted: { type: 'boolean', default: false },
      only: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  const [first, seeds, jobs] = [Number(values.seed), Number(values.seeds), Number(values.jobs)];
  const pool = new Pool(workerSource, values.planted ? jobs : Math.min(jobs, seeds));
  try {
    if (values.planted) return await runPlanted(root, pool, values.only, first, seeds === 1 ? 2_000 : seeds);
    pool.load(await bundle(root));
    if (values.trace || values.steps !== undefined) {
      const only = values.steps?.split(',').map(Number);
      for (let seed = first; seed < first + seeds; seed += 1) {
        const report = await pool.run({ seed, only, trace: true });
        if (values.trace) console.log(report.trace);
        printEnd(report);
        if (report.failure !== null) return 1;
      }
      return 0;
    }
    return await runSeeds(pool, first, seeds, values.shrink);
  } finally {
    await pool.close();
  }
}

async function runSeeds(pool: Pool, first: number, seeds: number, shrinks: boolean): Promise<number> {
  const began = performance.now();
  const failed: SeedReport[] = [];
  let events = 0;
  let time = 0;
  await pool.runAll(first, seeds, (report) => {
    events += report.events;
    time += report.time;
    if (report.failure !== null) {
      failed.push(report);
      console.log(`seed ${report.seed} FAILED: ${report.failure.message}`);
    }
    return true;
  });
  for (const report of shrinks ? failed : failed.slice(0, 1))
    printShrunk(await shrink(report, (request) => pool.run(request)));
  const seconds = (performance.now() - began) / 1_000;
  console.log(
    `${seeds} seeds (${first} to ${first + seeds - 1}): ${failed.length} failed; ${events} events, ` +
      `${(time / 3_600_000).toFixed(1)} simulated hours in ${seconds.toFixed(1)} s`,
  );
  return failed.length === 0 ? 0 : 1;
}

function printEnd({ seed, failure, digest, events, time }: SeedReport): void {
  console.log(`seed ${seed}: ${failure === null ? 'ok' : `FAILED: ${failure.stack}`}`);
  console.log(`trace ${digest}, ${events} events, ${(time / 1_000).toFixed(1)} simulated s`);
}

function printShrunk({ seed, steps, failure }: SeedReport): void {
  console.log(`\nseed ${seed}: ${failure?.message ?? 'does not fail again'}`);
  for (const { index, at, text } of steps)
    console.log(`  step ${index}  ${(at / 1_000).toFixed(3)} s  ${text}`);
  const list = steps.map(({ index }) => index).join(',');
  console.log(`  npm run simulate -- --seed ${seed} --steps ${list === '' ? 'none' : list} --trace\n`);
}
