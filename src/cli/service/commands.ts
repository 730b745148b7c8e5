/** Runs the commands of a service manager. */
import { execFile } from 'node:child_process';
import { EngineError } from '../../protocol/errors.js';
import { errnoOf } from '../../system/errno.js';
import { shellQuote } from '../output/shell.js';

/** As a person would type it. */
export type ManagerCommand = readonly [program: string, ...args: string[]];

/** Starting a service waits for its READY, ms. */
const TIMEOUT = 120_000;

/** What a command printed. `failure`: why it failed; undefined: it did not. */
export interface CommandResult {
  readonly stdout: string;
  readonly failure: string | undefined;
}

export function runQuietly([program, ...args]: ManagerCommand): Promise<CommandResult> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: TIMEOUT }, (error, stdout, stderr) => {
      const missing = errnoOf(error) === 'ENOENT' ? `${program} is not installed` : undefined;
      const failure = error === null ? undefined : (missing ?? (stderr.trim() || error.message));
      resolve({ stdout: stdout.trim(), failure });
    });
  });
}

/** @throws EngineError `serviceFailed` with what the command said */
export async function runCommand(command: ManagerCommand, nextStep: string): Promise<string> {
  const { stdout, failure } = await runQuietly(command);
  if (failure === undefined) return stdout;
  throw new EngineError('serviceFailed', `${shown(command)} failed: ${failure.replace(/\.$/, '')}.`, {
    remediation: nextStep,
  });
}

export const shown = (command: ManagerCommand): string => command.map(shellQuote).join(' ');
