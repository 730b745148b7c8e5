import { EngineError } from '../protocol/errors.js';
import { errnoOf, errnoText } from './errno.js';

/** What the system call was to do, in words. */
const ACTIONS: Readonly<Record<string, string>> = {
  open: 'opened',
  read: 'read',
  scandir: 'read',
  write: 'written',
  fsync: 'written',
  mkdir: 'created',
  mkdtemp: 'created',
  link: 'created',
  symlink: 'created',
  unlink: 'removed',
  rm: 'removed',
  rmdir: 'removed',
  rename: 'renamed',
  chmod: 'changed',
  fchmod: 'changed',
  connect: 'connected to',
  listen: 'opened',
};

/**
 * An error for a system call that failed where no part of the engine has a better explanation: never the raw text of
 * the call. Undefined for anything else, which is a mistake in this program.
 */
export function systemFailure(error: unknown): EngineError | undefined {
  const code = errnoOf(error);
  if (!(error instanceof Error) || code === undefined || !/^E[A-Z\d]+$/.test(code)) return undefined;
  const call = textOf(error, 'syscall');
  if (call === undefined) return undefined;
  if (call === 'uv_cwd') return refused('The working directory has been removed.', error);
  const program = /^spawn(?: (?<name>.+))?$/.exec(call);
  if (program !== null) {
    return refused(
      `The program ${program.groups?.name ?? ''} cannot be started: ${errnoText(error)}.`,
      error,
    );
  }
  const what = textOf(error, 'dest') ?? textOf(error, 'path') ?? textOf(error, 'address');
  const action = ACTIONS[call];
  if (what === undefined) return refused(`The system refused ${call}: ${errnoText(error)}.`, error);
  const done = action === undefined ? `used (${call})` : action;
  return refused(`${what} cannot be ${done}: ${errnoText(error)}.`, error);
}

const refused = (message: string, cause: unknown): EngineError =>
  new EngineError('systemRefused', message.replace(/ {2,}/g, ' '), { cause });

function textOf(error: Error, key: string): string | undefined {
  const value: unknown = Reflect.get(error, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}
