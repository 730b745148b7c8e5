import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { ClientContext, Origin } from '../protocol/app-server.js';
import { repeatedMember } from '../protocol/json-members.js';

/** Origins that a rule can apply to; `listener` includes unix sockets. WSA-7 */
const POLICY_ORIGINS = ['listener', 'stdio', 'remote'] as const;
type PolicyOrigin = (typeof POLICY_ORIGINS)[number];

/**
 * Which methods connected clients may call. A pattern is a method name in which `*` matches anything; the prefix
 * `listener:`, `stdio:` or `remote:` limits it to one origin.
 * @example { denyMethods: ['remote:command/*', 'account/logout'] }
 */
export interface PolicyOptions {
  /** If any pattern applies to an origin, its clients may call matching methods only. Default: all methods. */
  readonly allowMethods?: readonly string[];
  /** Methods that are refused, even when `allowMethods` matches. Default: none. */
  readonly denyMethods?: readonly string[];
  /** `limited`: degraded connections may not change sign-in, pairing or remote control. Default: `limited`. */
  readonly degradedAuthority?: 'limited' | 'full';
}

/** Why a client may not call a method, for people; null: it may. */
export type Policy = (method: string, client: ClientContext, message?: PolicedMessage) => string | null;

/** The message as written: an app server may parse it differently from the engine. */
interface PolicedMessage {
  readonly text: string;
}

/** Methods that degraded connections may not call. WSA-7 */
const DEGRADED_DENIED_METHODS = [
  'account/login/*',
  'account/logout',
  'remoteControl/enable',
  'remoteControl/disable',
  'remoteControl/pairing/start',
  'remoteControl/client/revoke',
];
/** Never refused: a connection is useless without them. */
const ALWAYS_ALLOWED = new Set(['initialize', 'initialized']);

interface Rule {
  /** As the user wrote it. */
  readonly source: string;
  readonly origin: PolicyOrigin | undefined;
  readonly pattern: RegExp;
}

/** A connected client is not allowed to do everything: the policy decides for each method and origin. */
export function createPolicy(options: PolicyOptions = {}): Policy {
  const allow = (options.allowMethods ?? []).map(ruleOf);
  const deny = (options.denyMethods ?? []).map(ruleOf);
  const limited = (options.degradedAuthority ?? 'limited') === 'limited';
  const degradedDenied = DEGRADED_DENIED_METHODS.map(ruleOf);
  const unrestricted = allow.length === 0 && deny.length === 0;
  return (method, client, message) => {
    if (unrestricted && client.degraded !== true) return null;
    const origin = originOf(client.origin);
    if (origin === undefined) return null;
    // With a repeated member an app server could read another method than the one that is checked here.
    if (message !== undefined && repeatedMember(message.text, { ignoreCase: true }) !== undefined) {
      return refusal(method, 'a member of the message is repeated');
    }
    if (ALWAYS_ALLOWED.has(method)) return null;
    const matches = (rule: Rule) =>
      (rule.origin === undefined || rule.origin === origin) && rule.pattern.test(method);
    const denied = deny.find(matches);
    if (denied !== undefined) return refusal(method, `--deny-method ${denied.source}`);
    const allowed = allow.filter((rule) => rule.origin === undefined || rule.origin === origin);
    if (allowed.length > 0 && !allowed.some(matches)) {
      return refusal(method, `--allow-method ${allowed.map(({ source }) => source).join(', ')}`);
    }
    if (limited && client.degraded === true && degradedDenied.some(matches)) {
      return refusal(method, '--degraded-authority limited: this connection presented no valid token');
    }
    return null;
  };
}

/** Refusals recorded per second: a client that repeats its call must not fill the audit and the log. */
const REFUSALS_RECORDED = 10;
/** Characters of a method name that are recorded. */
const MAX_NAME = 100;

/** Adds a record to the audit and the log for each refusal of a policy. */
export function auditedPolicy(
  policy: Policy,
  audit: AuditRing,
  log: EngineLogger,
  now: () => number,
): Policy {
  const limit = new RateLimit(REFUSALS_RECORDED, 1_000, (count) =>
    log.warn({ reason: 'refusedByPolicy', count }, `${count} more calls refused by policy`),
  );
  return (method, client, message) => {
    const refused = policy(method, client, message);
    if (refused === null || !limit.take()) return refused;
    const name = method.slice(0, MAX_NAME);
    audit.add({
      time: new Date(now()).toISOString(),
      subject: client.connectionId,
      decision: 'refused',
      reason: 'refusedByPolicy',
      detail: name,
    });
    log.warn(
      { connection: client.connectionId, reason: 'refusedByPolicy', method: name },
      'call refused by policy',
    );
    return refused;
  };
}

/** Why a pattern is invalid, for people; undefined: it is valid. */
export function invalidPatternReason(text: string): string | undefined {
  const { rest } = splitOrigin(text);
  return /^[A-Za-z0-9_$*./-]+$/.test(rest)
    ? undefined
    : `must be a method name in which * matches anything, optionally after ${POLICY_ORIGINS.map((o) => `${o}:`).join(', ')} for one origin`;
}

const refusal = (method: string, policy: string): string =>
  `${method} is refused by the execution policy of this connection (${policy})`;

function ruleOf(text: string): Rule {
  const { origin, rest } = splitOrigin(text);
  const regex = rest.split('*').map((part) => part.replace(/[.$?+^()[\]{}|\\]/g, '\\$&'));
  return { source: text, origin, pattern: new RegExp(`^${regex.join('.*')}$`, 's') };
}

function splitOrigin(text: string): { readonly origin: PolicyOrigin | undefined; readonly rest: string } {
  const origin = POLICY_ORIGINS.find((one) => text.startsWith(`${one}:`));
  return { origin, rest: origin === undefined ? text : text.slice(origin.length + 1) };
}

function originOf(origin: Origin): PolicyOrigin | undefined {
  if (origin === 'unix') return 'listener';
  return origin === 'control' ? undefined : origin;
}
