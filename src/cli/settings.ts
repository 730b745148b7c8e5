import * as v from 'valibot';
import { readConfigFile } from '../adapters/config-file.js';
import { expandTilde } from '../adapters/home.js';
import { LISTEN_FORMS, parseListenUrl } from '../adapters/listen-address.js';
import { normalizeAllowedHost } from '../adapters/target.js';
import type { ListenUrl } from '../engine/options.js';
import { patternFault } from '../engine/policy.js';
import { EngineError } from '../protocol/errors.js';
import { ACCOUNT_SETTINGS, type AccountSettings } from './account-settings.js';

/**
 * One setting of `start`, three ways to give it: flag, environment variable, key in `<home>/config.json`, in that
 * order. The flag is the name in kebab case, the variable RC_ENGINE_ and the name in capitals.
 */
interface Setting {
  readonly name: string;
  readonly description: string;
  readonly values?: readonly string[];
  readonly type: 'string' | 'boolean' | 'list' | 'integer';
  /** Of an integer. */
  readonly min?: number;
  readonly max?: number;
  /** Said in the help; the program behind it decides. */
  readonly byDefault?: string;
  /** A further check of a text, or of each text of a list; answers what is wrong. */
  readonly check?: (value: string) => string | undefined;
  /**
   * An environment variable that is set but empty is a mistake, not "unset": it would switch a check off without a
   * word. WSA-14
   */
  readonly guardsDoor?: true;
  /** What the flag means without a value. */
  readonly bare?: string;
  /** A wrong value is not repeated: somebody may have put a token there. */
  readonly mayHoldSecret?: true;
}

/** Local clients are served unless somebody says otherwise; only whoever sees the printed URL gets in. */
export const DEFAULT_LISTEN = 'ws://127.0.0.1:0';

/** No shell expands `~` in a file, in a variable, or after `=`. */
const PATHS = ['authFile', 'caCert'];

const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug', 'trace'] as const;

const checkListen = (value: string): string | undefined => {
  const parsed = parseListenUrl(value);
  return 'fault' in parsed ? parsed.fault : undefined;
};

const checkAppServer = (value: string): string | undefined =>
  value === 'builtin' || /^(?:wss?|unix):\/\/./.test(value)
    ? undefined
    : 'must be builtin, ws://HOST:PORT, wss://HOST:PORT or unix://PATH; a command goes after --';

const checkDigest = (value: string): string | undefined =>
  /^[0-9a-fA-F]{64}$/.test(value) ? undefined : 'must be exactly 64 hex digits';

const checkNotBlank = (value: string): string | undefined =>
  value.trim() === '' ? 'must not be blank' : undefined;

const checkHost = (value: string): string | undefined =>
  normalizeAllowedHost(value) === undefined
    ? 'must be a host name, or host:port, without a scheme'
    : undefined;

