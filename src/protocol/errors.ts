import { REASONS, type Reason, type ReasonText } from './reasons.js';

/** Error codes of the command line and the library; a failed operation may also carry a `Reason` as its code. */
export const ERRORS = {
  usage: {
    means: 'A command-line option or a configuration value is wrong.',
    todo: 'Correct what the message names; rc-engine help COMMAND shows all options.',
  },
  configInvalid: {
    means: 'The configuration file is not valid.',
    todo: 'Correct the named key, or remove it to use the default.',
  },
  authRequired: {
    means: 'Remote control is the only transport, and nobody is signed in with ChatGPT.',
    todo: 'Sign in with rc-engine login, or start with --auth-startup recoverable to wait for a sign-in.',
  },
  alreadyRunning: {
    means: 'Another engine already uses this home directory.',
    todo: 'Use that engine, stop it, or choose another --home.',
  },
  notRunning: {
    means: 'No engine runs on this home directory.',
    todo: 'Start one with rc-engine start, or pass the --home of a running one.',
  },
  homeUnusable: {
    means: 'The home directory cannot be used.',
    todo: 'Make sure that it is a directory that you can write to, or choose another --home.',
  },
  listenerFailed: {
    means: 'The local listener could not be opened.',
    todo: 'Choose another address or port.',
  },
  secretFileUnusable: {
    means: 'A file with a token or a shared secret cannot be used.',
    todo: 'Check the named file; rc-engine token create makes one with the right content and mode.',
  },
  remoteRefused: {
    means: 'The other side refused the request.',
    todo: 'Read the message of the other side.',
  },
  environmentOffline: {
    means: 'The paired machine is not connected to the backend.',
    todo: 'Run rc-engine status on that machine, or start rc-engine there, and call again.',
  },
  timeout: {
    means: 'The expected event did not happen in time.',
    todo: 'Run rc-engine status to see why, or wait longer.',
  },
  timelineUnusable: {
    means: 'The file is not a timeline that this version can replay.',
    todo: 'Save it again from the inspector page, or replay it with the rc-engine version that it names.',
  },
  internal: {
    means: 'The engine stopped because of an unexpected error.',
    todo: 'Start the engine again and report the error with the log.',
  },
} as const satisfies Record<string, ReasonText>;

export type ErrorCode = keyof typeof ERRORS | Reason;

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
    this.remediation = options.remediation ?? explain(code)?.todo ?? '';
    this.docs = `docs/errors.md#${code.toLowerCase()}`;
  }
}
