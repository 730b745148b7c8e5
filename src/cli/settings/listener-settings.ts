import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { EngineOptions } from '../../engine/options.js';
import { type AuthorityConfig, sha256 } from '../../listener/auth/authority.js';
import type { TlsIdentity } from '../../listener/host.js';
import { EngineError } from '../../protocol/errors.js';
import { errnoText } from '../../system/errno.js';
import { readSecretFile } from '../../system/secret-file.js';
import { DEFAULT_LISTEN, flagOf, type StartSettings } from './settings.js';

const DEFAULT_SKEW_SECONDS = 30;
const MIN_SHARED_SECRET_BYTES = 32;

const CAPABILITY = ['wsTokenFile', 'wsTokenSha256'] as const;
const SIGNED_BEARER = [
  'wsSharedSecretFile',
  'wsIssuer',
  'wsAudience',
  'wsMaxClockSkewSeconds',
  'closeOnTokenExpiry',
] as const;

export interface ListenerSettings {
  readonly authority: AuthorityConfig;
  readonly tls: TlsIdentity | undefined;
  /** About files that others can read, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * The one authority that the settings ask for. Whatever does not belong together is refused before anything
 * listens. WSA-14
 * @throws EngineError `usage` or `secretFileUnusable`
 */
export function listenerSettings(settings: StartSettings): ListenerSettings {
  const warnings: string[] = [];
  const secretOf = (path: string, flag: string, minBytes?: number) => {
    const { secret, warning } = readSecretFile(path, flag, minBytes);
    if (warning !== null) warnings.push(warning);
    return secret;
  };
  const authority = authorityOf(settings, secretOf);
  return { authority, tls: tlsOf(settings), warnings };
}

/** The same as options of the engine, with the ones that need no checking. */
export function optionsOfListener(
  settings: StartSettings,
  { authority, tls }: ListenerSettings,
): EngineOptions {
  const { maxConnections, maxMessageBytes, closeOnTokenExpiry } = settings;
  const { allowMethod, denyMethod, degradedAuthority } = settings;
  return {
    authority,
    ...(tls === undefined ? {} : { tls }),
    ...(maxConnections === undefined ? {} : { maxConnections }),
    ...(maxMessageBytes === undefined ? {} : { maxMessageBytes }),
    ...(closeOnTokenExpiry === undefined ? {} : { closeOnTokenExpiry }),
    policy: {
      ...(allowMethod === undefined ? {} : { allowMethods: allowMethod }),
      ...(denyMethod === undefined ? {} : { denyMethods: denyMethod }),
      ...(degradedAuthority === undefined ? {} : { degradedAuthority }),
    },
  };
}

type SecretOf = (
  path: string,
  flag: string,
  minBytes?: number,
) => ReturnType<typeof readSecretFile>['secret'];

function authorityOf(settings: StartSettings, secretOf: SecretOf): AuthorityConfig {
  const { wsAuth, noTokenCheck = false } = settings;
  if (wsAuth === undefined) {
    refuse(settings, [...CAPABILITY, ...SIGNED_BEARER], 'needs --ws-auth');
    return { mode: 'queryToken', enforced: !noTokenCheck };
  }
  if (noTokenCheck) {
    throw wrong(`--no-token-check cannot be used with --ws-auth ${wsAuth}: it is about the token of the URL`);
  }
  if (wsAuth === 'capability-token') {
    refuse(settings, SIGNED_BEARER, 'cannot be used with --ws-auth capability-token');
    return { mode: 'capability', digest: digestOf(settings, secretOf) };
  }
  refuse(settings, CAPABILITY, 'cannot be used with --ws-auth signed-bearer-token');
  const { wsSharedSecretFile, wsIssuer, wsAudience, wsMaxClockSkewSeconds } = settings;
  if (wsSharedSecretFile === undefined) {
    throw wrong('--ws-auth signed-bearer-token needs --ws-shared-secret-file');
  }
  return {
    mode: 'signedBearer',
    secret: secretOf(wsSharedSecretFile, '--ws-shared-secret-file', MIN_SHARED_SECRET_BYTES),
    issuer: wsIssuer?.trim(),
    audience: wsAudience?.trim(),
    skew: wsMaxClockSkewSeconds ?? DEFAULT_SKEW_SECONDS,
  };
}

function digestOf({ wsTokenFile, wsTokenSha256 }: StartSettings, secretOf: SecretOf): Buffer {
  if (wsTokenFile !== undefined && wsTokenSha256 !== undefined) {
    throw wrong('--ws-token-file and --ws-token-sha256 are mutually exclusive');
  }
  if (wsTokenSha256 !== undefined) return Buffer.from(wsTokenSha256, 'hex');
  if (wsTokenFile === undefined) {
    throw wrong('--ws-auth capability-token needs --ws-token-file or --ws-token-sha256');
  }
  const token = secretOf(wsTokenFile, '--ws-token-file').reveal();
  if (!/^[\x20-\x7e]+$/.test(token)) {
    throw new EngineError(
      'secretFileUnusable',
      `The file ${wsTokenFile} of --ws-token-file holds something that no header can carry: it must be one line of visible ASCII.`,
    );
  }
  return sha256(token);
}

function tlsOf({ tlsCert, tlsKey, listen = DEFAULT_LISTEN }: StartSettings): TlsIdentity | undefined {
  if (tlsCert === undefined && tlsKey === undefined) {
    if (listen.startsWith('wss://')) throw wrong('A wss:// listener needs --tls-cert and --tls-key');
    return undefined;
  }
  if (tlsCert === undefined || tlsKey === undefined) {
    throw wrong('--tls-cert and --tls-key are given together');
  }
  if (listen.startsWith('unix://')) throw wrong('--tls-cert cannot be used with a unix:// listener');
  const cert = pem(tlsCert, '--tls-cert');
  const key = pem(tlsKey, '--tls-key');
  const certificate = parsed(
    () => new X509Certificate(cert),
    `The file ${tlsCert} of --tls-cert holds no PEM certificate`,
  );
  const unlocked = parsed(
    () => createPrivateKey(key),
    `The file ${tlsKey} of --tls-key holds no PEM key, or one with a passphrase`,
  );
  if (!certificate.checkPrivateKey(unlocked)) {
    throw wrong('The key of --tls-key does not belong to the certificate of --tls-cert');
  }
  return { cert, key };
}

function parsed<T>(parse: () => T, problem: string): T {
  try {
    return parse();
  } catch (error) {
    throw wrong(problem, error);
  }
}

function pem(path: string, flag: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`The file ${path} of ${flag} cannot be read: ${errnoText(error)}`, error);
  }
}

function refuse(settings: StartSettings, names: readonly (keyof StartSettings)[], why: string): void {
  const given = names.find((name) => settings[name] !== undefined && settings[name] !== false);
  if (given !== undefined) throw wrong(`--${flagOf(given)} ${why}`);
}

const wrong = (message: string, cause?: unknown): EngineError =>
  new EngineError('usage', `${message}.`, { cause });
