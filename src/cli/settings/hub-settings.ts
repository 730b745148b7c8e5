import { readFile } from 'node:fs/promises';
import { type HubOptions, parseHubListen } from '../../hub/index.js';
import { errnoText } from '../../system/errno.js';
import { usageError } from '../errors.js';

/** How long a node that stops spreads the end of its connections when other nodes take them, seconds. */
const DEFAULT_DRAIN = 10;

interface HubArguments {
  readonly listen?: string | undefined;
  readonly tlsCert?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly bus?: string | undefined;
  readonly replicas?: string | undefined;
  readonly state?: string | undefined;
  readonly accounts?: string | undefined;
  readonly connectRate?: string | undefined;
  readonly drain?: number | undefined;
}

/** The settings of `rc-engine hub`: a flag, else its variable, else the default. Throws EngineError `usage`. */
export async function readHubSettings(args: HubArguments, env = process.env): Promise<HubOptions> {
  const text = (flag: string | undefined, name: string): string | undefined => {
    const variable = env[`RC_ENGINE_HUB_${name}`];
    return flag ?? (variable === '' ? undefined : variable);
  };
  const accounts = text(args.accounts, 'ACCOUNTS') ?? 'keys';
  if (accounts !== 'keys' && accounts !== 'any')
    throw usageError('RC_ENGINE_HUB_ACCOUNTS is not valid.', 'Set it to keys or any.');
  const cert = text(args.tlsCert, 'TLS_CERT');
  const key = text(args.tlsKey, 'TLS_KEY');
  if ((cert === undefined) !== (key === undefined))
    throw usageError('--tls-cert and --tls-key belong together.', 'Give both, or none.');
  const tls =
    cert === undefined || key === undefined
      ? undefined
      : { cert: await readPem('--tls-cert', cert), key: await readPem('--tls-key', key) };
  const bus = text(args.bus, 'BUS') ?? 'memory';
  const drain = args.drain ?? text(undefined, 'DRAIN');
  // Nobody else takes the connections of a single node, so it does not spread their end.
  const drainSeconds =
    drain === undefined ? (bus === 'memory' ? 0 : DEFAULT_DRAIN) : count('--drain', String(drain), 3_600);
  return {
    listen: parseHubListen(text(args.listen, 'LISTEN') ?? 'http://127.0.0.1:8787'),
    tls,
    bus,
    stateFile: text(args.state, 'STATE'),
    replicas: count('--replicas', text(args.replicas, 'REPLICAS') ?? '1', 5),
    accounts,
    connectRate: count('--connect-rate', text(args.connectRate, 'CONNECT_RATE') ?? '500', 100_000),
    drain: drainSeconds * 1_000,
  };
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
