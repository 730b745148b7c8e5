/** Which commands are known to serve several clients on one socket. */

/** In the arguments, replaced by the path of the socket. */
export const SOCKET_PLACEHOLDER = '{socket}';

/** Whether a command can be shared, and why, for people. */
export interface Sharing {
  readonly shared: boolean;
  readonly reason: string;
}

/**
 * Decides whether one child serves all clients. An explicit choice comes first. Otherwise `codex app-server` is shared,
 * also through a runner such as npx or a wrapper such as `codex-app-server`, and so is each command with `{socket}` in
 * its arguments. RC-60
 */
export function sharingOf(words: readonly string[], explicit: boolean | undefined): Sharing {
  if (explicit === true) return { shared: true, reason: 'the shared mode was chosen' };
  if (explicit === false) return { shared: false, reason: '--app-server-mode per-client was given' };
  if (words.slice(1).some((word) => word.includes(SOCKET_PLACEHOLDER))) {
    return { shared: true, reason: `its arguments contain ${SOCKET_PLACEHOLDER}` };
  }
  const after = argumentsOfCodexAppServer(words);
  if (after === undefined) {
    return {
      shared: false,
      reason: 'it is not known to serve several clients; --app-server-mode shared tries it',
    };
  }
  if (after.some((word) => /^--(?:listen|stdio)(?:=|$)/.test(word))) {
    return { shared: false, reason: 'its arguments choose where it listens' };
  }
  // `codex app-server daemon`, `… proxy` and `… generate-ts` are other programs.
  return positionals(after).length > 0
    ? { shared: false, reason: 'it is a subcommand of codex app-server' }
    : { shared: true, reason: 'codex app-server can serve several clients' };
}

/** The words after `app-server`; undefined when this is not the app server of Codex CLI. */
function argumentsOfCodexAppServer(words: readonly string[]): readonly string[] | undefined {
  const wrapper = words.findIndex((word) => baseName(word) === 'codex-app-server');
  if (wrapper !== -1 && isRunner(words.slice(0, wrapper))) return words.slice(wrapper + 1);
  for (const [index, word] of words.entries()) {
    if (!isCodex(word) || !isRunner(words.slice(0, index))) continue;
    const rest = words.slice(index + 1);
    const command = rest.indexOf('app-server');
    if (command !== -1 && positionals(rest.slice(0, command)).length === 0) return rest.slice(command + 1);
  }
  return undefined;
}

/** File name without directory, version of a package, and ending. */
const baseName = (word: string): string =>
  (word.split(/[/\\]/).at(-1) ?? '')
    .replace(/(?<=.)@.*$/, '')
    .replace(/\.(?:exe|cmd|bat|ps1|js|mjs|sh)$/i, '');

const isCodex = (word: string): boolean =>
  !word.startsWith('-') && (baseName(word) === 'codex' || /^codex-(?:x86_64|aarch64)\b/.test(baseName(word)));

/** Programs that run the command in their arguments. */
const RUNNERS: ReadonlySet<string> = new Set([
  ...['npx', 'npm', 'pnpm', 'pnpx', 'yarn', 'bun', 'bunx', 'deno', 'node', 'volta', 'mise', 'asdf'],
  ...[
    'env',
    'nice',
    'ionice',
    'nohup',
    'setsid',
    'stdbuf',
    'time',
    'timeout',
    'sudo',
    'doas',
    'exec',
    'caffeinate',
  ],
]);

/** True when these words only run what follows them: a runner, its options and subcommands, or nothing. */
function isRunner(words: readonly string[]): boolean {
  const [program] = words;
  return program === undefined || RUNNERS.has(baseName(program));
}

/** Options of Codex CLI that are followed by a value. */
const WITH_VALUE =
  /^(?:-[a-zA-Z]|--(?:config|enable|disable|profile|model|cd|sandbox|add-dir|session-source|remote))$/;

function positionals(words: readonly string[]): readonly string[] {
  return words.filter((word, index) => !word.startsWith('-') && !WITH_VALUE.test(words[index - 1] ?? ''));
}
