import { describe, expect, it } from 'vitest';
import { createMachine } from 'xstate';
import { CHARTS } from '../../src/engine/charts.js';
import { toChart } from '../../src/visualize/chart.js';
import { layout } from '../../src/visualize/layout.js';
import { LAYOUT_RECORDS } from '../../src/visualize/layout-records.js';
import type { Picture } from '../../src/visualize/picture.js';
import { picturesOf } from '../../src/visualize/pictures.js';

function firstPicture(machine: Parameters<typeof toChart>[0]): Picture {
  const [picture] = picturesOf(toChart(machine));
  if (picture === undefined) throw new Error('no picture');
  return picture;
}

describe('layout records', () => {
  it.each(['link', 'pairing', 'authRecovery'] as const)('of %s are what a search finds', async (name) => {
    const picture = firstPicture(CHARTS[name]);
    const recorded = await layout(picture);
    expect(recorded.record).toEqual(LAYOUT_RECORDS[picture.name]);
    const found = await layout(picture, { records: {} });
    expect(found.record).toEqual(recorded.record);
    expect([found.width, found.height, found.boxes, found.arrows]).toEqual([
      recorded.width,
      recorded.height,
      recorded.boxes,
      recorded.arrows,
    ]);
  });

  it('are not used for a picture that has changed: a label, a box or an arrow', async () => {
    const picture = firstPicture(CHARTS.virtualClient);
    const changes: Picture[] = [
      { ...picture, arrows: picture.arrows.slice(1) },
      { ...picture, boxes: picture.boxes.map((box) => ({ ...box, title: `${box.title} and more` })) },
      { ...picture, arrows: picture.arrows.map((arrow) => ({ ...arrow, lines: [] })) },
    ];
    for (const changed of changes) {
      const { record } = await layout(changed);
      expect(record.input).not.toBe(LAYOUT_RECORDS[picture.name]?.input);
      expect(record).toEqual((await layout(changed, { records: {} })).record);
    }
  });

  it('are not used for a foreign chart with the name of one of ours', async () => {
    const foreign = createMachine({ id: 'link', initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } });
    const { record, boxes } = await layout(firstPicture(foreign));
    expect(record.input).not.toBe(LAYOUT_RECORDS.link?.input);
    expect(boxes.map(({ box }) => box.id)).toContain('link.a');
  });
});
