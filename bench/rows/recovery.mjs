/** The time to reconnect after the three most frequent ends of a link. */
import { atMost, line } from '../report.mjs';
import { Home, Subject } from '../subjects.mjs';

export const name = 'recovery';

const LIMIT = 60_000;

/**
 * Each closes an open link. `since` says when the time starts: at the close, or at the refusal of the handshake after it.
 */
const CASES = [
  { what: 'clean close → connected', refusals: [], goal: atMost(0.333) },
  { what: 'accepted token, then 401 → connected', refusals: [401], goal: atMost(0.25) },
  { what: 'explicit 404 → re-enrolled, connected', refusals: [404], goal: atMost(0.25) },
];

/** One process for each, because earlier failures make the pauses longer. */
async function recoverOnce(kind, refusals, generator) {
  const home = new Home();
  const site = await generator.site();
  const subject = Subject.start(kind, home, site);
  try {
    await site.waitFor('open', 1, LIMIT);
    await site.refuseNext(...refusals);
    const closedAt = await site.closeLink();
    const connectedAt = await site.waitFor('open', 2, LIMIT);
    if (refusals.includes(404) && (await site.count('enroll')) !== 2) throw new Error('it did not re-enroll');
    return connectedAt - (refusals.length === 0 ? closedAt : await site.waitFor('refused', 1));
  } finally {
    await subject.stop();
    await site.close();
    home.remove();
  }
}

export async function run({ programs, repetitions, generator }) {
  const rounds = repetitions(7, 2);
  const lines = [];
  for (const { what, refusals, goal } of CASES) {
    const times = { engine: [], codex: [] };
    for (let round = 0; round < rounds; round += 1) {
      // Both wait most of the time, so they can run at the same time.
      await Promise.all(
        programs.map(async (kind) => times[kind].push(await recoverOnce(kind, refusals, generator))),
      );
    }
    const values = programs.includes('codex') ? times.codex : null;
    lines.push(
      line({
        row: name,
        what,
        unit: 'ms',
        values: times.engine,
        baseline: { name: 'Codex CLI', values },
        goal,
      }),
    );
  }
  return lines;
}
