import { whyNotExecutable } from '../../system/processes.js';
import type { StartSettings } from '../settings/start-settings.js';

interface Listening {
  /** Without the token. */
  readonly url: string;
  readonly authMode: string;
  readonly enforced: boolean;
}

const TOKEN_VARIABLE = 'RC_TOKEN';

/**
 * How Codex CLI connects to this listener, as lines of the banner; none where Codex CLI is neither behind the engine nor on
 * the PATH. `codex --remote` takes no URL with a query, so the token of the connect URL is not for it. WSA-57
 * @param appServer The name of the app server.
 */
export function codexRecipe(
  appServer: string,
  { listen, wsTokenFile, wsSharedSecretFile }: StartSettings,
  { url, authMode, enforced }: Listening,
): string[] {
  const isBehind = /^(?:\S*[/\\])?codex(?:\s|$)/.test(appServer);
  if (!isBehind && whyNotExecutable('codex') !== null) return [];
  if (listen === 'codex')
    return ['codex, codex agents and codex exec find this engine as their local background server'];
  const address = url.replace(/\/$/, '');
  const withToken = (token: string) =>
    `${TOKEN_VARIABLE}=$(${token}) codex --remote ${address} --remote-auth-token-env ${TOKEN_VARIABLE}`;
  switch (authMode) {
    case 'capability':
      return [withToken(`cat ${wsTokenFile === undefined ? 'TOKEN_FILE' : quote(wsTokenFile)}`)];
    case 'signedBearer':
      return [
        withToken(`rc-engine token sign --secret-file ${quote(wsSharedSecretFile ?? 'FILE')} --ttl 3600`),
      ];
    case 'queryToken':
      if (enforced) {
        return [
          'it takes no URL with a token. Make a token file, start with it, and connect:',
          'rc-engine token create --capability ~/.rc-engine/capability',
          `rc-engine start --listen ${address} --ws-auth capability-token --ws-token-file ~/.rc-engine/capability${isBehind ? ` -- ${appServer}` : ''}`,
          withToken('cat ~/.rc-engine/capability'),
        ];
      }
  }
  return [`codex --remote ${quote(address)}`];
}

const quote = (text: string): string =>
  /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
