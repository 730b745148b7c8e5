import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { EngineOptions } from '../../engine/options.js';
import { isUnixUrl, type TlsFiles } from '../../listener/address.js';
import { type AuthorityConfig, sha256 } from '../../listener/auth/authority.js';
import { withoutByteOrderMark } from '../../protocol/byte-order-mark.js';
import { EngineError } from '../../protocol/errors.js';
import type { Secret } from '../../protocol/secret.js';
import { errnoText } from '../../system/errno.js';
import { isLoopbackHost } from '../../system/loopback-host.js';
import { readSecretFile } from '../../system/secret-file.js';
import { usageError } from '../errors.js';
import { parseMetricsListen } from './listener-settings.js';
import { flagOf } from './setting.js';
import { DEFAULT_LISTEN, type StartSettings } from './start-settings.js';

const DEFAULT_SKEW_SECONDS = 30;
const MIN_SHARED_SECRET_BYTES = 32;

const CAPABILITY_SETTINGS = ['wsTokenFile', 'wsTokenSha256'] as const;
const SIGNED_BEARER_SETTINGS = [
  'wsSharedSecretFile',
  'wsIssuer',
  'wsAudience',
  'wsMaxClockSkewSeconds',
  'closeOnTokenExpiry',
] as const;

interface ListenerOptions {
  readonly options: EngineOptions;
  /** Sentences about secret files that others can read. */
  readonly warnings: readonly string[];
}

/**
 * The engine options of the local listener. Settings that contradict each other are refused before anything listens.
 * WSA-14
 * @throws EngineError `usage` or `secretFileUnusable`
 */
