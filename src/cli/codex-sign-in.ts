import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expandTilde } from '../home/home.js';
import { isRecord } from '../protocol/jsonrpc.js';
import { shellQuote } from './output/shell.js';
import { program } from './suggested.js';

/** The account file of Codex CLI, where it holds a ChatGPT sign-in; undefined: there is none. */
export function codexAuthFile(env: NodeJS.ProcessEnv): string | undefined {
  try {
    const shown = env.CODEX_HOME ? join(env.CODEX_HOME, 'auth.json') : '~/.codex/auth.json';
    const content: unknown = JSON.parse(readFileSync(expandTilde(shown), 'utf8'));
    const signedIn = isRecord(content) && isRecord(content.tokens) && Boolean(content.tokens.access_token);
    return signedIn ? shown : undefined;
  } catch {
    return undefined;
  }
}

/**
 * This command line, with the sign-in of Codex CLI. Undefined where there is none, where another account file is named, or
 * where an argument may be a secret.
 * @param argv What follows the name of the program.
 */
export function withCodexSignIn(argv: readonly string[], env: NodeJS.ProcessEnv): string | undefined {
  const file = codexAuthFile(env);
  const [name, ...rest] = argv;
  if (file === undefined || name !== 'start') return undefined;
  const words = rest.join(' ');
  if (/--auth-(?:file|store)\b/.test(words) || /[?@]/.test(words) || env.RC_ENGINE_AUTH_FILE)
    return undefined;
  // The shell expands a tilde that stands alone in front of the path.
  const path = file.startsWith('~/') ? file : shellQuote(file);
  return [program(), 'start', '--auth-file', path, ...rest.map(shellQuote)].join(' ');
}
