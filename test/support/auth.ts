/** Sign-ins in the format of Codex CLI, with marked secrets, so that a leak can be found. */
import { randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';

/** A new secret each time, so that finding it proves a leak. Its characters change in every encoding. */
export function marked(name: string): string {
  return `${name}+${randomBytes(12).toString('base64url')}/~${randomBytes(6).toString('hex')}=`;
}

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** An unsigned JWT with the mark in place of the signature. */
export function jwt(claims: object, mark: string): string {
  return `${part({ alg: 'none', typ: 'JWT' })}.${part(claims)}.${mark}`;
}

export interface SignIn {
  readonly accountId: string;
  readonly accessToken: string;
  /** Content of auth.json. */
  readonly json: Readonly<Record<string, unknown>>;
  /** Must appear only in auth.json. */
  readonly secrets: readonly string[];
}

/** A ChatGPT sign-in. `claimed: false` leaves the account id out of the tokens as well as out of the file. */
export function signIn(
  accountId: string,
  options: {
    readonly claimed?: boolean;
    /** Unix seconds; default in an hour. */
    readonly exp?: number;
  } = {},
): SignIn {
  const [access, refresh, id] = [marked('access'), marked('refresh'), marked('id')];
  const auth = {
    chatgpt_user_id: `user-${accountId}`,
    chatgpt_plan_type: 'pro',
    ...(options.claimed === false ? {} : { chatgpt_account_id: accountId }),
  };
  const claims = {
    exp: options.exp ?? Math.floor(Date.now() / 1000) + 3_600,
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

/** Replaces the file by rename, as another program does. */
export async function writeAuth(file: string, content: object | string): Promise<void> {
  const text = typeof content === 'string' ? content : JSON.stringify(content, null, 2);
  await writeFile(`${file}.new`, text, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
