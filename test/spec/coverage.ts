/** Which tests and which generated paths show each requirement: docs/requirements.md. */
import type { AnyStateMachine } from 'xstate';
import { MODELS, pathsOfChart } from '../../src/testing/charts/index.js';
import { toChart } from '../../src/visualize/chart.js';
import type { SourceFile } from './repository.js';
import { citationsIn, compareIds, DOCUMENTS, definitionsIn, type Prefix, prefixOf } from './requirements.js';

const TITLES: Readonly<Record<Prefix, string>> = {
  RC: 'Remote control',
  WSA: 'The local listener',
  ACC: 'The account',
  HUB: 'The hub',
};

/** Numbers of the paths in `visualizations/NAME.scenarios.md`, by requirement and chart. */
export type PathsByRequirement = ReadonlyMap<string, ReadonlyMap<string, readonly number[]>>;

/**
 * A path shows a requirement when it takes a transition, or is in a state, whose description cites the number. The chart
 * itself counts for none.
 */
export function pathsByRequirement(defined: ReadonlySet<string>, models = MODELS): PathsByRequirement {
  const found = new Map<string, Map<string, number[]>>();
  for (const [name, model] of Object.entries(models)) {
    const cited = citedBy(model.machine, defined);
    let number = 0;
    for (const { generated } of pathsOfChart(model).variants) {
      for (const { start, steps } of generated.paths) {
        number += 1;
        const parts = [
          ...start.states,
          ...steps.flatMap(({ edges, expected }) => [...edges, ...expected.states]),
        ];
        for (const id of new Set(parts.flatMap((part) => cited.get(part) ?? []))) {
          const charts = found.get(id) ?? new Map<string, number[]>();
          charts.set(name, [...(charts.get(name) ?? []), number]);
          found.set(id, charts);
        }
      }
    }
  }
  return found;
}

function citedBy(
  machine: AnyStateMachine,
  defined: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const { states, edges } = toChart(machine);
  const idsIn = (text: string) => citationsIn(text, defined).flatMap(({ ids }) => ids);
  return new Map(
    [...states.filter(({ parent }) => parent !== null), ...edges].map(({ id, description }) => [
      id,
      idsIn(description),
    ]),
  );
}

/** The Markdown document. `tests` are the files below test/, `specification` those in docs/spec. */
export function requirementsDocument(
  specification: readonly SourceFile[],
  tests: readonly SourceFile[],
  paths?: PathsByRequirement,
): string {
  const definitions = specification.flatMap(({ path, text }) => definitionsIn(path, text));
  const defined = new Set(definitions.map(({ id }) => id));
  const shown = paths ?? pathsByRequirement(defined);
  const files = filesByRequirement(tests, defined);
  const untested = [...defined].filter((id) => !files.has(id)).sort(compareIds);
  const first = new Map(specification.flatMap((file) => sentencesIn(file)));
  const sections = Object.keys(DOCUMENTS).flatMap((prefix) => [
    `## ${TITLES[prefix as Prefix]}`,
    '',
    '| requirement | what it says, shortened | test files | scenarios of charts |',
    '| --- | --- | --- | --- |',
    ...[...defined]
      .filter((id) => prefixOf(id) === prefix)
      .sort(compareIds)
      .map((id) => row(id, first.get(id) ?? '', files.get(id) ?? [], shown.get(id))),
    '',
  ]);
  return [
    '<!-- Made by `npm run docs`. Change the specification or the tests, not this file. -->',
    '',
    '# Which tests show which requirement',
    '',
    `The ${defined.size} requirements of the [specification](spec/README.md), each with the test files that cite it, and with the`,
    'scenarios of the charts that pass a state or transition which cites it. The scenarios are generated from the charts and',
    'played against the engine or the chart; the numbers are those of `visualizations/NAME.scenarios.md`.',
    '',
    untested.length === 0
      ? 'Each requirement has a test.'
      : `${untested.length} have no test: ${untested.join(', ')}.`,
    '',
    ...sections,
  ]
    .join('\n')
    .trimEnd()
    .concat('\n');
}

function filesByRequirement(
  tests: readonly SourceFile[],
  defined: ReadonlySet<string>,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { path, text } of tests) {
    for (const id of new Set(citationsIn(text, defined).flatMap(({ ids }) => ids)))
      found.set(id, [...(found.get(id) ?? []), path]);
  }
  return found;
}

/** The text of each requirement up to its first full stop, at most 90 characters. */
function sentencesIn({ path, text }: SourceFile): [string, string][] {
  const lines = text.split('\n');
  return definitionsIn(path, text).map(({ id, line }): [string, string] => {
    const item = [lines[line - 1] ?? ''];
    for (const next of lines.slice(line)) {
      if (!/^ {2}\S/.test(next)) break;
      item.push(next.trim());
    }
    const words = item
      .join(' ')
      .replace(/^- (?:\*\*)?\S+?(?:\*\*)? /, '')
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const sentence = /^.*?\.(?= |$)/.exec(words)?.[0] ?? words;
    return [id, sentence.length <= 90 ? sentence : `${sentence.slice(0, 88).replace(/\s+\S*$/, '')} …`];
  });
}

function row(
  id: string,
  text: string,
  files: readonly string[],
  charts: ReadonlyMap<string, readonly number[]> | undefined,
): string {
  const document = DOCUMENTS[prefixOf(id) as Prefix].replace('docs/', '');
  const names = files.map(
    (file) => `[${file.replace(/^test\//, '').replace(/(\.test)?\.ts$/, '')}](../${file})`,
  );
  const scenarios = [...(charts ?? [])].map(
    ([chart, numbers]) => `[${chart}](../visualizations/${chart}.scenarios.md) ${rangesOf(numbers)}`,
  );
  const words = (text.match(/`/g)?.length ?? 0) % 2 === 0 ? text : text.replaceAll('`', '');
  return `| [${id}](${document}) | ${words.replaceAll('|', '\\|')} | ${names.join(', ') || 'none'} | ${scenarios.join('; ')} |`;
}

/** For example `1–3, 7`. */
function rangesOf(numbers: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const number of numbers) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else ranges.push([number, number]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}
