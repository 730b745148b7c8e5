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

  it('is, where stdin is what nohup puts in the place of a terminal', () => {
    const flags = (bits: string) => (path: string) =>
      path === '/proc/self/fdinfo/0' ? `pos:\t0\nflags:\t${bits}\nmnt_id:\t1\n` : missing();
    const link = (path: string) => (path === '/proc/self/fd/0' ? '/dev/null' : '/home/me/out.log');
    expect(started({ link, read: flags('0100001') })).toBe(true);
    expect(started({ link, read: flags('0100000') })).toBe(false);
    expect(started({ link, read: flags('0100002') })).toBe(false);
    expect(started({ link: () => '/dev/pts/1', read: flags('0100001') })).toBe(false);
  });

  it.each([
    [['dash', '-c', 'nohup rc-engine start > log 2>&1 & wait'], true],
    [['/bin/sh', '-ec', 'cd /srv; exec /usr/bin/nohup rc-engine start'], true],
    [['/bin/sh', '-c', 'rc-engine start --home nohup '], false],
    [['/bin/sh', 'nohup run.sh'], false],
    [['node', '-c', 'nohup rc-engine start'], false],
  ])('the shell that is the parent: %j: %s', (words, ignored) => {
    const read = (path: string) => (path === '/proc/7/cmdline' ? `${words.join('\0')}\0` : missing());
    expect(started({ read })).toBe(ignored);
  });

  it('is, below nohup', () => {
    expect(started({ env: { _: '/usr/bin/nohup' } })).toBe(true);
    expect(started({ link: () => '/home/me/nohup.out' })).toBe(true);
  });
});
