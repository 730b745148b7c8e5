import { flagOf, START_SETTINGS } from './settings.js';

/**
 * The flags of a plainly written `start`: every one of them known, given once and with its value. Undefined for
 * any other command line, right or wrong; the full parser then reads it. Loading that one takes longer than all
 * the rest of a start.
 */
export function plainStart(argv: readonly string[]): Record<string, string | boolean> | undefined {
  if (argv[0] !== 'start') return undefined;
  const flags: Record<string, string | boolean> = {};
  for (let at = 1; at < argv.length; at += 1) {
    const [flag = '', ...rest] = (argv[at] ?? '').split('=');
    const option = OPTIONS.get(flag);
    if (option === undefined || option.name in flags) return undefined;
    if (option.type === 'boolean') {
      if (rest.length > 0) return undefined;
      flags[option.name] = true;
      continue;
    }
    if (rest.length === 0) at += 1;
    const value = rest.length > 0 ? rest.join('=') : argv[at];
    // Empty, quoted or like a flag: what that means is for the full parser to say.
    if (option.type === 'list' || value === undefined || !/^[^-"'`]/.test(value)) return undefined;
    flags[option.name] = value;
  }
  return flags;
}

const OPTIONS: ReadonlyMap<string, { readonly name: string; readonly type: string }> = new Map(
  [{ name: 'home', type: 'string' }, ...START_SETTINGS].map(({ name, type }) => [
    `--${flagOf(name)}`,
    { name, type },
  ]),
);
