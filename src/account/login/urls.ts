/** The addresses that a browser is sent to: the issuer before the sign-in, the success page after it. */
import { createHash } from 'node:crypto';
import { isRecord } from '../../protocol/jsonrpc.js';
import type { Secret } from '../../protocol/secret.js';
import type { IssuerAddress } from '../issuer/address.js';
import type { GrantedTokens } from '../issuer/authorization-code.js';
import { AUTH_CLAIM, jwtClaims } from '../jwt.js';

/** What a client chooses for its browser sign-in. ACC-23 */
export interface BrowserLoginParams {
  /** `clientInfo.name` of the client. ACC-71 */
  readonly originator: string;
  readonly streamlined: boolean;
  readonly hostedSuccessPage: boolean;
  /** Null: `codex`. */
  readonly appBrand: 'codex' | 'chatgpt' | null;
}

interface AuthorizeParams {
  readonly redirectUri: string;
  readonly state: Secret;
  /** Only its hash is sent. ACC-73 */
  readonly verifier: Secret;
  readonly originator: string;
  /** Null: any workspace. */
  readonly workspaces: readonly string[] | null;
}

const SCOPE = 'openid profile email offline_access api.connectors.read api.connectors.invoke';
const HOSTED_SUCCESS_URL = 'https://chatgpt.com/codex/open-app';
const PLATFORM_URL = 'https://platform.openai.com';

/** Where a person signs in. ACC-71 */
export function authorizeUrl(
  { issuer, clientId }: Pick<IssuerAddress, 'issuer' | 'clientId'>,
  { redirectUri, state, verifier, originator, workspaces }: AuthorizeParams,
): string {
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: createHash('sha256').update(verifier.reveal()).digest('base64url'),
    code_challenge_method: 'S256',
    state: state.reveal(),
    scope: SCOPE,
    id_token_add_organizations: 'true',
    codex_cli_simplified_flow: 'true',
    originator,
    ...(workspaces === null ? {} : { allowed_workspace_id: workspaces.join(',') }),
  });
  return `${issuer}/oauth/authorize?${query}`;
}

/**
 * Where the browser is redirected when the credentials are saved. ACC-76
 * @param port Of the callback server, which serves the local page.
 */
export function successUrl(
  { hostedSuccessPage, appBrand, streamlined }: BrowserLoginParams,
  port: number,
  { idToken, accessToken }: GrantedTokens,
): string {
  if (hostedSuccessPage) {
    return `${HOSTED_SUCCESS_URL}?${new URLSearchParams({ source: 'login', app_brand: appBrand ?? 'codex' })}`;
  }
  const id = authClaims(idToken);
  const needsSetup = id.completed_platform_onboarding !== true && id.is_org_owner === true;
  const query = new URLSearchParams({
    id_token: idToken.reveal(),
    needs_setup: String(needsSetup),
    org_id: stringOf(id.organization_id),
    project_id: stringOf(id.project_id),
    plan_type: stringOf(authClaims(accessToken).chatgpt_plan_type),
    platform_url: PLATFORM_URL,
    ...(streamlined ? { codex_streamlined_login: 'true' } : {}),
  });
  return `http://127.0.0.1:${port}/success?${query}`;
}

function authClaims(token: Secret): Readonly<Record<string, unknown>> {
  const claims = jwtClaims(token.reveal())?.[AUTH_CLAIM];
  return isRecord(claims) ? claims : {};
}

const stringOf = (value: unknown): string => (typeof value === 'string' ? value : '');
