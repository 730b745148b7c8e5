import { invalidPatternReason } from '../../session/policy.js';
import type { Setting } from './setting.js';

const checkAppServer = (value: string): string | undefined =>
  value === 'builtin' || /^(?:wss?|unix):\/\/./.test(value)
    ? undefined
    : 'must be builtin, ws://HOST:PORT, wss://HOST:PORT or unix://PATH; a command goes after --';

const checkDigest = (value: string): string | undefined =>
  /^[0-9a-fA-F]{64}$/.test(value) ? undefined : 'must be exactly 64 hex digits';

const checkNotBlank = (value: string): string | undefined =>
  value.trim() === '' ? 'must not be blank' : undefined;

/** Flags of `start` about the listener, what its clients may do, and the app server behind it. */
export const LISTENER_FLAGS = [
  { name: 'tlsCert', type: 'string', description: 'PEM certificate of the listener' },
  { name: 'tlsKey', type: 'string', description: 'PEM key of the listener' },
  {
    name: 'wsAuth',
    type: 'string',
    values: ['capability-token', 'signed-bearer-token'],
    guardsDoor: true,
    description: 'what local clients present in Authorization: Bearer',
    byDefault: 'none: ?token= of the printed URL',
  },
  {
    name: 'wsTokenFile',
    type: 'string',
    guardsDoor: true,
    description: 'file with the capability token, absolute path',
  },
  {
    name: 'wsTokenSha256',
    type: 'string',
    guardsDoor: true,
    mayHoldSecret: true,
    description: 'SHA-256 of the capability token, hex',
    check: checkDigest,
  },
  {
    name: 'wsSharedSecretFile',
    type: 'string',
    guardsDoor: true,
    description: 'file with the secret that signs tokens (HS256), absolute path',
  },
  {
    name: 'wsIssuer',
    type: 'string',
    guardsDoor: true,
    description: 'iss that signed tokens must have',
    check: checkNotBlank,
  },
  {
    name: 'wsAudience',
    type: 'string',
    guardsDoor: true,
    description: 'aud that signed tokens must have',
    check: checkNotBlank,
  },
  {
    name: 'wsMaxClockSkewSeconds',
    type: 'integer',
    min: 0,
    max: 86_400 * 365,
    guardsDoor: true,
    description: 'how far clocks may differ for exp and nbf',
    byDefault: '30',
  },
  {
    name: 'closeOnTokenExpiry',
    type: 'boolean',
    description: 'a connection ends when its signed token does',
  },
  {
    name: 'noTokenCheck',
    type: 'boolean',
    description: 'let in every local program, visibly degraded',
  },
  {
    name: 'allowMethod',
    type: 'list',
    guardsDoor: true,
    description:
      'methods that clients may call and no others, * for anything; listener:, stdio: or remote: before it for one origin (repeatable)',
    check: invalidPatternReason,
  },
  {
    name: 'denyMethod',
    type: 'list',
    guardsDoor: true,
    description: 'methods that clients may not call, likewise (repeatable)',
    check: invalidPatternReason,
  },
  {
    name: 'degradedAuthority',
    type: 'string',
    values: ['limited', 'full'],
    guardsDoor: true,
    description: 'whether degraded connections may change sign-in and remote control',
    byDefault: 'limited',
  },
  {
    name: 'maxConnections',
    type: 'integer',
    min: 1,
    max: 65_536,
    description: 'local connections at a time',
    byDefault: '1024',
  },
  {
    name: 'maxMessageBytes',
    type: 'integer',
    min: 1_024,
    max: 256 * 1024 * 1024,
    description: 'largest message of a local client',
    byDefault: '16777216',
  },
  {
    name: 'appServer',
    type: 'string',
    description:
      'what clients talk to: builtin, ws://HOST:PORT, wss://HOST:PORT, unix://PATH; or a command after --',
    mayHoldSecret: true,
    byDefault: 'builtin',
    check: checkAppServer,
  },
  {
    name: 'appServerTokenFile',
    type: 'string',
    guardsDoor: true,
    description: 'file with the bearer token for that app server, absolute path',
  },
  {
    name: 'appServerMode',
    type: 'string',
    values: ['per-connection', 'shared'],
    description: 'a command: one process for each client, or one that listens on a socket for all',
    byDefault: 'per-connection',
  },
] as const satisfies readonly Setting[];

/** What they come to. */
export interface ListenerFlags {
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly wsAuth?: 'capability-token' | 'signed-bearer-token';
  readonly wsTokenFile?: string;
  readonly wsTokenSha256?: string;
  readonly wsSharedSecretFile?: string;
  readonly wsIssuer?: string;
  readonly wsAudience?: string;
  readonly wsMaxClockSkewSeconds?: number;
  readonly closeOnTokenExpiry?: boolean;
  readonly noTokenCheck?: boolean;
  readonly allowMethod?: readonly string[];
  readonly denyMethod?: readonly string[];
  readonly degradedAuthority?: 'limited' | 'full';
  readonly maxConnections?: number;
  readonly maxMessageBytes?: number;
  readonly appServer?: string;
  readonly appServerTokenFile?: string;
  readonly appServerMode?: 'per-connection' | 'shared';
}
