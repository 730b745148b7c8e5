#!/usr/bin/env node
import { errnoText } from '../system/errno.js';
import { systemFailure } from '../system/system-failure.js';
import { EXIT, exitCodeOf, usageError } from './errors.js';
import { outputIsOptional, watchOutput } from './output/lifeline.js';
import { errorOutput, printError, printJson } from './output/print.js';
import { stderr, stdout, stdoutFlushed } from './output/terminal.js';
import { allowRemovedDirectory, commandLineParsed } from './removed-directory.js';
import { keepHangupIgnored, runFatalExitHandler } from './signals.js';

keepHangupIgnored();
allowRemovedDirectory();
const commandLine = process.argv.slice(2);
// What follows -- is the command of the app server, so none of it is parsed here.
const dashes = commandLine.indexOf('--');
const own = dashes < 0 ? commandLine : commandLine.slice(0, dashes);
const appServerCommand = dashes < 0 ? undefined : commandLine.slice(dashes + 1);
// Many people try `help COMMAND` first.
// So does a command line without a word.
const isBare = own.length === 0 && appServerCommand === undefined;
const argv = isBare ? ['--help'] : own[0] === 'help' ? [...own.slice(1), '--help'] : own;
errorOutput.json = argv.includes('--json');
errorOutput.home = homeArgument(argv);

/** The value of --home, before the command line is parsed: the next step of each error names it. */
function homeArgument(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => word === '--home' || word.startsWith('--home='));
  const value = words[at]?.startsWith('--home=') ? words[at]?.slice('--home='.length) : words[at + 1];
  if (at < 0 || value === undefined || value === '' || value.startsWith('-')) return undefined;
  return value;
}

/** How long a reader that does not read may delay the end of a program that runs on without it, ms. */
const LAST_OUTPUT = 500;

/** The commands that accept the command of an app server after `--`. */
const TAKE_APP_SERVER: ReadonlySet<string> = new Set(['start', 'doctor', 'service']);

const VERSION_FLAGS: ReadonlySet<string> = new Set(['-v', '--version', '--json']);

/** The command that runs, once it is known. */
let commandName: string | undefined;
let exitCode: number = EXIT.ok;
let stdoutError: NodeJS.ErrnoException | undefined;

/** A reader of stdout that went away, as `head` does, is not a failure; a full disk is. */
const finalExitCode = (): number =>
  stdoutError === undefined || stdoutError.code === 'EPIPE' ? exitCode : exitCode || EXIT.failed;

process.on('uncaughtException', exitAfterUnexpectedError);
process.on('unhandledRejection', exitAfterUnexpectedError);

/** Ends the process after the engine has stored its state. A half-working engine must not stay. */
function exitAfterUnexpectedError(error: unknown): void {
  printError(error);
  void runFatalExitHandler().finally(() => process.exit(EXIT.internal));
}

watchOutput((error) => {
  stdoutError = error;
  if (error.code !== 'EPIPE') {
    stderr.print(`rc-engine: stdout cannot be written: ${errnoText(error)}.`);
  }
  void runFatalExitHandler().finally(() => process.exit(finalExitCode()));
});

async function run(): Promise<number> {
  if (argv[0] === '-v' || argv.includes('--version')) {
    const other = argv.find((word) => word.startsWith('-') && !VERSION_FLAGS.has(word));
    if (other !== undefined) throw usageError(`--version cannot be used with ${other}.`, `Remove ${other}.`);
    return printVersion();
  }
  if (appServerCommand !== undefined && !TAKE_APP_SERVER.has(argv[0] ?? '')) {
    throw usageError(
      'Only start, doctor and service install accept a command after --.',
      'Remove -- and what follows it, or run: rc-engine start -- COMMAND',
    );
  }
  if (argv[0] === 'start') {
    const code = appServerCommand !== undefined && isProcessOne() ? await belowReaper() : undefined;
    if (code !== undefined) return code;
    const { parsePlainStart } = await import('./parser/plain-start.js');
    const flags = parsePlainStart(argv);
    if (flags !== undefined) {
      commandName = 'start';
      commandLineParsed();
      return (await import('./commands/start.js')).start.run(flags, appServerCommand);
    }
  }
  // Only these use it, and take it out themselves; a browser that login opens must not inherit it.
  if (argv[0] !== 'start' && argv[0] !== 'doctor') delete process.env.RC_ENGINE_ACCESS_TOKEN;
  const { parseCommandLine } = await import('./parser/parser.js');
  const { COMMANDS } = await import('./commands/index.js');
  const invocation = await parseCommandLine(argv, COMMANDS);
  commandLineParsed();
  if (invocation === undefined) return EXIT.ok;
  commandName = invocation.name;
  const { command, args } = invocation;
  if (command.progress === undefined || errorOutput.json) return command.run(args, appServerCommand);
  const { endWaiting, startWaiting } = await import('./output/waiting.js');
  startWaiting(command.progress);
  try {
    return await command.run(args, appServerCommand);
  } finally {
    endWaiting();
  }
}

const isProcessOne = (): boolean => process.pid === 1 && process.platform === 'linux';

const belowReaper = async (): Promise<number | undefined> =>
  (await import('./process-one.js')).runBelowReaper();

async function printVersion(): Promise<number> {
  const { VERSION } = await import('../protocol/version.js');
  if (errorOutput.json) {
    const { chartHashes } = await import('../engine/charts.js');
    printJson({ version: VERSION, node: process.versions.node, charts: chartHashes() });
  } else stdout.print(VERSION);
  return EXIT.ok;
}

try {
  exitCode = await run();
} catch (thrown) {
  const error = systemFailure(thrown) ?? thrown;
  printError(error, commandName);
  exitCode = exitCodeOf(error);
}
// Everything has been closed by its owner. A forgotten handle must not keep a finished command alive.
process.exitCode = finalExitCode();
await stdoutFlushed(outputIsOptional() ? LAST_OUTPUT : undefined);
process.exit(finalExitCode());
