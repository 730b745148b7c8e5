import { ERRORS, explain as explainCode } from '../../protocol/errors.js';
import { explainNumber } from '../../protocol/numeric-codes.js';
import { REASONS } from '../../protocol/reasons.js';
import { closestMatch } from '../../system/suggest.js';
import { EXIT, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

export const explain = defineCommand({
  name: 'explain',
  description:
    'Explain an error, a reason, a close code, an HTTP status or a JSON-RPC error, and what to do about it',
  positionals: {
    code: {
      type: 'string',
      description: 'A code that an error, status or a log names, or a number',
      required: true,
      completes: 'codes',
    },
  },
  options: JSON_OPTION,
  examples: [
    ['explain connectionConflict', 'What a connection conflict is and how to solve it'],
    ['explain 1012', 'What the close code of a WebSocket means'],
    ['explain -32002', 'What an error of JSON-RPC means'],
    ['explain 409', 'What an HTTP status means'],
  ],
  run: async ({ code: given, json }) => {
    errorOutput.json = json === true;
    const code = given.trim();
    const number = explainNumber(code);
    if (number !== undefined) {
      if (json === true) printJson({ code: number.title, means: number.means, todo: number.todo });
      else stdout.print(number.title, `  ${number.means}`, `  ${number.todo}`);
      return EXIT.ok;
    }
    const text = explainCode(code);
    if (text === undefined) {
      const near = closestMatch(code, [...Object.keys(ERRORS), ...Object.keys(REASONS)]);
      throw usageError(
        `Unknown code ${JSON.stringify(code)}.`,
        near === undefined ? 'Choose a code from docs/errors.md.' : `Did you mean ${near}?`,
      );
    }
    if (json === true) printJson({ code, means: text.means, todo: text.todo });
    else stdout.print(code, `  ${text.means}`, `  ${text.todo}`);
    return EXIT.ok;
  },
});
