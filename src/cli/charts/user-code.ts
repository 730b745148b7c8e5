/**
 * Runs files of users to get what they export. jiti loads TypeScript, ES modules and CommonJS alike, with enums, imports
 * without an extension and the `paths` of tsconfig.json. Node strips types itself only from 22.18 on, and neither enums nor
 * such imports; the compiler of the user's project may be one without a JavaScript API.
 */
import path from 'node:path';
import { EXIT, usageError } from '../errors.js';
import { printError } from '../output/print.js';
import { stdoutToStderr } from '../output/terminal.js';

/** A file whose top-level `await` takes longer is given up, ms. */
const LOAD_LIMIT = 60_000;

/** Files of users may call `process.exit`, which must not end this program without a word. */
const endProcess = process.exit;

/** What a file exports. @throws EngineError `usage` that says what is wrong where, and what to do */
export async function loadExports(file: string, shown: string): Promise<Readonly<Record<string, unknown>>> {
  const { createJiti } = await import('jiti');
  reportAsUserCode(shown);
  const fail = (error: unknown) => {
    throw loadError(error, shown);
  };
  try {
    process.exit = (code) => {
      throw new Error(`it called process.exit(${code ?? ''})`);
    };
    const jiti = createJiti(file, { fsCache: false, interopDefault: false, jsx: true, tsconfigPaths: true });
    const loaded: unknown = await stdoutToStderr(() => withLimit(jiti.import(file), shown));
    return typeof loaded === 'object' && loaded !== null ? { ...loaded } : { default: loaded };
  } catch (error) {
    return fail(error);
  } finally {
    process.exit = endProcess;
  }
}

let isReported = false;

/** Their code may fail later, in a timer or a promise: that is no error of this program. */
function reportAsUserCode(shown: string): void {
  if (isReported) return;
  isReported = true;
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.removeAllListeners(event);
    process.on(event, (error: unknown) => {
      printError(loadError(error, shown));
      endProcess(EXIT.failed);
    });
  }
}

async function withLimit<T>(work: Promise<T>, shown: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () =>
        reject(
          usageError(
            `${shown} is still not loaded after ${LOAD_LIMIT / 1000} s.`,
            'Remove the top-level await that does not end.',
          ),
        ),
      LOAD_LIMIT,
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** An error of user code without its stack: what is wrong, where, and the next step. */
function loadError(error: unknown, shown: string): Error {
  if (error instanceof Error && error.name === 'EngineError') return error;
  const { message, code } = describe(error);
  const [first = ''] = message.split('\n');
  const [, missing] =
    /^Cannot find (?:module|package) '([^']+)'/.exec(first) ?? /^Package subpath '([^']+)'/.exec(first) ?? [];
  if (missing !== undefined) {
    const where = importerOf(message, shown);
    return usageError(
      `${where} imports ${JSON.stringify(missing)}, which is not found.`,
      nextStepFor(missing),
      error,
    );
  }
  if (/^(?:ParseError|SyntaxError)/.test(message) || isSyntaxError(error)) {
    const place = /:(\d+:\d+)\]?\s*$/.exec(message.trim())?.[1];
    const what = first.replace(/^(?:Parse|Syntax)Error:\s*/, '').trim();
    const file = /(\S+):\d+:\d+\]?\s*$/.exec(message.trim())?.[1];
    return usageError(
      `${file === undefined ? shown : relative(file)} has a syntax error${place === undefined ? '' : ` at ${place}`}: ${what}.`,
      'Correct it; the place is line and column.',
      error,
    );
  }
  const at = placeOf(error);
  return usageError(
    `The code of ${shown} failed${code === undefined ? '' : ` (${code})`}: ${message.split('\n').join(' ')}${at === undefined ? '' : ` (${at})`}`,
    'Correct it, or export the machine from a file that only creates it: rc-engine runs the file to read its machines.',
    error,
  );
}

function describe(error: unknown): { readonly message: string; readonly code: string | undefined } {
  if (typeof error !== 'object' || error === null) return { message: String(error), code: undefined };
  const message = 'message' in error ? String(error.message) : String(error);
  return { message, code: 'code' in error && typeof error.code === 'string' ? error.code : undefined };
}

const isSyntaxError = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'name' in error && error.name === 'SyntaxError';

/** The file that imports what is missing: the first of the require stack. */
function importerOf(message: string, shown: string): string {
  const [, first] = /Require stack:\n- (.*)/.exec(message) ?? /imported from (\S+)/.exec(message) ?? [];
  return first === undefined ? shown : relative(first);
}

function nextStepFor(missing: string): string {
  if (missing === 'xstate' || missing.startsWith('xstate/'))
    return 'Install it in your project: npm install xstate';
  if (/^[./]/.test(missing)) return 'Correct the path of the import.';
  return /^[@~#]\/|^[~#]/.test(missing)
    ? 'Add it to `paths` of the tsconfig.json beside the file or above it.'
    : 'Install it in your project, or add it to `paths` of the tsconfig.json beside the file or above it.';
}

/** The first place of the stack that is in a file of the user. */
function placeOf(error: unknown): string | undefined {
  const stack = typeof error === 'object' && error !== null && 'stack' in error ? String(error.stack) : '';
  for (const [, file = '', place = ''] of stack.matchAll(
    /\(?((?:file:\/\/)?\/?[^\s():]*(?::[\\/][^():]*)?):(\d+):\d+\)?$/gm,
  )) {
    if (file.startsWith('node:') || /[\\/]node_modules[\\/]/.test(file) || file.includes('cli-script'))
      continue;
    return `${relative(file.replace(/^file:\/\//, ''))}:${place}`;
  }
  return undefined;
}

function relative(file: string): string {
  const from = path.relative('', file);
  return (from.startsWith('..') ? file : from).split(path.sep).join('/');
}
