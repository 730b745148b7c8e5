/** What a service runs: the command, the environment, and what its owner should know. It never holds a secret. RC-128 */
import { realpathSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, isAbsolute, sep } from 'node:path';
import { maskTokens } from '../../observe/body-preview.js';
import { whyNotExecutable } from '../../system/processes.js';
import { usageError } from '../errors.js';
import type { ResolvedSetting } from '../settings/resolve-settings.js';
import { flagOf, variableOf } from '../settings/setting.js';

export interface ServiceDefinition {
  readonly name: string;
  readonly description: string;
  /** Absolute path of Node, then of this program, then its arguments. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly home: string;
  /** Sentences about what the service does not have of this shell. */
  readonly notes: readonly string[];
}

interface Given {
  readonly name: string;
  readonly home: string;
  /** Settings of the command line, the environment and the file. */
  readonly resolved: readonly ResolvedSetting[];
  /** The command of the app server. */
  readonly appServer: readonly string[] | undefined;
  readonly env: NodeJS.ProcessEnv;
  /** `process.argv[1]` */
  readonly script: string;
}

/** They decide how the engine and its app server reach the network and find their files; none of them is a secret. */
const KEPT_VARIABLES = [
  'NODE_EXTRA_CA_CERTS',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'CODEX_HOME',
  'LANG',
  'LC_ALL',
];
const PROXY_VARIABLES = ['HTTPS_PROXY', 'HTTP_PROXY', 'ALL_PROXY', 'NO_PROXY'];

/** @throws EngineError `usage` when a secret would be written, or the program is not there to stay */
export function serviceDefinition(given: Given): ServiceDefinition {
  const { name, home, resolved, appServer, env } = given;
  const notes: string[] = [];
  return {
    name,
    description: `rc-engine on ${home}`,
    command: [
      ...[process.execPath, programPath(given.script), 'start', '--home', home, '--json'],
      ...flags(resolved),
      ...(appServer === undefined ? [] : ['--', ...appServerCommand(appServer, env)]),
    ],
    environment: environment(env, notes),
    home,
    notes,
  };
}

/** The program as it is found later: not the temporary place of npx. */
function programPath(script: string): string {
  const path = realpathSync(script);
  if (path.includes(`${sep}_npx${sep}`)) {
    throw usageError(
      'npx keeps this program only for a time, so a service cannot run it.',
      'Install it first: npm install --global rc-engine',
    );
  }
  return path;
}

/** Settings of the file stay there; those of flags and variables become flags. */
function flags(resolved: readonly ResolvedSetting[]): string[] {
  const set = new Set(
    resolved.filter(({ origin }) => origin !== 'default').map(({ setting }) => setting.name),
  );
  const found = resolved.flatMap(({ setting, value, origin }): string[] => {
    const { name } = setting;
    if (name === 'json' || (origin !== 'flag' && origin !== 'variable')) return [];
    refuseSecret(
      setting.mayHoldSecret === true,
      origin === 'flag' ? `--${flagOf(name)}` : variableOf(name),
      value,
    );
    const flag = `--${flagOf(name)}`;
    if (value === true) return [flag];
    if (value === false) return [];
    return Array.isArray(value) ? value.flatMap((one) => [flag, String(one)]) : [flag, String(value)];
  });
  // A service waits for a sign-in, and opens no port that nobody asked for.
  if (!set.has('authStartup')) found.unshift('--auth-startup', 'recoverable');
  if (!set.has('listen')) found.unshift('--listen', 'off');
  return found;
}

function refuseSecret(mayHoldSecret: boolean, source: string, value: unknown): void {
  const text = String(value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const inUrl = url !== undefined && (url.username !== '' || url.password !== '' || url.search !== '');
  if (!mayHoldSecret && !inUrl && maskTokens(text) === text) return;
  throw usageError(
    `${source} may hold a secret, and other users can read the definition of a service.`,
    'Leave it out here and store it in config.json: rc-engine config set',
  );
}

/** With the absolute path of the program: a service has another PATH in the end. */
function appServerCommand([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): string[] {
  const problem = whyNotExecutable(program, env);
  if (problem !== null) {
    throw usageError(
      program === ''
        ? 'The command after -- is missing.'
        : `The app server cannot be started: ${program} ${problem}.`,
      'Add the command of the app server, such as: rc-engine service install -- codex app-server',
    );
  }
  if (args.some((arg) => maskTokens(arg) !== arg)) {
    throw usageError(
      'The command after -- holds what looks like a secret, and other users can read the definition of a service.',
      'Let the app server read it from a file of its own.',
    );
  }
  return [program, ...args];
}

function environment(env: NodeJS.ProcessEnv, notes: string[]): Record<string, string> {
  const found: Record<string, string> = {
    PATH: pathOf(env),
    HOME: env.HOME !== undefined && isAbsolute(env.HOME) ? env.HOME : homedir(),
  };
  for (const name of KEPT_VARIABLES) {
    const value = env[name];
    if (value !== undefined && value !== '') found[name] = value;
  }
  for (const name of PROXY_VARIABLES) {
    const value = env[name.toLowerCase()] || env[name];
    if (value === undefined || value === '') continue;
    if (hasPassword(value)) {
      notes.push(
        `${name} has a user or a password, so it is not in the service; add it in a drop-in that only you can read.`,
      );
    } else found[name] = value;
  }
  if (env.RC_ENGINE_ACCESS_TOKEN !== undefined) {
    notes.push('RC_ENGINE_ACCESS_TOKEN is not in the service; sign in with rc-engine login.');
  }
  return found;
}

/** The directories of this PATH that stay, and the one of Node. */
function pathOf({ PATH = '' }: NodeJS.ProcessEnv): string {
  const directories = [...PATH.split(delimiter), dirname(process.execPath)].filter(
    (directory) => isAbsolute(directory) && !directory.endsWith(`${sep}node_modules${sep}.bin`),
  );
  return [...new Set(directories)].join(delimiter);
}

function hasPassword(proxy: string): boolean {
  return /^[^/]*(?:\/\/)?[^/]*@/.test(proxy);
}
