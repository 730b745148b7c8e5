/** What happens when stdout or stderr cannot be written. RC-105 */
import { errnoText } from '../../system/errno.js';
import { onOutputError, stderr, stdout } from './terminal.js';

type OutputName = 'stdout' | 'stderr';

/** Where the loss of a stream is noted: on the other one. */
type Note = (lost: OutputName, why: string) => void;

/** Ends the command, with the error of stdout. */
type End = (error: NodeJS.ErrnoException) => void;

let note: Note | undefined;
let stdoutIsOptional = false;

/** A short command that cannot write stdout ends by `end`; one that runs until it is stopped notes it and runs on. */
export function watchOutput(end: End): void {
  onOutputError((name, error) => {
    if (name === 'stdout' && !stdoutIsOptional) end(error);
    else note?.(name, `cannot be written: ${errnoText(error)}`);
  });
}

/** True when the command runs on without its output. */
export const outputIsOptional = (): boolean => stdoutIsOptional;

/**
 * The command runs until it is stopped: readers that go away, full disks and readers that do not read do not end it.
 * @param stdoutIs `protocol`: stdout carries the messages of a client, so the command does not run on without it
 */
export function runWithoutOutput(stdoutIs: 'text' | 'json' | 'protocol' = 'text'): void {
  note = (lost, why) => {
    const line = `rc-engine: ${lost} ${why}. The program runs on without it.`;
    if (lost === 'stdout') stderr.print(line);
    else if (stdoutIs === 'text') stdout.print(line);
  };
  const unread = 'has a reader that does not read, so lines are left out';
  stderr.makeOptional(() => note?.('stderr', unread));
  if (stdoutIs === 'protocol') return;
  stdoutIsOptional = true;
  stdout.makeOptional(() => note?.('stdout', unread));
}
