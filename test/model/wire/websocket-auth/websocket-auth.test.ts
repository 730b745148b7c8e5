/** Every path through websocketAuth, as upgrade requests to a real listener in each of its five modes. */
import { describe, expect, it } from 'vitest';
import type { UpgradeFacts } from '../../../../src/protocol/authority.js';
import { MODELS, pathsOfChart } from '../../../../src/testing/charts/index.js';
import { failureWords, mergeCoverage, runPaths } from '../../../../src/testing/index.js';
import { type Exceptions, reportCoverage } from '../report.js';
import { UpgradeDriver } from './driver.js';

const NOT_OVER_THE_WIRE: Exceptions = [
  [
    /requestCheck always 3$/,
    'a client that is gone before the decision: Node delivers a request before the end of its socket; ' +
      'test/machines has it',
  ],
];
const NO_REQUEST: ReadonlySet<string> = new Set(['gone']);

const cases = pathsOfChart(MODELS.websocketAuth!)
  .variants.map(({ variant, generated }) => ({
    name: variant.name,
    // The input of each variant is the facts of one upgrade.
    facts: variant.options.input as UpgradeFacts,
    generated,
  }))
  .filter(({ facts, generated }) => generated.paths.length > 0 && !NO_REQUEST.has(facts.request));

describe('websocketAuth over real sockets', () => {
  it.each(cases)('WSA-2: $facts.mode, $name', async ({ facts, generated }) => {
    const report = await runPaths(generated.paths, new UpgradeDriver(facts));
    expect(failureWords(report)).toBe('');
  });

  it('takes every transition, or has a reason for the exception', () => {
    const coverage = mergeCoverage(cases.map(({ generated }) => generated.coverage));
    const { unexplained, unused } = reportCoverage('websocketAuth', coverage, NOT_OVER_THE_WIRE);
    expect(unexplained).toEqual([]);
    expect(unused).toEqual([]);
  });

  it('covers each of the five modes', () => {
    const modes = new Set(cases.map(({ facts }) => `${facts.mode} ${facts.enforced}`));
    expect([...modes].sort()).toEqual([
      'capability true',
      'filesystem true',
      'queryToken false',
      'queryToken true',
      'signedBearer true',
    ]);
  });
});
