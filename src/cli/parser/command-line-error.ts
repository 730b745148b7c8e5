import type { EngineError } from '../../protocol/errors.js';
import { closestMatch } from '../../system/suggest.js';
import { usageError } from '../errors.js';
import { flagOf } from '../settings/setting.js';
import type { Command, CommandGroup } from './command.js';

/** The command that the command line names, such as `token create`; empty for none. What it accepts. */
interface Context {
  readonly command: string;
  /** The word in the place of a command or subcommand that does not exist. */
  readonly unknownCommand: string | undefined;
  readonly flags: readonly string[];
  readonly positionals: readonly string[];
  readonly nextStep: string;
}

/** Turns a message of yargs into an error that names what is wrong and one specific next step. */
export function commandLineError(
  found: string,
  argv: readonly string[],
  commands: readonly (Command | CommandGroup)[],
): EngineError {
  const message = found.replaceAll('\n', ' ');
  const context = contextOf(argv, commands);
  const { command, nextStep } = context;
  const [, unknown] = /^Unknown (?:arguments?|commands?): (.*)$/.exec(message) ?? [];
  const [, proposed] = /^Did you mean (.*)\?$/.exec(message) ?? [];
  const [flag] = argv;
  if (command === '' && flag?.startsWith('-') === true && context.unknownCommand === undefined) {
    const name = flag.replace(/=.*$/s, '');
    return name === '--json'
      ? usageError('A command is missing.', nextStep)
      : usageError(`Unknown option: ${name}.`, nextStep);
  }
  // With an unknown command no flag is known either; the command is what is wrong.
  const { unknownCommand } = context;
  if (
    unknownCommand !== undefined &&
    (proposed !== undefined || unknown?.split(', ').includes(unknownCommand))
  ) {
    return usageError(
      `Unknown ${command === '' ? 'command' : `subcommand of ${command}`}: ${unknownCommand}.`,
      proposal(unknownCommand, proposed, command, commands) ?? nextStep,
    );
  }
  if (unknown !== undefined) return unknownArgument(unknown.split(', '), argv, context);
  const [, option] = /^Not enough arguments following: (.*)$/.exec(message) ?? [];
  if (option !== undefined)
    return usageError(`${option.length === 1 ? '-' : '--'}${option} needs a value.`, nextStep);
  const [, missing] = /^Missing required arguments?: (.*)$/.exec(message) ?? [];
  if (missing !== undefined) {
    const flags = missing.split(', ').map((name) => `--${name}`);
    return usageError(`${command} needs ${flags.join(' and ')}.`, nextStep);
  }
  if (/^Not enough non-option arguments/.test(message)) {
    return usageError(`${command} needs ${context.positionals.join(' ')}.`, nextStep);
  }
  return usageError(message, nextStep);
}

/** The question for a word that is no command; undefined when nothing is like it. */
function proposal(
  word: string,
  proposed: string | undefined,
  group: string,
  commands: readonly (Command | CommandGroup)[],
): string | undefined {
  if (group === '' && word.toLowerCase() === 'version') return 'Run: rc-engine --version';
  const near =
    proposed ??
    (group === ''
      ? closestMatch(
          word,
          commands.map(({ name }) => name),
        )
      : undefined);
  return near === undefined ? undefined : `Did you mean ${near}?`;
}

function contextOf(argv: readonly string[], commands: readonly (Command | CommandGroup)[]): Context {
  const words = argv.filter((arg) => !arg.startsWith('-'));
  const first = commands.find(({ name }) => name === words[0]);
  if (first === undefined) {
    const none = { command: '', flags: [], positionals: [] };
    return { ...none, unknownCommand: words[0], nextStep: 'Run: rc-engine --help' };
  }
  const second = 'subcommands' in first ? first.subcommands.find(({ name }) => name === words[1]) : undefined;
  const command = second === undefined ? first.name : `${first.name} ${second.name}`;
  const leaf = 'subcommands' in first ? second : first;
  const flags =
    leaf === undefined ? [] : [...Object.keys(leaf.options), ...(leaf.settings ?? []).map(flagOf)];
  const positionals = Object.keys(leaf?.positionals ?? {}).map((name) => name.toUpperCase());
  const unknownCommand = leaf === undefined ? words[1] : undefined;
  return { command, unknownCommand, flags, positionals, nextStep: `Run: rc-engine ${command} --help` };
}

function unknownArgument(
  names: readonly string[],
  argv: readonly string[],
  { command, flags, nextStep }: Context,
): EngineError {
  // yargs names a flag as it was typed, and then in camel case.
  const name = flagOf(names[0] ?? '');
  const of = command === '' ? '' : ` of ${command}`;
  if (name.length === 1 && argv.includes(`-${name}`)) {
    return usageError(`Unknown option${of}: -${name}.`, nextStep);
  }
  const isFlag = argv.some((arg) => arg === `--${name}` || arg.startsWith(`--${name}=`));
  if (!isFlag) return usageError(`Unknown argument${of}: ${names[0]}.`, nextStep);
  const longer = flags.filter((flag) => flag.startsWith(`${name}-`));
  const near = closestMatch(name, flags) ?? (longer.length === 1 ? longer[0] : undefined);
  return usageError(
    `Unknown option${of}: --${name}.`,
    near === undefined ? nextStep : `Did you mean --${near}?`,
  );
}
