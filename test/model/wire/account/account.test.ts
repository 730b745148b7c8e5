/** The transitions of account as they are seen from outside: by a client, an issuer, a parent app, and in the file. */
import { describe, expect, it } from 'vitest';
import { accountMachine } from '../../../../machines/account/machine.js';
import { failureWords, runPaths } from '../../../../src/testing/index.js';
import { type Exceptions, generateRuns, reportCoverage } from '../report.js';
import { AccountDriver } from './driver.js';
import { optionsOf, STARTS } from './model.js';

/** All of them have a path in charts.test.ts. */
const NOT_OVER_THE_WIRE: Exceptions = [
  [/ xstate\.error\.actor\./, 'an adapter rejects only when there is a bug in it'],
  [
    /account\.auth REFRESH\.EXTERNAL 0$/,
    'a recovery whose account is of a parent app has that one to ask, unless it signs out in the same moment',
  ],
  [
    /WORKSPACE\.REQUESTED 0$/,
    'without an account nobody asks for its workspace, unless it signs out in the same moment',
  ],
];

const { runs, coverage } = generateRuns(accountMachine, STARTS, optionsOf);

describe('account over real sockets', () => {
  it.each(runs)('from $start.name', { timeout: 240_000 }, async ({ start, generated }) => {
    const report = await runPaths(generated.paths, new AccountDriver(start));
    expect(failureWords(report)).toBe('');
  });

  it('takes every transition, or says why not', () => {
    const { unexplained, idle } = reportCoverage('account', coverage, NOT_OVER_THE_WIRE);
    expect(unexplained).toEqual([]);
    expect(idle).toEqual([]);
  });
});
