/** The transitions of remoteControl as they are seen from outside: over real sockets, against the embedded backend. */
import { describe, expect, it } from 'vitest';
import { remoteControlMachine } from '../../../../machines/remote-control.js';
import { failureWords, runPaths } from '../../../../src/testing/index.js';
import { type Exceptions, generateRuns, reportCoverage } from '../report.js';
import { WireDriver } from './driver.js';
import { optionsOf, STARTS } from './model.js';

/** Transitions that no path over the wire takes, and why. All of them have a path in charts.test.ts. */
const NOT_OVER_THE_WIRE: Exceptions = [
  [/ xstate\.error\.actor\./, 'an adapter rejects only when there is a bug in it'],
  [/CLIENT\.NAMED|awaitingClientName|idle (ENABLE|RESOLVE_PREFERENCE) 2$/, 'only over stdio: test/e2e'],
  [
    /idle (ENABLE|RESOLVE_PREFERENCE) [01]$/,
    'a start with such settings is refused before the chart: test/engine',
  ],
  [/TOKEN\.RENEWED|ENROLLMENT\.LOST|tokenInvalid\.pausing .* 1$/, 'pairing at the same moment: test/engine'],
  [
    /AUTH\.CHANGED|loadAuth 0$|reloadAuth 1$|recoverAuth [01]$/,
    'another account, or none: the store then holds what the chart no longer tells; test/engine',
  ],
  [
    /waitingForStore|loadPreference 3$|loadEnrollment 3$|loadEnrollment 0$|updateEnrollment|saveEnrollment 1$|clearEnrollment 1$|notKept|preparing always 3$/,
    'a disk that fails, or an outdated record: test/adapters and test/engine',
  ],
  [/stopping STOP 0$/, 'a running engine stops too fast for a second word'],
];

const { runs, coverage } = generateRuns(remoteControlMachine, STARTS, optionsOf);

describe('remoteControl over real sockets', () => {
  it.each(runs)('from $start.name', { timeout: 240_000 }, async ({ start, generated }) => {
    const report = await runPaths(generated.paths, new WireDriver(start));
    expect(failureWords(report)).toBe('');
  });

  it('takes every transition, or says why not', () => {
    const { unexplained, idle } = reportCoverage('remoteControl', coverage, NOT_OVER_THE_WIRE);
    expect(unexplained).toEqual([]);
    expect(idle).toEqual([]);
  });
});
