import * as v from 'valibot';
import type { ListenUrl } from '../../engine/options.js';
import { readConfigFile } from '../../home/config-file.js';
import { expandTilde } from '../../home/home.js';
import { LISTEN_FORMS, parseListenUrl } from '../../listener/address.js';
import { normalizeAllowedHost } from '../../net/target.js';
import { EngineError } from '../../protocol/errors.js';
import { ACCOUNT_SETTINGS, type AccountSettings } from './account-settings.js';
import { LISTENER_FLAGS, type ListenerFlags } from './listener-flags.js';
import type { Setting } from './setting.js';

/** Local clients are served unless somebody says otherwise; only whoever sees the printed URL gets in. */
export const DEFAULT_LISTEN = 'ws://127.0.0.1:0';

/** No shell expands `~` in a file, in a variable, or after `=`. */
const PATHS = ['authFile', 'caCert'];

const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;

const checkListen = (value: string): string | undefined => {
  const parsed = parseListenUrl(value);
  return 'fault' in parsed ? parsed.fault : undefined;
};

const checkHost = (value: string): string | undefined =>
  normalizeAllowedHost(value) === undefined
    ? 'must be a host name, or host:port, without a scheme'
    : undefined;

const checkInspect = (value: string): string | undefined =>
  /^(?:stately|(?:stately:)?\d{1,5})$/.test(value) && Number(value.replace(/\D/g, '')) < 65_536
    ? undefined
    : 'must be a port, 0 for any free one, or stately, or stately:PORT';

const checkStore = (value: string): string | undefined =>
  value === 'none' || value === 'memory:' || /^sqlite:./.test(value)
    ? undefined
    : 'must be sqlite:PATH, memory: or none';

/** Order is the order of the help. */
export const START_SETTINGS = [
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
  ...ACCOUNT_SETTINGS,
  { name: 'caCert', type: 'string', description: 'PEM file of a further certificate authority' },
  {
    name: 'listen',
    type: 'string',
    description: `local clients: ${LISTEN_FORMS}`,
    byDefault: DEFAULT_LISTEN,
    check: checkListen,
  },
  ...LISTENER_FLAGS,
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
  {
    name: 'inspect',
    type: 'string',
    bare: '0',
    description:
      'live page of the running charts on 127.0.0.1: its port, 0 for any free one; stately, or stately:PORT, for a page that shows them in the inspector of stately.ai, which is told names only',
    byDefault: 'off',
    check: checkInspect,
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

export interface StartSettings extends AccountSettings, ListenerFlags {
  readonly baseUrl?: string;
  readonly allowHost?: readonly string[];
  readonly caCert?: string;
  readonly listen?: ListenUrl;
  readonly remoteControl?: 'on' | 'off' | 'preference';
  readonly clientName?: string;
  readonly authStartup?: 'ready' | 'recoverable';
  readonly onConflict?: 'wait' | 'reenroll' | 'exit';
  readonly store?: string;
  readonly inspect?: string;
  readonly json?: boolean;
  readonly logLevel?: (typeof LOG_LEVELS)[number];
  readonly logFormat?: 'pretty' | 'json';
}

export const flagOf = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
export const variableOf = (name: string): string =>
  `RC_ENGINE_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;

function schemaOf(setting: Setting, from: 'file' | 'text'): v.GenericSchema {
  if (setting.type === 'boolean') return v.boolean('must be true or false');
  if (setting.type === 'integer') return integerOf(setting, from);
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

/** A flag or variable has it as text, the file as a number. */
function integerOf(
  { min = 0, max = Number.MAX_SAFE_INTEGER }: Setting,
  from: 'file' | 'text',
): v.GenericSchema {
  const wrong = `must be a whole number from ${min} to ${max}`;
  const text = v.pipe(v.string(wrong), v.regex(/^-?\d+$/, wrong), v.transform(Number));
  return v.pipe(
    from === 'file' ? v.number(wrong) : text,
    v.integer(wrong),
    v.minValue(min, wrong),
    v.maxValue(max, wrong),
  );
}

const list = (values: readonly string[]): string =>
  values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;

const configSchema = v.strictObject(
  Object.fromEntries(START_SETTINGS.map((setting) => [setting.name, v.optional(schemaOf(setting, 'file'))])),
);

/** What the environment says, as the text of a flag would say it. */
function fromEnvironment(setting: Setting, env: NodeJS.ProcessEnv): unknown {
  const text = env[variableOf(setting.name)];
  if (text === undefined) return undefined;
  if (text === '') return setting.guardsDoor === true ? (setting.type === 'list' ? [''] : '') : undefined;
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
    const schema = schemaOf(setting, 'text');
    const given: readonly (readonly [string, unknown])[] = [
      [`--${flagOf(setting.name)}`, flags[setting.name] === '' ? (setting.bare ?? '') : flags[setting.name]],
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
        `${source} ${checked.issues[0]?.message ?? 'is wrong'}${setting.mayHoldSecret === true ? '' : notThis(checked.issues[0]?.input)}.`,
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
