/** The machines that files export, by name. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type AnyStateMachine, createMachine } from 'xstate';
import { withoutByteOrderMark } from '../../protocol/byte-order-mark.js';
import { toChart } from '../../visualize/chart.js';
import { isMachine, notMachine } from '../../visualize/machine-check.js';
import { withName } from '../../visualize/toolkit.js';
import { usageError } from '../errors.js';
import { printError } from '../output/print.js';
import type { ChartFile } from './find-files.js';
import { withProgress } from './progress.js';
import { loadExports } from './user-code.js';

export interface FileChart {
  /** The id of the machine; for several machines of one id, with the name of the file or the export. */
  readonly name: string;
  readonly machine: AnyStateMachine;
  /** As it is shown. */
  readonly file: string;
  readonly exportName: string;
}

const NO_ID = '(machine)';

interface LoadOptions {
  /** It is no error that no file has a machine. */
  readonly mayBeEmpty?: boolean;
}

/**
 * Loads each file.
 * @throws EngineError `usage` with every file that cannot be loaded, or that is named and has no machine.
 */
export async function chartsOfFiles(
  files: readonly ChartFile[],
  { mayBeEmpty = false }: LoadOptions = {},
): Promise<FileChart[]> {
  const found: Found[] = [];
  const problems: unknown[] = [];
  const empty: string[] = [];
  for (const [index, file] of files.entries()) {
    try {
      const step = `Loading ${file.shown} (${index + 1} of ${files.length})`;
      const exported = await withProgress(step, () => exportsOf(file));
      const machines = machinesIn(exported).map((one): Found => ({ ...one, file }));
      if (machines.length === 0 && file.isNamed) throw withoutMachine(file, exported);
      if (machines.length === 0) empty.push(file.shown);
      for (const { machine } of machines) assertReadable(machine, file);
      found.push(...machines);
    } catch (error) {
      problems.push(error);
    }
  }
  if (problems.length === 1) throw problems[0];
  if (problems.length > 1) {
    for (const problem of problems) printError(problem);
    throw usageError(
      `${problems.length} of ${files.length} files cannot be used, so nothing was done.`,
      'Correct each of them, or leave it out.',
    );
  }
  if (found.length === 0 && !mayBeEmpty) {
    throw usageError(
      `None of these files exports a machine of XState 5: ${empty.join(', ')}.`,
      'Export what createMachine() or setup().createMachine() returns.',
    );
  }
  return named(found);
}

/** XState reads a part of the definition, such as the initial state, only when it needs it. */
function assertReadable(machine: AnyStateMachine, { shown }: ChartFile): void {
  try {
    toChart(machine);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw usageError(
      `The chart ${machine.id} of ${shown} cannot be read: ${reason}.`,
      'Correct its definition.',
      error,
    );
  }
}

interface Found {
  readonly machine: AnyStateMachine;
  readonly exportName: string;
  readonly file: ChartFile;
}

async function exportsOf(file: ChartFile): Promise<Readonly<Record<string, unknown>>> {
  if (!file.shown.endsWith('.json')) return loadExports(file.path, file.shown);
  try {
    const definition: unknown = JSON.parse(withoutByteOrderMark(await readFile(file.path, 'utf8')));
    return { default: createMachine(definition as never) };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw usageError(
      `${file.shown} is not the definition of a machine: ${reason}.`,
      'Name a file that rc-engine graph --format json has written.',
      error,
    );
  }
}

/** Each machine once: also those in an exported object or list, and a default export that has a name, too, by that name. */
function machinesIn(
  exported: Readonly<Record<string, unknown>>,
): { machine: AnyStateMachine; exportName: string }[] {
  const byMachine = new Map<AnyStateMachine, string>();
  const add = (exportName: string, value: unknown): void => {
    if (!isMachine(value)) return;
    const known = byMachine.get(value);
    if (known === undefined || known === 'default') byMachine.set(value, exportName);
  };
  for (const [name, value] of Object.entries(exported)) {
    add(name, value);
    if (typeof value !== 'object' || value === null || isMachine(value)) continue;
    for (const [key, inner] of Object.entries(value)) add(name === 'default' ? key : `${name}.${key}`, inner);
  }
  return [...byMachine].map(([machine, exportName]) => ({ machine, exportName }));
}

function withoutMachine({ shown }: ChartFile, exported: Readonly<Record<string, unknown>>): Error {
  const names = Object.keys(exported);
  for (const [name, value] of Object.entries(exported)) {
    const known = notMachine(value);
    if (known === undefined) continue;
    const subject = name === 'default' ? 'its default export' : `its export ${name}`;
    return usageError(
      `${shown} exports no machine of XState 5: ${subject} is ${known.what}.`,
      known.nextStep.replace(/^Pass /, 'Export '),
    );
  }
  return usageError(
    names.length === 0
      ? `${shown} exports nothing.`
      : `${shown} exports no machine of XState 5, only ${names.join(', ')}.`,
    'Export what createMachine() or setup().createMachine() returns.',
  );
}

/** A name for each that no other one has. */
function named(found: readonly Found[]): FileChart[] {
  const used = new Set<string>();
  return found.map((one): FileChart => {
    const base = path.basename(one.file.shown).replace(/(?:\.machine)?\.[^.]+$/, '');
    const byExport = one.exportName === 'default' ? base : one.exportName;
    const id = one.machine.id === NO_ID ? byExport : one.machine.id;
    const directory = path.dirname(one.file.shown).split('/').join('-');
    const candidates = [id, `${base}.${byExport}`, `${directory}-${base}.${byExport}`];
    const isClash = (name: string) => used.has(name.toLowerCase());
    let name = candidates.find((candidate) => !isClash(candidate)) ?? id;
    for (let count = 2; isClash(name); count += 1) name = `${id}.${count}`;
    // Some file systems do not distinguish upper and lower case.
    used.add(name.toLowerCase());
    return { name, machine: withName(one.machine, name), file: one.file.shown, exportName: one.exportName };
  });
}
