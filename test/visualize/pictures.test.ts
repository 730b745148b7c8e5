import { beforeAll, describe, expect, it } from 'vitest';
import { type AnyStateMachine, createMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { type Chart, chartHash, toChart } from '../../src/visualize/chart.js';
import { toDot } from '../../src/visualize/dot.js';
import { exportCharts } from '../../src/visualize/exports.js';
import type { Placed } from '../../src/visualize/geometry.js';
import { layout } from '../../src/visualize/layout.js';
import { FONT } from '../../src/visualize/lines.js';
import { overlaps } from '../../src/visualize/overlaps.js';
import { picturesOf } from '../../src/visualize/pictures.js';
import { crossings } from '../../src/visualize/readability.js';
import { svgOf } from '../../src/visualize/svg.js';
import { specimen } from './specimen.js';

const charts = Object.entries({ ...CHARTS, specimen }).map(
  ([name, machine]) => [name, toChart(machine)] as const,
);

/** Least size of text when a README scales the picture down, px. */
const LEAST_FONT = 9;
const README_WIDTH = 830;

describe.each(charts)('the pictures of %s', (_, chart) => {
  let placed: readonly Placed[];
  beforeAll(async () => {
    placed = await Promise.all(picturesOf(chart).map((picture) => layout(picture)));
  }, 120_000);

  it('have no overlaps: no label on a label, a box or another arrow, and no arrow through a box', () => {
    for (const one of placed) expect(overlaps(one), one.picture.name).toEqual([]);
  });

  it('have at most one crossing of arrows', () => {
    for (const { arrows, picture } of placed) expect(crossings(arrows), picture.name).toBeLessThanOrEqual(1);
  });

  it(`are readable at the width of a README: no text is smaller than ${LEAST_FONT} px`, () => {
    for (const { width, picture } of placed) {
      const scale = Math.min(1, README_WIDTH / width);
      expect(FONT * scale, picture.name).toBeGreaterThanOrEqual(LEAST_FONT);
    }
  });

  it('together show every state and every edge', () => {
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
      const triggerName =
        'event' in trigger ? trigger.event : 'actor' in trigger ? trigger.actor : trigger.kind;
      expect(text).toContain(triggerName);
      if (edge.guard !== null) expect(text).toContain(edge.guard.split(/[ (]/)[0]);
    }
  });
});

describe('svg', () => {
  it('is the same each time, with hash, tooltips, and colours for light and dark pages', async () => {
    const [picture] = picturesOf(toChart(CHARTS.pairing));
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
    const [picture] = picturesOf(toChart(machine));
    const { text } = await svgOf(picture!, '');
    expect(text).not.toMatch(/<(b|i|script)>/);
    expect(text).toContain('&lt;i&gt;');
  });

  it('names its states and edges in attributes, so that a page can highlight them', async () => {
    const [picture] = picturesOf(toChart(CHARTS.virtualClient));
    const { text } = await svgOf(picture!, '');
    expect(text).toContain('data-state="virtualClient.open"');
    expect(text).toContain('data-edges="virtualClient.open IDLE 0"');
  });
});

/** The chart without what is known of it beyond its definition. */
function definition(machine: AnyStateMachine): Chart {
  const chart = toChart(machine);
  return { ...chart, edges: chart.edges.map(({ wait: _, guardNote: __, ...edge }) => edge) };
}

describe('json', () => {
  it.each(Object.entries(CHARTS))('of %s creates the same chart', async (name, machine) => {
    const [file] = await exportCharts({ [name]: machine }, 'json');
    const copy = createMachine(JSON.parse(file!.text));
    expect(definition(copy)).toEqual(definition(machine));
    expect(JSON.parse(file!.text).meta).toEqual({ chartHash: chartHash(machine) });
  });
});

describe('dot', () => {
  it('has a cluster for each compound state, and quotes special characters', () => {
    const text = toDot(toChart(specimen), 'abc');
    expect(text).toMatch(/^\/\/ chart abc\ndigraph "specimen" \{\n/);
    expect(text.split('subgraph').length - 1).toBe(
      toChart(specimen).states.filter(
        ({ kind }) => kind !== 'atomic' && kind !== 'final' && kind !== 'history',
      ).length,
    );
    expect(text).toContain('odd:one;#1');
    expect(text.split('{').length).toBe(text.split('}').length);
  });
});

describe('html', () => {
  it('is one page with every picture, and loads no other file', { timeout: 60_000 }, async () => {
    const [page] = await exportCharts({ link: CHARTS.link, pairing: CHARTS.pairing }, 'html');
    expect(page!.text.split('<svg').length - 1).toBe(2);
    expect(page!.text).toContain("default-src 'none'");
    expect(page!.text).not.toMatch(
      /<script(?! type="(?:module|application\/json)")|src=|https?:\/\/(?!www\.w3\.org)/,
    );
    for (const name of ['link', 'pairing'] as const)
      expect(page!.text).toContain(`chart ${chartHash(CHARTS[name])}`);
  });
});
