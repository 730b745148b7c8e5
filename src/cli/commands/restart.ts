import { EngineError } from '../../protocol/errors.js';
import { EXIT } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

const DEFAULT_TIMEOUT_SECONDS = 60;
/** In ms. */
const POLL_INTERVAL = 200;

export const restart = defineCommand({
  name: 'restart',
  description: 'Restart the running engine, if a service manager runs it',
  notes:
    'systemd or launchd starts the engine again with the command and the environment of its unit. An engine that was\n' +
    'started in a terminal cannot be restarted from elsewhere, because its command, its environment and its terminal\n' +
    'are known there only.\n' +
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
  examples: [['restart', 'Restart the service of the engine, for example after a change of config.json']],
  run: async ({ home, json = false, timeout = DEFAULT_TIMEOUT_SECONDS }) => {
    errorOutput.json = json;
    const { runningEngine } = await import('../engine-end.js');
    const { engine } = await runningEngine(home);
    const { pid } = engine;
    const { restartCommand, unitOf } = await import('../service/running-unit.js');
    const unit = pid === null ? undefined : await unitOf(pid);
    if (unit === undefined) throw notManaged(pid);
    const command = restartCommand(unit);
    await execute(command);
    const next = await untilOtherEngine(home, pid, timeout * 1000);
    if (json) printJson({ type: 'restarted', unit: unit.name, previousPid: pid, pid: next });
    else stdout.print(`Restarted ${unit.name}: the engine has pid ${next} now.`);
    return EXIT.ok;
  },
});

const notManaged = (pid: number | null): EngineError =>
  new EngineError(
    'notManaged',
    `The engine${pid === null ? '' : ` with pid ${pid}`} was started by hand, not by a service manager.`,
  );

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

/** The pid of the engine that runs now. */
async function untilOtherEngine(
  homeDir: string | undefined,
  before: number | null,
  timeoutMs: number,
): Promise<number> {
  const { findEngine } = await import('../../home/running-engine.js');
  const { locateHome, resolveHome } = await import('../../home/home.js');
  const home = locateHome(resolveHome(homeDir));
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const pid = (await findEngine(home))?.pid ?? null;
    if (pid !== null && pid !== before) return pid;
    if (performance.now() >= deadline) {
      throw new EngineError('timeout', `No new engine runs after ${timeoutMs / 1000} s.`, {
        remediation: 'Look at the log of the service.',
      });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_INTERVAL));
  }
}
