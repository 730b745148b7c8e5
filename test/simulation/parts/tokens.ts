/** The access tokens of the simulated issuer: unsigned JSON Web Tokens, which the engine only reads. */

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Each secret of the world contains this, so that one search finds every leak. */
export const MARK = 'sEcReT';

/** `serial` makes it unique. `expires`: Unix seconds. */
export function accessToken(account: string, serial: number, expires: number): string {
  const claims = {
    email: `${account}@example.com`,
    exp: expires,
    jti: String(serial),
    'https://api.openai.com/auth': {
      chatgpt_account_id: account,
      chatgpt_plan_type: 'pro',
      chatgpt_user_id: `user-${account}`,
    },
  };
  return `${part({ alg: 'none' })}.${part(claims)}.${MARK}${serial}`;
}

/** The account of an access token; undefined: it is none. */
export function accountOf(token: string): { readonly account: string; readonly expires: number } | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    if (typeof claims !== 'object' || claims === null || !('email' in claims) || !('exp' in claims))
      return undefined;
    return { account: String(claims.email).replace(/@.*$/, ''), expires: Number(claims.exp) };
  } catch {
    return undefined;
  }
}

/** The content of an account file. */
export function authFile(account: string, access: string, refresh: string, at: number): string {
  return JSON.stringify({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: { id_token: access, access_token: access, refresh_token: refresh, account_id: account },
    last_refresh: new Date(at).toISOString(),
  });
}
