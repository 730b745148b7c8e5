/** Whether SIGHUP was ignored when this program was started, as `nohup` does. RC-104 */
import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

/** The bit of SIGHUP, signal 1, in the masks of /proc. */
const SIGHUP_BIT = 1n;

/** Bits of the flags of an open file, and their value for one that can only be written. */
const ACCESS_MODE = 0o3;
const WRITE_ONLY = 0o1;

const SHELL = /^-?(?:sh|dash|ash|ksh|mksh|bash|zsh|busybox)$/;
/** `nohup` where a command begins. */
const NOHUP = /(?:^|[;&|({]|\b(?:then|do|else|exec|env))\s*(?:\S*\/)?nohup\s/;

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
 * ignores it too (`trap '' HUP`), the shell named `nohup` as the program in the variable `_` (dash does not), stdout is
 * the file of `nohup`, stdin is `/dev/null` opened for writing only, which `nohup` puts in the place of a terminal, or
 * the shell that is the parent was started with a command that says `nohup`.
 */
export function hangupIgnoredAtStart({ env, parent, read, link }: StartState = SYSTEM): boolean {
  return (
    ignoresHangup('self', read) ||
    ignoresHangup(String(parent), read) ||
    basename(env._ ?? '') === 'nohup' ||
    (orUndefined(() => link('/proc/self/fd/1')) ?? '').endsWith('/nohup.out') ||
    hasInputOfNohup(read, link) ||
    isShellWithNohup(orUndefined(() => read(`/proc/${parent}/cmdline`)) ?? '')
  );
}

function ignoresHangup(process: string, read: StartState['read']): boolean {
  const status = orUndefined(() => read(`/proc/${process}/status`)) ?? '';
  const mask = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) & SIGHUP_BIT) !== 0n;
}

function hasInputOfNohup(read: StartState['read'], link: StartState['link']): boolean {
  if (orUndefined(() => link('/proc/self/fd/0')) !== '/dev/null') return false;
  const flags = /^flags:\s*([0-7]+)$/m.exec(orUndefined(() => read('/proc/self/fdinfo/0')) ?? '')?.[1];
  return flags !== undefined && (Number.parseInt(flags, 8) & ACCESS_MODE) === WRITE_ONLY;
}

/** @param commandLine The arguments of the parent, each with a NUL byte behind it. */
function isShellWithNohup(commandLine: string): boolean {
  const [program = '', option = '', command = ''] = commandLine.split('\0');
  return SHELL.test(basename(program)) && /^-[a-z]*c$/.test(option) && NOHUP.test(command);
}

function orUndefined<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
