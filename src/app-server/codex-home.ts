/** The directory of Codex CLI, which its background mode needs and does not make. WSA-69 */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { makeDirectory } from '../system/make-directory.js';

const PRIVATE = 0o700;

/**
 * Makes `~/.codex` where it is missing: measured on Codex CLI 0.171.0, `codex app-server` over stdio makes it, and ends with
 * an error before it listens on a socket. A directory that CODEX_HOME names is for its owner to make.
 */
export function makeCodexHome(
  { CODEX_HOME = '' }: NodeJS.ProcessEnv,
  userDirectory: string = homedir(),
): void {
  if (CODEX_HOME !== '') return;
  try {
    makeDirectory(join(userDirectory, '.codex'), PRIVATE);
  } catch {
    // Codex CLI says what is wrong there.
  }
}
