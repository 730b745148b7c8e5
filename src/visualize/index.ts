/**
 * Pictures and data of any XState 5 machine, without a browser and without anything native, and what differs between two
 * versions of a machine.
 *
 * ```ts
 * import { writeFile } from 'node:fs/promises';
 * import { diffCharts, exportChart } from 'rc-engine/visualize';
 * for (const { name, text } of await exportChart(machine, 'svg')) await writeFile(name, text);
 * console.log(diffCharts(before, machine).words.join('\n'));
 * ```
 */
export type { Chart, ChartEdge, ChartInvoke, ChartState, StateKind, Trigger } from './chart.js';
export type { ChartChanges, Marks } from './chart-diff.js';
export { ChartError } from './chart-error.js';
export { type Charts, type ExportedFile, FORMATS, type Format } from './exports.js';
export { isMachine } from './machine-check.js';
export type { Mark } from './svg-marks.js';
export {
  chartHash,
  diffCharts,
  drawChanges,
  type ExportOptions,
  exportChart,
  exportCharts,
  toChart,
} from './toolkit.js';
