import { existsSync, realpathSync, statSync } from 'node:fs';
import { isRecord } from '../../protocol/jsonrpc.js';
import { EXIT } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { ACCOUNT_SETTING_NAMES } from '../settings/account-settings.js';

/** Longer than the revocation of the refresh token may take, in ms. */
const LOGOUT_TIMEOUT = 40_000;

export const logout = defineCommand({
  name: 'logout',
  description: 'Sign out',
  settings: [...ACCOUNT_SETTING_NAMES, 'caCert'],
  options: {
    ...HOME_OPTION,
    ...JSON_OPTION,
    all: {
      type: 'boolean',
      description: 'Where a parent app has signed in: also remove the stored sign-in below it',
    },
  },
  examples: [
    ['logout', 'Sign out; a running engine signs out too'],
    ['logout --all', 'Also remove the stored sign-in below the tokens of a parent app'],
  ],
  run: async (args) => {
    const { connectToAccount, readAccount } = await import('../account-client.js');
    const client = await connectToAccount(args);
    try {
      const updated = new Promise<unknown>((resolve) => {
        client.onNotification((method, params) => {
          if (method === 'account/updated') resolve(params);
        });
      });
      const file = await readAccount(client).then(
        (summary) => summary.file,
        // The program that embeds the engine provides its account; the sign-out itself reports that.
        () => null,
      );
      const target = file === null ? undefined : realPath(file);
      await client.request('account/logout', args.all === true ? { all: true } : {}, LOGOUT_TIMEOUT);
      const account = await updated;
      const authMode = isRecord(account) ? account.authMode : null;
      const deleted = target !== undefined && !existsSync(target) ? target : null;
      const emptied = target !== undefined && isEmpty(target) ? target : null;
      if (args.json === true) printJson({ type: 'loggedOut', authMode, deleted });
      else if (authMode === null) {
        const [done, path] = deleted === null ? ['Emptied', emptied] : ['Deleted', deleted];
        stdout.print(path === null ? 'Signed out.' : `Signed out. ${done} ${path}.`);
      } else stdout.print('Signed out of the parent app. The stored sign-in is used again.');
      return EXIT.ok;
    } finally {
      client.close();
    }
  },
});

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
