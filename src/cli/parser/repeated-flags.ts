import { flagOf, type Setting } from '../settings/setting.js';
import { START_SETTINGS } from '../settings/start-settings.js';
import { usageError } from '../usage-error.js';

const SETTINGS: readonly Setting[] = START_SETTINGS;

const LISTS: ReadonlySet<string> = new Set(
  SETTINGS.filter(({ type }) => type === 'list').flatMap(({ name }) => [name, flagOf(name)]),
);

const ONLY_ONCE: ReadonlySet<string> = new Set(
  SETTINGS.filter(({ securitySensitive, type }) => securitySensitive === true && type !== 'list').map(
    ({ name }) => flagOf(name),
  ),
);

/**
 * Reduces each repeated flag to its last value; lists keep all values. A security-sensitive flag may not be repeated:
 * of two audiences, the one that somebody relies on would be dropped silently. WSA-14
 */
export function settleRepeatedFlags(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args)) {
    if (!Array.isArray(value) || name === '_' || LISTS.has(name)) continue;
    if (ONLY_ONCE.has(name)) {
      throw usageError(`--${name} is given ${value.length} times.`, `Give --${name} once.`);
    }
    args[name] = value.at(-1);
  }
}
