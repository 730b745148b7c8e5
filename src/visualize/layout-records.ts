/**
 * What the search for a readable layout found for each picture of our charts. The search tries up to a hundred layouts of a
 * large picture; a recorded one needs a single try. `npm run charts` writes the records.
 */
import records from '../../visualizations/layouts/records.json' with { type: 'json' };

/**
 * Where the text of a box with children is: below its title; in a node of its own, so that arrows go around it; or below the
 * title in short lines, for boxes with narrow contents.
 */
export type TextPlan = 'wide' | 'separate' | 'narrow';

export interface LayoutRecord {
  /** How often the picture was simplified. */
  readonly level: number;
  /** Index of the layout options that were used. */
  readonly variant: number;
  /** Regions of a parallel state are placed below each other instead of side by side. */
  readonly stackRegions: boolean;
  /** Where the text of a box with children is. */
  readonly text: TextPlan;
  /** Hash of all that the layout was made from. The record is of no use for anything else. */
  readonly input: string;
}

/** By the name of the picture. */
export const LAYOUT_RECORDS: Readonly<Record<string, LayoutRecord>> = Object.fromEntries(
  Object.entries(records).map(([name, record]) => [name, { ...record, text: textPlanOf(record.text) }]),
);

function textPlanOf(word: string): TextPlan {
  return word === 'separate' || word === 'narrow' ? word : 'wide';
}

/** The records as JSON, one line for each picture. */
export function recordsJson(records: ReadonlyMap<string, LayoutRecord>): string {
  const lines = [...records].map(([name, { level, variant, stackRegions, text, input }]) => {
    const record: LayoutRecord = { level, variant, stackRegions, text, input };
    return `  ${JSON.stringify(name)}: ${JSON.stringify(record)}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}
