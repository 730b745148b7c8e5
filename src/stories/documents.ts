/** Every generated file of the stories, by its path in the project. */
import type { AnyStateMachine } from 'xstate';
import { FILE_FORMAT, type SavedTimeline, TIMELINE_VERSION } from '../inspector/timeline.js';
import { EPOCH } from '../testing/charts/model.js';
import { chartHash } from '../visualize/chart.js';
import { type LayoutRecord, recordsJson } from '../visualize/layout-records.js';
import { storyIndex, storyPage } from './page.js';
import { type ChartPath, pathSvg } from './path-picture.js';
import { rowsOf } from './rows.js';
import { sequenceSvg } from './sequence.js';
import type { Stage } from './stage.js';
import { type Played, play, type Story } from './story.js';

const DIRECTORY = 'docs/stories';

type Machines = Readonly<Record<string, AnyStateMachine>>;

/** @param layouts The layouts that an earlier call found, from `docs/stories/layouts.json`. */
export async function storyDocuments(
  stories: readonly Story[],
  machines: Machines,
  layouts: Readonly<Record<string, LayoutRecord>> = {},
): Promise<ReadonlyMap<string, string>> {
  const files = new Map([[`${DIRECTORY}/README.md`, storyIndex(stories)]]);
  const records = new Map<string, LayoutRecord>();
  for (const story of stories) {
    const played = play(story, machines);
    const charts: string[] = [];
    for (const chart of story.pictures) {
      const name = `${story.name}.${chart}`;
      const svg = await pathSvg(machineOf(machines, chart), pathOf(played, chart), layouts[name]);
      if (svg === null) continue;
      charts.push(chart);
      records.set(name, svg.record);
      files.set(`${DIRECTORY}/${name}.svg`, svg.text);
    }
    files.set(`${DIRECTORY}/${story.name}.sequence.svg`, sequenceSvg(rowsOf(played), story.title));
    files.set(`${DIRECTORY}/${story.name}.timeline.json`, timelineText(played.stage, machines));
    files.set(`${DIRECTORY}/${story.name}.md`, storyPage(played, { charts }));
  }
  files.set(`${DIRECTORY}/layouts.json`, recordsJson(records));
  return files;
}

function machineOf(machines: Machines, chart: string): AnyStateMachine {
  const machine = machines[chart];
  if (machine === undefined) throw new Error(`There is no chart ${chart}.`);
  return machine;
}

/** The way of one chart through the story. */
export function pathOf({ stage, from }: Played, chart: string): ChartPath {
  const mine = stage.moments.flatMap((one, index) =>
    one.kind === 'moved' && one.definition === chart ? [{ ...one, index }] : [],
  );
  return {
    before: mine.findLast(({ index }) => index < from),
    moves: mine.filter(({ index }) => index >= from),
  };
}

/** What was recorded on a stage, as a file for `rc-engine inspect`. */
export function timelineText(stage: Stage, machines: Machines): string {
  const { timeline } = stage.recorder;
  const entries = timeline.slice(timeline.first, timeline.next);
  const charts = new Set(entries.flatMap(({ born }) => born?.chart ?? []));
  const saved: Omit<SavedTimeline, 'entries'> = {
    format: FILE_FORMAT,
    version: TIMELINE_VERSION,
    engine: 'simulation',
    savedAt: EPOCH + stage.clock.now(),
    charts: Object.fromEntries(
      Object.entries(machines).flatMap(([name, machine]) =>
        charts.has(machine.id) ? [[name, chartHash(machine)]] : [],
      ),
    ),
    base: timeline.base,
  };
  const head = JSON.stringify(saved).slice(0, -1);
  // One line for each entry, so that a change of the charts can be read as a difference.
  return `${head},"entries":[\n${entries.map((entry) => JSON.stringify(entry)).join(',\n')}\n]}\n`;
}
