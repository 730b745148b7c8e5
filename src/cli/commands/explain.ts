import { isDecisionId } from '../../observe/decision-ids.js';
import { ERRORS, explain as explainCode } from '../../protocol/errors.js';
import { explainNumber } from '../../protocol/numeric-codes.js';
import { REASONS } from '../../protocol/reasons.js';
import { closestMatch } from '../../system/suggest.js';
import { EXIT, usageError } from '../errors.js';
import { errorOutput, printJson } from '../output/print.js';
import { stdout } from '../output/terminal.js';
import { defineCommand, HOME_OPTION, JSON_OPTION } from '../parser/command.js';

export const explain = defineCommand({
  name: 'explain',
  description:
    'Explain an error, a reason, a close code, an HTTP status or a JSON-RPC error, and what to do about it',
  positionals: {
    code: {
      type: 'string',
      description: 'A code that an error, status or a log names, a number, or the id of a decision',
      required: true,
      completes: 'codes',
    },
  },
  options: { ...HOME_OPTION, ...JSON_OPTION },
  examples: [
    ['explain connectionConflict', 'What a connection conflict is and how to solve it'],
    ['explain 1012', 'What the close code of a WebSocket means'],
    ['explain -32002', 'What an error of JSON-RPC means'],
    ['explain 409', 'What an HTTP status means'],
    ['explain 88zy2pr-0000a', 'The decision with this id, from the history'],
  ],
  run: async ({ code: given, json, home }) => {
    errorOutput.json = json === true;
    const code = given.trim();
    if (isDecisionId(code)) return explainDecision(code, home, json === true);
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

/** What the history says about one decision. */
async function explainDecision(id: string, homeDir: string | undefined, json: boolean): Promise<number> {
  const { locateHome, resolveHome } = await import('../../home/home.js');
  const { HistoryReader } = await import('../../recorder/history-reader.js');
  const { historyDirectory } = await import('../../recorder/recorder.js');
  const { dir } = locateHome(resolveHome(homeDir));
  const { rowsAbout } = await import('../../recorder/history-rows.js');
  const rows = await new HistoryReader(historyDirectory(dir)).next();
  const [row] = rowsAbout(rows, id);
  if (row === undefined) {
    throw usageError(
      `The history in ${dir} has no decision ${id}.`,
      'Choose the --home of its engine. It may be too old.',
    );
  }
  const text = row.reason === undefined ? undefined : explainCode(row.reason);
  if (json) {
    printJson({
      ...row,
      at: new Date(row.at).toISOString(),
      means: text?.means ?? null,
      todo: text?.todo ?? null,
    });
    return EXIT.ok;
  }
  const { historyLine } = await import('../output/history-line.js');
  stdout.write(historyLine(row, 1, { day: '', verbose: true, paint: stdout.paint }).text);
  if (text !== undefined) stdout.print(`  ${text.means}`, `  ${text.todo}`);
  return EXIT.ok;
}
