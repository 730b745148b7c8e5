import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { ClientContext, Origin } from '../protocol/app-server.js';
import { repeatedMember } from '../protocol/json-members.js';

/** Origins that a rule can be for; a unix socket is a listener. WSA-7 */
export const POLICY_ORIGINS = ['listener', 'stdio', 'remote'] as const;
type PolicyOrigin = (typeof POLICY_ORIGINS)[number];

/**
 * What connections may do once they are in. A pattern is a method name in which `*` stands for anything, with
 * `listener:`, `stdio:` or `remote:` before it when it is for one origin only.
 */
export interface PolicyOptions {
  /** Where any is given for an origin, its connections may call nothing else. Default: everything. */
  readonly allowMethods?: readonly string[];
  /** Goes before `allowMethods`. */
  readonly denyMethods?: readonly string[];
  /** `limited`: degraded connections may not change authority or identity. Default `limited`. */
  readonly degradedAuthority?: 'limited' | 'full';
}

/** Why a client may not call a method; null: it may. */
export type Policy = (method: string, client: ClientContext, message?: PolicedMessage) => string | null;

/** What would be handed on, as it was written: an app server may read it otherwise than the engine does. */
export interface PolicedMessage {
  readonly text: string;
}

/** What degraded connections may not call. WSA-7 */
const AUTHORITY_METHODS = [
  'account/login/*',
  'account/logout',
  'remoteControl/enable',
  'remoteControl/disable',
  'remoteControl/pairing/start',
  'remoteControl/client/revoke',
];
/** What belongs to opening a conversation; a connection without it is none. */
const ALWAYS = new Set(['initialize', 'initialized']);

interface Rule {
  readonly shown: string;
  readonly origin: PolicyOrigin | undefined;
  readonly pattern: RegExp;
}

/** Connecting is not permission to act: decides method by method, for every origin. */
export function createPolicy(options: PolicyOptions = {}): Policy {
  const allow = (options.allowMethods ?? []).map(ruleOf);
  const deny = (options.denyMethods ?? []).map(ruleOf);
  const limited = (options.degradedAuthority ?? 'limited') === 'limited';
  const authority = AUTHORITY_METHODS.map(ruleOf);
  const nothingToCheck = allow.length === 0 && deny.length === 0;
  return (method, client, message) => {
    if (nothingToCheck && client.degraded !== true) return null;
    const origin = originOf(client.origin);
    if (origin === undefined) return null;
    // The method that is judged here must be the one that an app server reads, whatever its parser.
    if (message !== undefined && repeatedMember(message.text, { ignoreCase: true }) !== undefined) {
      return refusal(method, 'a member of the message comes twice');
    }
    if (ALWAYS.has(method)) return null;
    const fits = (rule: Rule) =>
      (rule.origin === undefined || rule.origin === origin) && rule.pattern.test(method);
    const denied = deny.find(fits);
    if (denied !== undefined) return refusal(method, `--deny-method ${denied.shown}`);
    const allowed = allow.filter((rule) => rule.origin === undefined || rule.origin === origin);
    if (allowed.length > 0 && !allowed.some(fits)) {
      return refusal(method, `--allow-method ${allowed.map(({ shown }) => shown).join(', ')}`);
    }
    if (limited && client.degraded === true && authority.some(fits)) {
      return refusal(method, '--degraded-authority limited: this connection presented no valid token');
    }
    return null;
  };
}

/** Refusals that are written down in a second; a client that insists must not drive everything else out. */
const REFUSALS_TOLD = 10;

/** The same policy, its refusals in the audit and the log. */
export function auditedPolicy(
  policy: Policy,
  audit: AuditRing,
  log: EngineLogger,
  now: () => number,
): Policy {
  const limit = new RateLimit(REFUSALS_TOLD, 1_000, (count) =>
    log.warn({ reason: 'refusedByPolicy', count }, `${count} more calls refused by policy`),
  );
  return (method, client, message) => {
    const refused = policy(method, client, message);
    if (refused === null || !limit.take()) return refused;
    const shown = method.slice(0, MAX_SHOWN);
    audit.add({
      time: new Date(now()).toISOString(),
      subject: client.connectionId,
      decision: 'refused',
      reason: 'refusedByPolicy',
      detail: shown,
    });
    log.warn(
      { connection: client.connectionId, reason: 'refusedByPolicy', method: shown },
      'call refused by policy',
    );
    return refused;
  };
}

/** Characters of a method name that are repeated to the log. */
const MAX_SHOWN = 100;

/** What is wrong with a pattern; undefined: nothing. */
export function invalidPatternReason(text: string): string | undefined {
  const { rest } = splitOrigin(text);
  return /^[A-Za-z0-9_$*./-]+$/.test(rest)
    ? undefined
    : `must be a method name with * for anything, after ${POLICY_ORIGINS.map((o) => `${o}:`).join(', ')} where it is for one origin`;
}

const refusal = (method: string, policy: string): string =>
  `${method} is refused by the execution policy of this connection (${policy})`;

function ruleOf(text: string): Rule {
  const { origin, rest } = splitOrigin(text);
  const source = rest.split('*').map((part) => part.replace(/[.$?+^()[\]{}|\\]/g, '\\$&'));
  return { shown: text, origin, pattern: new RegExp(`^${source.join('.*')}$`, 's') };
}

function splitOrigin(text: string): { readonly origin: PolicyOrigin | undefined; readonly rest: string } {
  const origin = POLICY_ORIGINS.find((one) => text.startsWith(`${one}:`));
  return { origin, rest: origin === undefined ? text : text.slice(origin.length + 1) };
}

function originOf(origin: Origin): PolicyOrigin | undefined {
  if (origin === 'unix') return 'listener';
  return origin === 'control' ? undefined : origin;
}
