import { PassThrough } from 'node:stream';
import { checkAuthFile } from '../account/file/auth-permissions.js';
import type { AccountOptions } from '../account/options.js';
import { BuiltinAppServer } from '../app-server/builtin.js';
import type { Home } from '../home/home.js';
import { createDialer } from '../net/dialer.js';
import { parseTarget } from '../net/target.js';
import { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { DEFAULT_TIMING, SYSTEM_ENV } from '../protocol/timing.js';
import { VERSION } from '../protocol/version.js';
import { AppServerPlaces } from '../session/app-server-places.js';
import { LocalClient } from '../session/local-client.js';
import { MethodTable } from '../session/methods.js';
import { ALLOW_ALL } from '../session/policy.js';
import type { ClientSession } from '../session/session.js';
import { StdioConnection } from '../session/stdio.js';
import { wireAccount } from './account.js';
import { DEFAULT_BASE_URL } from './options.js';

interface AccountOnlyOptions extends AccountOptions {
  readonly home: Home;
  readonly log: EngineLogger;
  /** Default `https://chatgpt.com/backend-api`. */
  readonly baseUrl?: string;
  readonly allowHosts?: readonly string[];
  readonly caCertPem?: string | undefined;
  readonly onFault: (error: unknown) => void;
}

/** The client's end of the conversation: one JSON-RPC message per line in both directions. */
interface AccountOnly {
  readonly input: PassThrough;
  readonly output: PassThrough;
  /** About the permissions of the account file; null: nothing is wrong. */
  readonly warning: string | null;
  close(): void;
}

/**
 * Serves the account of a home without a running engine to one client in this process. The methods are those of a
 * running engine, so a command works the same with and without one.
 * @throws EngineError `secretFileUnusable` for an account file that other users can change; `usage` for a bad issuer
 */
export function serveAccountOnly(options: AccountOnlyOptions): AccountOnly {
  const { home, log } = options;
  const env = SYSTEM_ENV;
  const warning = options.authStore === 'ephemeral' ? null : checkAuthFile(options.authFile ?? home.authFile);
  const methods = new MethodTable();
  const sessions = new Set<ClientSession>();
  const dialer = createDialer({ env: process.env, caCertPem: options.caCertPem });
  const target = parseTarget(options.baseUrl ?? DEFAULT_BASE_URL, { allowHosts: options.allowHosts ?? [] });
  const account = wireAccount(options, {
    home,
    env,
    log,
    audit: new AuditRing(),
    dialer,
    methods,
    sessions,
    baseUrl: target.ok ? target.target.baseUrl : null,
    onFault: options.onFault,
  });
  const appServer = new BuiltinAppServer({ version: VERSION, home: home.dir });
  const [input, output] = [new PassThrough(), new PassThrough()];
  new StdioConnection(
    'account',
    { input, output },
    {
      env,
      timing: DEFAULT_TIMING,
      accept: (transport) => {
        const client = new LocalClient({ origin: 'control', connectionId: 'account' }, transport, {
          appServer,
          methods,
          policy: ALLOW_ALL,
          places: new AppServerPlaces(),
          timing: DEFAULT_TIMING,
          onInitialized: (session) => sessions.add(session),
          onEnded: (session) => sessions.delete(session),
          onClosed: () => {},
          onSkipped: () => {},
        });
        client.open();
        return client;
      },
      onEnd: () => {},
    },
  );
  return {
    input,
    output,
    warning,
    close: () => {
      account.close();
      dialer.close();
      input.end();
      output.end();
    },
  };
}
