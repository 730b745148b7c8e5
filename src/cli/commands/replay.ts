import { isReason, REASONS } from '../../protocol/reasons.js';
import { eventWords } from '../../recorder/history-rows.js';
import type { Replay, ReplayDifference } from '../../testing/replay.js';
import { EXIT, oneOf, usageError } from '../errors.js';
import { historyLine } from '../output/history-line.js';
import { errorOutput, printJson } from '../output/print.js';
import { stderr, stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { parseMoment } from '../parser/moment.js';

export const replay = defineCommand({
  name: 'replay',
  description: 'Run a recorded history through the charts of this version, and compare what they decide',
  progress: 'Replaying the history',
  notes:
    'Each chart gets the recorded events, in order, with their time and their random numbers. Nothing is sent anywhere.\n' +
    'The first step with another state, reason or effect ends the replay: what was recorded, and what the charts of this\n' +
    'version decide. A history of another version is replayed, too.\n' +
    'Exit codes: 0 the charts decide as recorded, 1 they decide differently, or there is nothing to replay.',
  positionals: {
    source: {
      type: 'string',
      description: 'A home, its directory history, one file of it, or a report. Default: the home',
      completes: 'files',
    },
  },
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    until: {
      type: 'string',
      description: 'Stop behind this decision (an id), or at this moment: 30m, 2h (ago), or 2026-11-28T03:00',
    },
    chart: { type: 'string', description: 'Only this chart', completes: 'charts' },
    verbose: {
      type: 'boolean',
      description: 'Show each step with its effects, also those without a decision',
    },
    'emit-test': {
      type: 'string',
      implicit: 'history.test.mjs',
      description: 'Write a test for vitest that fails when the charts decide differently one day',
      completes: 'files',
    },
  },
  examples: [
    ['replay', 'Replay the history of the home'],
    ['replay ~/.rc-engine --until 88zy2pr-0000a', 'The way to one decision'],
    ['replay --emit-test night.test.mjs', 'Write a regression test'],
  ],
  run: async ({ source, home, json = false, verbose = false, until, chart, emitTest }) => {
    errorOutput.json = json;
    const { CHARTS } = await import('../../engine/charts.js');
    if (chart !== undefined) oneOf('chart', chart, Object.keys(CHARTS));
    const end = endOf(until);
    const path = source ?? (await homeDirectory(home));
    const { changedCharts, readHistoryAt } = await import('../../recorder/history-source.js');
    const files = await readHistoryAt(path);
    const records = files.flatMap((file) => file.records);
    const { replayHistory } = await import('../../testing/replay.js');
    const result = replayHistory(CHARTS, records, {
      ...(end === undefined ? {} : { until: end }),
      ...(chart === undefined ? {} : { chart }),
    });
    if (emitTest !== undefined) {
      const { writeReplayTest } = await import('../output/replay-test.js');
      const steps = await writeReplayTest(emitTest, records, result, { until: end, chart });
      if (json) printJson({ type: 'test', file: emitTest, steps });
      else stdout.print(`${emitTest} replays ${steps} steps: run it with vitest.`);
      return result.difference === null ? EXIT.ok : EXIT.failed;
    }
    const changed = changedCharts(records);
    if (json) printReplay(result, changed);
    else showReplay(result, changed, verbose);
    return result.difference === null ? EXIT.ok : EXIT.failed;
  },
});

async function homeDirectory(home: string | undefined): Promise<string> {
  const { locateHome, resolveHome } = await import('../../home/home.js');
  return locateHome(resolveHome(home)).dir;
}

function endOf(text: string | undefined): string | number | undefined {
  if (text === undefined || /^[0-9a-z]{7,8}-[0-9a-z]{5,8}$/.test(text)) return text;
  const found = parseMoment(text, Date.now());
  if (found !== undefined) return found;
  throw usageError(
    `--until ${JSON.stringify(text)} is neither an id nor a moment.`,
    'Give the id of a decision from rc-engine history, 30m or 2h (ago), or a time like 2026-11-28T03:00.',
  );
}

function printReplay({ steps, difference, skipped }: Replay, changed: readonly string[]): void {
  const iso = (at: number) => new Date(at).toISOString();
  for (const step of steps) printJson({ type: 'step', ...step, at: iso(step.at) });
  printJson({
    ...{ type: 'replay', same: difference === null, steps: steps.length, skipped, changedCharts: changed },
    difference: difference === null ? null : { ...difference, at: iso(difference.at) },
  });
}

function showReplay(
  { steps, difference, skipped }: Replay,
  changed: readonly string[],
  verbose: boolean,
): void {
  let day = '';
  for (const { id, at, chart, event, state, reason, effects } of steps) {
    const decided = reason !== null && !(event === 'start' && reason === 'starting');
    if (!verbose && !decided && id !== difference?.id) continue;
    const row = {
      ...{ id, at, chart, state, event: eventWords(event), effects, decided },
      text: reason !== null && isReason(reason) ? REASONS[reason].means : '',
      ...(reason === null ? {} : { reason }),
    };
    const line = historyLine(row, 1, { day, verbose, paint: stdout.paint });
    day = line.day;
    stdout.write(line.text);
  }
  if (skipped > 0) {
    stderr.print(
      `${skipped} steps are left out: the beginning of their chart is not in the history any more.`,
    );
  }
  if (changed.length > 0) stderr.print(`Other sources than the recording have: ${changed.join(', ')}.`);
  if (difference === null)
    stdout.print(`${steps.length} steps: the charts of this version decide as recorded.`);
  else showDifference(difference);
}

function showDifference({ id, chart, event, what, expected, actual }: ReplayDifference): void {
  stdout.print(
    `At ${id}, ${chart} decides differently on ${eventWords(event)}: the ${what}.`,
    `  recorded:     ${expected}`,
    `  this version: ${actual}`,
  );
}
