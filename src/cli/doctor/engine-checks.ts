/** The checks of the engine itself: the running one, the sign-in, the app server, the ports. */
import type { AccountOptions } from '../../account/options.js';
import type { EngineStatus } from '../../engine/status.js';
import type { Home } from '../../home/home.js';
import { parseListenUrl } from '../../listener/address.js';
import { EngineError } from '../../protocol/errors.js';
import { needsPerson } from '../../protocol/reasons.js';
import { describeSignIn } from '../output/account-rows.js';
import { waitsFor } from '../output/attempt.js';
import { shellQuote } from '../output/shell.js';
import { isContested } from '../output/summary.js';
import { formatDuration, meaningOf, nextStepFor } from '../output/text.js';
import { DEFAULT_LISTEN } from '../settings/start-settings.js';
import { type Check, type Finding, failed, notNeeded, ok, warning } from './check.js';
import type { SettingsSource } from './home-checks.js';
import { openFilesFinding } from './open-files.js';

const GROUP = 'Engine';

/** The token of RC_ENGINE_ACCESS_TOKEN, or why it is none. */
export type GivenSignIn = Pick<AccountOptions, 'accessToken'> | { readonly error: unknown };

interface EngineCheckDeps {
  readonly home: Home;
  readonly env: NodeJS.ProcessEnv;
  readonly given: GivenSignIn;
  /** Flags of the command line. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly settings: SettingsSource;
  /** Undefined: no engine runs. Rejects when one runs that does not answer. */
  readonly status: () => Promise<EngineStatus | undefined>;
  /** Lets the running engine start its app server once. @returns why it does not answer; null: it does */
  readonly probeRunning: () => Promise<string | null>;
  /** The command after `--`. */
  readonly command: readonly string[] | undefined;
  /** Limit of the start of the app server, ms. */
  readonly timeout: number;
}

export function engineChecks(deps: EngineCheckDeps): Check[] {
  return [
    { id: 'engine', group: GROUP, title: 'process', needs: ['home'], run: () => processFinding(deps) },
    {
      id: 'account',
      group: GROUP,
      title: 'sign-in',
      needs: ['engine', 'config'],
      run: () => signInFinding(deps),
    },
    { id: 'link', group: GROUP, title: 'connection', needs: ['engine'], run: () => linkFinding(deps) },
    {
      ...{ id: 'appServer', group: GROUP, title: 'app server', needs: ['engine', 'config'] },
      run: (signal) => appServerFinding(deps, signal),
    },
    {
      ...{ id: 'openFiles', group: GROUP, title: 'open files', needs: ['engine'] },
      run: async () => openFilesFinding((await deps.status())?.pid),
    },
    { id: 'ports', group: GROUP, title: 'ports', needs: ['engine', 'config'], run: () => portsFinding(deps) },
  ];
}

async function processFinding({ status, home }: EngineCheckDeps): Promise<Finding> {
  const running = await status();
  return running === undefined
    ? notNeeded(`no engine runs on ${home.dir}; what follows is what a start would find`)
    : ok(`pid ${running.pid}, version ${running.version}`);
}

async function signInFinding(deps: EngineCheckDeps): Promise<Finding> {
  const { status } = deps;
  const running = await status();
  const summary = running === undefined ? await accountOfStart(deps) : running.account;
  if (summary === null) return notNeeded(describeSignIn(null));
  const { problem } = summary;
  if (problem !== null) {
    const keys = problem.reason === 'authMissing' ? foreignKeys(deps) : '';
    const [means, said] = [meaningOf(problem.reason), problem.message].map((one) => one.replace(/\.$/, ''));
    return failed(`${means} (${said})${keys}`, nextStepFor(problem.reason));
  }
  if (summary.mode === null) {
    return failed(`nobody is signed in${foreignKeys(deps)}`, 'Sign in with: rc-engine login');
  }
  const who = `signed in ${describeSignIn(summary)}`;
  if (summary.mode === 'apikey') {
    const off = running === undefined ? (await deps.settings()).remoteControl : running.remoteControl.status;
    return off === 'off' || off === 'disabled'
      ? ok(who)
      : failed(`${who}, with which remote control does not work`, 'Sign in with ChatGPT: rc-engine login');
  }
  if (running !== undefined || summary.source !== 'environment') return ok(who);
  const { tokenExpiry } = await import('../../engine/diagnosis.js');
  const end = 'accessToken' in deps.given ? tokenExpiry(deps.given.accessToken?.token) : undefined;
  return end !== undefined && end <= Date.now()
    ? failed(
        `the token of RC_ENGINE_ACCESS_TOKEN expired ${formatDuration(Date.now() - end)} ago`,
        'Set RC_ENGINE_ACCESS_TOKEN to a new token, or unset it and sign in with: rc-engine login',
      )
    : ok(`${who}, by RC_ENGINE_ACCESS_TOKEN`);
}

/** Variables that other programs sign in with. ACC-20 */
const FOREIGN_KEYS = ['OPENAI_API_KEY', 'CODEX_API_KEY'] as const;

function foreignKeys({ env }: EngineCheckDeps): string {
  const set = FOREIGN_KEYS.filter((name) => (env[name] ?? '') !== '');
  return set.length === 0 ? '' : `; ${set.join(' and ')} is set, which signs nobody in here`;
}

/** The account that a start from here would have. */
async function accountOfStart({ flags, given }: EngineCheckDeps) {
  if ('error' in given) throw given.error;
  const { connectToAccount, readAccount } = await import('../account-client.js');
  const client = await connectToAccount(flags, 'other', given);
  try {
    return await readAccount(client);
  } finally {
    client.close();
  }
}

