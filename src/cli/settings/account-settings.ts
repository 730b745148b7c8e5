import type { AccountOptions } from '../../account/options.js';
import { Secret } from '../../protocol/secret.js';
import { isLoopbackHost } from '../../system/loopback-host.js';
import { usageError } from '../errors.js';
import { flagOf, type Setting } from './setting.js';

function checkIssuer(value: string): string | undefined {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const safe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackHost(url.hostname));
  return safe ? undefined : 'must be an https URL, or an http URL of this machine';
}

/** Settings of the account, for `start` and for the commands that sign in and out. */
export const ACCOUNT_SETTINGS = [
  {
    name: 'authFile',
    type: 'string',
    description: 'Account file, in the format of Codex CLI',
    default: '<home>/auth.json',
  },
  {
    name: 'authStore',
    type: 'string',
    description: 'Where a sign-in is stored: in the account file (file, auto) or in memory only (ephemeral)',
    default: 'file',
    check: (value: string): string | undefined => {
      if (['file', 'auto', 'ephemeral'].includes(value)) return undefined;
      const detail = value === 'keyring' ? ' (rc-engine does not use the system keyring)' : '';
      return `must be file, auto or ephemeral${detail}`;
    },
  },
  {
    name: 'issuer',
    type: 'string',
    description: 'OAuth issuer to sign in at',
    default: 'https://auth.openai.com',
    check: checkIssuer,
  },
  {
    name: 'clientId',
    type: 'string',
    description: 'OAuth client id',
    default: 'the client id of Codex CLI',
  },
  {
    name: 'forcedWorkspace',
    type: 'list',
    securitySensitive: true,
    description: 'Allow a sign-in only to these workspaces, ID[,ID] (repeatable)',
    check: (value: string): string | undefined =>
      value.split(',').every((id) => /^[\x21-\x7e]+$/.test(id.trim())) ? undefined : 'must be ID[,ID]',
  },
  {
    name: 'forcedLoginMethod',
    type: 'string',
    values: ['api', 'chatgpt'],
    securitySensitive: true,
    description: 'Allow only this sign-in method',
  },
  {
    name: 'workspaceRouting',
    type: 'boolean',
    description: 'Complete a sign-in only after looking up its workspace at the backend',
  },
] as const satisfies readonly Setting[];

export const ACCOUNT_SETTING_NAMES: readonly string[] = ACCOUNT_SETTINGS.map(({ name }) => name);

/** @throws EngineError `usage` when a flag is given that a sign-in at a hub has no use for. */
export function refuseWithHub(flags: Readonly<Record<string, unknown>>, names: readonly string[]): void {
  const other = names.find((name) => flags[name] !== undefined);
  if (other === undefined) return;
  throw usageError(`--${flagOf(other)} cannot be used with --hub.`, 'Remove one of the two.');
}

/** The values of `ACCOUNT_SETTINGS`. */
export interface AccountSettings {
  readonly authFile?: string;
  /** `auto` means a keyring if there is one; rc-engine has none, so it is the same as `file`. ACC-57 */
  readonly authStore?: 'file' | 'auto' | 'ephemeral';
  readonly issuer?: string;
  readonly clientId?: string;
  readonly forcedWorkspace?: readonly string[];
  readonly forcedLoginMethod?: 'api' | 'chatgpt';
  readonly workspaceRouting?: boolean;
}

export function accountOptions(settings: AccountSettings): AccountOptions {
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
 * Takes RC_ENGINE_ACCESS_TOKEN out of the environment, so that no child process inherits it. RC_ENGINE_ACCOUNT_ID
 * names its account where the token does not.
 */
export function takeAccessToken(env: NodeJS.ProcessEnv): Pick<AccountOptions, 'accessToken'> {
  const { RC_ENGINE_ACCESS_TOKEN: token, RC_ENGINE_ACCOUNT_ID: accountId } = env;
  delete env.RC_ENGINE_ACCESS_TOKEN;
  if (token === undefined || token === '') return {};
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw usageError(
      'RC_ENGINE_ACCESS_TOKEN is not a token: it holds spaces or characters outside of ASCII.',
      'Set it to the access token alone, or unset it.',
    );
  }
  return { accessToken: { token: new Secret(token), accountId: accountId || undefined } };
}
