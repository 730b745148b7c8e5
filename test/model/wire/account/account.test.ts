/** The transitions of account against a real engine, observed by a client, an issuer, a parent app and the file. */
import { describe, expect, it } from 'vitest';
import { accountMachine } from '../../../../machines/account/machine.js';
import { failureWords, runPaths } from '../../../../src/testing/index.js';
import { type Exceptions, generateRuns, reportCoverage } from '../report.js';
import { AccountDriver } from './driver.js';
import { optionsOf, STARTS } from './model.js';

/** All of them have a path in charts.test.ts. */
const NOT_OVER_THE_WIRE: Exceptions = [
  [/ xstate\.error\.actor\./, 'an adapter rejects only because of a bug'],
  [/ xstate\.after\.\w+Limit\./, 'an adapter has a shorter limit of its own'],
  [
    /account\.auth REFRESH\.EXTERNAL 0$/,
    'external tokens have a parent app, unless it signs out at the same moment',
  ],
  [
    /WORKSPACE\.REQUESTED 0$/,
    'without an account its workspace is not requested, unless it signs out at the same moment',
  ],
];

const { runs, coverage } = generateRuns(accountMachine, STARTS, optionsOf);

describe('account over real sockets', () => {
  it.each(runs)('from $start.name', { timeout: 240_000 }, async ({ start, generated }) => {
    const report = await runPaths(generated.paths, new AccountDriver(start));
    expect(failureWords(report)).toBe('');
  });

  it('takes every transition, or has a reason for the exception', () => {
    const { unexplained, unused } = reportCoverage('account', coverage, NOT_OVER_THE_WIRE);
    expect(unexplained).toEqual([]);
    expect(unused).toEqual([]);
  });
});
