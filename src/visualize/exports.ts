/** Every export of a chart, by format. */
import type { AnyStateMachine } from 'xstate';
import { chartHash, toChart } from './chart.js';
import { toConfigJson } from './config-json.js';
import { toDot } from './dot.js';
import { recordsJson } from './layout-records.js';
import { toMermaid } from './mermaid.js';
import { mermaidParts } from './mermaid-parts.js';
import { type ChartPictures, toPage } from './page.js';
import type { PageExtras } from './page-data.js';
import { toPlantUml } from './plantuml.js';
import { toScxml } from './scxml.js';
import { svgsOf } from './svg.js';

/** Every format of an export. */
export const FORMATS = ['svg', 'mermaid', 'json', 'dot', 'scxml', 'plantuml', 'html'] as const;
/** A format of an export. */
export type Format = (typeof FORMATS)[number];

/** A file of an export. */
export interface ExportedFile {
  /** With its extension, for example `link.svg`. */
  readonly name: string;
  readonly text: string;
}

/** Machines by name. */
export type Charts = Readonly<Record<string, AnyStateMachine>>;

/** The first file of a chart is its overview. HTML is one page with every chart. */
export async function exportCharts(charts: Charts, format: Format): Promise<ExportedFile[]> {
  if (format === 'html') return [{ name: 'index.html', text: toPage(await chartPictures(charts)) }];
  const files: ExportedFile[] = [];
  for (const [name, machine] of Object.entries(charts)) files.push(...(await filesOf(name, machine, format)));
  return files;
}

/** Every file of `visualizations/` that is made from the charts alone. */
export async function exportAll(charts: Charts, extras?: PageExtras): Promise<ExportedFile[]> {
  const pictures = await chartPictures(charts);
  const texts = await Promise.all(
    (['mermaid', 'json', 'dot', 'scxml', 'plantuml'] as const).map((format) => exportCharts(charts, format)),
  );
  const records = new Map(pictures.flatMap(({ svgs }) => svgs.map(({ name, record }) => [name, record])));
  return [
    ...pictures.flatMap(({ svgs }) => svgs.map(({ name, text }) => ({ name: `${name}.svg`, text }))),
    ...texts.flat(),
    { name: 'index.html', text: toPage(pictures, extras) },
    { name: 'layouts/records.json', text: recordsJson(records) },
  ];
}

async function filesOf(
  name: string,
  machine: AnyStateMachine,
  format: Exclude<Format, 'html'>,
): Promise<ExportedFile[]> {
  const hash = chartHash(machine);
  switch (format) {
    case 'svg':
      return (await svgsOf(toChart(machine), hash)).map((svg) => ({
        name: `${svg.name}.svg`,
        text: svg.text,
      }));
    case 'mermaid':
      return [{ name, text: toMermaid(machine) }, ...mermaidParts(machine)].map((diagram) => ({
        name: `${diagram.name}.mmd`,
        text: `%% chart ${hash}\n${diagram.text}`,
      }));
    case 'json':
      return [{ name: `${name}.json`, text: toConfigJson(machine, hash) }];
    case 'dot':
      return [{ name: `${name}.dot`, text: toDot(toChart(machine), hash) }];
    case 'scxml':
      return [{ name: `${name}.scxml`, text: toScxml(machine, hash) }];
    case 'plantuml':
      return [{ name: `${name}.puml`, text: toPlantUml(toChart(machine), hash) }];
  }
}

async function chartPictures(charts: Charts): Promise<ChartPictures[]> {
  const pictures: ChartPictures[] = [];
  for (const [name, machine] of Object.entries(charts)) {
    const chart = toChart(machine);
    const hash = chartHash(machine);
    pictures.push({ name, hash, chart, svgs: await svgsOf(chart, hash) });
  }
  return pictures;
}
