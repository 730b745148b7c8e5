/** One option: how it is parsed and what the help says about it. */
export interface OptionSpec {
  readonly description: string;
  /** A `list` may be given more than once. `integer` is passed on as a string, `seconds` as a number. */
  readonly type: 'string' | 'boolean' | 'list' | 'integer' | 'seconds';
  /** The allowed values. */
  readonly values?: readonly string[];
  /** The value may be several of `values` with this between them. */
  readonly separator?: ',';
  /** Some of the allowed values, for completion, where there are too many to list. */
  readonly proposals?: readonly string[];
  /** Shown in the help. The code that uses the option applies it. */
  readonly default?: string;
  /** Shown in the help: the environment variable that has the same effect. */
  readonly variable?: string;
  /** The value that an option without a value stands for. Default: the value is required. */
  readonly implicit?: string;
  readonly required?: true;
  /** One letter that is the same option: `f` for `-f`. */
  readonly short?: string;
  /** What completion proposes. Default: `values` or `proposals`; else what the name says (`--ws-token-file`: files). */
  readonly completes?: Completes;
}

/** What a value can be completed to: files, directories, or the words of a list. */
export type Completes =
  | 'files'
  | 'directories'
  | 'charts'
  /** Names of charts, and files. */
  | 'chartsOrFiles'
  | 'codes'
  | 'settings'
  | readonly string[];

/** Options by name in kebab case. */
export type OptionTable = Readonly<Record<string, OptionSpec>>;

/** Arguments without a name, in this order. */
type PositionalTable = Readonly<Record<string, PositionalSpec>>;

interface PositionalSpec {
  /** A `list` is the last one, and takes any number of words. */
  readonly type: 'string' | 'list';
  readonly description: string;
  readonly required?: true;
  /** What completion proposes. Default: nothing. */
  readonly completes?: Completes;
}

/** A command line without the name of the program, and what it does. */
type Example = readonly [commandLine: string, description: string];

interface CommandBase {
  readonly name: string;
  /** One sentence for the list of commands, without a full stop. */
  readonly description: string;
}

/** A command as the parser, the help and the tests see it. Made by `defineCommand`. */
export interface Command extends CommandBase {
  /** Lines below the options in the help, such as exit codes. */
  readonly notes?: string;
  /**
   * What a line on a terminal says while the command takes longer than a second, such as `Stopping the engine`. Default: no
   * line, because it takes no time, runs until it is stopped, or shows itself what it does.
   */
  readonly progress?: string;
  readonly examples: readonly Example[];
  readonly positionals?: PositionalTable;
  readonly options: OptionTable;
  /** Settings of `start` that this command accepts too, by name. They are passed on unchecked. */
  readonly settings?: readonly string[];
  /**
   * Runs the command and returns its exit code. It imports what it needs, so that the program loads only the command
   * that runs.
   * @param appServerCommand What followed `--` on the command line.
   */
  run(args: Readonly<Record<string, unknown>>, appServerCommand?: readonly string[]): Promise<number>;
}

/** A command that only has subcommands, such as `token`. */
export interface CommandGroup extends CommandBase {
  readonly subcommands: readonly Command[];
}

type CamelCase<S extends string> = S extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : S;

type ValueOf<O extends OptionSpec> = O extends { readonly separator: string }
  ? string
  : O extends { readonly values: readonly (infer V)[] }
    ? V
    : {
        string: string;
        boolean: boolean;
        list: readonly string[];
        integer: string;
        seconds: number;
      }[O['type']];

type RequiredName<O> = { [K in keyof O]: O[K] extends { readonly required: true } ? K : never }[keyof O];

/** The parsed values of a table of options, by name in camel case. */
type ValuesOf<O extends OptionTable> = {
  readonly [K in RequiredName<O> & string as CamelCase<K>]: ValueOf<O[K]>;
} & {
  readonly [K in Exclude<keyof O, RequiredName<O>> & string as CamelCase<K>]?: ValueOf<O[K]> | undefined;
};

interface Definition<P extends PositionalTable, O extends OptionTable> extends Omit<Command, 'run'> {
  readonly positionals?: P;
  readonly options: O;
  run(
    args: ValuesOf<P> & ValuesOf<O> & Readonly<Record<string, unknown>>,
    appServerCommand?: readonly string[],
  ): Promise<number>;
}

/** Declares a command. The parameter of `run` has the types of its options. */
export const defineCommand = <const P extends PositionalTable, const O extends OptionTable>(
  definition: Definition<P, O>,
): Command & Definition<P, O> => definition;

export const HOME_OPTION = {
  home: {
    type: 'string',
    description: 'Home directory of the engine',
    variable: 'RC_ENGINE_HOME',
    default: '~/.rc-engine',
  },
} as const satisfies OptionTable;

export const JSON_OPTION = {
  json: { type: 'boolean', description: 'Print JSON on stdout, one object per line' },
} as const satisfies OptionTable;
