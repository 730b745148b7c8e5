import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import * as v from 'valibot';
import { readConfigFile } from '../../home/config-file.js';
import { expandTilde } from '../../home/home.js';
import { type HubOptions, parseHubListen } from '../../hub/index.js';
import { errnoText } from '../../system/errno.js';
import { usageError } from '../errors.js';
import { flagOf } from './setting.js';

/** How long a node that stops spreads the end of its connections when other nodes take them, seconds. */
const DEFAULT_DRAIN = 10;

/** The settings of a node, and their defaults. */
const DEFAULTS = {
  listen: 'http://127.0.0.1:8787',
  tlsCert: undefined,
  tlsKey: undefined,
  bus: 'memory',
  replicas: '1',
  state: undefined,
  accounts: 'keys',
  connectRate: '500',
  readOnlyMethods: undefined,
  drain: undefined,
} as const satisfies Readonly<Record<string, string | undefined>>;
type HubSettingName = keyof typeof DEFAULTS;
const NAMES = Object.keys(DEFAULTS) as HubSettingName[];
const PATHS: readonly HubSettingName[] = ['tlsCert', 'tlsKey', 'state'];

type HubArguments = { readonly [N in HubSettingName]?: string | number | undefined } & {
  readonly config?: string | undefined;
};

const Text = v.pipe(v.string('must be a string'), v.nonEmpty('must not be empty'));
const Count = v.pipe(v.number('must be a number'), v.integer('must be a whole number'));
const configSchema = v.strictObject({
  ...{ listen: v.optional(Text), tlsCert: v.optional(Text), tlsKey: v.optional(Text) },
  ...{ bus: v.optional(Text), replicas: v.optional(Count), state: v.optional(Text) },
  accounts: v.optional(v.picklist(['keys', 'any'], 'must be keys or any')),
  ...{ connectRate: v.optional(Count), readOnlyMethods: v.optional(v.array(Text)), drain: v.optional(Count) },
});

/** One setting of a node, and where its value is from. */
export interface ResolvedHubSetting {
  readonly name: HubSettingName;
  /** Undefined: there is none. */
  readonly value: string | undefined;
  readonly origin: 'flag' | 'variable' | 'file' | 'default';
}

/**
 * Each setting from its flag, or else its variable, or else the file of `--config`. HUB-46
 * @throws EngineError `usage`, `configInvalid`
 */
export async function resolveHubSettings(
  args: HubArguments,
  env: NodeJS.ProcessEnv = process.env,
): Promise<readonly ResolvedHubSetting[]> {
  const path = args.config ?? (env.RC_ENGINE_HUB_CONFIG || undefined);
  const file = path === undefined ? {} : await readFileOf(expandTilde(path));
  return NAMES.map((name): ResolvedHubSetting => {
    const flag = args[name];
    if (flag !== undefined) return { name, value: String(flag), origin: 'flag' };
    const variable = env[variableOf(name)];
    if (variable !== undefined && variable !== '') return { name, value: variable, origin: 'variable' };
    const written = file[name];
    if (written === undefined) return { name, value: DEFAULTS[name], origin: 'default' };
    const text = String(written);
    // A path in the file is beside the file, wherever the node is started.
    const beside = PATHS.includes(name) && !isAbsolute(expandTilde(text)) && path !== undefined;
    const value = beside ? join(dirname(path), text) : PATHS.includes(name) ? expandTilde(text) : text;
    return { name, value, origin: 'file' };
  });
}

const variableOf = (name: HubSettingName): string =>
  `RC_ENGINE_HUB_${flagOf(name).replaceAll('-', '_').toUpperCase()}`;

async function readFileOf(path: string): Promise<v.InferOutput<typeof configSchema>> {
  if (!existsSync(path))
    throw usageError(`The file ${path} of --config does not exist.`, 'Correct the path.');
  return await readConfigFile(path, configSchema);
}

/** What a node needs, from its settings. @throws EngineError `usage`, `configInvalid` */
export async function readHubSettings(args: HubArguments, env = process.env): Promise<HubOptions> {
  const settings = new Map((await resolveHubSettings(args, env)).map((one) => [one.name, one]));
  const text = (name: HubSettingName): string | undefined => settings.get(name)?.value;
  const accounts = text('accounts') ?? 'keys';
  if (accounts !== 'keys' && accounts !== 'any')
    throw usageError('RC_ENGINE_HUB_ACCOUNTS is not valid.', 'Set it to keys or any.');
  const cert = text('tlsCert');
  const key = text('tlsKey');
  if ((cert === undefined) !== (key === undefined))
    throw usageError('--tls-cert and --tls-key belong together.', 'Give both, or none.');
  const tls =
    cert === undefined || key === undefined
      ? undefined
      : { cert: await readPem('--tls-cert', cert), key: await readPem('--tls-key', key) };
  const bus = text('bus') ?? 'memory';
  const drain = text('drain');
  // Nobody else takes the connections of a single node, so it does not spread their end.
  const drainSeconds =
    drain === undefined ? (bus === 'memory' ? 0 : DEFAULT_DRAIN) : count('--drain', drain, 3_600);
  return {
    listen: parseHubListen(text('listen') ?? DEFAULTS.listen),
    tls,
    bus,
    stateFile: text('state'),
    replicas: count('--replicas', text('replicas') ?? DEFAULTS.replicas, 5),
    accounts,
    connectRate: count('--connect-rate', text('connectRate') ?? DEFAULTS.connectRate, 100_000),
    readOnlyMethods: text('readOnlyMethods')
      ?.split(',')
      .map((one) => one.trim()),
    drain: drainSeconds * 1_000,
  };
}

/** A value for people: URLs without user and password. */
export function shownHubSetting({ name, value }: ResolvedHubSetting): string {
  if (value === undefined) return 'none';
  return name === 'bus' ? value.replace(/(?<=^|,)([a-z]+:\/\/)?[^,/@]*@/gi, '$1') : value;
}

function count(flag: string, value: string, most: number): number {
  const number = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > most)
    throw usageError(`${flag} must be a whole number from 1 to ${most}.`, `Correct ${flag} or its variable.`);
  return number;
}

async function readPem(flag: string, file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw usageError(
      `The file ${file} of ${flag} cannot be read: ${errnoText(error)}.`,
      `Correct ${flag}.`,
      error,
    );
  }
}
