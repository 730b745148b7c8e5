import type { Argv, Options } from 'yargs';
import { closestMatch } from '../../system/suggest.js';
import { usageError } from '../errors.js';
import { ACCOUNT_SETTINGS } from '../settings/account-settings.js';
import { LISTENER_SETTINGS } from '../settings/listener-settings.js';
import { flagOf, type Setting, variableOf } from '../settings/setting.js';
import { START_SETTINGS } from '../settings/start-settings.js';
import {
  checkAppServerWords,
  checkFlags,
  checkHyphens,
  checkValues,
  commandOf,
  trimValues,
} from './checks.js';
import type { Command, CommandGroup, OptionSpec, OptionTable } from './command.js';
import { commandLineError } from './command-line-error.js';

/** Longer lines are hard to read, and a pipe has no width. */
const [DEFAULT_WIDTH, MAX_WIDTH] = [80, 110];

const EXIT_CODES =
  'Exit codes: 0 success, 1 failure, 2 wrong usage, 3 sign-in needed, 4 engine already running, 5 no engine ' +
  'running, 6 app server fails, 70 internal error.';

const SETTINGS: readonly Setting[] = START_SETTINGS;

/** A command that was found on the command line, and the values of its options in camel case. */
interface Invocation {
  readonly command: Command;
  /** With the name of its group, such as `token create`. */
  readonly name: string;
  readonly args: Readonly<Record<string, unknown>>;
}

interface Context {
  readonly onCommand: (invocation: Invocation) => void;
  /**
   * The help was requested. yargs formats the help of a command also without a request, which for
   * `start` takes longer than everything else in the parser; so everything is hidden that nobody requested.
   */
  readonly describe: boolean;
}

/**
 * Parses a command line. Returns undefined when the help was printed instead.
 * @throws EngineError `usage`
 */
export async function parseCommandLine(
  argv: readonly string[],
  commands: readonly (Command | CommandGroup)[],
): Promise<Invocation | undefined> {
  const named = commandOf(argv, commands);
  checkHyphens(argv, named, commands);
  const asksForHelp = argv.some((arg) => /^(?:--help|-[a-z]*h)/.test(arg));
  const [word] = argv.filter((one) => !one.startsWith('-'));
  const names = commands.map(({ name }) => name);
  if (asksForHelp && word !== undefined && !names.includes(word)) {
    const near = closestMatch(word, names);
    throw usageError(
      `Unknown command: ${word}.`,
      near === undefined ? 'Run: rc-engine --help' : `Did you mean ${near}?`,
    );
  }
  if (named !== undefined && !asksForHelp) {
    if (named.name === 'start') checkAppServerWords(argv, named);
    checkFlags(argv, named);
  }
  const { default: yargs } = await import('yargs');
  let invocation: Invocation | undefined;
  const context: Context = {
    onCommand: (found) => {
      invocation = found;
    },
    describe: asksForHelp,
  };
  const parser = yargs(argv)
    .scriptName('rc-engine')
    .locale('en')
    .parserConfiguration({ 'boolean-negation': false, 'greedy-arrays': false, 'dot-notation': false });
  for (const command of commands) addCommand(parser, command, context);
  addHelp(parser, context);
  await parser
    .middleware(settleValues(listsOf(commands)), true)
    .demandCommand(1, 'A command is missing.')
    .strict()
    .recommendCommands()
    .exitProcess(false)
    .showHelpOnFail(false)
    .fail((message, error) => {
      if (error instanceof Error && error.name !== 'YError') throw error;
      throw commandLineError(message ?? error?.message ?? 'The command line is not valid.', argv, commands);
    })
    .parseAsync();
  if (invocation === undefined) return undefined;
  trimValues(invocation.args as Record<string, unknown>, invocation.command);
  checkValues(invocation.command, invocation.args, invocation.name);
  return invocation;
}

function addHelp(parser: Argv, { describe }: Context): void {
  parser.version(false).option('version', {
    type: 'boolean',
    description: 'Show the version; with --json also the hash of each statechart',
    hidden: !describe,
  });
  if (!describe) {
    parser.help(false);
    return;
  }
  parser
    .wrap(Math.min(parser.terminalWidth() || DEFAULT_WIDTH, MAX_WIDTH))
    .usage('$0 COMMAND [OPTIONS]\n\nKeeps a local app server reachable, locally and remotely.')
    .help('help', 'Show this help')
    .alias('h', 'help')
    .epilogue(`Run rc-engine COMMAND --help for the options of a command.\n${EXIT_CODES}`);
}

