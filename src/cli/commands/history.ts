import { setTimeout as delay } from 'node:timers/promises';
import { EXIT, oneOf, usageError } from '../errors.js';
import { historyLine } from '../output/history-line.js';
import { errorOutput, printJson } from '../output/print.js';
import { stderr, stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { parseMoment } from '../parser/moment.js';
import { untilStopSignal } from '../signals.js';

/** In ms. */
const POLL_INTERVAL = 300;

export const history = defineCommand({
  name: 'history',
  description: 'Show what the engine decided and why, also after its end',
  progress: 'Reading the history',
  notes:
    'Each input of the charts is recorded in the home, in a ring of files (start --history-size). One line is one decision: its\n' +
    'time, its id, the chart, the new state, and why. Log, audit and status name the same id.\n' +
    'It works while the engine runs and when it does not. No token and no message is recorded.\n' +
    'Exit codes: 0 shown, also when the history is empty.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    since: {
      type: 'string',
      description: 'From this moment on: 30m, 2h, 3d (ago), or a time like 2026-11-28T03:00',
    },
    until: { type: 'string', description: 'Up to this moment, in the same forms' },
    id: {
      type: 'string',
      description: 'Only the decision with this id, and what surrounds it with --verbose',
    },
    chart: { type: 'string', description: 'Only this chart', completes: 'charts' },
    reason: { type: 'string', description: 'Only decisions with this reason', completes: 'codes' },
    follow: { type: 'boolean', short: 'f', description: 'Also show new lines as they come, until Ctrl-C' },
    verbose: { type: 'boolean', description: 'Each input with its effects, also those that changed nothing' },
  },
  examples: [
    ['history --since 12h', 'What happened last night'],
    ['history -f --chart remoteControl', 'Follow the connection'],
  ],
  run: async ({
    home: homeDir,
    json = false,
    follow = false,
    verbose = false,
    id,
    chart,
    reason,
    ...given
  }) => {
    errorOutput.json = json;
    const now = Date.now();
    const since = moment('--since', given.since, now) ?? Number.NEGATIVE_INFINITY;
    const until = moment('--until', given.until, now) ?? Number.POSITIVE_INFINITY;
    const { locateHome, resolveHome } = await import('../../home/home.js');
    if (chart !== undefined) await checkChart(chart);
    const home = locateHome(resolveHome(homeDir));
    const { HistoryReader } = await import('../../recorder/history-reader.js');
    const { historyDirectory } = await import('../../recorder/recorder.js');
    const { rowsAbout, showsDecision, withoutRepeats } = await import('../../recorder/history-rows.js');
    const reader = new HistoryReader(historyDirectory(home.dir));
    const wanted = (row: Row): boolean =>
      row.at >= since &&
      row.at <= until &&
      (id === undefined || showsDecision(row, id)) &&
      (chart === undefined || row.chart === chart) &&
      (reason === undefined || row.reason === reason);
    let day = '';
    let shown = 0;
    const show = (row: Row, count: number): void => {
      shown += 1;
      if (json) {
        printJson({ type: 'history', ...row, at: new Date(row.at).toISOString(), count });
        return;
      }
      const line = historyLine(row, count, { day, verbose, paint: stdout.paint });
      day = line.day;
      stdout.write(line.text);
    };
    // An id names one step, whether it decided something or not.
    const decided = (rows: readonly Row[]): Row[] =>
      rows.filter((row) => verbose || id !== undefined || row.decided);
    const all = decided(await reader.next());
    const rows = id === undefined ? all : rowsAbout(all, id);
    // Only for people: what repeats the row before it is one row with a count.
    const counted = json || id !== undefined ? rows.map((row) => ({ row, count: 1 })) : withoutRepeats(rows);
    for (const { row, count } of counted) if (wanted(row)) show(row, count);
    if (reader.damaged > 0) stderr.print(`${reader.damaged} lines of the history are damaged and left out.`);
    if (shown === 0 && !json)
      printEmpty(reader.files, home.dir, { id, filtered: rowFilter({ chart, reason, ...given }) });
    if (!follow) return EXIT.ok;
    const stopped = new AbortController();
    void untilStopSignal().then(() => stopped.abort());
    (await import('../output/waiting.js')).endWaiting();
    while (!stopped.signal.aborted) {
      for (const row of decided(await reader.next())) if (wanted(row)) show(row, 1);
      await delay(POLL_INTERVAL, undefined, { signal: stopped.signal }).catch(() => {});
    }
    return EXIT.ok;
  },
});

type Row = import('../../recorder/history-rows.js').HistoryRow;

function moment(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const found = parseMoment(text, now);
  if (found !== undefined) return found;
  throw usageError(
    `${option} ${JSON.stringify(text)} is no moment.`,
    'Give 30m, 2h or 3d (ago), or a time like 2026-11-28T03:00.',
  );
}

async function checkChart(chart: string): Promise<void> {
  const { CHARTS } = await import('../../engine/charts.js');
  oneOf('chart', chart, Object.keys(CHARTS));
}

const rowFilter = (given: Readonly<Record<string, unknown>>): boolean =>
  Object.values(given).some((value) => value !== undefined);

function printEmpty(
  files: number,
  home: string,
  { id, filtered }: { id?: string | undefined; filtered: boolean },
): void {
  if (files === 0) {
    stdout.print(
      `There is no history in ${home}.`,
      'rc-engine start records it there; --history-size 0 switches it off.',
    );
  } else if (id !== undefined) {
    stdout.print(`The history has no decision ${id}.`, 'It may be too old, or of another --home.');
  } else if (filtered) stdout.print('The history has no such decision.', 'Leave out an option to see more.');
  else stdout.print('The history has no decision yet.', 'rc-engine history --verbose shows each input.');
}
