import { usageError } from './errors.js';
import { ask } from './output/ask.js';
import { stdout } from './output/terminal.js';

/** Whether a person can be asked: the question and the answer go through a terminal. */
export const canAsk = (json: boolean): boolean => !json && process.stdin.isTTY === true && stdout.isTTY;

interface Confirmation {
  /** What would happen, as sentences. */
  readonly warning: string;
  /** For example `Replace it?` */
  readonly question: string;
  readonly yes: boolean;
  readonly json: boolean;
}

/**
 * Asks before something that cannot be undone. True: go on.
 * @throws EngineError `usage` where nobody can be asked and --yes is not given
 */
export async function confirm({ warning, question, yes, json }: Confirmation): Promise<boolean> {
  if (yes) return true;
  if (!canAsk(json)) throw usageError(warning, 'If that is right, add --yes.');
  const { wrap, widthOf } = await import('./output/layout.js');
  stdout.print(...wrap(warning, widthOf(stdout)));
  if (/^y(es)?$/i.test(await ask(`${question} [y/N] `, 'stdout'))) return true;
  stdout.print('Nothing was changed.');
  return false;
}