async function linkFinding({ status }: EngineCheckDeps): Promise<Finding> {
  const running = await status();
  if (running === undefined) return notNeeded('no engine runs');
  const { remoteControl: link } = running;
  if (link.status === 'connected') return connectedFinding(running);
  if (link.status === 'disabled') {
    return link.lastFailure === null
      ? notNeeded('remote control is off')
      : failed(link.lastFailure.message.replace(/\.$/, ''), nextStepFor(link.lastFailure.reason));
  }
  const failure = link.lastFailure;
  const reason = failure !== null && needsPerson(failure.reason) ? failure.reason : link.reason;
  const waiting = failure === null ? waitsFor(running) : undefined;
  const message = failure?.message ?? waiting ?? link.detail ?? meaningOf(link.reason);
  const shown = `not connected: ${message.replace(/\.$/, '')}`;
  // Where the sign-in is what fails, that is to be repaired first.
  const signIn = running.account?.problem ?? null;
  const next =
    needsPerson(reason) || signIn === null
      ? nextStepFor(reason) || 'Wait: the engine tries again automatically.'
      : nextStepFor(signIn.reason);
  return failure === null && link.status === 'connecting' ? warning(shown, next) : failed(shown, next);
}

function connectedFinding({ remoteControl: link, now }: EngineStatus): Finding {
  if (isContested(link)) {
    const what = 'connected, but another engine with the same identity takes the connection again and again';
    return warning(what, nextStepFor('duplicateInstallation'));
  }
  const replaced = link.replacedIdentity;
  if (replaced === null) return ok(`connected as ${link.serverName}`);
  const since = formatDuration(now - replaced.at);
  return warning(
    `connected, but with another identity since ${since} ago: ${replaced.to} replaced ${replaced.from}`,
    nextStepFor('identityReplaced'),
  );
}

const RUN_IT = 'Run its command in a terminal to see why.';

async function appServerFinding(deps: EngineCheckDeps, signal: AbortSignal): Promise<Finding> {
  const { status, settings, flags, command, timeout } = deps;
  const running = await status();
  if (running !== undefined && command === undefined) {
    const { appServerHealth: health, appServer } = running;
    if (health === null) return ok(appServer);
    if (health.ready && health.state !== 'failing') {
      // One that serves all clients and runs has answered already; any other one would start with the next client.
      const asks = health.mode !== 'builtin' && health.state !== 'serving';
      const why = asks ? await deps.probeRunning() : null;
      return why === null
        ? ok(`${appServer}: ${asks ? 'it answered initialize' : meaningOf(health.reason)}`)
        : failed(`${appServer}: ${why.replace(/\.$/, '')}`, RUN_IT);
    }
    const cause = (health.detail ?? meaningOf(health.reason)).replace(/\.$/, '');
    return failed(`${appServer}: ${cause}`, nextStepFor(health.reason));
  }
  const { silentLogger } = await import('../../observe/logger.js');
  const { appServerOption } = await import('../settings/app-server-option.js');
  const resolved = await settings();
  const { appServer } = await appServerOption({ settings: resolved, flags, command, logger: silentLogger });
  if (appServer === undefined) {
    return notNeeded('built in; to check another one, add its command: rc-engine doctor -- COMMAND');
  }
  const { probeAppServer } = await import('../../engine/diagnosis.js');
  const given = resolved.appServerProtocol ?? 'auto';
  const protocol = given === 'auto' ? (appServer.protocol ?? 'codex') : given;
  const began = performance.now();
  try {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
    const why = await probeAppServer(appServer, protocol, limit);
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    if (why === null) return ok(`${appServer.name} answered initialize after ${seconds} s`);
    return failed(`${appServer.name}: ${why.replace(/\.$/, '')}`, RUN_IT);
  } catch (error) {
    if (signal.aborted) throw error;
    const why = error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
    const next = error instanceof EngineError ? error.remediation : RUN_IT;
    return failed(`${appServer.name}: ${why}`, next);
  } finally {
    await appServer.close();
  }
}

/** The port of the listener must be free before a start. Those of a browser sign-in are only needed for one. */
async function portsFinding({ status, settings }: EngineCheckDeps): Promise<Finding> {
  const running = await status();
  if (running !== undefined) {
    const { listener } = running;
    return listener === null ? notNeeded('the engine has no listener') : ok(`listening on ${listener.url}`);
  }
  const { listen = DEFAULT_LISTEN } = await settings();
  const address = parseListenUrl(listen);
  if (!('invalid' in address) && address.kind === 'tcp' && address.port !== 0) {
    const why = await whyNotBound(address.host, address.port);
    if (why !== null) {
      return failed(
        `${listen} cannot be opened: ${why}`,
        `Stop the program that uses port ${address.port}, or choose another --listen.`,
      );
    }
  }
  const { LOGIN_PORTS } = await import('../../engine/diagnosis.js');
  const problems = await Promise.all(LOGIN_PORTS.map((port) => whyNotBound('127.0.0.1', port)));
  if (problems.every((why) => why !== null)) {
    return warning(
      `the ports of a browser sign-in are in use: ${LOGIN_PORTS.join(', ')}`,
      'Sign in with: rc-engine login --device',
    );
  }
  return ok(`free: ${shellQuote(listen)}, and a port for a browser sign-in`);
}

async function whyNotBound(host: string, port: number): Promise<string | null> {
  const { createServer } = await import('node:net');
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code === 'EADDRINUSE' ? 'another program uses it' : (error.code ?? error.message)),
    );
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(null)));
  });
}
