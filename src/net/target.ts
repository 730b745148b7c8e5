/** The backend that credentials may be sent to: checks the base URL and derives each address from it. RC-1, RC-2 */

import { isLoopbackHost } from '../system/loopback-host.js';

/** Addresses of one backend. Only `parseTarget` makes one, so every Target has passed the check. */
export interface Target {
  /** With a trailing slash. */
  readonly baseUrl: string;
  readonly enroll: string;
  readonly refresh: string;
  readonly pair: string;
  readonly pairStatus: string;
  readonly socketUrl: string;
  /** The key of this backend in the enrollment store: the socket URL. RC-5 */
  readonly key: string;
  /** @throws RangeError for an id that is not a path segment */
  controllers(environmentId: string): string;
  controller(environmentId: string, clientId: string): string;
}

export type ParsedTarget =
  | { readonly ok: true; readonly target: Target }
  | { readonly ok: false; readonly reason: 'targetRefused'; readonly message: string };

interface TargetPolicy {
  /** Further hosts allowed with https, each `host` (any port) or `host:port`. `--allow-host` */
  readonly allowHosts: readonly string[];
}

const SERVER = 'wham/remote/control/server';
const ENVIRONMENTS = 'wham/remote/control/environments';
const OWN_HOSTS = ['chatgpt.com', 'chatgpt-staging.com'];
const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const AUTHORITY = new RegExp(`^(?:(?:${LABEL}\\.)*${LABEL}|\\[[0-9a-f:.]+\\])(?::[0-9]{1,5})?$`);
const SHOWN_LIMIT = 200;

export function parseTarget(baseUrl: string, policy: TargetPolicy): ParsedTarget {
  const problem = findProblem(baseUrl, policy);
  if (problem !== undefined) return refusal(baseUrl, problem, policy);
  const url = new URL(baseUrl);
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  return { ok: true, target: targetOf(url) };
}

/** True when the id can be one segment of a path. `.` and `..` lead to another route, however they are encoded. RC-49 */
export function isPathSegment(id: string): boolean {
  return id !== '' && id !== '.' && id !== '..' && !/\p{Surrogate}/u.test(id);
}

/** The host of an `--allow-host` entry in the form used for comparison; undefined when the entry is not a host. */
export function normalizeAllowedHost(entry: string): string | undefined {
  const text = entry.toLowerCase();
  const url =
    AUTHORITY.test(text) && URL.canParse(`https://${text}/`) ? new URL(`https://${text}/`) : undefined;
  if (url === undefined || !text.startsWith(url.hostname)) return undefined;
  // URL drops the default port, but an entry with that port allows that port only.
  return text.length > url.hostname.length ? `${url.hostname}:${portOf(url)}` : url.hostname;
}

/** A URL for messages: one line, bounded, without userinfo, query and fragment, which may contain secrets. */
export function shownUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  let shown: string;
  if (url !== undefined && /^(?:https?|wss?):$/.test(url.protocol)) {
    shown = `${url.protocol}//${url.host}${url.pathname}`;
  } else {
    // Not a URL: everything before the last @ may be a password.
    const rest = text.slice(text.lastIndexOf('@') + 1);
    const scheme = /^[a-z][a-z0-9+.-]*:\/\//i.exec(text)?.[0] ?? '';
    shown = (rest === text ? text : scheme + rest).replace(/[?#].*$/s, '');
  }
  shown = shown.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Surrogate}]/gu, '\uFFFD');
  return shown.length > SHOWN_LIMIT ? `${shown.slice(0, SHOWN_LIMIT)}…` : shown;
}

/** Why credentials may not be sent there; undefined when they may. */
function findProblem(text: string, policy: TargetPolicy): string | undefined {
  if (!URL.canParse(text)) return 'it is not a URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'its scheme is neither https nor http';
  // URL repairs its input (spaces, backslashes, missing slashes, odd spellings of a host). The engine must contact
  // exactly the host that a person reads, so a URL that needs repair is refused.
  const authority = /^https?:\/\/([^/\\?#]*)/i.exec(text)?.[1];
  if (authority === undefined || /[\s\\\p{Cc}]/u.test(text))
    return 'it contains spaces, backslashes or control characters, or lacks the slashes after its scheme';
  if (authority.includes('@')) return 'it contains a user or password';
  if (!AUTHORITY.test(authority.toLowerCase())) return 'its host is not a host name or address';
  const written = authority.toLowerCase().replace(/:\d*$/, '');
  if (written !== url.hostname) return `its host must be written ${url.hostname}`;
  if (url.port === '0') return 'it has port 0';
  if (/[?#]/.test(text)) return 'it has a query or fragment';
  if (isLoopbackHost(url.hostname)) return undefined;
  if (!isAllowedRemote(url, policy)) return 'its host is not allowed';
  return url.protocol === 'https:' ? undefined : 'only https is allowed to other machines';
}

function isAllowedRemote(url: URL, policy: TargetPolicy): boolean {
  const { hostname } = url;
  if (OWN_HOSTS.some((own) => hostname === own || hostname.endsWith(`.${own}`))) return true;
  return policy.allowHosts.some((entry) => {
    const allowed = normalizeAllowedHost(entry);
    return allowed === hostname || allowed === `${hostname}:${portOf(url)}`;
  });
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

function refusal(text: string, problem: string, policy: TargetPolicy): ParsedTarget {
  const allowed = policy.allowHosts.length === 0 ? 'none' : policy.allowHosts.map(shownUrl).join(', ');
  return {
    ok: false,
    reason: 'targetRefused',
    message:
      `base URL ${shownUrl(text)} is refused: ${problem}. Allowed are https to ${OWN_HOSTS.join(', ')} and ` +
      `their subdomains, http or https to localhost, 127.0.0.0/8 and [::1], and https to hosts named with ` +
      `--allow-host (now: ${allowed})`,
  };
}

function targetOf(base: URL): Target {
  const at = (path: string): string => new URL(path, base).href;
  const socket = new URL(SERVER, base);
  socket.protocol = base.protocol === 'https:' ? 'wss:' : 'ws:';
  const segment = (id: string): string => {
    if (!isPathSegment(id)) throw new RangeError('this id is not a path segment');
    return encodeURIComponent(id);
  };
  const controllers = (environmentId: string): string =>
    at(`${ENVIRONMENTS}/${segment(environmentId)}/clients`);
  return {
    baseUrl: base.href,
    enroll: at(`${SERVER}/enroll`),
    refresh: at(`${SERVER}/refresh`),
    pair: at(`${SERVER}/pair`),
    pairStatus: at(`${SERVER}/pair/status`),
    socketUrl: socket.href,
    key: socket.href,
    controllers,
    controller: (environmentId, clientId) => `${controllers(environmentId)}/${segment(clientId)}`,
  };
}
