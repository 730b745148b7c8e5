import { describe, expect, it } from 'vitest';
import { hangupIgnoredAtStart } from '../../src/cli/hangup.js';

const missing = (): never => {
  throw new Error('ENOENT');
};

const mask = (bits: string) => `Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t${bits}\n`;

describe('RC-104: whether SIGHUP was ignored at the start', () => {
  const started = (over: Partial<Parameters<typeof hangupIgnoredAtStart>[0]> = {}) =>
    hangupIgnoredAtStart({ env: {}, parent: 7, read: missing, link: missing, ...over });

  it('is not, where nothing says so', () => {
    expect(started()).toBe(false);
    expect(started({ env: { _: '/usr/bin/node' }, read: () => mask('0000000000001000') })).toBe(false);
    expect(started({ link: () => '/home/me/out.log' })).toBe(false);
  });

  it('is, where the parent ignores it', () => {
    expect(
      started({ read: (path) => (path === '/proc/7/status' ? mask('0000000000001001') : missing()) }),
    ).toBe(true);
  });

  it('is, where this process still ignores it', () => {
    expect(
      started({ read: (path) => (path === '/proc/self/status' ? mask('0000000000000001') : missing()) }),
    ).toBe(true);
  });

  it('is, below nohup', () => {
    expect(started({ env: { _: '/usr/bin/nohup' } })).toBe(true);
    expect(started({ link: () => '/home/me/nohup.out' })).toBe(true);
  });
});
