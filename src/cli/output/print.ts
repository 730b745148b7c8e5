import { EngineError, ERRORS } from '../../protocol/errors.js';
import { EXIT, exitCodeOf } from '../errors.js';
import { commandsIn, suggested, withoutCommands } from '../suggested.js';
import { layOutLine, widthOf, wrapCommand } from './layout.js';
import { json, stderr, stdout } from './terminal.js';

/** Prints one JSON object as one line on stdout. */
export function printJson(value: object): void {
  stdout.write(json(JSON.stringify(value)));
}

/**
 * Whether errors are also printed as JSON on stdout; `start` sets it once it knows all settings. `home`: the value of
 * --home, which the commands of a next step need too.
 */
export const errorOutput: { json: boolean; home: string | undefined } = { json: false, home: undefined };

const REPORT_IT = 'This is a mistake in rc-engine: report it with the lines above.';

/**
 * Prints an error on stderr, and on stdout as JSON where that was requested: what was wrong and the next step. A stack
 * trace appears only for an error in this program.
 * @param command The command that was running, for errors that name no next step of their own.
 */
export function printError(error: unknown, command?: string): void {
  const known = error instanceof EngineError ? error : undefined;
  const message = error instanceof Error ? error.message : String(error);
  const hint = known === undefined ? REPORT_IT : nextStepOf(known, command);
  if (errorOutput.json) printJson({ type: 'error', code: known?.code ?? 'internal', message, hint });
  const lines = [`rc-engine: ${message}`];
  if (known === undefined && error instanceof Error && error.stack !== undefined)
    lines.push(...framesOf(error));
  const width = widthOf(stderr);
  if (hint !== '') lines.push(...hintLines(hint, width));
  // A wrong command line needs its correction, not an explanation.
  if (known !== undefined && exitCodeOf(known) !== EXIT.usage)
    lines.push(`  See also: ${suggested(`rc-engine explain ${known.code}`, undefined)}`);
  stderr.print(...lines.flatMap((line) => layOutLine(line, width)));
}

/** The next step. A command that does not fit beside it gets lines of its own, so that it can be copied. */
function hintLines(hint: string, width: number): string[] {
  const { home } = errorOutput;
  const inline = `  ${suggested(hint, home)}`;
  const commands = inline.length <= width ? [] : commandsIn(hint, home);
  if (commands.length === 0) return [inline];
  return [
    `  ${withoutCommands(hint)}`,
    ...commands.flatMap((one) => wrapCommand(one, width - 4).map((part) => `    ${part}`)),
  ];
}

/** The stack without the message, which may hold line breaks of a peer. */
function framesOf({ message, stack = '' }: Error): string[] {
  const at = stack.indexOf(message);
  return (at < 0 ? '' : stack.slice(at + message.length)).split('\n').filter((frame) => frame !== '');
}

function nextStepOf({ code, remediation }: EngineError, command: string | undefined): string {
  if (code !== 'usage' || remediation !== ERRORS.usage.todo) return remediation;
  return command === undefined ? 'Run: rc-engine --help' : `Run: rc-engine ${command} --help`;
}
