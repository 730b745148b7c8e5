/** The functions of `rc-engine/visualize`: they check what they are given, and name the files of any chart. */
import type { AnyStateMachine } from 'xstate';
import { type Chart, chartHash as hashOf, toChart as readChart } from './chart.js';
import { bodyChanges, type ChartChanges, changePictures, changesBetween } from './chart-diff.js';
import { ChartError } from './chart-error.js';
import {
  type Charts,
  type ExportedFile,
  exportCharts as exportTrusted,
  FORMATS,
  type Format,
} from './exports.js';
import { assertMachine, rebuilt } from './machine-check.js';

/** The id that XState gives a machine without one. */
const NO_ID = '(machine)';

/** Options of `exportChart` and `drawChanges`. */
export interface ExportOptions {
  /** Name of the files, and of a machine without an id. Default: the id of the machine. */
  readonly name?: string;
}

/**
 * Exports a machine: its pictures (`svg`; the overview first, then the parts that do not fit into it), Mermaid for GitHub
 * (`mermaid`), Graphviz (`dot`), SCXML (`scxml`), PlantUML (`plantuml`), a definition that `createMachine()` and Stately
 * Studio accept (`json`), or one page (`html`).
 * The machine is not started, so it needs neither input nor implementations, and the copy of xstate that made it does not
 * matter.
 *
 * @throws ChartError when the value is no machine of XState 5 or cannot be read, and for an unknown format.
 * @example
 * ```ts
 * for (const { name, text } of await exportChart(checkoutMachine, 'svg')) await writeFile(`docs/${name}`, text);
 * ```
 */
export async function exportChart(
  machine: AnyStateMachine,
  format: Format,
  options: ExportOptions = {},
): Promise<ExportedFile[]> {
  assertMachine(machine, options.name);
  return exportCharts({ [options.name ?? machine.id]: machine }, format);
}

/**
 * Exports several machines by name. With the format `html` they are one page.
 *
 * @throws ChartError as `exportChart`.
 * @example const [page] = await exportCharts({ checkout, payment }, 'html');
 */
export async function exportCharts(machines: Charts, format: Format): Promise<ExportedFile[]> {
  if (!FORMATS.includes(format)) {
    throw new ChartError(
      `The format ${JSON.stringify(format)} is unknown`,
      undefined,
      `Choose one of: ${FORMATS.join(', ')}.`,
    );
  }
  const named = Object.entries(machines).map(([name, machine]): [string, AnyStateMachine] => {
    readable(machine, name);
    return [name, withName(machine, name)];
  });
  if (format === 'html') return exportTrusted(Object.fromEntries(named), format);
  const files: ExportedFile[] = [];
  for (const [name, machine] of named) {
    for (const file of await exportTrusted({ [name]: machine }, format))
      files.push({ ...file, name: fileName(file.name, name, machine.id) });
  }
  return files;
}

/**
 * The states and edges of a machine as plain data, in source order: for exporters and checks of your own.
 *
 * @throws ChartError
 * @example const waiting = toChart(machine).states.filter(({ invokes }) => invokes.length > 0);
 */
export function toChart(machine: AnyStateMachine): Chart {
  assertMachine(machine);
  return readable(machine, machine.id);
}

/**
 * 12 hex digits that name what a chart does. They do not change with descriptions.
 *
 * @throws ChartError
 */
export function chartHash(machine: AnyStateMachine): string {
  toChart(machine);
  return hashOf(machine);
}

/**
 * What differs between two versions of a machine: in words, and by the ids of states and edges.
 *
 * @throws ChartError
 * @example console.log(diffCharts(before, after).words.join('\n'));
 */
export function diffCharts(before: AnyStateMachine, after: AnyStateMachine): ChartChanges {
  const changes = changesBetween(toChart(before), toChart(after));
  return { ...changes, words: [...changes.words, ...bodyChanges(before, after)] };
}

/**
 * The pictures of two versions of a machine as SVG: new states and edges green, changed ones amber, removed ones red and
 * dashed. The overview comes first, then each part in which something changed.
 *
 * @throws ChartError
 * @example const { before, after } = await drawChanges(mainMachine, branchMachine);
 */
export async function drawChanges(
  before: AnyStateMachine,
  after: AnyStateMachine,
  options: ExportOptions = {},
): Promise<{ readonly before: readonly ExportedFile[]; readonly after: readonly ExportedFile[] }> {
  assertMachine(before);
  assertMachine(after);
  const name = options.name ?? after.id;
  const [was, is] = [withName(before, name), withName(after, name)];
  const pictures = await changePictures(was, is);
  const files = (version: 'before' | 'after', id: string) =>
    pictures[version].map((svg) => ({
      name: fileName(`${svg.name}.${version}.svg`, name, id),
      text: svg.text,
    }));
  return { before: files('before', was.id), after: files('after', is.id) };
}

/** @throws ChartError where XState reads the definition only now, as it does with the initial state. */
function readable(machine: AnyStateMachine, name: string): Chart {
  assertMachine(machine, name);
  try {
    return readChart(machine);
  } catch (error) {
    throw new ChartError(`The chart ${name} cannot be read`, error);
  }
}

/** The machine with an id, if it has none. */
export function withName(machine: AnyStateMachine, name: string): AnyStateMachine {
  if (machine.id !== NO_ID || name === NO_ID) return machine;
  return rebuilt(machine, { ...machine.config, id: name }, machine.implementations);
}

/** A file of a chart begins with its id; it gets the name instead, without what file systems refuse. */
function fileName(file: string, name: string, id: string): string {
  const rest = file.startsWith(id)
    ? file.slice(id.length)
    : file.startsWith(name)
      ? file.slice(name.length)
      : `.${file}`;
  return safeFileName(`${name}${rest}`);
}

/** A name that every file system accepts. */
export const safeFileName = (name: string): string =>
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Windows refuses them, too
  name.replace(/[<>:"/\\|?*\u0000-\u001f]+/g, '-').replace(/^\.+/, '');
