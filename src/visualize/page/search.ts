import type { PageChart, PageData } from '../page-types.js';

export interface Result {
  readonly label: string;
  readonly chart: PageChart;
  readonly state?: string;
  readonly edge?: PageChart['edges'][number];
}

const MAX_RESULTS = 40;

/** States and transitions with all words, in their names, events, reasons, descriptions or requirements. */
export function search({ charts, requirements }: PageData, text: string): Result[] {
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return [];
  const matches = (searched: string) => {
    const lower = searched.toLowerCase();
    return words.every((word) => lower.includes(word));
  };
  const cited = (description: string) =>
    (description.match(/\b[A-Z]+-\d+[a-z]?\b/g) ?? []).map((number) => requirements[number] ?? '').join(' ');
  const byName: Result[] = [];
  const byText: Result[] = [];
  for (const chart of charts) {
    for (const { id, description } of chart.states) {
      const result = { label: `${id} – ${description}`, chart, state: id };
      if (matches(id)) byName.push(result);
      else if (matches(`${id} ${description} ${cited(description)}`)) byText.push(result);
    }
    for (const edge of chart.edges) {
      const result = { label: `${chart.name}: ${edge.text}`, chart, edge };
      if (matches(`${edge.id} ${edge.text} ${edge.reasons.join(' ')} ${cited(edge.text)}`))
        byText.push(result);
    }
  }
  return [...byName, ...byText].slice(0, MAX_RESULTS);
}
