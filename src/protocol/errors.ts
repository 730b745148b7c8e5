import { REASONS, type Reason, type ReasonText } from './reasons.js';

/** Errors of the command line and the library that are no reasons of a connection. */
export const ERRORS = {
  usage: {
    means: 'The command line or the configuration is wrong.',
    todo: 'Read the message; rc-engine help COMMAND lists what is allowed.',
  },
  configInvalid: {
    means: 'The configuration file is not valid.',
    todo: 'Correct the named key, or remove it to use the default.',
  },
  authRequired: {
    means: 'Remote control is the only transport and nobody is signed in with ChatGPT.',
    todo: 'Sign in first, or start with --auth-startup recoverable to wait for a sign-in.',
  },
  alreadyRunning: {
    means: 'Another engine runs on this home folder.',
    todo: 'Use that one, stop it, or choose another --home.',
  },
  notRunning: {
    means: 'No engine runs on this home folder.',
    todo: 'Start one with rc-engine start, or name its --home.',
  },
  homeUnusable: {
    means: 'The home folder cannot be used.',
    todo: 'Check that it is a folder you may write to, or choose another --home.',
  },
  listenerFailed: {
    means: 'The local listener could not be opened.',
    todo: 'Choose another address or port.',
  },
  secretFileUnusable: {
    means: 'A file that holds a token or a shared secret cannot be used.',
    todo: 'Check the named file; rc-engine token create makes one with the right content and mode.',
  },
  remoteRefused: {
    means: 'The other side refused the request.',
    todo: 'Read the message that came with it.',
  },
  environmentOffline: {
    means: 'The machine that was paired is not connected to the backend.',
    todo: 'Look at rc-engine status there, or start it, and call again.',
  },
  timeout: {
    means: 'What was waited for did not happen in time.',
    todo: 'Ask rc-engine status why, or wait longer.',
  },
  timelineUnusable: {
    means: 'The file is no timeline that this version can replay.',
    todo: 'Save it again from the inspector page, or replay it with the version of rc-engine that it names.',
  },
  internal: {
    means: 'The engine met a fault that nobody expected and stopped.',
    todo: 'Report it with the log; start the engine again.',
  },
} as const satisfies Record<string, ReasonText>;

export type ErrorCode = keyof typeof ERRORS | Reason;

export function explain(code: string): ReasonText | undefined {
  if (Object.hasOwn(ERRORS, code)) return ERRORS[code as keyof typeof ERRORS];
  return Object.hasOwn(REASONS, code) ? REASONS[code as Reason] : undefined;
}

/** An error for people: what was wrong and where (message), what to do next (remediation), a stable code. */
export class EngineError extends Error {
  readonly code: ErrorCode;
  readonly remediation: string;
  /** Anchor in docs/errors.md. */
  readonly docs: string;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; remediation?: string } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'EngineError';
    this.code = code;
    this.remediation = options.remediation ?? explain(code)?.todo ?? '';
    this.docs = `docs/errors.md#${code.toLowerCase()}`;
  }
}
