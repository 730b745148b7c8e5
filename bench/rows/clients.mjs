/** A thousand virtual clients: how fast they open, and how much memory they take. */
import { sleep } from '../clock.mjs';
import { connect } from '../connected.mjs';
import { rssMiB } from '../process-tree.mjs';
import { atLeast, line } from '../report.mjs';

export const name = 'clients';

const COUNT = 1_000;
const IN_FLIGHT = 32;

export async function run({ programs, repetitions, generator }) {
  const added = { engine: [], codex: [] };
  const opened = { engine: [], codex: [] };
  const settle = repetitions(8_000, 3_000);
  for (let round = 0; round < repetitions(3, 1); round += 1) {
    const up = await connect(programs, generator);
    try {
      await sleep(settle);
      const before = {};
      for (const kind of programs) {
        before[kind] = rssMiB(up[kind].subject.pid);
        const ms = await up[kind].site.openClients(COUNT, IN_FLIGHT);
        opened[kind].push((COUNT / ms) * 1_000);
      }
      await sleep(settle);
      for (const kind of programs) added[kind].push(rssMiB(up[kind].subject.pid) - before[kind]);
    } finally {
      await Promise.all(Object.values(up).map((one) => one.end()));
    }
  }
  const asked = programs.includes('codex');
  const baseline = (values) => ({ name: 'Codex CLI', values: asked ? values : null });
  return [
    line({
      row: name,
      what: 'RSS that 1,000 virtual clients add',
      unit: 'MiB',
      values: added.engine,
      baseline: baseline(added.codex),
      goal: { op: '≤', limit: 30, absolute: true, unit: 'MiB' },
    }),
    line({
      row: name,
      what: 'virtual clients opened',
      unit: '/s',
      values: opened.engine,
      baseline: baseline(opened.codex),
      goal: atLeast(2),
    }),
  ];
}
