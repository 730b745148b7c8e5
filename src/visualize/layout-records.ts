/**
 * What the search for a readable layout found for each picture of our charts. The search tries up to a hundred layouts of a
 * large picture; a recorded one needs a single try. `npm run charts` writes the records.
 */
import records from '../../visualizations/layouts/records.json' with { type: 'json' };

export interface LayoutRecord {
  /** How often the picture was simplified. */
  readonly level: number;
  /** Index of the layout options that were used. */
  readonly variant: number;
  /** Regions of a parallel state are placed below each other instead of side by side. */
  readonly stackRegions: boolean;
  /** The text of a box with children is a node inside it, so that arrows go around it. */
  readonly separateText: boolean;
  /** Hash of all that the layout was made from. The record is of no use for anything else. */
  readonly input: string;
}

/** By the name of the picture. */
export const LAYOUT_RECORDS: Readonly<Record<string, LayoutRecord>> = records;

/** The records as JSON, one line for each picture. */
export function recordsJson(records: ReadonlyMap<string, LayoutRecord>): string {
  const lines = [...records].map(([name, { level, variant, stackRegions, separateText, input }]) => {
    const record: LayoutRecord = { level, variant, stackRegions, separateText, input };
    return `  ${JSON.stringify(name)}: ${JSON.stringify(record)}`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}
