import type { Argv } from 'yargs';
import { ACCOUNT_SETTINGS } from './account-settings.js';
import { LISTENER_FLAGS } from './listener-flags.js';
import type { Setting } from './setting.js';
import { flagOf, START_SETTINGS, variableOf } from './settings.js';

const among = (settings: readonly Setting[], name: string): boolean =>
  settings.some((setting) => setting.name === name);

/** The heading of a setting in the help. */
function groupOf(name: string): string {
  if (name.startsWith('appServer')) return 'App server:';
  if (name === 'listen' || among(LISTENER_FLAGS, name)) return 'Local listener:';
  if (among(ACCOUNT_SETTINGS, name)) return 'Account:';
  if (['inspect', 'json', 'logLevel', 'logFormat'].includes(name)) return 'What it shows:';
  return 'Remote control:';
}

/** The settings that are wanted, as options of a command. */
export function settingOptions(args: Argv, wanted: (name: string) => boolean): void {
  for (const setting of START_SETTINGS) {
    if (!wanted(setting.name)) continue;
    const choices = 'values' in setting ? ` (${setting.values.join(' | ')})` : '';
    const byDefault = 'byDefault' in setting ? ` [default: ${setting.byDefault}]` : '';
    args.option(flagOf(setting.name), {
      // An integer is read as text, so that what is wrong with it is said in one place.
      type: setting.type === 'boolean' ? 'boolean' : 'string',
      array: setting.type === 'list',
      group: groupOf(setting.name),
      requiresArg: setting.type !== 'boolean' && !('bare' in setting),
      description: `${setting.description}${choices}; ${variableOf(setting.name)}${byDefault}`,
    });
  }
}