export function listenerOptions(settings: StartSettings): ListenerOptions {
  const warnings: string[] = [];
  const readSecret: ReadSecret = (path, flag, minBytes) => {
    const { secret, warning } = readSecretFile(path, flag, minBytes);
    if (warning !== null) warnings.push(warning);
    return secret;
  };
  const authority = authorityOf(settings, readSecret);
  const tls = tlsFiles(settings);
  const metrics = metricsOptions(settings, readSecret);
  const { maxConnections, maxMessageBytes, closeOnTokenExpiry, wsSubprotocol } = settings;
  const { allowMethod, denyMethod, degradedAuthority, remoteAuthority } = settings;
  if (remoteAuthority === 'full') {
    warnings.push(
      '--remote-authority full: controllers can read the access token, sign in and out, and let other controllers in.',
    );
  }
  if (degradedAuthority === 'full') {
    warnings.push(
      '--degraded-authority full: connections without a token can read the access token, sign in and out, and let controllers in.',
    );
  }
  const options: EngineOptions = {
    ...(authority === undefined ? {} : { authority }),
    ...(tls === undefined ? {} : { tls }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(hasListenerMetrics(settings) ? { listenerMetrics: true } : {}),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    ...(closeOnTokenExpiry === undefined ? {} : { closeOnTokenExpiry }),
    ...(wsSubprotocol === undefined ? {} : { wsSubprotocols: wsSubprotocol }),
    policy: {
      ...(allowMethod === undefined ? {} : { allowMethods: allowMethod }),
      ...(denyMethod === undefined ? {} : { denyMethods: denyMethod }),
      ...(degradedAuthority === undefined ? {} : { degradedAuthority }),
      ...(remoteAuthority === undefined ? {} : { remoteAuthority }),
    },
  };
  return { options, warnings };
}

type ReadSecret = (path: string, flag: string, minBytes?: number) => Secret;

/** The listener decides who may read them, so there must be one. WSA-68 */
function hasListenerMetrics({ metrics = false, listen = DEFAULT_LISTEN }: StartSettings): boolean {
  if (!metrics || (listen !== 'off' && listen !== 'stdio://')) return metrics;
  throw usageError(
    `--metrics needs a listener, and --listen is ${listen}.`,
    'Use --metrics-listen 127.0.0.1:9464, or listen on an address.',
  );
}

/** Undefined: no metrics. */
function metricsOptions(
  { metricsListen, metricsTokenFile }: StartSettings,
  readSecret: ReadSecret,
): EngineOptions['metrics'] {
  if (metricsListen === undefined) {
    if (metricsTokenFile === undefined) return undefined;
    throw usageError('--metrics-token-file needs --metrics-listen.', 'Add --metrics-listen 127.0.0.1:9464.');
  }
  const address = parseMetricsListen(metricsListen);
  if (address === undefined) throw new Error('a checked setting is wrong');
  if (metricsTokenFile === undefined) {
    if (isLoopbackHost(address.host)) return address;
    throw usageError(
      `--metrics-listen ${metricsListen} can be reached from other machines, so it needs --metrics-token-file.`,
      'Make a token with rc-engine token create --capability FILE, or listen on 127.0.0.1.',
    );
  }
  return { ...address, token: readSecret(metricsTokenFile, '--metrics-token-file') };
}

/** Undefined: the default of the address. */
function authorityOf(settings: StartSettings, readSecret: ReadSecret): AuthorityConfig | undefined {
  const { wsAuth, noTokenCheck = false, listen } = settings;
  if (listen === 'codex' && (noTokenCheck || (wsAuth ?? 'filesystem') !== 'filesystem')) {
    const flag = noTokenCheck ? '--no-token-check' : `--ws-auth ${wsAuth}`;
    throw usageError(
      `${flag} cannot be used with --listen codex: Codex CLI presents no token, and the socket is in a private directory.`,
      `Remove ${flag}, or listen on ws:// or unix://PATH.`,
    );
  }
  if (wsAuth === undefined) {
    const given = firstGiven(settings, [...CAPABILITY_SETTINGS, ...SIGNED_BEARER_SETTINGS]);
    if (given !== undefined) {
      const mode = CAPABILITY_SETTINGS.some((name) => name === given)
        ? 'capability-token'
        : 'signed-bearer-token';
      throw usageError(`--${flagOf(given)} needs --ws-auth.`, `Add --ws-auth ${mode}.`);
    }
    return noTokenCheck ? { mode: 'queryToken', enforced: false } : undefined;
  }
  if (noTokenCheck) {
    throw usageError(
      `--no-token-check cannot be used with --ws-auth ${wsAuth}: it concerns the token in the URL.`,
      'Remove one of the two.',
    );
  }
  if (wsAuth === 'filesystem') return filesystemAuthority(settings);
  return wsAuth === 'capability-token'
    ? capabilityAuthority(settings, readSecret)
    : signedBearerAuthority(settings, readSecret);
}

function filesystemAuthority(settings: StartSettings): AuthorityConfig {
  refuse(settings, [...CAPABILITY_SETTINGS, ...SIGNED_BEARER_SETTINGS]);
  const { listen = DEFAULT_LISTEN } = settings;
  if (!isUnixUrl(listen)) {
    throw usageError(
      `--ws-auth filesystem cannot be used with --listen ${listen}: it needs a unix socket.`,
      'Listen on unix://PATH in a directory that only you can enter, or choose another --ws-auth.',
    );
  }
  return { mode: 'filesystem' };
}

function capabilityAuthority(settings: StartSettings, readSecret: ReadSecret): AuthorityConfig {
  const { wsTokenFile, wsTokenSha256 } = settings;
  refuse(settings, SIGNED_BEARER_SETTINGS);
  if (wsTokenFile !== undefined && wsTokenSha256 !== undefined) {
    throw usageError(
      '--ws-token-file and --ws-token-sha256 are mutually exclusive.',
      'Remove one of the two.',
    );
  }
  if (wsTokenSha256 !== undefined) return { mode: 'capability', digest: Buffer.from(wsTokenSha256, 'hex') };
  if (wsTokenFile === undefined) {
    throw usageError(
      '--ws-auth capability-token needs --ws-token-file or --ws-token-sha256.',
      'Create a token with: rc-engine token create --capability FILE',
    );
  }
  const token = readSecret(wsTokenFile, '--ws-token-file').reveal();
  if (!/^[\x20-\x7e]+$/.test(token)) {
    throw new EngineError(
      'secretFileUnusable',
      `The file ${wsTokenFile} of --ws-token-file must hold one line of printable ASCII: other characters cannot be sent in a header.`,
    );
  }
  return { mode: 'capability', digest: sha256(token) };
}

function signedBearerAuthority(settings: StartSettings, readSecret: ReadSecret): AuthorityConfig {
  refuse(settings, CAPABILITY_SETTINGS);
  const { wsSharedSecretFile, wsIssuer, wsAudience, wsMaxClockSkewSeconds } = settings;
  if (wsSharedSecretFile === undefined) {
    throw usageError(
      '--ws-auth signed-bearer-token needs --ws-shared-secret-file.',
      `Add --ws-shared-secret-file with the absolute path of a file that holds at least ${MIN_SHARED_SECRET_BYTES} bytes.`,
    );
  }
  return {
    mode: 'signedBearer',
    secret: readSecret(wsSharedSecretFile, '--ws-shared-secret-file', MIN_SHARED_SECRET_BYTES),
    issuer: wsIssuer?.trim(),
    audience: wsAudience?.trim(),
    skew: wsMaxClockSkewSeconds ?? DEFAULT_SKEW_SECONDS,
  };
}

/** Checks the files now, so that the error names the flag. The listener reads them itself. */
function tlsFiles({ tlsCert, tlsKey, listen = DEFAULT_LISTEN }: StartSettings): TlsFiles | undefined {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (!listen.startsWith('wss://')) return undefined;
    throw usageError(
      'A wss:// listener needs --tls-cert and --tls-key.',
      'Add both, or listen on a ws:// address.',
    );
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    const [given, missing] = tlsKey === undefined ? ['--tls-cert', '--tls-key'] : ['--tls-key', '--tls-cert'];
    throw usageError(`${given} needs ${missing}.`, `Add ${missing}, or remove ${given}.`);
  }
  if (isUnixUrl(listen)) {
    throw usageError(
      `--tls-cert cannot be used with --listen ${listen}, a unix socket.`,
      'Remove --tls-cert and --tls-key, or listen on a wss:// address.',
    );
  }
  const cert = readPem(tlsCert, '--tls-cert');
  const key = readPem(tlsKey, '--tls-key');
  const certificate = parsePem(
    () => new X509Certificate(cert),
    `The file ${tlsCert} of --tls-cert holds no PEM certificate.`,
    'Name the PEM file of the certificate.',
  );
  const privateKey = parsePem(
    () => createPrivateKey(key),
    `The file ${tlsKey} of --tls-key holds no PEM key, or a key with a passphrase.`,
    'Name the PEM file of the private key, without a passphrase.',
  );
  if (!certificate.checkPrivateKey(privateKey)) {
    throw usageError(
      `The key ${tlsKey} of --tls-key does not belong to the certificate ${tlsCert} of --tls-cert.`,
      'Name the key that the certificate was made for.',
    );
  }
  return { certFile: resolve(tlsCert), keyFile: resolve(tlsKey) };
}

function parsePem<T>(parse: () => T, problem: string, nextStep: string): T {
  try {
    return parse();
  } catch (error) {
    throw usageError(problem, nextStep, error);
  }
}

function readPem(path: string, flag: string): string {
  try {
    return withoutByteOrderMark(readFileSync(path, 'utf8'));
  } catch (error) {
    throw usageError(
      `The file ${path} of ${flag} cannot be read: ${errnoText(error)}.`,
      `Check the path and the permissions of the file.`,
      error,
    );
  }
}

type SettingName = keyof StartSettings & string;

const firstGiven = (settings: StartSettings, names: readonly SettingName[]): SettingName | undefined =>
  names.find((name) => settings[name] !== undefined && settings[name] !== false);

/** Refuses settings that belong to another kind of authority. */
function refuse(settings: StartSettings, names: readonly SettingName[]): void {
  const given = firstGiven(settings, names);
  if (given === undefined) return;
  const flag = `--${flagOf(given)}`;
  throw usageError(
    `${flag} cannot be used with --ws-auth ${settings.wsAuth}.`,
    `Remove ${flag}, or change --ws-auth.`,
  );
}
