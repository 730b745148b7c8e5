import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { LinkEnd } from '../../connect/link.js';
import type { PairedEnvironment } from '../../connect/paired-environments.js';
import type { ConnectOptions } from '../../connect/service.js';
import type { Home } from '../../home/home.js';
import type { Dialer } from '../../net/dialer.js';
import { EngineError } from '../../protocol/errors.js';
import { EXIT, usageError } from '../errors.js';
import { runWithoutOutput } from '../output/lifeline.js';
import { errorOutput, printJson } from '../output/print.js';
import { stderr, stdout } from '../output/terminal.js';
import { endWaiting } from '../output/waiting.js';
import { CODE_OPTIONS, readCode } from '../pairing-code.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { StopSignals } from '../signals.js';

const DEFAULT_BASE_URL = 'https://chatgpt.com/backend-api';

export const connect = defineCommand({
  name: 'connect',
  description: 'Open a local endpoint that leads to a paired environment on another machine',
  progress: 'Connecting',
  notes:
    'Each local connection is a client of the environment. A lost link is opened again, and nothing is lost or doubled.\n' +
    'ENVIRONMENT is an id or a name of --list; it may be left out when one environment is paired.\n' +
    'Exit codes: 0 after Ctrl-C, 1 when the backend refuses this controller, 2 for a wrong command line.',
  positionals: {
    environment: { type: 'string', description: 'Paired environment: its id or its name' },
  },
  settings: ['baseUrl', 'allowHost', 'caCert'],
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    ...CODE_OPTIONS,
    name: { type: 'string', description: 'Name of this device, shown by devices', default: 'the host name' },
    listen: {
      type: 'string',
      description: 'Local endpoint: unix://PATH or ws://127.0.0.1:PORT',
      default: 'a unix socket in a directory of its own',
    },
    'token-file': {
      type: 'string',
      description:
        'With ws://: file of the bearer token for local clients; created with mode 0600 when missing',
      default: 'connect-token in the home directory',
    },
    list: { type: 'boolean', description: 'Only list the paired environments' },
  },
  examples: [
    ['connect --code-stdin', 'Pair with a machine by the code that rc-engine pair shows there, and connect'],
    ['connect', 'Connect again, without a code'],
    ['connect --list', 'List the paired environments'],
    ['connect laptop --listen ws://127.0.0.1:4500', 'Use a port instead of a unix socket'],
  ],
  run: async (args) => {
    const signals = new StopSignals();
    errorOutput.json = args.json === true;
    const { openHome } = await import('../../home/home.js');
    const home = openHome(args.home);
    if (args.list === true && args.environment !== undefined) {
      throw usageError('--list lists all environments and takes no ENVIRONMENT.', 'Remove one of the two.');
    }
    if (args.list === true) return listEnvironments(home, args.json === true);
    if (args.environment === '')
      throw usageError('ENVIRONMENT is empty.', 'Leave it out, or name one of --list.');
    const local = endpointOf(args.listen, args.tokenFile, home);
    const { resolveStartSettings } = await import('../settings/resolve-settings.js');
    // `--listen` of this command is not the one of `start`.
    const { baseUrl, allowHost, caCert } = await resolveStartSettings(
      { baseUrl: args.baseUrl, allowHost: args.allowHost, caCert: args.caCert },
      process.env,
      home.configFile,
    );
    const { createDialer } = await import('../../net/dialer.js');
    const { readCaCert } = await import('../../net/ca-certificates.js');
    const dialer = createDialer({
      env: process.env,
      ...(caCert === undefined ? {} : { caCertPem: readCaCert(caCert) }),
    });
    const { parseTarget } = await import('../../net/target.js');
    const checked = (url: string): string => {
      const target = parseTarget(url, { allowHosts: allowHost ?? [] });
      if (!target.ok) throw new EngineError('targetRefused', target.message);
      return target.target.baseUrl;
    };
    // Before anybody is asked for a code.
    if (args.baseUrl !== undefined && baseUrl !== undefined) checked(baseUrl);
    const cancellation = new AbortController();
    signals.onFirst = () => cancellation.abort();
    const pairing = environmentOf(args, home, async (code) => {
      const { pairEnvironment } = await import('../paired.js');
      return pairEnvironment(home, dialer, {
        baseUrl: checked(baseUrl ?? DEFAULT_BASE_URL),
        code,
        displayName: args.name,
        environment: args.environment,
        signal: cancellation.signal,
      });
    });
    const environment = await pairing.catch((error: unknown) => {
      if (!signals.received) throw error;
      return undefined;
    });
    if (environment === undefined) {
      dialer.close();
      stderr.print(
        'Cancelled. The pairing code may be used up: rc-engine pair on the other machine makes another.',
      );
      return EXIT.cancelled;
    }
    // The stored address gets the token, so it is checked like one of the command line.
    checked(environment.baseUrl);
    if (signals.received) return EXIT.ok;
    return await serve(home, environment, local, dialer, signals, args.json === true);
  },
});

