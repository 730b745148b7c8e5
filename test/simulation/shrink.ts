/** Finds few steps of a failing seed that still fail the same way. */
import type { RunRequest, SeedReport } from './worker.js';

type Run = (request: RunRequest) => Promise<SeedReport>;

/** Most runs that one seed may take. */
const MAX_RUNS = 250;

/**
 * Leaves out steps in blocks, then one by one, while the same invariant fails. The order and the random numbers of the
 * other steps stay the same.
 */
export async function shrink(failing: SeedReport, run: Run): Promise<SeedReport> {
  const kind = kindOf(failing);
  let best = failing;
  let runs = 0;
  const attempt = async (only: readonly number[]): Promise<boolean> => {
    if (runs >= MAX_RUNS) return false;
    runs += 1;
    const report = await run({ seed: failing.seed, only });
    if (kindOf(report) !== kind) return false;
    best = report;
    return true;
  };
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let start = 0; start < best.steps.length; ) {
      const kept = best.steps.filter((_, index) => index < start || index >= start + size);
      if (kept.length === best.steps.length || !(await attempt(kept.map(({ index }) => index))))
        start += size;
    }
  }
  return best;
}

/** The invariant that failed, without the values of this run. */
const kindOf = ({ failure }: SeedReport): string | undefined => failure?.message.replace(/:.*$/s, '');
