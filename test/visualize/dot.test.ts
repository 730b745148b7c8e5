import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { AnyStateMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { toDot } from '../../src/visualize/dot.js';
import { FOREIGN } from './foreign.js';
import { specimen } from './specimen.js';

const charts: readonly (readonly [string, AnyStateMachine])[] = Object.entries({
  ...CHARTS,
  ...FOREIGN,
  specimen,
});
const hasGraphviz = spawnSync('dot', ['-V']).status === 0;

interface Drawn {
  readonly objects: readonly { readonly name: string; readonly _gvid: number }[];
  readonly edges: readonly { readonly tail: number; readonly head: number; readonly label?: string }[];
}

function draw(machine: AnyStateMachine): Drawn {
  const { status, stdout, stderr } = spawnSync('dot', ['-Tjson0'], {
    input: toDot(toChart(machine), 'abc'),
    encoding: 'utf8',
  });
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Drawn;
}

describe.skipIf(!hasGraphviz)('Graphviz (skipped where `dot` is not installed)', () => {
  it.each(charts)('draws %s with each state and each transition, without a warning', (_, machine) => {
    const chart = toChart(machine);
    const { objects, edges } = draw(machine);
    const names = new Set(objects.map(({ name }) => name));
    const missing = chart.states.filter(
      ({ id, parent }) => parent !== null && !names.has(id) && !names.has(`cluster_${id}`),
    );
    expect(missing.map(({ id }) => id)).toEqual([]);
    const arrows = chart.edges.reduce((sum, { targets }) => sum + Math.max(targets.length, 1), 0);
    const initials = chart.states.filter(({ initial }) => initial !== null).length;
    const histories = chart.states.reduce((sum, { history }) => sum + (history?.targets.length ?? 0), 0);
    expect(edges).toHaveLength(arrows + initials + histories);
  });

  it('shows names as they are', () => {
    const { edges } = draw(FOREIGN.names);
    const labels = edges.map(({ label }) => label);
    expect(labels).toContain('go > there [is > 3 && <ready>]');
    expect(labels).toContain('\\\\n %p(');
  });
});
