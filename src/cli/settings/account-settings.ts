import type { AccountOptions } from '../../account/setup.js';
import { EngineError } from '../../protocol/errors.js';
import { Secret } from '../../protocol/secret.js';

/** Settings of the account, for `start` and for the commands that sign in and out. */
export const ACCOUNT_SETTINGS = [
  {
    name: 'authFile',
    type: 'string',
    description: 'account file in the reference format',
    byDefault: '<home>/auth.json',
  },
  {
    name: 'authStore',
    type: 'string',
    description: 'where a sign-in is kept: the account file, or memory only (file | auto | ephemeral)',
    byDefault: 'file',
    check: (value: string): string | undefined => {
      if (['file', 'auto', 'ephemeral'].includes(value)) return undefined;
      const why = value === 'keyring' ? ' (this program does not use the keyring of the system)' : '';
      return `must be file, auto or ephemeral${why}`;
    },
  },
  {
    name: 'issuer',
    type: 'string',
    description: 'OAuth issuer that people sign in at',
    byDefault: 'https://auth.openai.com',
  },
  {
    name: 'clientId',
    type: 'string',
    description: 'OAuth client id',
    byDefault: 'that of the reference client',
  },
  {
    name: 'forcedWorkspace',
    type: 'list',
    guardsDoor: true,
    description: 'only these workspaces may sign in, ID[,ID] (repeatable)',
    check: (value: string): string | undefined =>
      value.split(',').every((id) => /^[\x21-\x7e]+$/.test(id.trim())) ? undefined : 'must be ID[,ID]',
  },
  {
    name: 'forcedLoginMethod',
    type: 'string',
    values: ['api', 'chatgpt'],
    guardsDoor: true,
    description: 'the only way to sign in that is allowed',
  },
  {
    name: 'workspaceRouting',
    type: 'boolean',
    description: 'look up the workspace before a sign-in counts as complete',
  },
] as const;

export interface AccountSettings {
  readonly authFile?: string;
  /** `auto` is the file: it says "a keyring if there is one". ACC-57 */
  readonly authStore?: 'file' | 'auto' | 'ephemeral';
  readonly issuer?: string;
  readonly clientId?: string;
  readonly forcedWorkspace?: readonly string[];
  readonly forcedLoginMethod?: 'api' | 'chatgpt';
  readonly workspaceRouting?: boolean;
}

export function accountOptionsOf(settings: AccountSettings): AccountOptions {
  const { authFile, authStore, issuer, clientId, forcedWorkspace, forcedLoginMethod, workspaceRouting } =
    settings;
  return {
    ...(authStore === 'ephemeral' ? { authStore } : {}),
    ...(authFile === undefined ? {} : { authFile }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(clientId === undefined ? {} : { clientId }),
    ...(forcedWorkspace === undefined
      ? {}
      : { forcedWorkspaces: forcedWorkspace.flatMap((ids) => ids.split(',').map((id) => id.trim())) }),
    ...(forcedLoginMethod === undefined ? {} : { forcedLoginMethod }),
    ...(workspaceRouting === undefined ? {} : { workspaceRouting }),
  };
}

/**
 * RC_ENGINE_ACCESS_TOKEN, with RC_ENGINE_ACCOUNT_ID where the token does not name its account. Taken out of the
 * environment, so that no child process inherits it.
 */
export function takeGivenToken(env: NodeJS.ProcessEnv): Pick<AccountOptions, 'accessToken'> {
  const { RC_ENGINE_ACCESS_TOKEN: token, RC_ENGINE_ACCOUNT_ID: accountId } = env;
  delete env.RC_ENGINE_ACCESS_TOKEN;
  if (token === undefined || token === '') return {};
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new EngineError('usage', 'RC_ENGINE_ACCESS_TOKEN holds characters that no token has.');
  }
  return { accessToken: { token: new Secret(token), accountId: accountId || undefined } };
}
