/**
 * What each way in may do. Connecting is not permission to act: each method that the engine answers has an entry here,
 * and so has each method of an app server that touches accounts, credentials or devices. `docs/authority.md` is
 * generated from this file.
 */
import type { ClientContext } from '../protocol/app-server.js';
import { isRecord } from '../protocol/jsonrpc.js';

/**
 * How much a client may do, from the least to the most:
 * `degraded` presented no valid token, `remote` is a paired controller, `listener` presented the credential of the
 * listener, `stdio` is the parent process, `control` is the owner at the control socket.
 */
export const AUTHORITIES = ['degraded', 'remote', 'listener', 'stdio', 'control'] as const;
export type Authority = (typeof AUTHORITIES)[number];

export interface AuthorityEntry {
  /** The least authority that may call it. */
  readonly least: Authority;
  /** Why, as docs/authority.md shows it. */
  readonly why: string;
  /** Calls with these params need more. */
  readonly unless?: ParamsCondition;
}

/** A condition on the params of a call. */
export interface ParamsCondition {
  /** As docs/authority.md shows it. */
  readonly shown: string;
  readonly least: Authority;
  readonly test: (params: unknown) => boolean;
}

const has =
  (name: string) =>
  (params: unknown): boolean =>
    isRecord(params) && params[name] !== undefined && params[name] !== null && params[name] !== false;

/** Methods that the engine answers. `MethodTable.add` takes no other name, so a method without an entry does not compile. */
export const ENGINE_METHODS = {
  'account/read': {
    least: 'remote',
    why: 'A controller shows who is signed in. Over `remote` the response has no ids, and `refreshToken` has no effect.',
  },
  getAuthStatus: {
    least: 'remote',
    why: 'A controller shows how the engine is signed in.',
    unless: {
      shown: '`includeToken`',
      least: 'listener',
      test: has('includeToken'),
    },
  },
  'account/login/start': { least: 'listener', why: 'It replaces the account.' },
  'account/login/cancel': { least: 'listener', why: 'It ends a sign-in that somebody else started.' },
  'account/logout': { least: 'listener', why: 'It deletes the account.' },
  'engine/account/read': {
    least: 'listener',
    why: 'It has the ids of the account and the path of its file.',
  },
  'engine/status/read': {
    least: 'degraded',
    why: 'Below `listener` it has the version, the state and the environment id; for a controller also the state of the app server and its reason.',
  },
  'engine/audit/read': { least: 'listener', why: 'It has the decisions about other clients.' },
  'engine/repair': { least: 'control', why: 'It can replace the identity of this machine.' },
  'engine/stop': { least: 'control', why: 'It ends the engine for everybody.' },
  'engine/appServer/probe': {
    least: 'control',
    why: 'It starts an app server, or opens a connection to it.',
  },
  'engine/restart': { least: 'control', why: 'It ends the engine for everybody, and starts it again.' },
  'engine/logs/read': { least: 'control', why: 'The log names peers, paths and accounts.' },
  'engine/connectUrl/read': { least: 'control', why: 'It has the token that the listener requires.' },
  'engine/connectUrl/rotate': { least: 'control', why: 'It replaces the token that the listener requires.' },
  'engine/inspectorLink/create': {
    least: 'control',
    why: 'Its page shows what all charts do.',
  },
  'engine/inspector/attach': {
    least: 'control',
    why: 'It opens a page on this machine that shows what all charts do.',
  },
  'engine/inspector/detach': { least: 'control', why: 'It ends that page.' },
  'engine/metrics/read': { least: 'control', why: 'It counts what all clients do.' },
  'engine/echo': { least: 'degraded', why: 'It returns what it was sent.' },
  'remoteControl/status/read': { least: 'degraded', why: 'Each client gets this status after `initialize`.' },
  'remoteControl/enable': { least: 'listener', why: 'It opens this machine to controllers.' },
  'remoteControl/disable': { least: 'listener', why: 'It cuts off all controllers.' },
  'remoteControl/pairing/start': { least: 'listener', why: 'It lets another controller in.' },
  'remoteControl/pairing/status': { least: 'listener', why: 'It is about a pairing code of the owner.' },
  'remoteControl/client/list': { least: 'listener', why: 'It names the devices of the account.' },
  'remoteControl/client/revoke': { least: 'listener', why: 'It locks out a device of the account.' },
} as const satisfies Readonly<Record<string, AuthorityEntry>>;

export type EngineMethodName = keyof typeof ENGINE_METHODS;

/** Config keys that decide where credentials go, or which are used. */
const CREDENTIAL_KEYS =
  /^(?:chatgpt_base_url|openai_base_url|model_provider|model_providers|preferred_auth_method|forced_login_method|forced_chatgpt_workspace_id|cli_auth_credentials_store|auth\w*|mcp_oauth\w*)(?:\.|$)/i;

