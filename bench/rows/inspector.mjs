/** What the inspector costs while 1,000 actors take 1,000 events a second. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { atMost, line } from '../report.mjs';

export const name = 'inspector';

const SCRIPT = fileURLToPath(new URL('../inspector.mjs', import.meta.url));
/** It may slow the engine by this much, percent of a core. */
const LIMIT = 5;
const MEASURED = [
  ['1,000 actors, 1,000 events/s, watched: more than unwatched', 'watched'],
  ['1,000 actors, 1,000 events/s, shown on a page: more than unwatched', 'shown'],
];

export async function run({ quick }) {
  const { stdout } = await promisify(execFile)(process.execPath, [SCRIPT, quick ? 'quick' : 'full']);
  const found = JSON.parse(stdout);
  return MEASURED.map(([what, key]) =>
    line({
      row: name,
      what,
      unit: '% of a core',
      values: found[key].map((value, round) => value - found.off[round]),
      baseline: { name: 'nobody watches', values: found.off },
      goal: { ...atMost(LIMIT, '%'), absolute: true },
    }),
  );
}
