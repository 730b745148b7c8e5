import { writeFile } from 'node:fs/promises';
import type { HistoryRecord } from '../../recorder/format.js';
import { errnoText } from '../../system/errno.js';
import type { Replay } from '../../testing/replay.js';
import { usageError } from '../errors.js';

interface TestOptions {
  readonly until: string | number | undefined;
  readonly chart: string | undefined;
}

/**
 * Writes a test that replays these records, and names the way that they lead.
 * @returns how many steps it replays
 * @throws EngineError `usage` when the file exists or cannot be written
 */
export async function writeReplayTest(
  path: string,
  records: readonly HistoryRecord[],
  { steps }: Replay,
  { until, chart }: TestOptions,
): Promise<number> {
  const kept = records.filter(
    (record) =>
      !('at' in record) || until === undefined || typeof until === 'string' || record.at[0] <= until,
  );
  const decided = steps.filter(({ reason }) => reason !== null);
  const options = JSON.stringify({
    ...(until === undefined ? {} : { until }),
    ...(chart === undefined ? {} : { chart }),
  });
  const text = [
    '// Written by rc-engine replay --emit-test: what the charts decided then, they must decide today.',
    "import { expect, test } from 'vitest';",
    "import * as charts from 'rc-engine/machines';",
    "import { replayHistory } from 'rc-engine/testing';",
    '',
    '/** The recorded inputs of the charts. */',
    'const RECORDS = [',
    ...kept.map((record) => `  ${JSON.stringify(record)},`),
    '];',
    '',
    '/** The decisions, in order. */',
    'const PATH = [',
    ...decided.map((step) => `  ${JSON.stringify(`${step.chart} ${step.state}: ${String(step.reason)}`)},`),
    '];',
    '',
    `test(${JSON.stringify(titleOf(steps))}, () => {`,
    `  const { difference, steps } = replayHistory(charts, RECORDS, ${options});`,
    '  expect(difference).toBeNull();',
    '  const decided = steps.filter(({ reason }) => reason !== null);',
    "  expect(decided.map(({ chart, state, reason }) => [chart, ' ', state, ': ', reason].join(''))).toEqual(PATH);",
    '});',
    '',
  ].join('\n');
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (error) {
    throw usageError(
      `${path} cannot be written: ${errnoText(error)}.`,
      'Give --emit-test another file.',
      error,
    );
  }
  return steps.length;
}

function titleOf(steps: Replay['steps']): string {
  const [first] = steps;
  return first === undefined
    ? 'replays'
    : `replays the history from ${first.id} to ${steps.at(-1)?.id ?? ''}`;
}
