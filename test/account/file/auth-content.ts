/** Content of auth.json files. */

/** Seconds. */
export const DAY = 86_400;
let minted = 0;

/** Each one differs. */
export function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  minted += 1;
  return `${part({ alg: 'none' })}.${part({ n: minted, ...claims })}.sig`;
}

export const tokenOf = (account: string, ttl = 30 * DAY): string =>
  jwt({
    exp: Math.floor(Date.now() / 1_000) + ttl,
    'https://api.openai.com/auth': { chatgpt_account_id: account },
  });

/** An auth.json with a ChatGPT sign-in. */
export function chatgpt(account: string, token = tokenOf(account)): string {
  return JSON.stringify({
    auth_mode: 'chatgpt',
    OPENAI_API_KEY: null,
    tokens: {
      id_token: token,
      access_token: token,
      refresh_token: `refresh-${account}`,
      account_id: account,
    },
    last_refresh: new Date().toISOString(),
  });
}
