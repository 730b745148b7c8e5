/** Resident memory of the whole process tree while it is connected and idle. */
import { sleep } from '../clock.mjs';
import { connect } from '../connected.mjs';
import { rssMiB } from '../process-tree.mjs';
import { atMost, line } from '../report.mjs';

export const name = 'idle-rss';

export async function run({ programs, repetitions, generator }) {
  const found = { engine: [], codex: [] };
  for (let round = 0; round < repetitions(3, 1); round += 1) {
    const up = await connect(programs, generator);
    try {
      await sleep(repetitions(12_000, 5_000));
      for (const kind of programs) found[kind].push(rssMiB(up[kind].subject.pid));
    } finally {
      await Promise.all(Object.values(up).map((one) => one.end()));
    }
  }
  return [
    line({
      row: name,
      what: 'RSS, connected and idle',
      unit: 'MiB',
      values: found.engine,
      baseline: { name: 'Codex CLI', values: programs.includes('codex') ? found.codex : null },
      goal: atMost(0.85),
    }),
  ];
}