interface CodeArgs {
  readonly environment?: string | undefined;
  readonly code?: string | undefined;
  readonly codeStdin?: boolean | undefined;
}

/** Of a code, which is claimed and stored, or else one that was paired before. */
async function environmentOf(
  { environment, code: option, codeStdin }: CodeArgs,
  home: Home,
  pair: (code: string) => Promise<PairedEnvironment>,
): Promise<PairedEnvironment> {
  const { loadPaired, pairedFile } = await import('../../connect/paired-environments.js');
  const known = loadPaired(pairedFile(home.dir));
  const { code } = await readCode(option, codeStdin === true, known.length === 0);
  if (code !== undefined) return pair(code);
  const { selectEnvironment } = await import('../paired.js');
  return selectEnvironment(known, environment);
}

async function listEnvironments(home: Home, json: boolean): Promise<number> {
  const { loadPaired, pairedFile } = await import('../../connect/paired-environments.js');
  const known = loadPaired(pairedFile(home.dir));
  if (json) {
    for (const { environmentId, serverName, baseUrl, clientId, pairedAt } of known) {
      printJson({ type: 'environment', environmentId, serverName, baseUrl, clientId, pairedAt });
    }
    return EXIT.ok;
  }
  if (known.length === 0) {
    stdout.print(
      'No environment is paired.',
      'Run rc-engine pair on the other machine, then rc-engine connect here.',
    );
    return EXIT.ok;
  }
  const { environmentRows } = await import('../paired.js');
  stdout.print(...environmentRows(known), '', 'Connect to one: rc-engine connect ENVIRONMENT');
  return EXIT.ok;
}

type LocalEndpoint =
  | { readonly kind: 'unix'; readonly path: string | undefined }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tokenFile: string };

/** @throws EngineError `usage` for an address that others could reach */
function endpointOf(listen: string | undefined, tokenFile: string | undefined, home: Home): LocalEndpoint {
  const allowed = 'Use unix://PATH or ws://127.0.0.1:PORT.';
  const unix = listen === undefined || listen.startsWith('unix://');
  if (unix && tokenFile !== undefined)
    throw usageError('--token-file needs --listen ws://127.0.0.1:PORT.', 'Remove --token-file.');
  if (listen === undefined || listen === 'unix://') return { kind: 'unix', path: undefined };
  if (unix) return { kind: 'unix', path: resolve(listen.slice('unix://'.length)) };
  const [, host, port] = /^ws:\/\/(127\.\d+\.\d+\.\d+|localhost|\[::1\]):(\d{1,5})\/?$/.exec(listen) ?? [];
  if (host === undefined || Number(port) > 65_535) {
    throw usageError(`--listen ${listen} is not a local endpoint.`, allowed);
  }
  return {
    kind: 'tcp',
    host: host === 'localhost' ? '127.0.0.1' : host.replace(/^\[|\]$/g, ''),
    port: Number(port),
    tokenFile: tokenFile === undefined ? join(home.dir, 'connect-token') : resolve(tokenFile),
  };
}

