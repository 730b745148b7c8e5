/** Runs the planted faults: each one must be found within the given seeds. */
import { bundle } from '../bundle.js';
import type { Pool } from '../pool.js';
import type { SeedReport } from '../worker.js';
import { PLANTED } from './index.js';

export async function runPlanted(
  root: string,
  pool: Pool,
  only: string | undefined,
  first: number,
  seeds: number,
): Promise<number> {
  const names = only === undefined ? undefined : new Set(only.split(','));
  let missed = 0;
  for (const { name, patches } of PLANTED.filter(
    (planted) => names === undefined || names.has(planted.name),
  )) {
    pool.load(await bundle(root, patches));
    const found: SeedReport[] = [];
    await pool.runAll(first, seeds, (report) => {
      if (report.failure === null) return true;
      found.push(report);
      return false;
    });
    // Threads end their seeds in any order: the first failing seed is the lowest one.
    const [lowest] = found.sort((one, other) => one.seed - other.seed);
    if (lowest === undefined) missed += 1;
    const outcome =
      lowest === undefined
        ? `NOT FOUND within ${seeds} seeds`
        : `found after ${lowest.seed - first + 1} seeds: ${lowest.failure?.message.slice(0, 160)}`;
    console.log(`${name.padEnd(36)} ${outcome}`);
  }
  return missed === 0 ? 0 : 1;
}
