import { EngineError } from '../../protocol/errors.js';
import { closestMatch } from '../../system/suggest.js';
import { flagOf, START_SETTINGS } from './settings.js';

const HELP = 'rc-engine --help lists the commands, rc-engine COMMAND --help their flags.';
const START_FLAGS = ['home', 'no-remote-control', ...START_SETTINGS.map(({ name }) => flagOf(name))];

/** What the parser of the command line found wrong, as a person would say it. */
export function usageError(found: string, argv: readonly string[]): EngineError {
  const message = found.replaceAll('\n', ' ');
  const unknown = /^Unknown arguments?: (.*)$/.exec(message)?.[1]?.split(', ');
  const [command = ''] = argv;
  // Of an unknown command no flag is known either; the command is what is wrong.
  if (unknown?.includes(command) && !command.startsWith('-')) {
    return usage(`There is no command ${command}.`, HELP);
  }
  if (unknown !== undefined) return unknownArgument(unknown, argv);
  // The parser proposes a command and leaves out what was typed.
  if (/^Did you mean /.test(message)) return usage(`There is no command ${command}. ${message}`, HELP);
  return usage(message, HELP);
}

function unknownArgument(names: readonly string[], argv: readonly string[]): EngineError {
  // The parser names a flag as it was typed, and then in camel case.
  const name = flagOf(names[0] ?? '');
  const flag = `--${name}`;
  if (!argv.some((arg) => arg === flag || arg.startsWith(`${flag}=`))) {
    return usage(`Unknown argument: ${name}`, HELP);
  }
  const near = argv[0] === 'start' ? closestMatch(name, START_FLAGS) : undefined;
  return usage(`There is no flag ${flag}.`, near === undefined ? HELP : `Did you mean --${near}?`);
}

function usage(message: string, remediation: string): EngineError {
  return new EngineError('usage', message, { remediation });
}