const checkInspect = (value: string): string | undefined =>
  /^\d{1,5}$/.test(value) && Number(value) < 65_536 ? undefined : 'must be a port, 0 for any free one';

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
  { name: 'tlsCert', type: 'string', description: 'PEM certificate of the listener' },
  { name: 'tlsKey', type: 'string', description: 'PEM key of the listener' },
  {
    name: 'wsAuth',
    type: 'string',
    values: ['capability-token', 'signed-bearer-token'],
    guardsDoor: true,
    description: 'what local clients present in Authorization: Bearer',
    byDefault: 'none: ?token= of the printed URL',
  },
  {
    name: 'wsTokenFile',
    type: 'string',
    guardsDoor: true,
    description: 'file with the capability token, absolute path',
  },
  {
    name: 'wsTokenSha256',
    type: 'string',
    guardsDoor: true,
    mayHoldSecret: true,
    description: 'SHA-256 of the capability token, hex',
    check: checkDigest,
  },
  {
    name: 'wsSharedSecretFile',
    type: 'string',
    guardsDoor: true,
    description: 'file with the secret that signs tokens (HS256), absolute path',
  },
  {
    name: 'wsIssuer',
    type: 'string',
    guardsDoor: true,
    description: 'iss that signed tokens must have',
    check: checkNotBlank,
  },
  {
    name: 'wsAudience',
    type: 'string',
    guardsDoor: true,
    description: 'aud that signed tokens must have',
    check: checkNotBlank,
  },
  {
    name: 'wsMaxClockSkewSeconds',
    type: 'integer',
    min: 0,
    max: 86_400 * 365,
    guardsDoor: true,
    description: 'how far clocks may differ for exp and nbf',
    byDefault: '30',
  },
  {
    name: 'closeOnTokenExpiry',
    type: 'boolean',
    description: 'a connection ends when its signed token does',
  },
  {
    name: 'noTokenCheck',
    type: 'boolean',
    description: 'let in every local program, visibly degraded',
  },
  {
    name: 'allowMethod',
    type: 'list',
    guardsDoor: true,
    description:
      'methods that clients may call and no others, * for anything; listener:, stdio: or remote: before it for one origin (repeatable)',
    check: patternFault,
  },
  {
    name: 'denyMethod',
    type: 'list',
    guardsDoor: true,
    description: 'methods that clients may not call, likewise (repeatable)',
    check: patternFault,
  },
  {
    name: 'degradedAuthority',
    type: 'string',
    values: ['limited', 'full'],
    guardsDoor: true,
    description: 'whether degraded connections may change sign-in and remote control',
    byDefault: 'limited',
  },
  {
    name: 'maxConnections',
    type: 'integer',
    min: 1,
    max: 65_536,
    description: 'local connections at a time',
    byDefault: '1024',
  },
  {
    name: 'maxMessageBytes',
    type: 'integer',
    min: 1_024,
    max: 256 * 1024 * 1024,
    description: 'largest message of a local client',
    byDefault: '16777216',
  },
  {
    name: 'appServer',
    type: 'string',
    description:
      'what clients talk to: builtin, ws://HOST:PORT, wss://HOST:PORT, unix://PATH; or a command after --',
    mayHoldSecret: true,
    byDefault: 'builtin',
    check: checkAppServer,
  },
  {
    name: 'appServerTokenFile',
    type: 'string',
    guardsDoor: true,
    description: 'file with the bearer token for that app server, absolute path',
  },
  {
    name: 'appServerMode',
    type: 'string',
    values: ['per-connection', 'shared'],
    description: 'a command: one process for each client, or one that listens on a socket for all',
    byDefault: 'per-connection',
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
  {
    name: 'inspect',
    type: 'string',
    bare: '0',
    description: 'live page of the running charts on 127.0.0.1: its port, 0 for any free one',
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

export interface StartSettings extends AccountSettings {
  readonly baseUrl?: string;
  readonly allowHost?: readonly string[];
  readonly caCert?: string;
  readonly listen?: ListenUrl;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly wsAuth?: 'capability-token' | 'signed-bearer-token';
  readonly wsTokenFile?: string;
  readonly wsTokenSha256?: string;
  readonly wsSharedSecretFile?: string;
  readonly wsIssuer?: string;
  readonly wsAudience?: string;
  readonly wsMaxClockSkewSeconds?: number;
  readonly closeOnTokenExpiry?: boolean;
  readonly noTokenCheck?: boolean;
  readonly allowMethod?: readonly string[];
  readonly denyMethod?: readonly string[];
  readonly degradedAuthority?: 'limited' | 'full';
  readonly maxConnections?: number;
  readonly maxMessageBytes?: number;
  readonly appServer?: string;
  readonly appServerTokenFile?: string;
  readonly appServerMode?: 'per-connection' | 'shared';
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

function schemaOf(setting: Setting): v.GenericSchema {
  if (setting.type === 'boolean') return v.boolean('must be true or false');
  if (setting.type === 'integer') return integerOf(setting);
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

/** From a flag or variable a text, from the file a number. */
function integerOf({ min = 0, max = Number.MAX_SAFE_INTEGER }: Setting): v.GenericSchema {
  const wrong = `must be a whole number from ${min} to ${max}`;
  return v.pipe(
    v.union([v.number(), v.pipe(v.string(), v.regex(/^-?\d+$/), v.transform(Number))], wrong),
    v.integer(wrong),
    v.minValue(min, wrong),
    v.maxValue(max, wrong),
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
    const schema = schemaOf(setting);
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
