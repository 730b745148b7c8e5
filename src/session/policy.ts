import type { AuditRing } from '../observe/audit.js';
import type { EngineLogger } from '../observe/logger.js';
import { peerText } from '../observe/peer-text.js';
import { RateLimit } from '../observe/rate-limit.js';
import type { ClientContext } from '../protocol/app-server.js';
import { type Authority, authorityOf, covers, methodPattern, neededAuthority } from './authority-table.js';

/** Origins that a rule can apply to; `listener` includes unix sockets and degraded connections. WSA-7 */
const POLICY_ORIGINS = ['listener', 'stdio', 'remote', 'degraded'] as const;
type PolicyOrigin = (typeof POLICY_ORIGINS)[number];

/**
 * Which methods connected clients may call. A pattern is a method name in which `*` matches anything; the prefix
 * `listener:`, `stdio:`, `remote:` or `degraded:` limits it to one origin.
 * @example { denyMethods: ['remote:command/*', 'account/logout'] }
 */
export interface PolicyOptions {
  /**
   * If any pattern applies to an origin, its clients may call matching methods only. Default: all methods that
   * docs/authority.md grants them. A pattern that names one method, or one with a prefix, also grants what that table
   * refuses: `remote:account/logout` lets controllers sign the engine out.
   */
  readonly allowMethods?: readonly string[];
  /** Methods that are refused, even when `allowMethods` matches. Default: none. */
  readonly denyMethods?: readonly string[];
  /** `full`: degraded connections may do what the listener's clients may. Default: `limited`, as docs/authority.md says. */
  readonly degradedAuthority?: 'limited' | 'full';
  /** `full`: controllers may do what the listener's clients may. Default: `limited`, as docs/authority.md says. */
  readonly remoteAuthority?: 'limited' | 'full';
}

/** Decides what a client may do. */
export interface Policy {
  /**
   * Why a client may not send a message, for people; null: it may.
   * @param method null for a response
   */
  (method: string | null, client: ClientContext, message?: PolicedMessage): string | null;
  /** The authority of a client, with what the options add to it. */
  readonly authorityOf: (client: ClientContext) => Authority;
}

/** A message, as far as a policy needs it. */
export interface PolicedMessage {
  /** Why an app server could read another message than the engine; null: it could not. */
  readonly ambiguous: string | null;
  readonly params: unknown;
  /** The agent answers it, also where the engine has a method of this name. WSA-43 */
  readonly forAgent?: boolean;
}

/** Never refused: a connection is useless without them. */
const ALWAYS_ALLOWED = new Set(['initialize', 'initialized', 'notifications/initialized', 'server/discover']);

interface Rule {
  /** As the user wrote it. */
  readonly source: string;
  readonly origin: PolicyOrigin | undefined;
  readonly pattern: RegExp;
  /** Grants what the authority table refuses: it names one method, or one origin. */
  readonly explicit: boolean;
}

/** A connected client is not allowed to do everything: the policy decides for each method and origin. */
export function createPolicy(options: PolicyOptions = {}): Policy {
  const allow = (options.allowMethods ?? []).map(ruleOf);
  const deny = (options.denyMethods ?? []).map(ruleOf);
  const withOptions = (client: ClientContext): Authority => {
    const authority = authorityOf(client);
    if (authority === 'degraded' && options.degradedAuthority === 'full') return 'listener';
    return authority === 'remote' && options.remoteAuthority === 'full' ? 'listener' : authority;
  };
  const unrestricted = allow.length === 0 && deny.length === 0;
  const decide = (method: string | null, client: ClientContext, message?: PolicedMessage): string | null => {
    if (client.origin === 'control') return null;
    const authority = withOptions(client);
    // An app server could read another message than the one that is checked here.
    const checked = !unrestricted || !covers(authority, 'listener');
    if (checked && message !== undefined && message.ambiguous !== null) {
      return refusal(method ?? 'a response', message.ambiguous);
    }
    if (method === null || ALWAYS_ALLOWED.has(method)) return null;
    const origins = originsOf(client);
    const applies = ({ origin }: Rule) => origin === undefined || origins.includes(origin);
    const matches = (rule: Rule) => applies(rule) && rule.pattern.test(method);
    const denied = deny.find(matches);
    if (denied !== undefined) return refusal(method, `--deny-method ${denied.source}`);
    const allowed = allow.filter(applies);
    if (allowed.length > 0 && !allowed.some(matches)) {
      return refusal(method, `--allow-method ${allowed.map(({ source }) => source).join(', ')}`);
    }
    const least = neededAuthority(method, () => message?.params, message?.forAgent);
    if (covers(authority, least) || allowed.some((rule) => rule.explicit && matches(rule))) return null;
    return refusal(method, refusedBy(authority, least));
  };
  return Object.assign(decide, { authorityOf: withOptions });
}

/** Refuses nothing: for a process that serves only its own owner. */
export const ALLOW_ALL: Policy = Object.assign(() => null, { authorityOf });

/** Which setting refuses, and what would allow it. */
function refusedBy(authority: Authority, least: Authority): string {
  if (authority === 'degraded') {
    return '--degraded-authority limited: this connection presented no valid token';
  }
  if (authority === 'remote' && least !== 'control') {
    return '--remote-authority limited: a controller may not do this';
  }
  return least === 'control'
    ? 'only the control socket of the home may do this'
    : `needs the authority ${least}`;
}

/** Refusals recorded per second: a client that repeats its call must not fill the audit and the log. */
const REFUSALS_RECORDED = 10;
/** Bytes of a method name that are recorded. */
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
  const audited = (method: string | null, client: ClientContext, message?: PolicedMessage): string | null => {
    const refused = policy(method, client, message);
    if (refused === null || !limit.take()) return refused;
    const name = peerText(method ?? 'a response', MAX_NAME);
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
  return Object.assign(audited, { authorityOf: policy.authorityOf });
}

/** Why a pattern is invalid, for people; undefined: it is valid. */
export function invalidPatternReason(text: string): string | undefined {
  const { rest } = splitOrigin(text);
  return /^[A-Za-z0-9_$*./-]+$/.test(rest)
    ? undefined
    : `must be a method name in which * matches anything, optionally after ${POLICY_ORIGINS.map((o) => `${o}:`).join(', ')} for one origin`;
}

const refusal = (method: string, policy: string): string =>
  `${peerText(method)} is refused by the execution policy of this connection (${policy})`;

function ruleOf(text: string): Rule {
  const { origin, rest } = splitOrigin(text);
  const explicit = origin !== undefined || !rest.includes('*');
  return { source: text, origin, pattern: methodPattern(rest), explicit };
}

function splitOrigin(text: string): { readonly origin: PolicyOrigin | undefined; readonly rest: string } {
  const origin = POLICY_ORIGINS.find((one) => text.startsWith(`${one}:`));
  return { origin, rest: origin === undefined ? text : text.slice(origin.length + 1) };
}

/** The origins whose rules apply to a client; never called for the control socket. */
function originsOf({ origin, degraded }: ClientContext): readonly PolicyOrigin[] {
  if (origin === 'stdio' || origin === 'remote') return [origin];
  return degraded === true ? ['listener', 'degraded'] : ['listener'];
}
