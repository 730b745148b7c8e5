import { EngineError } from '../../protocol/errors.js';
import type { Setting } from './setting.js';
import { flagOf, START_SETTINGS } from './settings.js';

export const lastOf = <T>(given: T | readonly T[]): T =>
  Array.isArray(given) ? (given.at(-1) as T) : (given as T);
const LISTS: ReadonlySet<string> = new Set(
  START_SETTINGS.filter(({ type }) => type === 'list').flatMap(({ name }) => [name, flagOf(name)]),
);

const ONCE: ReadonlySet<string> = new Set(
  (START_SETTINGS as readonly Setting[])
    .filter(({ guardsDoor, type }) => guardsDoor === true && type !== 'list')
    .map(({ name }) => flagOf(name)),
);

/**
 * A flag that is given again replaces what it said before; only lists grow. One that guards the door may not: of
 * two audiences the one that somebody relies on would be dropped without a word. WSA-14
 */
export function settleRepeated(args: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(args)) {
    if (!Array.isArray(value) || name === '_' || LISTS.has(name)) continue;
    if (ONCE.has(name)) {
      throw new EngineError('usage', `--${name} is given ${value.length} times; give it once.`);
    }
    args[name] = lastOf(value);
  }
}
