import { realpathSync } from 'node:fs';
import { resolve, sep } from 'node:path';
import type { AccountOptions } from '../account/options.js';
import type { AccountSummary } from '../account/view.js';
import { serveAccountOnly } from '../engine/account-only.js';
import { checkHome, expandTilde, type Home, locateHome, resolveHome } from '../home/home.js';
import { readCaCert } from '../net/ca-certificates.js';
import { EngineError } from '../protocol/errors.js';
import { type ControlClient, connectIfRunning, initializeClient, readStatus } from './control-client.js';
import { usageError } from './errors.js';
import { createLogger } from './output/logger.js';
import { ACCOUNT_SETTINGS, accountOptions } from './settings/account-settings.js';
import { resolveStartSettings } from './settings/resolve-settings.js';
import { flagOf, variableOf } from './settings/setting.js';

/** Flags of the commands that use an account. */
interface AccountFlags {
  readonly home?: string | undefined;
  readonly [flag: string]: unknown;
}

/** Serves the account of a home directory: through its running engine, or else in this process. */
export interface AccountClient extends ControlClient {
  readonly home: Home;
  /** An engine runs on this home directory and uses what is changed here. */
  readonly running: boolean;
}

/**
 * Connects to the account of a home directory. The account flags apply only where no engine runs; a running engine
 * has its own settings, and the command is refused when a flag or a variable contradicts them. ACC-112
 * @param purpose `signIn` refuses a sign-in that would be lost at once.
 * @param given the token with which an engine would be started here. Default: none
 * @throws EngineError
 */
export async function connectToAccount(
  flags: AccountFlags,
  purpose: 'signIn' | 'other' = 'other',
  given: Pick<AccountOptions, 'accessToken'> = {},
): Promise<AccountClient> {
  const home = locateHome(resolveHome(flags.home));
  const homeWarning = checkHome(home.dir);
  const engine = await connectIfRunning(flags.home);
  if (engine !== undefined) {
    try {
      await refuseOtherSettings(engine, flags, purpose);
    } catch (error) {
      engine.close();
      throw error;
    }
    if (purpose === 'signIn') await warn([homeWarning]);
    return { ...engine, home, running: true };
  }
  const settings = await resolveStartSettings(flags, process.env, home.configFile);
  if (purpose === 'signIn' && settings.authStore === 'ephemeral') {
    throw usageError(
      'With --auth-store ephemeral a sign-in is lost when its engine stops, and no engine runs here.',
      'Run rc-engine start --auth-store ephemeral first, then sign in again.',
    );
  }
  const { caCert, baseUrl } = settings;
  const { hubAccessOf } = await import('./hub-sign-in.js');
  const hub = hubAccessOf(home.dir, baseUrl);
  const allowHosts = [...(settings.allowHost ?? []), ...(hub === undefined ? [] : [hub.allowHost])];
  const account = serveAccountOnly({
    home,
    ...accountOptions(settings),
    ...(hub === undefined ? {} : { accessToken: hub.accessToken }),
    ...given,
    ...(baseUrl === undefined || baseUrl === 'embedded' ? {} : { baseUrl }),
    allowHosts,
    caCertPem: caCert === undefined ? undefined : readCaCert(caCert),
    log: createLogger({ level: settings.logLevel ?? 'error', format: settings.logFormat ?? 'pretty' }),
    onFault: (error) => {
      throw error;
    },
  });
  if (purpose === 'signIn') await warn([homeWarning, account.warning]);
  const client = await initializeClient({
    input: account.output,
    output: account.input,
    destroy: () => account.close(),
  });
  return { ...client, home, running: false };
}

/**
 * A flag or variable that says something else than the running engine does: its settings apply, so the command would do
 * what the person did not ask for.
 */
async function refuseOtherSettings(
  engine: ControlClient,
  flags: AccountFlags,
  purpose: 'signIn' | 'other',
): Promise<void> {
  await refuseOtherAuthority(engine, flags, purpose);
  const given = ACCOUNT_SETTINGS.flatMap(({ name }) => {
    const flag = flags[name];
    const variable = process.env[variableOf(name)];
    if (flag !== undefined) return [{ name, source: `--${flagOf(name)}`, value: flag }];
    return variable === undefined || variable === ''
      ? []
      : [{ name, source: variableOf(name), value: variable }];
  }).filter(({ name }) => purpose === 'signIn' || name === 'authFile' || name === 'authStore');
  if (given.length === 0) return;
  const summary = await readAccount(engine).catch((error: unknown) => {
    // The program that embeds the engine provides its account; the command itself reports that.
    if (error instanceof EngineError && error.code === 'remoteRefused') return undefined;
    throw error;
  });
  if (summary === undefined) return;
  for (const { name, source, value } of given) {
    const differs = differenceOf(name, value, summary);
    if (differs === undefined) continue;
    throw usageError(
      `The running engine ${differs.uses}, not ${differs.asked} of ${source}.`,
      `${source.startsWith('--') ? 'Leave out' : 'Unset'} ${source}, or stop the engine first.`,
    );
  }
}

