/** Commands that this program proposes. They run as printed, in another terminal and from any folder. RC-130 */
import { accessSync, constants, readFileSync, realpathSync } from 'node:fs';
import { basename, delimiter, dirname, isAbsolute, join, resolve, sep } from 'node:path';
import { expandTilde, resolveHome } from '../home/home.js';
import { shellQuote } from './output/shell.js';

/** Commands with --home; the others do not use a home directory. */
export const WITH_HOME =
  'start|status|wait|pair|devices|repair|login|logout|whoami|connect|doctor|enable|disable|stop|restart|logs|history|replay|report|config|service|metrics|url|inspect|open';
const USES_HOME = new RegExp(`^(?:${WITH_HOME})$`);
export const WITHOUT_HOME = 'explain|graph|paths|token|completion|call|backend|hub|help';
/** What may follow a command in a sentence: its action, the name of an argument, and options. */
const WITHOUT_VALUE =
  'device|yes|all|wait|attach|open|inspector|json|verbose|watch|pair|code-stdin|api-key-stdin|no-[a-z-]+|help';
const ARGUMENTS = [
  '(?: (?:list|revoke|rename|show|set|install|uninstall)\\b)?(?: [A-Z]{3,}\\b)?',
  `(?: --(?:(?:${WITHOUT_VALUE})(?![\\w-])|[a-z][a-z0-9-]*[ =][\\w./:-]*\\w))*`,
].join('');
const COMMANDS = new RegExp(`\\brc-engine (${WITH_HOME}|${WITHOUT_HOME})(?![\\w/])(${ARGUMENTS})`, 'g');

let called: string | undefined;

/** How this program is called in another terminal: `rc-engine`, `npx rc-engine`, or a path. */
export function program(): string {
  called ??= programOf(process.argv[1], process.env);
  return called;
}

/** @param script The second argument of the process: how Node was started. */
export function programOf(script: string | undefined, env: NodeJS.ProcessEnv): string {
  if (script === undefined) return 'rc-engine';
  const here = realPath(script);
  const found = onPath('rc-engine', env);
  if (found !== undefined && realPath(found) === here) return 'rc-engine';
  const spec = npxSpec(script);
  if (spec !== undefined) return `npx ${spec}`;
  // The link that npm makes starts with its own line for Node.
  if (basename(script) === 'rc-engine') return shellQuote(script);
  const node = onPath('node', env);
  const usual = node !== undefined && realPath(node) === realPath(process.execPath);
  return `${usual ? 'node' : shellQuote(process.execPath)} ${shellQuote(script)}`;
}

/** The package that `npx` was given, when it ran from the cache of npm: the same words find it again from any folder. */
function npxSpec(script: string): string | undefined {
  const [, root] = /^(.*[/\\]_npx[/\\][^/\\]+)[/\\]node_modules[/\\]/.exec(script) ?? [];
  if (root === undefined) return undefined;
  try {
    const made = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly _npx?: { readonly packages?: readonly unknown[] };
    };
    const [spec] = made._npx?.packages ?? [];
    return typeof spec === 'string' && /^rc-engine(?:@[\w.^~-]+)?$/.test(spec) ? spec : undefined;
  } catch {
    return undefined;
  }
}

/** The first program of that name on the PATH of another terminal: npm adds directories of its own to this one. */
function onPath(name: string, env: NodeJS.ProcessEnv): string | undefined {
  for (const directory of (env.PATH ?? '').split(delimiter)) {
    if (!isAbsolute(directory) || isOfNpm(directory)) continue;
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next directory.
    }
  }
  return undefined;
}

const isOfNpm = (directory: string): boolean =>
  directory.endsWith(`${sep}node_modules${sep}.bin`) || basename(dirname(directory)) === 'node-gyp-bin';

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** ` --home DIR`, or nothing for the home that a command without the flag uses in another terminal. */
export function homeFlag(home: string): string {
  let usual: string | undefined;
  try {
    usual = resolveHome(undefined, {});
  } catch {
    // No user directory: each command needs the flag.
  }
  return home === usual ? '' : ` --home ${shellQuote(home)}`;
}

/** One command, such as `login --device`, for this program and this home directory. */
export function command(words: string, home: string): string {
  return suggested(`rc-engine ${words}`, home);
}

function absolute(home: string): string {
  try {
    return resolve(expandTilde(home));
  } catch {
    return home; // This user has no directory; the error says so.
  }
}

/** A sentence whose commands name this program and this home directory. */
export function suggested(sentence: string, home: string | undefined): string {
  const flag = home === undefined ? '' : homeFlag(absolute(home));
  return sentence
    .replace(COMMANDS, (_all, name: string, options: string) =>
      [program(), ` ${name}`, options, USES_HOME.test(name) ? flag : ''].join(''),
    )
    .replace(/\brc-engine(?= --help)/g, program());
}

/** The commands that a sentence mentions, as they run; none where the sentence has them in that form already. */
export function commandsIn(sentence: string, home: string | undefined): string[] {
  const found = sentence.match(COMMANDS) ?? [];
  return [...new Set(found)].map((one) => suggested(one, home)).filter((one) => !sentence.includes(one));
}

/** The sentence without its commands, where they follow on lines of their own. */
export const withoutCommands = (sentence: string): string =>
  sentence.replace(COMMANDS, (_all, name: string) => `the ${name} command`);
