import { EngineError } from '../../protocol/errors.js';
import { closestMatch } from '../../system/suggest.js';
import { MODELS, pathsOfChart } from '../../testing/charts/index.js';
import type { Coverage } from '../../testing/types.js';
import { pathsJson, pathsMarkdown } from '../../testing/words.js';
import { chartHash } from '../../visualize/hash.js';
import { EXIT } from '../output/output.js';

const COVERAGES: readonly Coverage[] = ['transitions', 'states', 'pairs'];
const FORMATS = ['markdown', 'json'] as const;

/** `rc-engine paths [machine]`: scenarios that cover a chart, or all of them. */
export async function paths(args: {
  readonly machine?: string | undefined;
  readonly coverage?: string | undefined;
  readonly format?: string | undefined;
}): Promise<number> {
  const names =
    args.machine === undefined ? Object.keys(MODELS) : [oneOf('machine', args.machine, Object.keys(MODELS))];
  const coverage = oneOf('coverage', args.coverage ?? 'transitions', COVERAGES);
  const format = oneOf('format', args.format ?? 'markdown', FORMATS);
  for (const name of names) {
    const model = MODELS[name];
    if (model === undefined) continue;
    const hash = chartHash(model.machine);
    const variants = pathsOfChart(model, coverage);
    process.stdout.write(
      format === 'json' ? pathsJson(name, hash, variants) : pathsMarkdown(name, hash, variants),
    );
  }
  return EXIT.ok;
}

/** The word, if it is one of those that are known; otherwise a usage error that names them and the likely one. */
export function oneOf<T extends string>(what: string, word: string, known: readonly T[]): T {
  const found = known.find((one) => one === word);
  if (found !== undefined) return found;
  const near = closestMatch(word, known);
  throw new EngineError('usage', `There is no ${what} ${JSON.stringify(word)}.`, {
    remediation: `${near === undefined ? '' : `Did you mean ${near}? `}There is: ${known.join(', ')}.`,
  });
}
