import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';

/**
 * Why a program cannot be started, as the rest of a sentence that begins with its name; null when it probably can. It
 * may appear or disappear before it is started.
 */
export function whyNotExecutable(program: string, env: NodeJS.ProcessEnv = process.env): string | null {
  const named = /[/\\]/.test(program);
  const windows = process.platform === 'win32';
  const directories = (env.PATH ?? '').split(delimiter).filter((directory) => directory !== '');
  const endings = windows ? ['', ...(env.PATHEXT ?? '.EXE;.CMD;.BAT').split(';')] : [''];
  const candidates = named ? [program] : directories.map((directory) => join(directory, program));
  if (candidates.some((path) => endings.some((ending) => isExecutable(path + ending)))) return null;
  return named ? 'is not an executable program' : 'is not on the PATH';
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/**
 * Identifies a running process beyond its pid, by the boot and the clock tick at which it started: a reused pid gives a
 * different token. Null when there is no such process, and on systems other than Linux.
 */
export async function processToken(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // Field 2, the command name, is in parentheses and may contain anything; field 22 is the start time.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return started === undefined ? null : `${boot.trim()}/${started}`;
  } catch {
    return null;
  }
}

/** Whether a process is stopped, by SIGSTOP or a debugger. Known on Linux only; else false. */
export function isStopped(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[Tt]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return false;
  }
}
