import * as v from 'valibot';
import { readConfigFile } from '../../home/config-file.js';
import { expandTilde } from '../../home/home.js';
import { usageError } from '../errors.js';
import { flagOf, type Setting, variableOf } from './setting.js';
import { START_SETTINGS, type StartSettings } from './start-settings.js';

const NOT_EMPTY = 'must not be empty';

/** No shell expands `~` in a file, in a variable, or after `=`. */
const PATHS = ['authFile', 'caCert', 'logFile'];

/**
 * The settings, each from its flag, or else from its environment variable, or else from the configuration file. Removes
 * from `env` the variables that may hold a secret.
 * @throws EngineError `usage` or `configInvalid`: which source is wrong, what is wrong, and what is allowed.
 */
export async function resolveStartSettings(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  configFile: string,
): Promise<StartSettings> {
  const file: Record<string, unknown> = await readConfigFile(configFile, configSchema);
  const given = resolveEach(flags, env, file).filter(({ origin }) => origin !== 'default');
  // Each value has passed the schema of its setting.
  return Object.fromEntries(given.map(({ setting, value }) => [setting.name, value])) as StartSettings;
}

/** One setting, and where its value is from. */
export interface ResolvedSetting {
  readonly setting: Setting;
  /** Undefined: the default. */
  readonly value: unknown;
  readonly origin: 'flag' | 'variable' | 'file' | 'default';
}

/** All settings in the order of the help. @throws EngineError as `resolveStartSettings` */
export function resolveEach(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  file: Readonly<Record<string, unknown>>,
): ResolvedSetting[] {
  return (START_SETTINGS as readonly Setting[]).map((setting) => {
    const { name, implicit = '' } = setting;
    const flag = flags[name] === '' ? implicit : flags[name];
    const variable = valueFromEnvironment(setting, env);
    // No child process inherits what may be a secret. ACC-86
    if (setting.mayHoldSecret === true) delete env[variableOf(name)];
    const of = (origin: ResolvedSetting['origin'], value: unknown): ResolvedSetting => ({
      ...{ setting, origin },
      value: PATHS.includes(name) && typeof value === 'string' ? expandTilde(value) : value,
    });
    if (flag !== undefined) return of('flag', checked(setting, `--${flagOf(name)}`, flag));
    if (variable !== undefined) return of('variable', checked(setting, variableOf(name), variable));
    return file[name] === undefined ? of('default', undefined) : of('file', file[name]);
  });
}

/** The value of a setting for config.json, from the words of a command line. @throws EngineError `usage` */
export function settingFromText(setting: Setting, text: string): unknown {
  const { name } = setting;
  const given = valueFromEnvironment(setting, { [variableOf(name)]: text });
  return checked(setting, name, given ?? text);
}

/** The value of a variable, in the form that the flag would have. */
function valueFromEnvironment(setting: Setting, env: NodeJS.ProcessEnv): unknown {
  const given = env[variableOf(setting.name)];
  // A blank one is an error of its own.
  const text = given?.trim() || given;
  if (text === undefined) return undefined;
  if (text === '') {
    if (setting.securitySensitive !== true) return undefined;
    return setting.type === 'list' ? [''] : '';
  }
  if (setting.type === 'list') return text.split(',').map((part) => part.trim());
  if (setting.type !== 'boolean') return text;
  return { '1': true, true: true, '0': false, false: false }[text] ?? text;
}

function checked(setting: Setting, source: string, value: unknown): unknown {
  const result = v.safeParse(schemaOf(setting, 'text'), value);
  if (result.success) return result.output;
  const [issue] = result.issues;
  const { default: byDefault } = setting;
  const given =
    setting.mayHoldSecret === true || issue.message === NOT_EMPTY ? '' : `, not ${shown(issue.input)}`;
  const leaveOut = source.startsWith('--') ? 'leave it out' : 'unset it';
  throw usageError(
    `${source} ${issue.message}${given}.`,
    byDefault === undefined
      ? `Correct it or ${leaveOut}.`
      : `Correct it, or ${leaveOut} to use the default (${byDefault}).`,
  );
}

const shown = (value: unknown): string =>
  value === '' ? 'empty' : (JSON.stringify(value) ?? String(value)).slice(0, 200);

function schemaOf(setting: Setting, source: 'file' | 'text'): v.GenericSchema {
  if (setting.type === 'boolean') return v.boolean('must be true or false');
  if (setting.type === 'integer') return integerSchema(setting, source);
  if (setting.type === 'list') return v.array(stringSchema(setting), 'must be a list of strings');
  if (setting.values !== undefined) {
    return v.picklist([...setting.values], `must be ${alternatives(setting.values)}`);
  }
  return stringSchema(setting);
}

function stringSchema({ check }: Setting): v.GenericSchema<string> {
  return v.pipe(
    v.string('must be a string'),
    v.minLength(1, NOT_EMPTY),
    v.rawCheck(({ dataset, addIssue }) => {
      const problem = dataset.typed ? check?.(dataset.value) : undefined;
      if (problem !== undefined) addIssue({ message: problem });
    }),
  );
}

/** A flag or variable holds an integer as a string, the file as a number. */
function integerSchema(
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Setting,
  source: 'file' | 'text',
): v.GenericSchema {
  const problem = `must be a whole number from ${min} to ${max}`;
  const text = v.pipe(v.string(problem), v.regex(/^-?\d+$/, problem), v.transform(Number));
  return v.pipe(
    source === 'file' ? v.number(problem) : text,
    v.integer(problem),
    v.minValue(min, problem),
    v.maxValue(max, problem),
  );
}

const alternatives = (values: readonly string[]): string =>
  values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;

export const configSchema = v.strictObject(
  Object.fromEntries(START_SETTINGS.map((setting) => [setting.name, v.optional(schemaOf(setting, 'file'))])),
);
