/** The addresses of the issuer, checked once: codes and tokens go only to URLs that a person configured. ACC-72 */
import { shownUrl } from '../../net/target.js';
import { isLoopbackHost } from '../../system/loopback-host.js';

const DEFAULT_ISSUER = 'https://auth.openai.com';
export const DEFAULT_CLIENT_ID = 'app_EMoamEEZ73f0CkXaXp7hrann';

export interface IssuerAddress {
  /** Without a slash at its end. */
  readonly issuer: string;
  readonly clientId: string;
  /** Where refresh tokens are redeemed. ACC-51 */
  readonly refreshUrl: string;
  readonly revokeUrl: string;
}

interface IssuerSettings {
  readonly issuer?: string | undefined;
  readonly clientId?: string | undefined;
}

type ParsedIssuer =
  | { readonly ok: true; readonly address: IssuerAddress }
  | { readonly ok: false; readonly message: string };

/**
 * Settings come before the environment variables of Codex CLI: CODEX_APP_SERVER_LOGIN_ISSUER,
 * CODEX_APP_SERVER_LOGIN_CLIENT_ID, CODEX_REFRESH_TOKEN_URL_OVERRIDE, CODEX_REVOKE_TOKEN_URL_OVERRIDE. An empty
 * variable counts as unset. ACC-51, ACC-55, ACC-72
 */
export function parseIssuer(settings: IssuerSettings, env: NodeJS.ProcessEnv): ParsedIssuer {
  const configured = settings.issuer ?? (env.CODEX_APP_SERVER_LOGIN_ISSUER || DEFAULT_ISSUER);
  const issuer = configured.replace(/\/+$/, '');
  const refreshOverride = env.CODEX_REFRESH_TOKEN_URL_OVERRIDE || undefined;
  const refreshUrl = refreshOverride ?? `${issuer}/oauth/token`;
  const revokeUrl =
    (env.CODEX_REVOKE_TOKEN_URL_OVERRIDE || undefined) ??
    (refreshOverride === undefined ? `${issuer}/oauth/revoke` : withPath(refreshOverride, '/oauth/revoke'));
  for (const [what, url] of [
    ['The issuer', issuer],
    ['CODEX_REFRESH_TOKEN_URL_OVERRIDE', refreshUrl],
    ['CODEX_REVOKE_TOKEN_URL_OVERRIDE', revokeUrl],
  ] as const) {
    const problem = problemOf(url);
    if (problem !== undefined) return { ok: false, message: `${what} ${problem}: ${shownUrl(url)}` };
  }
  const clientId = settings.clientId ?? (env.CODEX_APP_SERVER_LOGIN_CLIENT_ID || DEFAULT_CLIENT_ID);
  return { ok: true, address: { issuer, clientId, refreshUrl, revokeUrl } };
}

function withPath(url: string, path: string): string {
  if (!URL.canParse(url)) return url;
  const other = new URL(url);
  other.pathname = path;
  other.search = '';
  other.hash = '';
  return other.href;
}

/** Why secrets must not be sent to this URL. */
function problemOf(text: string): string | undefined {
  if (!URL.canParse(text)) return 'is not a URL';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'must not contain a user or password';
  if (url.hash !== '') return 'must not contain a fragment';
  if (url.protocol === 'https:') return undefined;
  if (url.protocol === 'http:' && isLoopbackHost(url.hostname)) return undefined;
  return 'must be https, or http to this machine';
}
