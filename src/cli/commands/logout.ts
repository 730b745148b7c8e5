import { existsSync, realpathSync, statSync } from 'node:fs';
import type { AccountSummary } from '../../account/view.js';
import { isRecord } from '../../protocol/jsonrpc.js';
import { EXIT } from '../errors.js';
import { widthOf, wrap } from '../output/layout.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { ACCOUNT_SETTING_NAMES, refuseWithHub } from '../settings/account-settings.js';

/** Longer than the revocation of the refresh token may take, in ms. */
const LOGOUT_TIMEOUT = 40_000;

export const logout = defineCommand({
  name: 'logout',
  description: 'Sign out',
  progress: 'Signing out',
  settings: [...ACCOUNT_SETTING_NAMES, 'caCert'],
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    yes: {
      type: 'boolean',
      description: 'Do not ask before a sign-in outside the home directory is deleted',
    },
    hub: { type: 'string', description: 'Remove the key of this hub from the home instead' },
    all: {
      type: 'boolean',
      description: 'Where a parent app has signed in: also remove the stored sign-in below it',
    },
  },
  examples: [
    ['logout', 'Sign out; a running engine signs out too'],
    ['logout --hub https://hub.example', 'Remove the key of a hub'],
    ['logout --all', 'Also remove the stored sign-in below the tokens of a parent app'],
  ],
  run: async (args) => {
    if (args.hub !== undefined) return await logoutOfHub(args.hub, args);
    const { canAsk, confirm } = await import('../confirm.js');
    const { connectToAccount, isOutside, readAccount } = await import('../account-client.js');
    const client = await connectToAccount(args);
    try {
      const updated = new Promise<unknown>((resolve) => {
        client.onNotification((method, params) => {
          if (method === 'account/updated') resolve(params);
        });
      });
      const { json = false, yes = false, all = false } = args;
      const before = await readAccount(client).catch(
        // The program that embeds the engine provides its account; the sign-out itself reports that.
        () => undefined,
      );
      const file = before?.file ?? null;
      if (file !== null && isOutside(file, client.home.dir) && before?.mode != null && canAsk(json)) {
        const warning = `This deletes ${file}, which is outside of the home directory ${client.home.dir}: other programs, such as Codex CLI, are signed out too.`;
        if (!(await confirm({ warning, question: 'Sign out?', yes, json }))) return EXIT.failed;
      }
      const target = file === null ? undefined : realPath(file);
      await client.request('account/logout', all ? { all: true } : {}, LOGOUT_TIMEOUT);
      const account = await updated;
      const authMode = isRecord(account) ? account.authMode : null;
      const deleted = target !== undefined && !existsSync(target) ? target : null;
      const emptied = target !== undefined && isEmpty(target) ? target : null;
      const after = await readAccount(client).catch(() => undefined);
      const notRevoked = after?.notRevoked ?? null;
      if (json) printJson({ type: 'loggedOut', authMode, deleted, notRevoked });
      else if (authMode !== null) {
        stdout.print('Signed out of the parent app. The stored sign-in is used again.');
      } else print({ before: before?.mode ?? null, deleted, emptied, notRevoked });
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

interface HubFlags {
  readonly home?: string | undefined;
  readonly json?: boolean | undefined;
  readonly [flag: string]: unknown;
}

async function logoutOfHub(url: string, args: HubFlags): Promise<number> {
  refuseWithHub(args, ['all', 'yes', ...ACCOUNT_SETTING_NAMES]);
  const { hubBaseUrl, signOutOfHub } = await import('../hub-sign-in.js');
  const { locateHome } = await import('../../home/home.js');
  const baseUrl = await hubBaseUrl(url);
  await signOutOfHub(locateHome(args.home).dir, baseUrl);
  if (args.json === true) printJson({ type: 'loggedOut', hub: baseUrl });
  else {
    stdout.print(
      `The key of the hub ${baseUrl} is removed from this home. A running engine uses it until it stops.`,
      'The key itself stays valid: rc-engine hub key revoke ID at the hub ends it.',
    );
  }
  return EXIT.ok;
}

interface Result {
  /** How somebody was signed in. */
  readonly before: AccountSummary['mode'];
  readonly deleted: string | null;
  readonly emptied: string | null;
  readonly notRevoked: AccountSummary['notRevoked'];
}

function print({ before, deleted, emptied, notRevoked }: Result): void {
  const [done, path] = deleted === null ? ['Emptied', emptied] : ['Deleted', deleted];
  if (before === null && path === null) {
    stdout.print('Nobody was signed in. Nothing was deleted.');
    return;
  }
  const lines = [path === null ? 'Signed out.' : `Signed out. ${done} ${path}.`];
  if (notRevoked !== null) {
    lines.push(
      `The sign-in could not be revoked: ${notRevoked.message}. It stays valid at the issuer until it expires; to end it now, sign out everywhere in the security settings of the account.`,
    );
  }
  if (before === 'apikey') {
    lines.push('The API key itself stays valid: to end it, delete it where it was created.');
  }
  stdout.print(...lines.flatMap((line) => wrap(line, widthOf(stdout))));
}

/** The file, behind a link if `path` is one; undefined when there is none. */
function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** A file that cannot be deleted is emptied. ACC-114 */
const isEmpty = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.size === 0;
