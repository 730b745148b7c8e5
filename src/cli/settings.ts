import * as v from 'valibot';
import { readConfigFile } from '../adapters/config-file.js';
import { expandTilde } from '../adapters/home.js';
import { normalizeAllowedHost } from '../adapters/target.js';
import { EngineError } from '../protocol/errors.js';

/**
 * One setting of `start`, three ways to give it: flag, environment variable, key in `<home>/config.json`, in that
 * order. The flag is the name in kebab case, the variable RC_ENGINE_ and the name in capitals.
 */
interface Setting {
  readonly name: string;
  readonly description: string;
  readonly values?: readonly string[];
  readonly type: 'string' | 'boolean' | 'list';
  /** Said in the help; the program behind it decides. */
  readonly byDefault?: string;
  /** A further check of a text; answers what is wrong. */
  readonly check?: (value: string) => string | undefined;
}

/** No shell expands `~` in a file, in a variable, or after `=`. */
const PATHS = ['authFile', 'caCert'];

const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;

const checkListen = (value: string): string | undefined =>
  value === 'off' || value === 'stdio://' ? undefined : 'must be off or stdio://';

const checkHost = (value: string): string | undefined =>
  normalizeAllowedHost(value) === undefined
    ? 'must be a host name, or host:port, without a scheme'
    : undefined;

const checkStore = (value: string): string | undefined =>
  value === 'none' || value === 'memory:' || /^sqlite:./.test(value)
    ? undefined
    : 'must be sqlite:PATH, memory: or none';

/** Order is the order of the help. */
export const START_SETTINGS = [
  {
    name: 'authFile',
    type: 'string',
    description: 'account file in the reference format',
    byDefault: '<home>/auth.json',
  },
  {
    name: 'baseUrl',
    type: 'string',
    description: 'backend URL, or "embedded" for a backend inside this process',
    byDefault: 'https://chatgpt.com/backend-api',
  },
  {
    name: 'allowHost',
    type: 'list',
    description: 'further https host that credentials may be sent to (repeatable)',
    check: checkHost,
  },
  { name: 'caCert', type: 'string', description: 'PEM file of a further certificate authority' },
  {
    name: 'listen',
    type: 'string',
    description: 'local clients: off or stdio://',
    byDefault: 'off',
    check: checkListen,
  },
  {
    name: 'remoteControl',
    type: 'string',
    values: ['on', 'off', 'preference'],
    description: 'on for this run, off, or as stored for the account',
    byDefault: 'on',
  },
  { name: 'clientName', type: 'string', description: 'name that the enrollment belongs to' },
  {
    name: 'authStartup',
    type: 'string',
    values: ['ready', 'recoverable'],
    description: 'without a sign-in: fail with exit code 3, or wait for one',
    byDefault: 'ready when nothing else listens, else recoverable',
  },
  {
    name: 'onConflict',
    type: 'string',
    values: ['wait', 'reenroll', 'exit'],
    description: 'when another process holds the connection of this identity',
    byDefault: 'wait',
  },
  {
    name: 'store',
    type: 'string',
    description: 'enrollment store: sqlite:PATH, memory: or none',
    byDefault: 'sqlite:<home>/rc-engine.sqlite',
    check: checkStore,
  },
  { name: 'json', type: 'boolean', description: 'one JSON object a line on stdout' },
  {
    name: 'logLevel',
    type: 'string',
    values: LOG_LEVELS,
    description: 'what goes to the log on stderr',
    byDefault: 'info with --json, else warn',
  },
  {
    name: 'logFormat',
    type: 'string',
    values: ['pretty', 'json'],
    description: 'how the log looks',
    byDefault: 'json with --json, else pretty',
  },
] as const satisfies readonly Setting[];

export interface StartSettings {
  readonly authFile?: string;
  readonly baseUrl?: string;
  readonly allowHost?: readonly string[];
  readonly caCert?: string;
  readonly listen?: 'off' | 'stdio://';
  readonly remoteControl?: 'on' | 'off' | 'preference';
  readonly clientName?: string;
  readonly authStartup?: 'ready' | 'recoverable';
  readonly onConflict?: 'wait' | 'reenroll' | 'exit';
  readonly store?: string;
  readonly json?: boolean;
  readonly logLevel?: (typeof LOG_LEVELS)[number];
  readonly logFormat?: 'pretty' | 'json';
}

export const flagOf = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const variableOf = (name: string): string =>
  `RC_ENGINE_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;

function schemaOf(setting: Setting): v.GenericSchema {
  if (setting.type === 'boolean') return v.boolean('must be true or false');
  if (setting.type === 'list') return v.array(textOf(setting), 'must be a list of texts');
  if (setting.values !== undefined) {
    return v.picklist([...setting.values], `must be ${list(setting.values)}`);
  }
  return textOf(setting);
}

function textOf({ check }: Setting): v.GenericSchema<string> {
  return v.pipe(
    v.string('must be a text'),
    v.minLength(1, 'must not be empty'),
    v.rawCheck(({ dataset, addIssue }) => {
      const wrong = dataset.typed ? check?.(dataset.value) : undefined;
      if (wrong !== undefined) addIssue({ message: wrong });
    }),
  );
}

const list = (values: readonly string[]): string =>
  values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;

const configSchema = v.strictObject(
  Object.fromEntries(START_SETTINGS.map((setting) => [setting.name, v.optional(schemaOf(setting))])),
);

/** What the environment says, as the text of a flag would say it. */
function fromEnvironment(setting: Setting, env: NodeJS.ProcessEnv): unknown {
  const text = env[variableOf(setting.name)];
  if (text === undefined || text === '') return undefined;
  if (setting.type === 'list') return text.split(',').map((part) => part.trim());
  if (setting.type !== 'boolean') return text;
  return { '1': true, true: true, '0': false, false: false }[text] ?? text;
}

/**
 * Flags over environment over file.
 * @throws EngineError `usage` or `configInvalid`: which one, what was wrong, what is allowed.
 */
export async function resolveStartSettings(
  flags: Readonly<Record<string, unknown>>,
  env: NodeJS.ProcessEnv,
  configFile: string,
): Promise<StartSettings> {
  const file: Record<string, unknown> = await readConfigFile(configFile, configSchema);
  const merged: Record<string, unknown> = {};
  for (const setting of START_SETTINGS as readonly Setting[]) {
    const schema = schemaOf(setting);
    const given: readonly (readonly [string, unknown])[] = [
      [`--${flagOf(setting.name)}`, flags[setting.name]],
      [variableOf(setting.name), fromEnvironment(setting, env)],
    ];
    const found = given.find(([, value]) => value !== undefined);
    if (found === undefined) {
      if (file[setting.name] !== undefined) merged[setting.name] = file[setting.name];
      continue;
    }
    const [source, value] = found;
    const checked = v.safeParse(schema, value);
    if (!checked.success) {
      throw new EngineError(
        'usage',
        `${source} ${checked.issues[0]?.message ?? 'is wrong'}${notThis(checked.issues[0]?.input)}.`,
      );
    }
    merged[setting.name] = checked.output;
  }
  for (const name of PATHS) {
    const path = merged[name];
    if (typeof path === 'string') merged[name] = expandTilde(path);
  }
  // Each value has passed the schema of its setting.
  return merged as StartSettings;
}

/** That something must not be empty needs no more words. */
const notThis = (value: unknown): string =>
  value === '' ? '' : `, not ${(JSON.stringify(value) ?? String(value)).slice(0, 200)}`;
