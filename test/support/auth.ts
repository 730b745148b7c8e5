/** Sign-ins as the reference client writes them, with secrets that are marked: each can be found wherever it leaks. */
import { randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';

/** Made for one test and never again, so that finding it proves a leak. Not plain in any encoding. */
export function marked(name: string): string {
  return `${name}+${randomBytes(12).toString('base64url')}/~${randomBytes(6).toString('hex')}=`;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An unsigned JWT; what stands where a signature would be is the mark. */
export function jwt(claims: object, mark: string): string {
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.${mark}`;
}

export interface SignIn {
  readonly accountId: string;
  readonly accessToken: string;
  /** What auth.json holds. */
  readonly json: Readonly<Record<string, unknown>>;
  /** What must not be seen anywhere but in auth.json. */
  readonly secrets: readonly string[];
}

/** A ChatGPT sign-in. `claimed: false` leaves the account id out of the tokens as well as out of the file. */
export function signIn(accountId: string, options: { readonly claimed?: boolean } = {}): SignIn {
  const [access, refresh, id] = [marked('access'), marked('refresh'), marked('id')];
  const auth = {
    chatgpt_user_id: `user-${accountId}`,
    chatgpt_plan_type: 'pro',
    ...(options.claimed === false ? {} : { chatgpt_account_id: accountId }),
  };
  const claims = {
    exp: Math.floor(Date.now() / 1000) + 3_600,
    'https://api.openai.com/auth': auth,
  };
  const accessToken = jwt(claims, access);
  return {
    accountId,
    accessToken,
    json: {
      auth_mode: 'chatgpt',
      OPENAI_API_KEY: null,
      tokens: {
        id_token: jwt(claims, id),
        access_token: accessToken,
        refresh_token: refresh,
        ...(options.claimed === false ? {} : { account_id: accountId }),
      },
      last_refresh: new Date().toISOString(),
    },
    secrets: [access, refresh, id],
  };
}

export function apiKeySignIn(): Pick<SignIn, 'json' | 'secrets'> {
  const key = marked('sk-key');
  return { json: { auth_mode: 'apikey', OPENAI_API_KEY: key, tokens: null }, secrets: [key] };
}

/** Replaces the file as a careful writer does: whole, in one step. */
export async function writeAuth(file: string, content: object | string): Promise<void> {
  const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2);
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