function addCommand(parser: Argv, command: Command | CommandGroup, context: Context, group = ''): void {
  if ('subcommands' in command) {
    const list = command.subcommands.map(({ name }) => name);
    const names = `${list.slice(0, -1).join(', ')} or ${list.at(-1)}`;
    parser.command(command.name, command.description, (args) => {
      for (const subcommand of command.subcommands) addCommand(args, subcommand, context, `${command.name} `);
      return args.demandCommand(1, `A subcommand of ${command.name} is missing: ${names}.`);
    });
    return;
  }
  const positionals = Object.entries(command.positionals ?? {});
  const syntax = [
    command.name,
    ...positionals.map(([name, { required, type }]) => {
      const word = type === 'list' ? `${name}..` : name;
      return required === true ? `<${word}>` : `[${word}]`;
    }),
  ].join(' ');
  parser.command(
    syntax,
    command.description,
    (args) => {
      for (const [name, { description }] of positionals)
        args.positional(name, { type: 'string', description });
      addOptions(args, command.options, undefined, context);
      addSettings(args, command.settings ?? [], context);
      if (!context.describe) return;
      const usage = `$0 ${group}${syntax} [OPTIONS]${command.name === 'start' ? ' [-- COMMAND]' : ''}`;
      args.usage(`${usage}\n\n${command.description}.`);
      for (const [line, does] of command.examples) args.example(`$0 ${line}`, does);
      if (command.notes !== undefined) args.epilogue(command.notes);
    },
    (args) => context.onCommand({ command, name: `${group}${command.name}`, args }),
  );
}

function addOptions(args: Argv, options: OptionTable, group: string | undefined, context: Context): void {
  const { describe } = context;
  for (const [name, spec] of Object.entries(options)) {
    const { type, implicit } = spec;
    const described: Options = {
      // Integers are parsed with the settings, which report what is wrong with them.
      type: type === 'boolean' ? 'boolean' : type === 'seconds' ? 'number' : 'string',
      array: type === 'list',
      ...(spec.short === undefined ? {} : { alias: spec.short }),
      requiresArg: type !== 'boolean' && implicit === undefined,
      demandOption: spec.required === true,
      description: textOf(spec),
      hidden: !describe,
      ...(group === undefined ? {} : { group }),
    };
    args.option(name, described);
  }
}

function textOf({ description, values, variable, default: byDefault }: OptionSpec): string {
  const parts = [description];
  if (values !== undefined) parts.push(`[values: ${values.join(', ')}]`);
  if (variable !== undefined) parts.push(`[env: ${variable}]`);
  if (byDefault !== undefined) parts.push(`[default: ${byDefault}]`);
  return parts.join(' ');
}

function addSettings(args: Argv, names: readonly string[], context: Context): void {
  for (const setting of SETTINGS) {
    if (!names.includes(setting.name)) continue;
    const option = { ...setting, variable: variableOf(setting.name) };
    addOptions(args, { [flagOf(setting.name)]: option }, groupOf(setting.name), context);
  }
}

/** The heading of a setting in the help. */
function groupOf(name: string): string {
  const among = (settings: readonly Setting[]) => settings.some((setting) => setting.name === name);
  if (name.startsWith('appServer')) return 'App server:';
  if (name === 'listen' || among(LISTENER_SETTINGS)) return 'Local listener:';
  if (among(ACCOUNT_SETTINGS)) return 'Account:';
  if (['inspect', 'json', 'logLevel', 'logFormat', 'logFile'].includes(name)) return 'Output:';
  return 'Remote control:';
}

/** A flag that is not a list has one value; `checkFlags` refuses more than that. */
function settleValues(lists: ReadonlySet<string>): (args: Record<string, unknown>) => void {
  return (args) => {
    for (const [name, value] of Object.entries(args)) {
      if (Array.isArray(value) && name !== '_' && !lists.has(name)) args[name] = value.at(-1);
    }
  };
}

/** The names of the settings and arguments that are lists. */
function listsOf(commands: readonly (Command | CommandGroup)[]): ReadonlySet<string> {
  const leaves = commands.flatMap((one) => ('subcommands' in one ? one.subcommands : [one]));
  const words = leaves.flatMap(({ positionals }) =>
    Object.entries(positionals ?? {}).flatMap(([name, { type }]) => (type === 'list' ? [name] : [])),
  );
  const settings = SETTINGS.filter(({ type }) => type === 'list');
  return new Set([...settings.flatMap(({ name }) => [name, flagOf(name)]), ...words]);
}
