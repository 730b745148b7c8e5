import { usageError } from './errors.js';
import { ask } from './output/ask.js';
import { block, stderr } from './output/terminal.js';
import type { OptionTable } from './parser/command.js';

const CODE_VARIABLE = 'RC_ENGINE_PAIRING_CODE';

export const CODE_OPTIONS = {
  'code-stdin': { type: 'boolean', description: 'Read the pairing code from the first line of stdin' },
  code: {
    type: 'string',
    description:
      'Pairing code to claim; it works once. - reads it from stdin. Other programs can read an argument: prefer ' +
      '--code-stdin or the variable',
    variable: CODE_VARIABLE,
  },
} as const satisfies OptionTable;

export type Lines = () => AsyncIterator<string>;

/**
 * The pairing code: of --code, of stdin, of the variable, or of a person. The lines of stdin that follow it are
 * requests. RC-56
 */
export async function readCode(
  option: string | undefined,
  fromStdin: boolean,
  needed: boolean,
): Promise<{ readonly lines: Lines; readonly code: string | undefined }> {
  const { createInterface } = await import('node:readline');
  let reader: AsyncIterator<string> | undefined;
  const lines: Lines = () => {
    // One reader: a second one would miss what the first has buffered.
    reader ??= createInterface({ input: process.stdin })[Symbol.asyncIterator]();
    return reader;
  };
  if (fromStdin && option !== undefined && option !== '-') {
    throw usageError('--code and --code-stdin cannot be used together.', 'Remove --code.');
  }
  if (fromStdin || option === '-') {
    if (process.stdin.isTTY === true) stderr.write(block('Pairing code: '));
    const { value, done } = await lines().next();
    const code = done === true ? '' : value.trim();
    if (code === '') {
      throw usageError(
        'The first line of stdin holds no pairing code.',
        'Pass the code that rc-engine pair shows.',
      );
    }
    return { lines, code };
  }
  if (option !== undefined) {
    stderr.print(
      'rc-engine: Warning: other programs of this machine can read a pairing code that is an argument.',
      `  Use --code-stdin, or set ${CODE_VARIABLE}.`,
    );
    return { lines, code: option };
  }
  const variable = process.env[CODE_VARIABLE];
  delete process.env[CODE_VARIABLE];
  if (variable !== undefined && variable !== '') return { lines, code: variable };
  if (!needed || process.stdin.isTTY !== true || !stderr.isTTY) return { lines, code: undefined };
  return { lines, code: (await ask('Pairing code: ', 'stderr')) || undefined };
}
