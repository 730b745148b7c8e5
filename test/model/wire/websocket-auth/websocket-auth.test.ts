/** Every way through websocketAuth, as real upgrade requests to a real listener in each of its four modes. */
import { describe, expect, it } from 'vitest';
import type { UpgradeFacts } from '../../../../src/protocol/authority.js';
import { MODELS, pathsOfChart } from '../../../../src/testing/charts/index.js';
import { failureWords, mergeCoverage, runPaths } from '../../../../src/testing/index.js';
import { type Exceptions, reportCoverage } from '../report.js';
import { UpgradeDriver } from './driver.js';

const NOT_OVER_THE_WIRE: Exceptions = [
  [
    /requestCheck always 3$/,
    'a client that is gone when its request is decided: Node hands a request over before it tells of an end, so ' +
      'this edge is for what Node may do one day; test/machines has it',
  ],
];
const NO_REQUEST: ReadonlySet<string> = new Set(['gone']);

const ways = pathsOfChart(MODELS.websocketAuth!)
  .variants.map(({ variant, generated }) => ({
    name: variant.name,
    // Each variant of this model is a start with the facts of one upgrade.
    facts: variant.options.input as UpgradeFacts,
    generated,
  }))
  .filter(({ facts, generated }) => generated.paths.length > 0 && !NO_REQUEST.has(facts.request));

describe('websocketAuth over real sockets', () => {
  it.each(ways)('WSA-2: $facts.mode, $name', async ({ facts, generated }) => {
    const report = await runPaths(generated.paths, new UpgradeDriver(facts));
    expect(failureWords(report)).toBe('');
  });

  it('takes every transition, or says why not', () => {
    const coverage = mergeCoverage(ways.map(({ generated }) => generated.coverage));
    const { unexplained, idle } = reportCoverage('websocketAuth', coverage, NOT_OVER_THE_WIRE);
    expect(unexplained).toEqual([]);
    expect(idle).toEqual([]);
  });

  it('is played in each of the four modes', () => {
    const modes = new Set(ways.map(({ facts }) => `${facts.mode} ${facts.enforced}`));
    expect([...modes].sort()).toEqual([
      'capability true',
      'queryToken false',
      'queryToken true',
      'signedBearer true',
    ]);
  });
});
