import { beforeAll, describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { clashes } from '../../src/visualize/clashes.js';
import { toDot } from '../../src/visualize/dot.js';
import { exportCharts } from '../../src/visualize/exports.js';
import type { Placed } from '../../src/visualize/geometry.js';
import { chartHash } from '../../src/visualize/hash.js';
import { layout } from '../../src/visualize/layout.js';
import { FONT } from '../../src/visualize/lines.js';
import { picturesOf } from '../../src/visualize/pictures.js';
import { crossings } from '../../src/visualize/score.js';
import { svgOf } from '../../src/visualize/svg.js';
import { walk } from '../../src/visualize/walk.js';
import { specimen } from './specimen.js';

const charts = Object.entries({ ...CHARTS, specimen }).map(
  ([name, machine]) => [name, walk(machine)] as const,
);

/** What its text has at least when a README scales it down, px. */
const LEAST_FONT = 9;
const README_WIDTH = 830;

describe.each(charts)('the pictures of %s', (_, chart) => {
  let placed: readonly Placed[];
  beforeAll(async () => {
    placed = await Promise.all(picturesOf(chart).map(layout));
  }, 120_000);

  it('have nothing that overlaps: no label on a label, a box or another arrow, no arrow through a box', () => {
    for (const one of placed) expect(clashes(one), one.picture.name).toEqual([]);
  });

  it('have hardly any arrows that cross', () => {
    for (const { arrows, picture } of placed) expect(crossings(arrows), picture.name).toBeLessThanOrEqual(1);
  });

  it(`can be read at the width of a README: no text is smaller than ${LEAST_FONT} px`, () => {
    for (const { width, picture } of placed) {
      const scale = Math.min(1, README_WIDTH / width);
      expect(FONT * scale, picture.name).toBeGreaterThanOrEqual(LEAST_FONT);
    }
  });

  it('show every state and every edge, in one picture or another', () => {
    const pictures = placed.map(({ picture }) => picture);
    const states = new Set(pictures.flatMap(({ boxes }) => boxes.map(({ id }) => id)));
    expect(chart.states.map(({ id }) => id).filter((id) => !states.has(id))).toEqual([]);
    const drawn = new Set(pictures.flatMap(({ arrows }) => arrows.flatMap(({ edges }) => edges)));
    const text = pictures
      .flatMap(({ boxes }) => boxes.flatMap(({ lines }) => lines.flatMap(({ spans }) => spans)))
      .map((span) => span.text)
      .join(' ');
    for (const edge of chart.edges) {
      if (drawn.has(edge.id)) continue;
      const { trigger } = edge;
      const word = 'event' in trigger ? trigger.event : 'actor' in trigger ? trigger.actor : trigger.kind;
      expect(text).toContain(word);
      if (edge.guard !== null) expect(text).toContain(edge.guard.split(/[ (]/)[0]);
    }
  });
});

describe('svg', () => {
  it('comes out the same each time, with hash, tooltips, and colours for light and dark', async () => {
    const [picture] = picturesOf(walk(CHARTS.pairing));
    const { text } = await svgOf(picture!, 'abc123');
    expect((await svgOf(picture!, 'abc123')).text).toBe(text);
    expect(text).toContain('data-hash="abc123"');
    expect(text).toContain(
      '<title>pairing.codeShown – The code is shown and waits to be entered on the other device.</title>',
    );
    expect(text).toContain('@media (prefers-color-scheme: dark)');
    expect(text).not.toMatch(/<script|href=|url\((?!#)/);
  });

  it('writes names and descriptions as text, never as markup', async () => {
    const machine = createMachine({
      id: 'odd',
      description: '<b>"&',
      initial: 'a',
      states: { a: { on: { '<i>': 'b' } }, b: { description: '</text><script>' } },
    });
    const [picture] = picturesOf(walk(machine));
    const { text } = await svgOf(picture!, '');
    expect(text).not.toMatch(/<(b|i|script)>/);
    expect(text).toContain('&lt;i&gt;');
  });

  it('marks the states and edges that it shows, for whoever lights them up', async () => {
    const [picture] = picturesOf(walk(CHARTS.virtualClient));
    const { text } = await svgOf(picture!, '');
    expect(text).toContain('data-state="virtualClient.active"');
    expect(text).toContain('data-edges="virtualClient.active IDLE 0"');
  });
});

describe('json', () => {
  it.each(Object.entries(CHARTS))('of %s makes the same chart again', async (name, machine) => {
    const [file] = await exportCharts({ [name]: machine }, 'json');
    const again = createMachine(JSON.parse(file!.text));
    expect(chartHash(again)).toBe(chartHash(machine));
    expect(JSON.parse(file!.text).meta).toEqual({ chartHash: chartHash(machine) });
  });
});

describe('dot', () => {
  it('has a cluster for each compound state, and quotes what must be quoted', () => {
    const text = toDot(walk(specimen), 'abc');
    expect(text).toMatch(/^\/\/ chart abc\ndigraph "specimen" \{\n/);
    expect(text.split('subgraph').length - 1).toBe(
      walk(specimen).states.filter(
        ({ kind, parent }) => parent !== null && kind !== 'atomic' && kind !== 'final' && kind !== 'history',
      ).length,
    );
    expect(text).toContain('odd:one;#1');
    expect(text.split('{').length).toBe(text.split('}').length);
  });
});

describe('html', () => {
  it('is one page with every picture, that loads nothing', { timeout: 60_000 }, async () => {
    const [page] = await exportCharts({ link: CHARTS.link, pairing: CHARTS.pairing }, 'html');
    expect(page!.text.split('<svg').length - 1).toBe(2);
    expect(page!.text).toContain("default-src 'none'");
    expect(page!.text).not.toMatch(/<script|src=|https?:\/\/(?!www\.w3\.org)/);
    for (const name of ['link', 'pairing'] as const)
      expect(page!.text).toContain(`chart ${chartHash(CHARTS[name])}`);
  });
});
