import { ERRORS, explain as explainCode } from '../../protocol/errors.js';
import { REASONS } from '../../protocol/reasons.js';
import { closestMatch } from '../../system/suggest.js';
import { EXIT, usageError } from '../errors.js';
import { printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, JSON_OPTION } from '../parser/command.js';

export const explain = defineCommand({
  name: 'explain',
  description: 'Explain an error or reason code, and what to do about it',
  positionals: {
    code: { type: 'string', description: 'A code that an error, status or a log names', required: true },
  },
  options: JSON_OPTION,
  examples: [['explain connectionConflict', 'What a connection conflict is and how to solve it']],
  run: async ({ code, json }) => {
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
