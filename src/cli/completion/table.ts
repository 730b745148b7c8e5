/** Commands, options and values as completion and the manual page need them: from the same table as the parser. RC-171 */
import { ERRORS } from '../../protocol/errors.js';
import { NUMERIC_CODES } from '../../protocol/numeric-codes.js';
import { REASONS } from '../../protocol/reasons.js';
import type { Command, CommandGroup, Completes, OptionSpec } from '../parser/command.js';
import { flagOf, type Setting } from '../settings/setting.js';
import { START_SETTINGS } from '../settings/start-settings.js';

/** What is proposed for a value: nothing, files, directories, or these words. */
export type Proposal =
  | { readonly kind: 'nothing' | 'files' | 'directories' }
  | { readonly kind: 'words' | 'wordsOrFiles'; readonly words: readonly string[] };

export interface TableOption {
  /** `listen` for `--listen`. */
  readonly name: string;
  readonly short: string | undefined;
  readonly spec: OptionSpec;
  /** Undefined: it takes no value. */
  readonly value: Proposal | undefined;
}

export interface TableCommand {
  /** `start`, or `token create`. */
  readonly path: string;
  readonly command: Command;
  readonly options: readonly TableOption[];
  readonly positionals: readonly TablePositional[];
}

interface TablePositional {
  readonly name: string;
  readonly value: Proposal;
  /** It takes any number of words. */
  readonly isList: boolean;
}

export interface CompletionTable {
  readonly commands: readonly TableCommand[];
  /** Words after the program, and after the name of a group. */
  readonly words: ReadonlyMap<string, readonly (readonly [word: string, description: string])[]>;
}

const GLOBAL: readonly TableOption[] = [
  { name: 'help', short: 'h', spec: { type: 'boolean', description: 'Show this help' }, value: undefined },
];

export function completionTable(
  commands: readonly (Command | CommandGroup)[],
  charts: readonly string[],
): CompletionTable {
  const words = new Map<string, readonly (readonly [string, string])[]>([['', commands.map(nameAndText)]]);
  const found: TableCommand[] = [];
  for (const command of commands) {
    if (!('subcommands' in command)) {
      found.push(tableCommand(command.name, command, charts));
      continue;
    }
    words.set(command.name, command.subcommands.map(nameAndText));
    for (const one of command.subcommands) {
      found.push(tableCommand(`${command.name} ${one.name}`, one, charts));
    }
  }
  return { commands: found, words };
}

const nameAndText = ({ name, description }: Command | CommandGroup) => [name, description] as const;

function tableCommand(path: string, command: Command, charts: readonly string[]): TableCommand {
  const settings = (command.settings ?? []).flatMap((name) => {
    const setting = (START_SETTINGS as readonly Setting[]).find((one) => one.name === name);
    return setting === undefined ? [] : [[flagOf(name), setting] as const];
  });
  const options = [...Object.entries(command.options), ...settings].map(
    ([name, spec]): TableOption => ({
      ...{ name, short: spec.short, spec },
      value:
        spec.type === 'boolean' ? undefined : proposalOf(spec.completes ?? completesOf(name, spec), charts),
    }),
  );
  const positionals = Object.entries(command.positionals ?? {}).map(
    ([name, { completes, type }]): TablePositional => ({
      ...{ name, value: proposalOf(completes, charts), isList: type === 'list' },
    }),
  );
  return { path, command, options: [...options, ...GLOBAL], positionals };
}

/** By the words of the option, or by its name. */
function completesOf(name: string, { values, proposals }: OptionSpec): Completes | undefined {
  const words = values ?? proposals;
  if (words !== undefined) return words;
  if (name === 'home' || name === 'out') return 'directories';
  return /(?:^|-)file$|^ca-cert$|^tls-|^(?:capability|controller|diff)$/.test(name) ? 'files' : undefined;
}

function proposalOf(completes: Completes | undefined, charts: readonly string[]): Proposal {
  switch (completes) {
    case undefined:
      return { kind: 'nothing' };
    case 'files':
    case 'directories':
      return { kind: completes };
    case 'charts':
      return { kind: 'words', words: charts };
    case 'chartsOrFiles':
      return { kind: 'wordsOrFiles', words: charts };
    case 'codes':
      return {
        kind: 'words',
        words: [...Object.keys(ERRORS), ...Object.keys(REASONS), ...NUMERIC_CODES.map(String)],
      };
    case 'settings':
      return { kind: 'words', words: START_SETTINGS.map(({ name }) => name) };
    default:
      return { kind: 'words', words: completes };
  }
}
