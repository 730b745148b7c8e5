import { PassThrough } from 'node:stream';
import { addAccountMethods } from '../account/methods.js';
import { type AccountOptions, createAccount, loginPolicy } from '../account/setup.js';
import { BuiltinAppServer } from '../app-server/builtin.js';
import type { Home } from '../home/home.js';
import { createDialer } from '../net/dialer.js';
import { parseTarget } from '../net/target.js';
import { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { VERSION } from '../protocol/version.js';
import { LocalClient } from '../session/local-clients.js';
import { MethodTable } from '../session/methods.js';
import type { ClientSession } from '../session/session.js';
import { StdioConnection } from '../session/stdio.js';
import { DEFAULT_BASE_URL } from './options.js';

export interface AccountOnlyOptions extends AccountOptions {
  readonly home: Home;
  readonly log: EngineLogger;
  readonly baseUrl?: string;
  readonly allowHosts?: readonly string[];
  readonly caCertPem?: string | undefined;
  readonly onFault: (error: unknown) => void;
}

/** The two ends of a conversation with it, one JSON-RPC message a line. */
export interface AccountOnly {
  readonly input: PassThrough;
  readonly output: PassThrough;
  close(): void;
}

/**
 * The account of a home on which no engine runs, served to one client in this process: the same methods with the
 * same words, so that a command need not care whether an engine runs.
 */
export function serveAccountOnly(options: AccountOnlyOptions): AccountOnly {
  const { home, log } = options;
  const env = { now: () => Date.now(), random: () => Math.random() };
  const methods = new MethodTable();
  const sessions = new Set<ClientSession>();
  const dialer = createDialer({ env: process.env, caCertPem: options.caCertPem });
  const target = parseTarget(options.baseUrl ?? DEFAULT_BASE_URL, { allowHosts: options.allowHosts ?? [] });
  const account = createAccount(options, {
    home,
    env,
    log,
    audit: new AuditRing(),
    dialer,
    baseUrl: target.ok ? target.target.baseUrl : null,
    broadcast: (method, params) => {
      for (const session of sessions) session.notify(method, params);
    },
    onFault: options.onFault,
  });
  addAccountMethods(methods, account, loginPolicy(options).workspaces);
  const appServer = new BuiltinAppServer({ version: VERSION, home: home.dir });
  const [input, output] = [new PassThrough(), new PassThrough()];
  new StdioConnection(
    'account',
    { input, output },
    {
      now: env.now,
      accept: (transport) => {
        const client = new LocalClient({ origin: 'control', connectionId: 'account' }, transport, {
          appServer,
          methods,
          policy: () => null,
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
    close: () => {
      account.close();
      dialer.close();
      input.end();
      output.end();
    },
  };
}
