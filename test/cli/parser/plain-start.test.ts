import { describe, expect, it } from 'vitest';
import { parsePlainStart } from '../../../src/cli/parser/plain-start.js';

describe('parsePlainStart', () => {
  it('reads known flags with their values, in both forms', () => {
    expect(parsePlainStart(['start'])).toEqual({});
    expect(
      parsePlainStart([
        'start',
        '--json',
        '--home',
        '/a b',
        '--base-url=http://127.0.0.1:1/x?y=z',
        '--listen',
        'off',
      ]),
    ).toEqual({ json: true, home: '/a b', baseUrl: 'http://127.0.0.1:1/x?y=z', listen: 'off' });
  });

  it('passes on wrong values, which the settings report', () => {
    expect(parsePlainStart(['start', '--remote-control', 'maybe'])).toEqual({ remoteControl: 'maybe' });
  });

  it.each([
    ['an empty command line', []],
    ['another command', ['status', '--json']],
    ['help', ['start', '--help']],
    ['a flag before the command', ['--json', 'start']],
    ['an unknown flag', ['start', '--homes', '/a']],
    ['a flag in camel case', ['start', '--baseUrl', 'x']],
    ['a short flag', ['start', '-h']],
    ['a flag that is not a setting', ['start', '--no-remote-control']],
    ['a repeated flag', ['start', '--home', '/a', '--home', '/b']],
    ['a list', ['start', '--allow-host', 'a.example']],
    ['a missing value', ['start', '--home']],
    ['an empty value', ['start', '--home', '']],
    ['an empty value after =', ['start', '--home=']],
    ['a flag in place of a value', ['start', '--home', '--json']],
    ['a value in quotes', ['start', '--home="/a"']],
    ['a value for a boolean flag', ['start', '--json=true']],
    ['an extra word', ['start', '--json', 'true']],
  ])('leaves %s to the full parser', (_, argv) => {
    expect(parsePlainStart(argv)).toBeUndefined();
  });
});
