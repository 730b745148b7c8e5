/** Every recorded step of every chart lights something in the picture that the page shows. */
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { bestPicture, lightsOf, partsOf } from '../../src/inspector/page/lights.js';
import type { PageData } from '../../src/inspector/page/model.js';
import { readPageFile } from '../../src/inspector/page-file.js';
import type { Actor } from '../../src/inspector/timeline.js';
import { CLI } from '../support/cli.js';
import { RECORDED_CHARTS, recordedPaths } from './recorded-paths.js';

let data: PageData;

beforeAll(async () => {
  const page = await readPageFile(pathToFileURL(join(dirname(CLI), 'inspector.html.br')));
  const [, json = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(page) ?? [];
  data = JSON.parse(json) as PageData;
});

describe.each(RECORDED_CHARTS)('%s', (name) => {
  it('each step lights an edge or the state that it leaves, and the state that it leads to', {
    timeout: 120_000,
  }, async () => {
    const chart = data.charts[name];
    if (chart === undefined) throw new Error(`the page has no chart ${name}`);
    const { entries } = await recordedPaths(name);
    const actors = new Map<number, Actor>(entries.flatMap(({ born }) => (born ? [[born.id, born]] : [])));
    const active = new Map<number, readonly string[]>();
    const dark: string[] = [];
    let steps = 0;
    for (const entry of entries) {
      if (entry.born === undefined) active.set(entry.actor, entry.active);
      const actor = actors.get(entry.actor);
      const shown = actor?.kind === 'task' ? (actor.parent ?? entry.actor) : entry.actor;
      if (actors.get(shown)?.chart !== name) continue;
      // It started with its first step, which shows its state.
      if (entry.kind === 'started' && actor?.kind !== 'task') continue;
      const states = active.get(shown) ?? [];
      const picture = bestPicture(chart, name, entry, states, actor);
      if (picture === undefined) throw new Error(`${name} has no picture`);
      const lights = lightsOf(entry, actor, states, chart, partsOf(picture));
      steps += 1;
      const where = `${entry.seq} ${actor?.name} ${entry.event} ${entry.edges.join(', ')}`;
      for (const edge of entry.edges) {
        if (chart.edges[edge] === undefined) dark.push(`${where}: unknown edge ${edge}`);
      }
      if (entry.edges.length > 0 && lights.taken.length + lights.left.length === 0)
        dark.push(`${where}: no edge`);
      if (states.length > 0 && lights.active.length === 0) dark.push(`${where}: no state`);
      if (actor?.kind === 'task' && lights.working.length === 0) dark.push(`${where}: no work`);
      // An edge between states that this picture has is not only the frame of the chart.
      if (lights.left.length > 0 && lights.taken.length === 0 && lights.left.every((id) => id === name)) {
        const sources = entry.edges.map((edge) => chart.edges[edge]?.source);
        if (!sources.includes(name)) dark.push(`${where}: only the frame`);
      }
    }
    expect(dark.slice(0, 20)).toEqual([]);
    expect(steps).toBeGreaterThan(3);
  });
});

it('the page has the texts of all requirements that a chart cites', () => {
  const cited = JSON.stringify(data.charts).match(/\b(?:RC|WSA|ACC)-\d+[a-z]?\b/g) ?? [];
  expect(cited.length).toBeGreaterThan(100);
  expect([...new Set(cited)].filter((id) => !data.requirements[id])).toEqual([]);
});
