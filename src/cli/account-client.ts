import { readFileSync } from 'node:fs';
import { type Home, locateHome, resolveHome } from '../home/home.js';
import { EngineError } from '../protocol/errors.js';
import { type ControlClient, connectControl, introduced } from './control-client.js';
import { createLogger } from './output/logger.js';
import { accountOptionsOf } from './settings/account-settings.js';
import { resolveStartSettings } from './settings/settings.js';

export interface AccountFlags {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly [flag: string]: unknown;
}

/** The account of a home: that of the running engine, or else the home's own. */
export interface AccountClient extends ControlClient {
  readonly home: Home;
  /** An engine runs there and goes on with what is done here. */
  readonly running: boolean;
}

/**
 * Settings of the command hold where no engine runs; a running one has its own.
 * @throws EngineError `usage` for a sign-in that nothing would keep.
 */
export async function connectAccount(flags: AccountFlags, toSignIn = false): Promise<AccountClient> {
  const home = locateHome(resolveHome(flags.home));
  const running = await connectControl(flags.home).catch((error: unknown) => {
    if (error instanceof EngineError && error.code === 'notRunning') return undefined;
    throw error;
  });
  if (running !== undefined) return { ...running, home, running: true };
  const settings = await resolveStartSettings(flags, process.env, home.configFile);
  if (toSignIn && settings.authStore === 'ephemeral') {
    throw new EngineError('usage', 'With --auth-store ephemeral a sign-in lives as long as its engine.', {
      remediation: 'Run rc-engine start with it first, then sign in: the engine takes it.',
    });
  }
  const { serveAccountOnly: serveAccountAlone } = await import('../engine/account-only.js');
  const { caCert, baseUrl, allowHost } = settings;
  const alone = serveAccountAlone({
    home,
    ...accountOptionsOf(settings),
    ...(baseUrl === undefined || baseUrl === 'embedded' ? {} : { baseUrl }),
    ...(allowHost === undefined ? {} : { allowHosts: allowHost }),
    caCertPem: caCert === undefined ? undefined : readCaCert(caCert),
    log: createLogger({ level: settings.logLevel ?? 'error', format: settings.logFormat ?? 'pretty' }),
    onFault: (error) => {
      throw error;
    },
  });
  const client = await introduced({
    input: alone.output,
    output: alone.input,
    destroy: () => alone.close(),
  });
  return { ...client, home, running: false };
}

function readCaCert(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new EngineError('usage', `The certificate file ${path} cannot be read.`, { cause: error });
  }
}
