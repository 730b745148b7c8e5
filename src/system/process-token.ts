import { readFile } from 'node:fs/promises';

/**
 * Names a living process beyond its pid: the boot and the tick it was started at. Two processes never share one,
 * so a pid that was used again is told apart. Null when there is no such process, or no way to know (not Linux).
 */
export async function processToken(pid: number): Promise<string | null> {
  if (process.platform !== 'linux') return null;
  try {
    const [boot, stat] = await Promise.all([
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
      readFile(`/proc/${pid}/stat`, 'utf8'),
    ]);
    // The command name, field 2, is in parentheses and may hold anything; the start time is field 22.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return started === undefined ? null : `${boot.trim()}/${started}`;
  } catch {
    return null;
  }
}
