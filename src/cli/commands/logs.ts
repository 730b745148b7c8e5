import { setTimeout as delay } from 'node:timers/promises';
import type { LogRecord } from '../../observe/log-ring.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { ControlClient } from '../control-client.js';
import { EXIT, usageError } from '../errors.js';
import { logLine } from '../output/log-line.js';
import { errorOutput, printJson } from '../output/print.js';
import { stderr, stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { untilStopSignal } from '../signals.js';

/** In ms. */
const POLL_INTERVAL = 300;
const DEFAULT_LINES = 50;
/** As many as the engine keeps. */
const MAX_LINES = 4_000;
const MAX_PER_REQUEST = 1_000;

export const logs = defineCommand({
  name: 'logs',
  description: 'Show the last log lines of the engine, and follow new ones',
  progress: 'Reading the log',
  notes:
    'The running engine keeps its last lines in memory (4,000 lines or 1 MiB), from level info on, whatever --log-level\n' +
    'its own log has. When no engine runs, the file of start --log-file is read.\n' +
    'With --follow, the command waits for the next engine when one stops; Ctrl-C ends it.\n' +
    'Exit codes: 0 shown, 5 no engine running and no log file.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    follow: { type: 'boolean', short: 'f', description: 'Show new lines as they come, until Ctrl-C' },
    lines: {
      type: 'integer',
      short: 'n',
      description: 'How many of the last lines',
      default: String(DEFAULT_LINES),
    },
    level: {
      type: 'string',
      values: ['debug', 'info', 'warn', 'error'],
      description: 'Least severe level',
      default: 'debug',
    },
    'log-file': {
      type: 'string',
      description: 'File to read when no engine runs',
      variable: 'RC_ENGINE_LOG_FILE',
      default: '<home>/engine.log',
    },
  },
  examples: [
    ['logs', 'Show the last 50 lines'],
    ['logs -f --level warn', 'Follow warnings and errors'],
  ],
  run: async ({ home, json = false, follow = false, lines = String(DEFAULT_LINES), level, logFile }) => {
    errorOutput.json = json;
    if (!/^\d{1,4}$/.test(lines) || Number(lines) > MAX_LINES) {
      throw usageError(`--lines must be a whole number from 0 to ${MAX_LINES}.`, 'Give --lines 100.');
    }
    const show = (record: LogRecord): void => {
      if (json) printJson({ type: 'log', ...record });
      else stdout.write(logLine(record, stdout.paint));
    };
    const query: Query = { lines: Number(lines), level };
    const { connectIfRunning } = await import('../control-client.js');
    const client = await connectIfRunning(home);
    if (client === undefined && !follow) {
      const { readLogFile } = await import('../output/log-file.js');
      const records = await readLogFile(await logFileOf(home, logFile), query);
      for (const record of records) show(record);
      return EXIT.ok;
    }
    if (!follow) {
      if (client !== undefined) await showLast(client, query, show).finally(() => client.close());
      return EXIT.ok;
    }
    const stopped = new AbortController();
    void untilStopSignal().then(() => stopped.abort());
    (await import('../output/waiting.js')).endWaiting();
    await followEngines(home, client, query, show, stopped.signal);
    return EXIT.ok;
  },
});

interface Query {
  readonly lines: number;
  readonly level: LogRecord['level'] | undefined;
}

type Show = (record: LogRecord) => void;

async function logFileOf(homeDir: string | undefined, given: string | undefined): Promise<string> {
  const { expandTilde, locateHome, resolveHome } = await import('../../home/home.js');
  const { join, resolve } = await import('node:path');
  const home = locateHome(resolveHome(homeDir));
  const { resolveStartSettings } = await import('../settings/resolve-settings.js');
  const settings = await resolveStartSettings({}, { ...process.env }, home.configFile);
  return resolve(expandTilde(given ?? settings.logFile ?? join(home.dir, 'engine.log')));
}

interface Page {
  readonly records: readonly LogRecord[];
  readonly newest: number;
}

async function readPage(client: ControlClient, params: object): Promise<Page> {
  const answer = await client.request('engine/logs/read', params);
  if (!isRecord(answer) || !Array.isArray(answer.records) || typeof answer.newest !== 'number') {
    throw new EngineError('internal', 'The engine answered engine/logs/read without records.');
  }
  // The engine is the same program, so its response has the type that it was written with.
  return { records: answer.records as LogRecord[], newest: answer.newest };
}

/** Shows the last lines; the result is the number of the newest one. */
async function showLast(client: ControlClient, { lines, level }: Query, show: Show): Promise<number> {
  if (lines === 0) return (await readPage(client, { limit: 1 })).newest;
  const { records, newest } = await readPage(client, { limit: Math.min(lines, MAX_PER_REQUEST), level });
  for (const record of records) show(record);
  return newest;
}

/** Follows the engine, and after its end the next one on this home. */
async function followEngines(
  home: string | undefined,
  first: ControlClient | undefined,
  query: Query,
  show: Show,
  stopped: AbortSignal,
): Promise<void> {
  const { connectIfRunning } = await import('../control-client.js');
  let client = first;
  let lines = query.lines;
  if (client === undefined) stderr.print('No engine runs; waiting for the next one.');
  while (!stopped.aborted) {
    try {
      client ??= await connectIfRunning(home);
      if (client !== undefined) {
        await followOne(client, { ...query, lines }, show, stopped);
        if (!stopped.aborted) stderr.print('The engine stopped; waiting for the next one.');
        // Of the next engine, everything since its start.
        lines = MAX_PER_REQUEST;
      }
    } catch (error) {
      // It stops just now, or is busy.
      if (!(error instanceof EngineError && PASSING.has(error.code))) throw error;
    } finally {
      client?.close();
      client = undefined;
    }
    await pause(stopped);
  }
}

const PASSING: ReadonlySet<string> = new Set(['notRunning', 'engineUnreachable', 'timeout']);

async function followOne(
  client: ControlClient,
  query: Query,
  show: Show,
  stopped: AbortSignal,
): Promise<void> {
  let ended = false;
  void client.closed.then(() => {
    ended = true;
  });
  let since = await showLast(client, query, show);
  while (!stopped.aborted && !ended) {
    const { records, newest } = await readPage(client, { since, level: query.level });
    for (const record of records) show(record);
    // More lines than one response holds: the next one follows at once.
    since = records.length >= MAX_PER_REQUEST ? (records.at(-1)?.seq ?? newest) : newest;
    if (records.length < MAX_PER_REQUEST) await pause(stopped);
  }
}

const pause = (signal: AbortSignal): Promise<void> =>
  delay(POLL_INTERVAL, undefined, { signal }).catch(() => {});
