import { EngineError, ERRORS, explain } from '../../protocol/errors.js';
import { REASONS } from '../../protocol/reasons.js';
import { closestMatch } from '../../system/suggest.js';
import { EXIT, printJson } from '../output/output.js';

/** `rc-engine explain CODE`. */
export async function explainCode(args: {
  readonly code: string;
  readonly json?: boolean | undefined;
}): Promise<number> {
  const text = explain(args.code);
  if (text === undefined) {
    const near = closestMatch(args.code, [...Object.keys(ERRORS), ...Object.keys(REASONS)]);
    throw new EngineError('usage', `There is no error or reason ${JSON.stringify(args.code)}.`, {
      remediation: near === undefined ? 'docs/errors.md lists them all.' : `Did you mean ${near}?`,
    });
  }
  if (args.json === true) printJson({ code: args.code, means: text.means, todo: text.todo });
  else process.stdout.write(`${args.code}\n  ${text.means}\n  ${text.todo}\n`);
  return EXIT.ok;
}