/** Bytes of the path of a socket, on every system. */
const MAX_SOCKET_PATH = 103;

/** The same for each run, so that a recipe stays valid: in a directory of its own, below the home if that is short. */
function defaultSocket(home: Home, { baseUrl, environmentId }: PairedEnvironment): string {
  const name = createHash('sha256').update(`${baseUrl} ${environmentId}`).digest('hex').slice(0, 8);
  const homeName = createHash('sha256').update(home.dir).digest('hex').slice(0, 16);
  const places = [
    join(home.dir, 'connect', `${name}.sock`),
    join(dirname(home.controlSocket), 'connect', `${name}.sock`),
    join(tmpdir(), `rc-engine-connect-${homeName}`, `${name}.sock`),
  ];
  return (
    places.find((path) => Buffer.byteLength(path) <= MAX_SOCKET_PATH) ??
    join('/tmp', `rc-engine-connect-${homeName}`, `${name}.sock`)
  );
}

/** Runs until Ctrl-C, or until the backend refuses this controller. */
async function serve(
  home: Home,
  environment: PairedEnvironment,
  local: LocalEndpoint,
  dialer: Dialer,
  signals: StopSignals,
  json: boolean,
): Promise<number> {
  const { ConnectService } = await import('../../connect/service.js');
  const { connectJson, connectText } = await import('../output/connect-output.js');
  const { createLogger } = await import('../output/logger.js');
  const tokenFile = local.kind === 'tcp' ? local.tokenFile : undefined;
  const shown = { ...environment, tokenFile };
  runWithoutOutput(json ? 'json' : 'text');
  // From here on its own line follows the link.
  endWaiting();
  const output = json ? connectJson(shown) : connectText(stdout, shown);
  const service = new ConnectService({
    environment,
    ...(await listenerOf(local, home, environment)),
    dialer,
    log: createLogger({ level: 'error', format: json ? 'json' : 'pretty' }),
    onReport: (report) => output.report(report),
  });
  try {
    const stopped = new Promise<'stopped'>((done) => {
      signals.onFirst = () => done('stopped');
      if (signals.received) done('stopped');
    });
    output.listening(await service.start());
    const end = await Promise.race([service.ended, stopped]);
    output.finish();
    if (end === 'stopped') return EXIT.ok;
    throw errorOf(end, environment);
  } finally {
    await service.stop();
    dialer.close();
  }
}

/** A unix socket is protected by its directory, a port by a bearer token. RC-96 */
async function listenerOf(
  local: LocalEndpoint,
  home: Home,
  environment: PairedEnvironment,
): Promise<Pick<ConnectOptions, 'address' | 'authority'>> {
  if (local.kind === 'unix') {
    const { parseListenUrl } = await import('../../listener/address.js');
    const address = parseListenUrl(`unix://${local.path ?? defaultSocket(home, environment)}`);
    if ('invalid' in address) throw usageError(`--listen ${address.invalid}.`, 'Use a shorter path.');
    if (address.kind === 'unix') return { address, authority: { mode: 'filesystem' } };
    throw usageError('--listen is not a local endpoint.', 'Use unix://PATH or ws://127.0.0.1:PORT.');
  }
  const { host, port, tokenFile } = local;
  const { endpointToken } = await import('../paired.js');
  const { sha256 } = await import('../../listener/auth/authority.js');
  return {
    address: { kind: 'tcp', host, port, secure: false },
    authority: { mode: 'capability', digest: sha256(await endpointToken(tokenFile)) },
  };
}

function errorOf({ reason, failure }: LinkEnd, { serverName, baseUrl }: PairedEnvironment): EngineError {
  if (reason === 'controllerRevoked') {
    return new EngineError(
      'controllerRevoked',
      `The backend no longer accepts this device for ${JSON.stringify(serverName)}: it was revoked, or its token was rejected.`,
    );
  }
  return new EngineError(reason, failure?.message ?? `The link to ${baseUrl} has ended.`);
}
