/** What the page of all charts shows beside the pictures. */
import type { Chart } from './chart.js';
import { edgeText } from './edge-text.js';
import type { PageChart, PageScenario } from './page-types.js';

/** What belongs to charts of this repository and is not in their definitions. */
export interface PageExtras {
  /** The scenarios of each chart as Markdown. */
  readonly scenarios: ReadonlyMap<string, string>;
  /** The documents of the specification. */
  readonly specification: readonly string[];
}

export function pageChart(name: string, chart: Chart, scenarios: string | undefined): PageChart {
  return {
    name,
    description: chart.description,
    states: chart.states.map(({ id, description, invokes }) => ({
      id,
      description,
      invokes: invokes.map(({ src }) => src),
    })),
    edges: chart.edges.map((edge) => ({
      id: edge.id,
      source: edge.source,
      targets: edge.targets,
      text: edgeText(chart, edge) + (edge.description === '' ? '' : ` – ${edge.description}`),
      reasons: edge.reasons,
    })),
    scenarios: scenarios === undefined ? [] : readScenarios(chart, scenarios),
  };
}

/** Reads what `pathsMarkdown` writes. */
function readScenarios(chart: Chart, markdown: string): PageScenario[] {
  const ids = new Set(chart.states.map(({ id }) => id));
  const statesOf = (text: string): string[] =>
    text.split(' | ').flatMap((path) => (ids.has(`${chart.id}.${path}`) ? [`${chart.id}.${path}`] : []));
  return markdown
    .split(/^## /m)
    .slice(1)
    .map((part) => {
      const [title = '', ...lines] = part.split('\n');
      const start = /: from (.+) to /.exec(title)?.[1] ?? '';
      const steps = lines.flatMap((line) => {
        const step = /^\d+\. (.*)$/.exec(line)?.[1];
        if (step === undefined) return [];
        const [, text = step, after = ''] = /^(.*) → \*\*(.*)\*\*$/.exec(step) ?? [];
        return [{ text: step.replaceAll('**', ''), states: text === step ? [] : statesOf(after) }];
      });
      return { title, steps: [{ text: `begins in ${start}`, states: statesOf(start) }, ...steps] };
    });
}

/** The requirements of a document: list items that begin with a number like `RC-26`, up to the next one. */
export function requirementsOf(documents: readonly string[]): Record<string, string> {
  const found: Record<string, string> = {};
  for (const text of documents) {
    for (const [, number, words] of text.matchAll(
      /^- \**([A-Z]+-\d+[a-z]?)\**[:.]? ((?:.|\n(?!\n|- |#))*)/gm,
    )) {
      if (number !== undefined && words !== undefined) found[number] ??= words.replace(/\s+/g, ' ').trim();
    }
  }
  return found;
}
