import { realpathSync } from 'node:fs';
import { resolve } from 'node:path';
import type { AccountSummary } from '../account/view.js';
import { serveAccountOnly } from '../engine/account-only.js';
import { checkHome, expandTilde, type Home, locateHome, resolveHome } from '../home/home.js';
import { readCaCert } from '../net/ca-certificates.js';
import { EngineError } from '../protocol/errors.js';
import { type ControlClient, connectIfRunning, initializeClient } from './control-client.js';
import { usageError } from './errors.js';
import { createLogger } from './output/logger.js';
import { accountOptions } from './settings/account-settings.js';
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
 * has its own settings, and is refused when the flags name another account file or store than it uses. ACC-112
 * @param purpose `signIn` refuses a sign-in that would be lost at once.
 * @throws EngineError
 */
export async function connectToAccount(
  flags: AccountFlags,
  purpose: 'signIn' | 'other' = 'other',
): Promise<AccountClient> {
  const home = locateHome(resolveHome(flags.home));
  const homeWarning = checkHome(home.dir);
  const engine = await connectIfRunning(flags.home);
  if (engine !== undefined) {
    try {
      await refuseOtherStore(engine, flags);
    } catch (error) {
      engine.close();
      throw error;
    }
    if (purpose === 'signIn') warn([homeWarning]);
    return { ...engine, home, running: true };
  }
  const settings = await resolveStartSettings(flags, process.env, home.configFile);
  if (purpose === 'signIn' && settings.authStore === 'ephemeral') {
    throw usageError(
      'With --auth-store ephemeral a sign-in is lost when its engine stops, and no engine runs here.',
      'Run rc-engine start --auth-store ephemeral first, then sign in again.',
    );
  }
  const { caCert, baseUrl, allowHost } = settings;
  const account = serveAccountOnly({
    home,
    ...accountOptions(settings),
    ...(baseUrl === undefined || baseUrl === 'embedded' ? {} : { baseUrl }),
    ...(allowHost === undefined ? {} : { allowHosts: allowHost }),
    caCertPem: caCert === undefined ? undefined : readCaCert(caCert),
    log: createLogger({ level: settings.logLevel ?? 'error', format: settings.logFormat ?? 'pretty' }),
    onFault: (error) => {
      throw error;
    },
  });
  if (purpose === 'signIn') warn([homeWarning, account.warning]);
  const client = await initializeClient({
    input: account.output,
    output: account.input,
    destroy: () => account.close(),
  });
  return { ...client, home, running: false };
}

/** Otherwise the command would change an account that the person did not name. */
async function refuseOtherStore(engine: ControlClient, flags: AccountFlags): Promise<void> {
  const given = (name: 'authFile' | 'authStore') => {
    const flag = flags[name];
    const variable = process.env[variableOf(name)];
    if (typeof flag === 'string') return { source: `--${flagOf(name)}`, value: flag };
    return variable === undefined || variable === ''
      ? undefined
      : { source: variableOf(name), value: variable };
  };
  const [file, store] = [given('authFile'), given('authStore')];
  if (file === undefined && store === undefined) return;
  const summary = await readAccount(engine).catch((error: unknown) => {
    // The program that embeds the engine provides its account; the command itself reports that.
    if (error instanceof EngineError && error.code === 'remoteRefused') return undefined;
    throw error;
  });
  if (summary === undefined) return;
  const used =
    summary.file === null ? 'keeps its account in memory' : `uses the account file ${summary.file}`;
  const refuse = (source: string, asked: string): EngineError =>
    usageError(
      `The running engine ${used}, not ${asked} of ${source}.`,
      `${source.startsWith('--') ? 'Leave out' : 'Unset'} ${source}, or stop the engine first.`,
    );
  if (file !== undefined && (summary.file === null || !isSameFile(summary.file, expandTilde(file.value)))) {
    throw refuse(file.source, resolve(expandTilde(file.value)));
  }
  if (store !== undefined && (store.value === 'ephemeral') !== (summary.file === null)) {
    throw refuse(store.source, store.value);
  }
}

function isSameFile(one: string, other: string): boolean {
  const real = (path: string): string => {
    try {
      return realpathSync(path);
    } catch {
      return resolve(path);
    }
  };
  return resolve(one) === resolve(other) || real(one) === real(other);
}

function warn(warnings: readonly (string | null)[]): void {
  const log = createLogger({ level: 'warn', format: 'pretty' });
  for (const warning of warnings) if (warning !== null) log.warn({}, warning);
}

export async function readAccount(client: ControlClient): Promise<AccountSummary> {
  // The engine is the same program, so its response has the type that it was written with.
  return (await client.request('engine/account/read', {})) as AccountSummary;
}
