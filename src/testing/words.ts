/** Paths and coverage as text. */
import type { CoverageReport, Covered, Generated, Path } from './types.js';

/** Paths of one variant of a chart. */
export interface Chapter {
  /** Part of the title of each scenario, unless it is empty. */
  readonly variant: { readonly name: string };
  readonly generated: Pick<Generated, 'paths'>;
}

interface Book {
  readonly variants: readonly Chapter[];
  readonly coverage: CoverageReport;
}

/** Scenarios as Markdown: each step with the state that it leads to. */
export function pathsMarkdown(name: string, hash: string, { variants, coverage }: Book): string {
  let number = 0;
  const count = variants.reduce((sum, { generated }) => sum + generated.paths.length, 0);
  return [
    `# ${name}: ${count} scenarios`,
    '',
    `Chart ${hash}. ${coverageWords(coverage)}`,
    '',
    ...variants.flatMap(({ variant, generated }) =>
      generated.paths.flatMap((path) => {
        number += 1;
        return scenario(name, path, `${number}. ${variant.name === '' ? '' : `${variant.name}: `}`);
      }),
    ),
  ].join('\n');
}

/** Each scenario as text: a title without a number, and its steps. */
export function scenarioTexts(name: string, { variants }: Book): string[] {
  return variants.flatMap(({ generated }) =>
    generated.paths.map((path) => {
      const title = titleOf(name, path);
      return [`${title[0]?.toUpperCase()}${title.slice(1)}`, '', ...stepLines(name, path)].join('\n');
    }),
  );
}

function scenario(name: string, path: Path, title: string): string[] {
  return [`## ${title}${titleOf(name, path)}`, '', ...stepLines(name, path), ''];
}

const titleOf = (name: string, { start, steps }: Path): string =>
  `from ${shortState(name, start.states)} to ${shortState(name, steps.at(-1)?.expected.states ?? start.states)}`;

function stepLines(name: string, { steps }: Path): string[] {
  return steps.map(({ words, elapsed, expected, edges }, index) => {
    const time = elapsed === 0 ? '' : ` (${elapsed} ms)`;
    const to = edges.length === 0 ? 'nothing happens' : `**${shortState(name, expected.states)}**`;
    return `${index + 1}. ${words}${time} → ${to}`;
  });
}

/** The innermost active states without the name of the chart. */
function shortState(name: string, states: readonly string[]): string {
  const inner = states.filter((id) => !states.some((other) => other.startsWith(`${id}.`)));
  return inner.map((id) => (id.startsWith(`${name}.`) ? id.slice(name.length + 1) : id)).join(' | ');
}

/** For example `States 12/12, transitions 30/31, guards both ways 18/20; missing: …` */
export function coverageWords({ states, transitions, guards }: CoverageReport): string {
  const figure = ({ total, missing }: Covered) => `${total - missing.length}/${total}`;
  const missing = [...states.missing, ...transitions.missing, ...guards.missing];
  const end = missing.length === 0 ? '.' : `; missing: ${missing.join('; ')}.`;
  return `States ${figure(states)}, transitions ${figure(transitions)}, guards both ways ${figure(guards)}${end}`;
}

/** Paths as JSON for other programs, without snapshots and payloads. */
export function pathsJson(name: string, hash: string, { variants, coverage }: Book): string {
  const plain = variants.flatMap(({ variant, generated }) =>
    generated.paths.map(({ start, steps }) => ({
      variant: variant.name,
      start: start.states,
      steps: steps.map(({ kind, words, event, actor, elapsed, edges, expected }) => ({
        kind,
        words,
        event: event.type,
        actor,
        elapsed,
        edges,
        states: expected.states,
        tags: expected.tags,
      })),
    })),
  );
  return `${JSON.stringify({ chart: name, hash, coverage, paths: plain }, null, 2)}\n`;
}
