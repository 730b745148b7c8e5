import { parseListenUrl } from '../../listener/address.js';
import { AGENT_PROTOCOL_SETTINGS, type AgentProtocolSetting } from '../../protocol/agent-protocol.js';
import { invalidPatternReason } from '../../session/policy.js';
import type { Setting } from './setting.js';

const checkAppServer = (value: string): string | undefined =>
  value === 'builtin' || /^(?:wss?|unix):\/\/./.test(value)
    ? undefined
    : 'must be builtin, ws://HOST:PORT, wss://HOST:PORT or unix://PATH (a command is given after --)';

const checkDigest = (value: string): string | undefined =>
  /^[0-9a-fA-F]{64}$/.test(value) ? undefined : 'must be exactly 64 hex digits';

/** A token of HTTP. */
const checkToken = (value: string): string | undefined =>
  /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(value) ? undefined : 'must be a name without spaces, such as mcp';

const checkMetricsListen = (value: string): string | undefined =>
  parseMetricsListen(value) === undefined ? 'must be IP:PORT, such as 127.0.0.1:9464' : undefined;

/** The address of the metrics; undefined: it is not one. */
export function parseMetricsListen(
  value: string,
): { readonly host: string; readonly port: number } | undefined {
  const address = parseListenUrl(`ws://${value}`);
  return 'invalid' in address || address.kind !== 'tcp'
    ? undefined
    : { host: address.host, port: address.port };
}

const checkNotBlank = (value: string): string | undefined =>
  value.trim() === '' ? 'must not be blank' : undefined;

/** Settings of the local listener, of what its clients may do, and of the app server behind it. */
export const LISTENER_SETTINGS = [
  { name: 'tlsCert', type: 'string', description: 'PEM file with the certificate of the listener' },
  { name: 'tlsKey', type: 'string', description: 'PEM file with the private key of the listener' },
  {
    name: 'wsAuth',
    type: 'string',
    values: ['capability-token', 'signed-bearer-token', 'filesystem'],
    securitySensitive: true,
    description:
      'Authority of the listener: the token that local clients send in Authorization: Bearer, or for unix:// a directory that only you can enter (filesystem)',
    default: 'filesystem with unix://, otherwise the token in the printed URL',
  },
  {
    name: 'wsTokenFile',
    type: 'string',
    securitySensitive: true,
    description: 'File with the capability token, absolute path',
  },
  {
    name: 'wsTokenSha256',
    type: 'string',
    securitySensitive: true,
    mayHoldSecret: true,
    description: 'SHA-256 of the capability token, in hex',
    check: checkDigest,
  },
  {
    name: 'wsSharedSecretFile',
    type: 'string',
    securitySensitive: true,
    description: 'File with the secret that signs bearer tokens (HS256), absolute path',
  },
  {
    name: 'wsIssuer',
    type: 'string',
    securitySensitive: true,
    description: 'Required issuer (iss) of signed tokens',
    check: checkNotBlank,
  },
  {
    name: 'wsAudience',
    type: 'string',
    securitySensitive: true,
    description: 'Required audience (aud) of signed tokens',
    check: checkNotBlank,
  },
  {
    name: 'wsMaxClockSkewSeconds',
    type: 'integer',
    min: 0,
    max: 86_400 * 365,
    securitySensitive: true,
    description: 'Allowed clock difference for exp and nbf, in seconds',
    default: '30',
  },
  {
    name: 'closeOnTokenExpiry',
    type: 'boolean',
    description: 'Close a connection when its signed token expires',
  },
  {
    name: 'noTokenCheck',
    type: 'boolean',
    description: 'Also accept connections without the token in the URL, as degraded connections',
  },
  {
    name: 'allowMethod',
    type: 'list',
    securitySensitive: true,
    description:
      'Allow only these JSON-RPC methods; * matches anything, a prefix listener:, stdio:, remote: or degraded: limits the rule to one origin (repeatable)',
    check: invalidPatternReason,
  },
  {
    name: 'denyMethod',
    type: 'list',
    securitySensitive: true,
    description: 'Refuse these JSON-RPC methods; the same patterns as --allow-method (repeatable)',
    check: invalidPatternReason,
  },
  {
    name: 'degradedAuthority',
    type: 'string',
    values: ['limited', 'full'],
    securitySensitive: true,
    description:
      'What degraded connections may do: what docs/authority.md grants them (limited), or all that a client with the token may (full)',
    default: 'limited',
  },
  {
    name: 'remoteAuthority',
    type: 'string',
    values: ['limited', 'full'],
    securitySensitive: true,
    description:
      'What controllers may do: use the app server but not the account or this machine (limited), or all that a local client may (full)',
    default: 'limited',
  },
  {
    name: 'maxConnections',
    type: 'integer',
    min: 1,
    max: 65_536,
    description: 'Most local connections at the same time',
    default: '1024',
  },
  {
    name: 'maxMessageBytes',
    type: 'integer',
    min: 1_024,
    max: 256 * 1024 * 1024,
    description: 'Largest message from a local client, in bytes',
    default: '16777216',
  },
  {
    name: 'wsSubprotocol',
    type: 'list',
    description: 'WebSocket subprotocol to select when a client offers it; mcp always is (repeatable)',
    check: checkToken,
  },
  {
    name: 'appServer',
    type: 'string',
    description:
      'App server that clients talk to: builtin, ws://HOST:PORT, wss://HOST:PORT or unix://PATH; give a command after --',
    mayHoldSecret: true,
    default: 'builtin',
    check: checkAppServer,
  },
  {
    name: 'appServerTokenFile',
    type: 'string',
    securitySensitive: true,
    description: 'File with the bearer token for the app server, absolute path',
  },
  {
    name: 'appServerProtocol',
    type: 'string',
    values: AGENT_PROTOCOL_SETTINGS,
    description:
      'What the app server speaks: codex, mcp, acp, any other JSON-RPC (raw), or what its command and its clients say (auto)',
    default: 'auto',
  },
  {
    name: 'appServerMode',
    type: 'string',
    values: ['shared', 'per-client', 'per-connection'],
    description:
      'For a command after --: one process for all clients, or one for each. per-connection means per-client',
    default: 'shared for codex app-server and with {socket} in its arguments, else per-client',
  },
  {
    name: 'metrics',
    type: 'boolean',
    securitySensitive: true,
    description: 'Serve metrics for Prometheus at /metrics of the listener, to programs with its credential',
  },
  {
    name: 'metricsListen',
    type: 'string',
    securitySensitive: true,
    description: 'Address that serves metrics for Prometheus at /metrics: IP:PORT (port 0 for any free one)',
    default: 'no metrics',
    check: checkMetricsListen,
  },
  {
    name: 'metricsTokenFile',
    type: 'string',
    securitySensitive: true,
    description:
      'File with the bearer token of the metrics, absolute path; needed when other machines can reach them',
  },
] as const satisfies readonly Setting[];

/** The values of `LISTENER_SETTINGS`. */
export interface ListenerSettings {
  readonly metrics?: boolean;
  readonly metricsListen?: string;
  readonly metricsTokenFile?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly wsAuth?: 'capability-token' | 'signed-bearer-token' | 'filesystem';
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
  readonly remoteAuthority?: 'limited' | 'full';
  readonly maxConnections?: number;
  readonly maxMessageBytes?: number;
  readonly appServer?: string;
  readonly appServerTokenFile?: string;
  readonly appServerProtocol?: AgentProtocolSetting;
  readonly wsSubprotocol?: readonly string[];
  readonly appServerMode?: 'shared' | 'per-client' | 'per-connection';
}
