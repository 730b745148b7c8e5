import type { RunningEngine } from '../../home/running-engine.js';
import { EngineError } from '../../protocol/errors.js';
import { VERSION } from '../../protocol/version.js';
import { isAlive } from '../engine-end.js';
import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { restartCommand, unitOf } from '../service/running-unit.js';

const DEFAULT_TIMEOUT_SECONDS = 60;
/** In ms. */
const POLL_INTERVAL = 200;
/** How long the engine may take to check the settings of the next start, ms. */
const PREPARE_TIMEOUT = 30_000;

export const restart = defineCommand({
  name: 'restart',
  description:
    'Restart the running engine with the same command line, for example after a change of config.json',
  progress: 'Restarting the engine',
  notes:
    'systemd or launchd restarts an engine that it runs. Any other engine starts again in its own process: same command\n' +
    'line, same variables, same terminal, same pid. Its settings are checked first, and what is wrong leaves it running.\n' +
    'With --listen ws://…:0, the default, port and token are new: rc-engine url. A new version of rc-engine is used after\n' +
    'stop and start, or by the service manager.\n' +
    'Exit codes: 0 a new engine runs, 1 refused or not started within --timeout, 5 no engine running.',
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    timeout: {
      type: 'seconds',
      description: 'Longest wait for the new engine in seconds',
      default: String(DEFAULT_TIMEOUT_SECONDS),
    },
  },
  examples: [['restart', 'Use what was changed in config.json']],
  run: async ({ home, json = false, timeout = DEFAULT_TIMEOUT_SECONDS }) => {
    errorOutput.json = json;
    const { runningEngine } = await import('../engine-end.js');
    const { engine } = await runningEngine(home);
    const { pid } = engine;
    const unit = pid === null ? undefined : await unitOf(pid);
    if (unit === undefined) await requestRestart(home);
    else await execute(restartCommand(unit));
    const next = await untilNextEngine(home, engine, unit !== undefined, timeout);
    const version = next.version === VERSION ? undefined : next.version;
    if (json) {
      printJson({ type: 'restarted', unit: unit?.name ?? null, previousPid: pid, pid: next.pid });
    } else {
      stdout.print(`Restarted ${unit?.name ?? 'the engine'}: it has pid ${next.pid}.`);
      if (version !== undefined) {
        stdout.print(`It runs version ${version}, and this is ${VERSION}: stop it and start it to use that.`);
      }
    }
    return EXIT.ok;
  },
});

/** The engine checks the settings of its next start, answers, stops and starts again. */
async function requestRestart(home: string | undefined): Promise<void> {
  const { connectToEngine } = await import('../control-client.js');
  const client = await connectToEngine(home);
  try {
    await client.request('engine/restart', {}, PREPARE_TIMEOUT);
  } finally {
    client.close();
  }
}

async function execute([program, ...args]: readonly [string, ...string[]]): Promise<void> {
  const { execFile } = await import('node:child_process');
  const failure = await new Promise<string | undefined>((resolve) => {
    execFile(program, args, (error, _stdout, stderr) =>
      resolve(error === null ? undefined : stderr.trim() || error.message),
    );
  });
  if (failure === undefined) return;
  throw new EngineError('remoteRefused', `${[program, ...args].join(' ')} failed: ${failure}`, {
    remediation: 'Run that command yourself, if need be with sudo.',
  });
}

interface NextEngine {
  readonly pid: number;
  readonly version: string;
}

/** The engine that runs now, once its start is complete. @param managed a service manager starts it */
async function untilNextEngine(
  homeDir: string | undefined,
  before: RunningEngine,
  managed: boolean,
  timeout: number,
): Promise<NextEngine> {
  const { findEngine } = await import('../../home/running-engine.js');
  const { locateHome, resolveHome } = await import('../../home/home.js');
  const home = locateHome(resolveHome(homeDir));
  const deadline = performance.now() + timeout * 1000;
  for (;;) {
    const found = await findEngine(home);
    const isNew = found !== undefined && (found.pid !== before.pid || found.startedAt !== before.startedAt);
    const started = isNew ? await startedEngine(homeDir) : undefined;
    if (started !== undefined) return started;
    // The next engine would run in the same process.
    if (!managed && before.pid !== null && !isAlive(before.pid)) {
      throw new EngineError('notRunning', 'The engine ended and did not start again.', {
        remediation: 'What it printed last says why. Then start it with: rc-engine start',
      });
    }
    if (performance.now() >= deadline) {
      throw new EngineError('timeout', `No new engine runs after ${timeout} s.`, {
        remediation: 'What it printed, or the log of its service, says why.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}

/** Undefined: its start is not complete. */
async function startedEngine(homeDir: string | undefined): Promise<NextEngine | undefined> {
  const { connectToEngine, readStatus } = await import('../control-client.js');
  try {
    const client = await connectToEngine(homeDir);
    try {
      const { pid, version, ready } = await readStatus(client);
      // An engine of an earlier version does not say when its start is complete.
      return ((ready as boolean | undefined) ?? true) ? { pid, version } : undefined;
    } finally {
      client.close();
    }
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
