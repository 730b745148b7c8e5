/** Process start → connected, on a new home (enrolls) and on a used one (refreshes), beside a bare `node -e 0`. */
import { atMost, line } from '../report.mjs';
import { bareNodeMs, Home, Subject } from '../subjects.mjs';

export const name = 'start';

/** From just before the process is created until the backend has accepted the WebSocket. */
async function startOnce(kind, home, site, run) {
  const subject = Subject.start(kind, home, site);
  try {
    return (await site.waitFor('open', run)) - subject.startedAt;
  } finally {
    await subject.stop();
  }
}

export async function run({ programs, repetitions, generator }) {
  const bare = [];
  const fresh = { engine: [], codex: [] };
  const known = { engine: [], codex: [] };
  const rounds = repetitions(15, 4);
  for (let round = 0; round <= rounds; round += 1) {
    const node = await bareNodeMs();
    const measured = [];
    for (const kind of programs) {
      const home = new Home();
      const site = await generator.site();
      measured.push([kind, await startOnce(kind, home, site, 1), await startOnce(kind, home, site, 2)]);
      await site.close();
      home.remove();
    }
    // The first round only loads the files into memory.
    if (round === 0) continue;
    bare.push(node);
    for (const [kind, first, second] of measured) {
      fresh[kind].push(first);
      known[kind].push(second);
    }
  }
  const asked = programs.includes('codex');
  const common = { row: name, unit: 'ms' };
  const against = (values) => ({ name: 'Codex CLI', values: asked ? values : null });
  return [
    line({
      ...common,
      what: 'start → connected, fresh home',
      values: fresh.engine,
      baseline: against(fresh.codex),
      goal: atMost(1.5, 1),
    }),
    line({
      ...common,
      what: 'start → connected, known home',
      values: known.engine,
      baseline: against(known.codex),
      goal: atMost(1.5, 1),
    }),
    line({
      ...common,
      what: 'start → connected, fresh home',
      values: fresh.engine,
      baseline: { name: 'bare node -e 0', values: bare },
    }),
  ];
}
