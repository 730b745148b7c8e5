/** Whether SIGHUP was ignored when this program was started, as `nohup` does. RC-104 */
import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** The bit of SIGHUP, signal 1, in the masks of /proc. */
const SIGHUP_BIT = 1n;

interface StartState {
  readonly env: NodeJS.ProcessEnv;
  /** The parent of this process. */
  readonly parent: number;
  /** The content of a file; throws when it cannot be read. */
  readonly read: (path: string) => string;
  /** The target of a link; throws when it cannot be read. */
  readonly link: (path: string) => string;
}

const SYSTEM: StartState = {
  env: process.env,
  parent: process.ppid,
  read: (path) => readFileSync(path, 'utf8'),
  link: (path) => readlinkSync(path),
};

/**
 * Node gives an ignored SIGHUP its default effect back before any JavaScript runs, so only traces are left: the parent
 * ignores it too (`trap '' HUP`), the shell named `nohup` as the program in the variable `_`, or stdout is the file of
 * `nohup`.
 */
export function hangupIgnoredAtStart({ env, parent, read, link }: StartState = SYSTEM): boolean {
  return (
    ignoresHangup('self', read) ||
    ignoresHangup(String(parent), read) ||
    basename(env._ ?? '') === 'nohup' ||
    (orUndefined(() => link('/proc/self/fd/1')) ?? '').endsWith('/nohup.out')
  );
}

function ignoresHangup(process: string, read: StartState['read']): boolean {
  const status = orUndefined(() => read(`/proc/${process}/status`)) ?? '';
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
