/** Which service manager runs an engine, so that `restart` does what that manager would do. Linux and macOS. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

export interface RunningUnit {
  readonly manager: 'systemd' | 'launchd';
  /** Of this user, or of the system. */
  readonly scope: 'user' | 'system';
  /** `rc-engine.service`, or the label of a launchd job. */
  readonly name: string;
}

const run = promisify(execFile);
/** ms */
const COMMAND_TIMEOUT = 10_000;

/** The unit whose main process is `pid`; undefined: a person or another program has started it. */
export async function unitOf(pid: number): Promise<RunningUnit | undefined> {
  if (process.platform === 'linux') return systemdUnitOf(pid);
  if (process.platform === 'darwin') return launchdJobOf(pid);
  return undefined;
}

async function systemdUnitOf(pid: number): Promise<RunningUnit | undefined> {
  const cgroup = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  const found = unitInCgroup(cgroup);
  if (found === undefined) return undefined;
  // A shell that a service started has the cgroup of that service, too: only the main process counts.
  const args = [...scopeArgs(found.scope), 'show', '--property=MainPID', '--value', found.name];
  const main = await output('systemctl', args);
  return main === String(pid) ? found : undefined;
}

/** The unit that a cgroup belongs to, as `sd_pid_get_unit` and `sd_pid_get_user_unit` read it. */
export function unitInCgroup(cgroup: string): RunningUnit | undefined {
  const path = cgroup
    .split('\n')
    .map((line) => /^\d+:(?:|name=systemd):(.*)$/.exec(line)?.[1])
    .find((found) => found !== undefined);
  const parts = (path ?? '').split('/').filter((part) => part !== '');
  const name = parts.findLast((part) => part.endsWith('.service'));
  // The manager of the user is a service of the system: what is below it belongs to the user.
  if (name === undefined || name.startsWith('user@') || parts.at(-1)?.endsWith('.scope')) return undefined;
  const scope = parts.some((part) => /^user@\d+\.service$/.test(part)) ? 'user' : 'system';
  return { manager: 'systemd', scope, name: unescaped(name) };
}

/** A cgroup whose name begins with `_` or `.` has another `_` before it. */
const unescaped = (name: string): string => (name.startsWith('_') ? name.slice(1) : name);

async function launchdJobOf(pid: number): Promise<RunningUnit | undefined> {
  const lines = (await output('launchctl', ['list'])).split('\n');
  const label = lines.map((line) => line.split('\t')).find(([id]) => id === String(pid))?.[2];
  return label === undefined ? undefined : { manager: 'launchd', scope: 'user', name: label };
}

/** The command that restarts a unit, as a person would type it. */
export function restartCommand({ manager, scope, name }: RunningUnit): readonly [string, ...string[]] {
  return manager === 'systemd'
    ? ['systemctl', ...scopeArgs(scope), 'restart', name]
    : ['launchctl', 'kickstart', '-k', `gui/${process.getuid?.() ?? 0}/${name}`];
}

const scopeArgs = (scope: RunningUnit['scope']): string[] => (scope === 'user' ? ['--user'] : []);

/** What a command prints, trimmed; empty when it fails or is not installed. */
async function output(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await run(program, args, { timeout: COMMAND_TIMEOUT })).stdout.trim();
  } catch {
    return '';
  }
}