/** The engine talks to the issuer, so only the authorities that it trusts count. */
async function refuseOtherAuthority(
  engine: ControlClient,
  flags: AccountFlags,
  purpose: 'signIn' | 'other',
): Promise<void> {
  const name = variableOf('caCert');
  const variable = purpose === 'signIn' ? process.env[name] || undefined : undefined;
  const asked = flags.caCert ?? variable;
  if (typeof asked !== 'string') return;
  // An engine of an earlier version does not say.
  const used = (await readStatus(engine)).caCert as string | null | undefined;
  if (used === undefined || (used !== null && isSameFile(used, expandTilde(asked)))) return;
  const source = flags.caCert === undefined ? name : '--ca-cert';
  const trusts = used === null ? 'no additional authority' : used;
  throw usageError(
    `The running engine trusts ${trusts}, not ${resolve(expandTilde(asked))} of ${source}.`,
    `${source.startsWith('--') ? 'Leave out' : 'Unset'} ${source}, or stop the engine first.`,
  );
}

interface Difference {
  /** What the engine does, as a part of a sentence. */
  readonly uses: string;
  readonly asked: string;
}

type AccountSettingName = (typeof ACCOUNT_SETTINGS)[number]['name'];

/** Undefined: the engine uses this value. */
function differenceOf(
  name: AccountSettingName,
  value: unknown,
  { file, settings }: AccountSummary,
): Difference | undefined {
  const text = Array.isArray(value) ? value.join(',') : String(value);
  const unless = (same: boolean, uses: string, asked = text): Difference | undefined =>
    same ? undefined : { uses, asked };
  const { issuer, clientId, forcedMethod, workspaces, workspaceRouting } = settings;
  switch (name) {
    case 'authFile': {
      const path = expandTilde(text);
      const uses = file === null ? 'keeps its account in memory' : `uses the account file ${file}`;
      return unless(file !== null && isSameFile(file, path), uses, resolve(path));
    }
    case 'authStore':
      return unless(
        (text === 'ephemeral') === (file === null),
        file === null ? 'keeps its account in memory' : `uses the account file ${file}`,
      );
    case 'issuer':
      return unless(text.replace(/\/+$/, '') === issuer.replace(/\/+$/, ''), `signs in at ${issuer}`);
    case 'clientId':
      return unless(text === clientId, `signs in with the client id ${clientId}`);
    case 'forcedWorkspace': {
      const asked = text.split(',').map((id) => id.trim());
      const same = workspaces !== null && [...asked].sort().join() === [...workspaces].sort().join();
      return unless(
        same,
        `allows ${workspaces === null ? 'any workspace' : `the workspaces ${workspaces.join(', ')}`}`,
      );
    }
    case 'forcedLoginMethod':
      return unless(text === forcedMethod, `allows ${forcedMethod ?? 'any method'}`);
    case 'workspaceRouting':
      return unless(
        /^(?:true|1)$/.test(text) === workspaceRouting,
        `looks up ${workspaceRouting ? 'each' : 'no'} workspace`,
      );
  }
}

/** Whether a file, or what a link of that name leads to, is not in this directory. */
export function isOutside(file: string, directory: string): boolean {
  const inside = (path: string, parent: string): boolean => path.startsWith(`${parent}${sep}`);
  return !inside(resolve(file), resolve(directory)) || !inside(realPath(file), realPath(directory));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function isSameFile(one: string, other: string): boolean {
  return resolve(one) === resolve(other) || realPath(one) === realPath(other);
}

async function warn(warnings: readonly (string | null)[]): Promise<void> {
  const log = createLogger({ level: 'warn', format: 'pretty' });
  for (const warning of warnings) if (warning !== null) log.warn({}, warning);
  // The log is written at the end of this turn of the event loop: a question must follow it.
  await new Promise((resolve) => setImmediate(resolve));
}

export async function readAccount(client: ControlClient): Promise<AccountSummary> {
  // The engine is the same program, so its response has the type that it was written with.
  return (await client.request('engine/account/read', {})) as AccountSummary;
}