/** True when a config write names such a key, however deep it is nested. */
function writesCredentialKey(params: unknown): boolean {
  if (!isRecord(params)) return false;
  const edits: readonly unknown[] = Array.isArray(params.edits) ? params.edits : [params];
  return edits.some((edit) => {
    if (!isRecord(edit) || typeof edit.keyPath !== 'string') return true;
    const path = edit.keyPath.replaceAll(/["'\s]/g, '');
    return path === '' || CREDENTIAL_KEYS.test(path);
  });
}

const CREDENTIAL_CONFIG: ParamsCondition = {
  shown: 'a key that decides where credentials go',
  least: 'listener',
  test: writesCredentialKey,
};

/**
 * Methods of app servers, by pattern (`*` matches anything), the more specific ones first. A new method of a family
 * that is named here is refused until it gets an entry of its own. Other methods belong to the app server.
 */
export const APP_SERVER_METHODS: readonly (AuthorityEntry & { readonly methods: string })[] = [
  { methods: 'account/rateLimits/read', least: 'remote', why: 'It only shows how much of a limit is used.' },
  { methods: 'account/usage/read', least: 'remote', why: 'It only shows how much was used.' },
  { methods: 'account/*', least: 'listener', why: 'It is about the account.' },
  { methods: 'accountSession/*', least: 'listener', why: 'It is about sessions of the account.' },
  { methods: 'authProfile/*', least: 'listener', why: 'It changes which sign-in is used.' },
  { methods: 'auth/*', least: 'listener', why: 'It is about credentials.' },
  { methods: 'userVerification/*', least: 'listener', why: 'It proves who the user is.' },
  { methods: 'gateway/*', least: 'listener', why: 'It signs in to a gateway.' },
  { methods: 'bedrock/*', least: 'listener', why: 'It signs in to Amazon Bedrock.' },
  { methods: 'gcp/*', least: 'listener', why: 'It signs in to Google Cloud.' },
  { methods: 'device/*', least: 'listener', why: 'It uses the keys of this machine.' },
  { methods: 'deviceKey/*', least: 'listener', why: 'It uses the keys of this machine.' },
  { methods: 'mcpServer/oauth/*', least: 'listener', why: 'It signs an MCP server in.' },
  {
    methods: 'modelProvider/capabilities/read',
    least: 'degraded',
    why: 'It only lists what a provider can do.',
  },
  { methods: 'modelProvider/*', least: 'listener', why: 'It changes where credentials are sent.' },
  {
    methods: 'config/value/write',
    least: 'degraded',
    why: 'It configures the app server.',
    unless: CREDENTIAL_CONFIG,
  },
  {
    methods: 'config/batchWrite',
    least: 'degraded',
    why: 'It configures the app server.',
    unless: CREDENTIAL_CONFIG,
  },
  { methods: 'loginApiKey', least: 'listener', why: 'The old name of a sign-in.' },
  { methods: 'loginChatGpt', least: 'listener', why: 'The old name of a sign-in.' },
  { methods: 'cancelLoginChatGpt', least: 'listener', why: 'The old name of a cancelled sign-in.' },
  { methods: 'logoutChatGpt', least: 'listener', why: 'The old name of a sign-out.' },
  { methods: 'remoteControl/*', least: 'listener', why: 'It is about controllers of this machine.' },
  { methods: 'engine/*', least: 'control', why: 'The name belongs to the engine.' },
];

/** Notifications of the engine that not every client gets; all others go to everyone. */
const NOTIFICATIONS: readonly (readonly [RegExp, Authority])[] = [
  [/^account\/login\//, 'listener'],
  [/^account\//, 'remote'],
];

const rank = (authority: Authority): number => AUTHORITIES.indexOf(authority);

/** True when `held` is at least `least`. */
export const covers = (held: Authority, least: Authority): boolean => rank(held) >= rank(least);

/** The authority of a client. A unix socket is a listener. The engine itself calls no method of the engine. */
export function authorityOf({ origin, degraded }: ClientContext): Authority {
  if (degraded === true || origin === 'engine') return 'degraded';
  return origin === 'unix' ? 'listener' : origin;
}

/** True when a client of this authority gets a notification of the engine. */
export function mayReceive(held: Authority, method: string): boolean {
  const rule = NOTIFICATIONS.find(([pattern]) => pattern.test(method));
  return rule === undefined || covers(held, rule[1]);
}

// An app server may ignore case.
const patterns = APP_SERVER_METHODS.map((entry) => ({ entry, pattern: methodPattern(entry.methods, 'i') }));

/** A pattern of method names: `*` matches anything. */
export function methodPattern(source: string, flags = ''): RegExp {
  const parts = source.split('*').map((part) => part.replace(/[.$?+^()[\]{}|\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`, `s${flags}`);
}

const engineMethods: ReadonlyMap<string, AuthorityEntry> = new Map(
  Object.entries(ENGINE_METHODS).map(([name, entry]) => [name.toLowerCase(), entry]),
);

/** First parts of all names above: most calls are of another family, and need no search. */
const families: ReadonlySet<string> = new Set(
  [...engineMethods.keys(), ...APP_SERVER_METHODS.map(({ methods }) => methods.toLowerCase())].map(familyOf),
);

function familyOf(method: string): string {
  const slash = method.indexOf('/');
  return slash === -1 ? method : method.slice(0, slash);
}

/**
 * The least authority that a call needs.
 * @param params called only where the entry has a condition on them
 * @param forAgent the agent answers it: what the engine's own answer would leave out is not left out
 * @example neededAuthority('account/logout', () => ({})) // 'listener'
 */
export function neededAuthority(method: string, params: () => unknown, forAgent = false): Authority {
  if (!families.has(familyOf(method).toLowerCase())) return 'degraded';
  const own = engineMethods.get(method.toLowerCase());
  if (forAgent && own !== undefined) return covers('listener', own.least) ? 'listener' : own.least;
  const entry = own ?? patterns.find(({ pattern }) => pattern.test(method))?.entry;
  if (entry === undefined) return 'degraded';
  const { least, unless } = entry;
  return unless?.test(params()) === true ? unless.least : least;
}
