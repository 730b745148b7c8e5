import type { AccountSummary } from '../account/view.js';
import { serveAccountOnly } from '../engine/account-only.js';
import { checkHome, type Home, locateHome, resolveHome } from '../home/home.js';
import { readCaCert } from '../net/ca-certificates.js';
import { type ControlClient, connectIfRunning, initializeClient } from './control-client.js';
import { usageError } from './errors.js';
import { createLogger } from './output/logger.js';
import { accountOptions } from './settings/account-settings.js';
import { resolveStartSettings } from './settings/resolve-settings.js';

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
 * has its own settings.
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

function warn(warnings: readonly (string | null)[]): void {
  const log = createLogger({ level: 'warn', format: 'pretty' });
  for (const warning of warnings) if (warning !== null) log.warn({}, warning);
}

export async function readAccount(client: AccountClient): Promise<AccountSummary> {
  // The engine is the same program, so its response has the type that it was written with.
  return (await client.request('engine/account/read', {})) as AccountSummary;
}
