import { setTimeout as delay } from 'node:timers/promises';
import type { EngineStatus } from '../../engine/status.js';
import { EngineError } from '../../protocol/errors.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Controller } from '../../protocol/outcomes.js';
import type { ControlClient } from '../control-client.js';
import { EXIT, exitCodeOf, usageError } from '../errors.js';
import { type Disk, readDisk } from '../output/disk.js';
import { appServerFails } from '../output/summary.js';
import type { Text } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

/** Between two looks of --watch, ms. */
const WATCH_INTERVAL = 1_000;
/** How long `status` waits for the paired devices, which the backend knows, and how old they may get with --watch, ms. */
const DEVICES_TIMEOUT = 1_500;
const DEVICES_AGE = 30_000;

export const status = defineCommand({
  name: 'status',
  description: 'Show whether this machine can be controlled, and what to do if not',
  progress: 'Asking the engine',
  notes:
    'Exit codes: 0 all well, 1 not connected, 5 no engine running, 6 connected, but the app server fails.\n' +
    'With --watch, Ctrl-C ends it with the code of the last status.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    verbose: { type: 'boolean', description: 'Also show states, reason codes, ids and counters' },
    watch: { type: 'boolean', description: 'Show it again at each change, until Ctrl-C' },
  },
  examples: [
    ['status', 'Connection, account, app server, devices, and the next step'],
    ['status --watch', 'The same, always up to date'],
    ['status --json', 'The same for programs'],
  ],
  run: async ({ home, json = false, verbose = false, watch = false }) => {
    if (json && verbose) {
      throw usageError('--verbose cannot be used with --json, which shows everything.', 'Remove --verbose.');
    }
    const show = json ? await jsonView() : await textView(home, verbose, watch);
    if (watch) {
      (await import('../output/waiting.js')).endWaiting();
      return watchStatus(home, show);
    }
    const { connectToEngine, readStatus } = await import('../control-client.js');
    const client = await connectToEngine(home);
    try {
      const answer = await readStatus(client);
      const brief = !json && !verbose;
      show.status(answer, {
        devices: brief ? await pairedDevices(client, answer) : undefined,
        disk: brief ? await readDisk(answer.home) : undefined,
      });
      return exitCodeFor(answer);
    } finally {
      client.close();
    }
  },
});

function exitCodeFor(answer: EngineStatus): number {
  if (answer.remoteControl.status !== 'connected') return EXIT.failed;
  return appServerFails(answer) ? EXIT.appServerDown : EXIT.ok;
}

/** What the engine does not know. Undefined: not known now. */
interface More {
  readonly devices: readonly Controller[] | undefined;
  readonly disk: Disk | undefined;
}

interface View {
  status(answer: EngineStatus, more: More): void;
  /** With --watch: there is no engine now. */
  problem(error: EngineError): void;
  end(): void;
}

async function jsonView(): Promise<View> {
  const { printJson } = await import('../output/print.js');
  return {
    status: (answer) => printJson(answer),
    problem: ({ code, message, remediation }) =>
      printJson({ type: 'error', code, message, hint: remediation }),
    end: () => {},
  };
}

async function textView(home: string | undefined, verbose: boolean, watch: boolean): Promise<View> {
  const { stdout, text } = await import('../output/terminal.js');
  const { layOut, widthOf } = await import('../output/layout.js');
  const { paint } = stdout;
  const width = (): number => widthOf(stdout);
  const { LiveBlock } = await import('../output/live-block.js');
  const block = watch && stdout.overwrites ? new LiveBlock(stdout) : undefined;
  const print = (lines: readonly Text[]): void => {
    if (block === undefined) stdout.print(...lines, ...(watch ? [''] : []));
    else block.show([...lines, text`${paint(90, 'Press Ctrl-C to end this.')}`]);
  };
  const { statusSections } = await import('../output/status-screen.js');
  const { statusRows } = await import('../output/status-rows.js');
  const { adviceOf } = await import('../output/summary.js');
  const { suggested } = await import('../suggested.js');
  const { resolveHome } = await import('../../home/home.js');
  return {
    status: (answer, { devices, disk }) => {
      const sections = verbose
        ? statusRows(answer, paint).map(([name, value]) => {
            const step = name.trim() === 'next step' && typeof value === 'string';
            return [name, [step ? suggested(value, answer.home) : value]] as const;
          })
        : statusSections(answer, paint, devices, disk);
      print(layOut(sections, width(), paint));
    },
    problem: ({ message, remediation }) =>
      print(
        layOut(
          [
            ['status', [message]],
            ['next step', adviceOf(remediation, resolveHome(home))],
          ],
          width(),
          paint,
        ),
      ),
    end: () => block?.close(),
  };
}

/** Undefined: they cannot be known now. */
async function pairedDevices(
  client: ControlClient,
  { remoteControl: { status: link, environmentId } }: EngineStatus,
): Promise<readonly Controller[] | undefined> {
  if (link !== 'connected' || environmentId === null) return undefined;
  try {
    const answer = await client.request(
      'remoteControl/client/list',
      { environmentId, limit: 100, order: 'desc' },
      DEVICES_TIMEOUT,
    );
    // The engine is the same program, so its response has the type that it was written with.
    return isRecord(answer) && Array.isArray(answer.data) ? (answer.data as Controller[]) : undefined;
  } catch {
    // They are a help, not the status.
    return undefined;
  }
}

/** What two status differ in, without the times that pass. */
const keyOf = (answer: EngineStatus, verbose: boolean): string =>
  JSON.stringify(answer, (key, value: unknown) =>
    key === 'now' || key === 'lastActivity' || (!verbose && (key === 'counters' || key.startsWith('bytes')))
      ? undefined
      : value,
  );

async function watchStatus(home: string | undefined, view: View): Promise<number> {
  const { connectToEngine, readStatus } = await import('../control-client.js');
  const { untilStopSignal } = await import('../signals.js');
  const { stdout } = await import('../output/terminal.js');
  const { runWithoutOutput } = await import('../output/lifeline.js');
  runWithoutOutput('text');
  let stopped = false;
  const stop = untilStopSignal().then(() => {
    stopped = true;
  });
  let code: number = EXIT.failed;
  let client: ControlClient | undefined;
  let devices: readonly Controller[] | undefined;
  let devicesAt = Number.NEGATIVE_INFINITY;
  let last = '';
  const look = async (): Promise<void> => {
    const current = client ?? (await connectToEngine(home));
    if (client === undefined) {
      client = current;
      // A request on a connection that has ended would get no answer.
      void current.closed.then(() => {
        if (client === current) client = undefined;
      });
    }
    const answer = await readStatus(current);
    if (performance.now() - devicesAt > DEVICES_AGE) {
      devicesAt = performance.now();
      devices = await pairedDevices(current, answer);
    }
    code = exitCodeFor(answer);
    const key = keyOf(answer, false);
    // On a terminal the durations change; elsewhere each line is a change.
    if (key === last && !stdout.overwrites) return;
    last = key;
    view.status(answer, { devices, disk: await readDisk(answer.home) });
  };
  while (!stopped) {
    await Promise.race([
      stop,
      look().catch((error: unknown) => {
        client?.close();
        client = undefined;
        if (!(error instanceof EngineError)) throw error;
        code = exitCodeOf(error);
        if (last !== error.message) view.problem(error);
        last = error.message;
      }),
    ]);
    await Promise.race([stop, delay(WATCH_INTERVAL)]);
  }
  client?.close();
  view.end();
  return code;
}
