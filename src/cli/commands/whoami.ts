import { EngineError } from '../../protocol/errors.js';
import { EXIT } from '../errors.js';
import { accountRows } from '../output/account-rows.js';
import { layOut, widthOf } from '../output/layout.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';
import { ACCOUNT_SETTING_NAMES } from '../settings/account-settings.js';

export const whoami = defineCommand({
  name: 'whoami',
  description: 'Show who is signed in',
  progress: 'Reading the account',
  notes:
    'Exit codes: 0 signed in for remote control, 3 not signed in, or with a sign-in that cannot be used.',
  settings: [...ACCOUNT_SETTING_NAMES, 'caCert'],
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [['whoami', 'Show the account of the running engine, or of the home directory']],
  run: async (args) => {
    const { connectToAccount, readAccount } = await import('../account-client.js');
    const client = await connectToAccount(args);
    try {
      const summary = await readAccount(client);
      if (args.json === true) printJson({ type: 'account', ...summary, home: client.home.dir });
      else {
        const rows = accountRows(summary, client.home.dir).map(([name, value]) => [name, [value]] as const);
        stdout.print(...layOut(rows, widthOf(stdout), stdout.paint));
      }
      return summary.mode !== null && summary.problem === null ? EXIT.ok : EXIT.authRequired;
    } catch (error) {
      if (error instanceof EngineError && error.code === 'remoteRefused') {
        throw new EngineError('remoteRefused', 'The program that embeds this engine provides its account.', {
          remediation: 'Ask that program who is signed in.',
          cause: error,
        });
      }
      throw error;
    } finally {
      client.close();
    }
  },
});
