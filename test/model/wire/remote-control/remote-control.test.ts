/** The transitions of remoteControl over real sockets, against the embedded backend. */
import { describe, expect, it } from 'vitest';
import { remoteControlMachine } from '../../../../machines/remote-control/machine.js';
import { failureWords, runPaths } from '../../../../src/testing/index.js';
import { type Exceptions, generateRuns, reportCoverage } from '../report.js';
import { WireDriver } from './driver.js';
import { optionsOf, STARTS } from './model.js';

/** Transitions that no path over the wire takes, and why. All of them have a path in charts.test.ts. */
const NOT_OVER_THE_WIRE: Exceptions = [
  [/ xstate\.error\.actor\./, 'an adapter rejects only because of a bug'],
  [/ xstate\.after\.\w+Limit\./, 'an adapter has a shorter limit of its own'],
  [
    /awaitingAuth ENROLLMENT\.LOST|refreshing TOKEN\.RENEWED|reenrolling ENROLLMENT\.LOST|tokenInvalid\.pausing .* 1$/,
    'pairing would have to respond at the moment of another request; test/engine has it',
  ],
  [/active ENROLLMENT\.LOST 0$/, 'pairing sends nothing during a Retry-After; test/machines has it'],
  [
    /connected xstate\.done\.actor\.link [0-3]$/,
    'a link is replaced only by a second engine; test/remote-control/duplicate.test.ts has two',
  ],
  [/stopping STOP 0$/, 'an engine sends STOP only once'],
];

const { runs, coverage } = generateRuns(remoteControlMachine, STARTS, optionsOf);

describe('remoteControl over real sockets', () => {
  it.each(runs)('from $start.name', { timeout: 240_000 }, async ({ start, generated }) => {
    const report = await runPaths(generated.paths, new WireDriver(start));
    expect(failureWords(report)).toBe('');
  });

  it('takes every transition, or has a reason for the exception', () => {
    const { unexplained, unused } = reportCoverage('remoteControl', coverage, NOT_OVER_THE_WIRE);
    expect(unexplained).toEqual([]);
    expect(unused).toEqual([]);
  });
});
