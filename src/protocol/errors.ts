import { REASONS, type Reason, type ReasonText, reasonText } from './reasons.js';
import { systemRemedy } from './system-remedy.js';

/** Error codes of the command line and the library; a failed operation may also carry a `Reason` as its code. */
export const ERRORS = {
  usage: reasonText(
    'A command-line option or a configuration value is wrong.',
    'Correct what the message names; rc-engine help COMMAND shows all options.',
  ),
  configInvalid: reasonText(
    'The configuration file is not valid.',
    'Correct the named key, or remove it to use the default.',
  ),
  authRequired: reasonText(
    'Remote control is the only transport, and nobody is signed in with ChatGPT.',
    'Sign in with rc-engine login, or start with --auth-startup recoverable to wait for a sign-in.',
  ),
  alreadyRunning: reasonText(
    'Another engine already uses this home directory.',
    'Use that engine, stop it, or choose another --home.',
  ),
  notRunning: reasonText(
    'No engine runs on this home directory.',
    'Start one with rc-engine start, or pass the --home of a running one.',
  ),
  engineUnreachable: reasonText(
    'An engine runs on this home directory, but it cannot be reached.',
    'Try again in a few seconds; if that does not help, stop the engine and start it again.',
  ),
  homeUnusable: reasonText(
    'The home directory cannot be used.',
    'Make sure that it is a directory that you can write to, or choose another --home.',
  ),
  sqliteMissing: reasonText(
    'SQLite cannot be loaded, so nothing can be locked or stored.',
    'Install rc-engine again with its optional packages, or use Node 24.15 or later, which has SQLite built in.',
  ),
  listenerFailed: reasonText('The local listener could not be opened.', 'Choose another address or port.'),
  secretFileUnusable: reasonText(
    'A file with a token or a shared secret cannot be used.',
    'Check the named file; rc-engine token create makes one with the right content and mode.',
  ),
  remoteRefused: reasonText('The other side refused the request.', 'Read the message of the other side.'),
  environmentOffline: reasonText(
    'The paired machine is not connected to the backend.',
    'Run rc-engine status on that machine, or start rc-engine there, and call again.',
  ),
  timeout: reasonText(
    'The expected event did not happen in time.',
    'Run rc-engine status to see why, or wait longer.',
  ),
  timelineUnusable: reasonText(
    'The file is not a timeline that this version can replay.',
    'Save it again from the inspector page, or replay it with the rc-engine version that it names.',
  ),
  historyUnusable: reasonText(
    'There is no history at this path, or it cannot be read.',
    'Give a home, its directory history, or one file of it; rc-engine history shows the one of the home.',
  ),
  notManaged: reasonText(
    'Another program runs this engine, and only that program can start it again.',
    'Restart it with that program: a service manager, or the application that the engine is a part of.',
  ),
  serviceFailed: reasonText(
    'The service manager refused, or the definition of the service cannot be written.',
    'Read the message of the service manager; rc-engine service install --print shows the definition.',
  ),
  systemRefused: reasonText(
    'The operating system refused something that rc-engine needs.',
    'Correct what the message names: a missing file or permission, or a limit of this machine; then try again.',
  ),
  internal: reasonText(
    'The engine stopped because of an unexpected error.',
    'Start the engine again and report the error with the log.',
  ),
} as const satisfies Record<string, ReasonText>;

/** The code of an `EngineError`: of the command line and the library, or a reason. */
export type ErrorCode = keyof typeof ERRORS | Reason;

export const isErrorCode = (code: string): code is ErrorCode =>
  Object.hasOwn(ERRORS, code) || Object.hasOwn(REASONS, code);

/** The text of an error or reason code; undefined for an unknown code. `rc-engine explain` prints it. */
export function explain(code: string): ReasonText | undefined {
  if (Object.hasOwn(ERRORS, code)) return ERRORS[code as keyof typeof ERRORS];
  return Object.hasOwn(REASONS, code) ? REASONS[code as Reason] : undefined;
}

/**
 * The error that the public functions throw. `message` says what was wrong and where, `remediation` gives the next
 * step, `code` is stable. None of them contains a secret.
 */
export class EngineError extends Error {
  /** A key of `ERRORS` or `REASONS`; scripts can rely on it. */
  readonly code: ErrorCode;
  /** One sentence: the next step. Empty when there is none. */
  readonly remediation: string;
  /** The section about `code`, as `docs/errors.md#code`. */
  readonly docs: string;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; remediation?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EngineError';
    this.code = code;
    this.remediation = options.remediation ?? systemRemedy(options.cause) ?? explain(code)?.todo ?? '';
    this.docs = `docs/errors.md#${code.toLowerCase()}`;
  }
}
