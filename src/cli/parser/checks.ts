/** Checks of a command line that yargs does not do. Each error is one line that names the flag and the expected form. RC-133 */
import { oneOf, usageError } from '../errors.js';
import { shellQuote } from '../output/shell.js';
import { flagOf, type Setting } from '../settings/setting.js';
import { START_SETTINGS } from '../settings/start-settings.js';
import type { Command, CommandGroup, OptionSpec } from './command.js';

const SETTINGS: readonly Setting[] = START_SETTINGS;
/** The longest time that a timer of Node can wait, in seconds. */
const MAX_SECONDS = Math.floor((2 ** 31 - 1) / 1000);

/** The options of a command by their flag, those of `start` settings included. */
export function optionsOf(command: Command): ReadonlyMap<string, OptionSpec> {
  const settings = SETTINGS.filter(({ name }) => (command.settings ?? []).includes(name));
  return new Map([
    ...Object.entries(command.options),
    ...settings.map((setting): [string, OptionSpec] => [flagOf(setting.name), setting]),
  ]);
}

/** The command that a command line names; undefined: none, or one that does not exist. */
export function commandOf(
  argv: readonly string[],
  commands: readonly (Command | CommandGroup)[],
): Command | undefined {
  const words = argv.filter((word) => !word.startsWith('-'));
  const found = commands.find(({ name }) => name === words[0]);
  return found !== undefined && 'subcommands' in found
    ? found.subcommands.find(({ name }) => name === words[1])
    : found;
}

/** What word processors and web pages make of a hyphen. */
const OTHER_DASH = /^[\u2010-\u2015\u2212]+/;

/**
 * A known flag that was written with one hyphen, with a dash, or in capitals. `-home` would be read as `-h` and more.
 * @throws EngineError `usage` with the flag as it is meant
 */
export function checkHyphens(
  argv: readonly string[],
  command: Command | undefined,
  commands: readonly (Command | CommandGroup)[],
): void {
  const all = commands.flatMap((one) => ('subcommands' in one ? one.subcommands : [one]));
  const known = new Set(
    (command === undefined ? all : [command]).flatMap((one) => [...optionsOf(one).keys(), 'help', 'version']),
  );
  for (const word of argv) {
    const [typed = ''] = word.split('=', 1);
    const name = typed.replace(OTHER_DASH, '').replace(/^-+/, '').toLowerCase();
    if (name.length < 2 || !known.has(name) || typed === `--${name}`) continue;
    const isFlag = OTHER_DASH.test(typed) || /^--?[A-Za-z]/.test(typed);
    if (isFlag) throw usageError(`${typed} is no option of rc-engine.`, `Write --${name}.`);
  }
}

/**
 * Checks the flags as they were typed: each once, unless it is a list, and a switch without a value. Of two audiences, the
 * one that somebody relies on would be dropped silently. WSA-14
 */
export function checkFlags(argv: readonly string[], command: Command): void {
  const options = optionsOf(command);
  const short = new Map<string, string>();
  for (const [name, spec] of options) if (spec.short !== undefined) short.set(spec.short, name);
  const counts = new Map<string, number>();
  for (let at = 0; at < argv.length; at += 1) {
    const [, typed = '', value] = /^(--[a-z][a-z0-9-]*|-[a-z])(?:=([\s\S]*))?$/.exec(argv[at] ?? '') ?? [];
    const flag = typed.startsWith('--') ? typed.slice(2) : (short.get(typed.slice(1)) ?? '');
    const option = options.get(flag);
    if (option === undefined) continue;
    if (option.type === 'boolean' && value !== undefined) {
      throw usageError(
        `--${flag} is a switch and takes no value.`,
        value === 'false' ? `Leave out --${flag}.` : `Write --${flag} alone.`,
      );
    }
    if (option.type !== 'list') counts.set(flag, (counts.get(flag) ?? 0) + 1);
    // The value of a flag may look like another one's name only with =.
    if (option.type !== 'boolean' && value === undefined && option.implicit === undefined) at += 1;
  }
  for (const [flag, count] of counts) {
    if (count > 1) throw usageError(`--${flag} is given ${count} times.`, `Give --${flag} once.`);
  }
}

/** Values without the spaces around them, as a copy from a page has them. */
export function trimValues(args: Record<string, unknown>, command: Command): void {
  const trim = (value: unknown): unknown => (typeof value === 'string' ? value.trim() : value);
  const names = [...optionsOf(command).keys(), ...Object.keys(command.positionals ?? {})];
  for (const flag of names) {
    for (const name of [flag, flag.replace(/-([a-z])/g, (_all, letter: string) => letter.toUpperCase())]) {
      const value = args[name];
      if (value !== undefined) args[name] = Array.isArray(value) ? value.map(trim) : trim(value);
    }
  }
}

/** The values of the options of a command: allowed, in range, not empty. Settings are checked where they are resolved. */
export function checkValues(
  command: Command,
  args: Readonly<Record<string, unknown>>,
  fullName: string,
): void {
  for (const [name, { type, values, implicit, separator }] of Object.entries(command.options)) {
    const value = args[name];
    if (value === undefined) continue;
    if (value === '' && type !== 'boolean' && implicit === undefined) {
      const next =
        name === 'home' ? 'Name a directory, or leave it out to use ~/.rc-engine.' : 'Give it a value.';
      throw usageError(`--${name} must not be empty.`, next);
    }
    const given = separator === undefined ? [String(value)] : String(value).split(separator);
    if (values !== undefined) for (const one of given) oneOf(name, one.trim(), values);
    if (type === 'seconds' && !(typeof value === 'number' && value >= 0 && value <= MAX_SECONDS)) {
      throw usageError(
        `--${name} must be a number of seconds from 0 to ${MAX_SECONDS}.`,
        `For one minute, give --${name} 60.`,
      );
    }
  }
  for (const [name, { required }] of Object.entries(command.positionals ?? {})) {
    if (required === true && args[name] === '') {
      throw usageError(`${name.toUpperCase()} must not be empty.`, `Run: rc-engine ${fullName} --help`);
    }
  }
}

/**
 * `start codex app-server` without `--`: the words after it would be taken for arguments of this program.
 * @throws EngineError `usage` with the command line that was probably meant
 */
export function checkAppServerWords(argv: readonly string[], command: Command): void {
  const options = optionsOf(command);
  for (let at = 1; at < argv.length; at += 1) {
    const word = argv[at] ?? '';
    if (word.startsWith('-')) {
      const option = options.get(word.replace(/^--/, '').replace(/=.*$/s, ''));
      // It is what is wrong.
      if (option === undefined) return;
      const takesValue = !word.includes('=') && option.type !== 'boolean' && option.implicit === undefined;
      if (takesValue) at += 1;
      continue;
    }
    const quoted = (words: readonly string[]): string => words.map(shellQuote).join(' ');
    const flags = argv.slice(1, at);
    throw usageError(
      `Unknown argument of start: ${word}. The command of an app server comes after --.`,
      `Run: rc-engine start ${flags.length === 0 ? '' : `${quoted(flags)} `}-- ${quoted(argv.slice(at))}`,
    );
  }
}
