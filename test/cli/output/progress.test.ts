import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Progress } from '../../../src/cli/output/progress.js';
import { Output } from '../../../src/cli/output/terminal.js';
import type { TimedReport } from '../../../src/remote-control/status.js';

const ESCAPE = '\u001b';
const OVERWRITE = `\r${ESCAPE}[2K`;

class Screen {
  text = '';
  readonly isTTY: boolean;
  readonly columns: number;
  readonly rows = 40;

  constructor(isTTY: boolean, columns = 80) {
    this.isTTY = isTTY;
    this.columns = columns;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }
}

const progressOn = (screen: Screen) => new Progress(new Output(() => screen));

const report = (state: string, more: Partial<TimedReport> = {}): TimedReport => ({
  status: 'connecting',
  state: `active.${state}`,
  since: 0,
  reason: 'enabled',
  detail: null,
  serverName: 'host',
  environmentId: null,
  serverId: null,
  accountId: null,
  tokenExpiresAt: null,
  lastFailure: null,
  replacedIdentity: null,
  nextAttemptAt: null,
  openedAt: null,
  ...more,
});

beforeEach(() => {
  vi.stubEnv('NO_COLOR', '');
  vi.stubEnv('TERM', 'xterm');
});
afterEach(() => {
  vi.unstubAllEnvs();
});

describe('Progress', () => {
  it('overwrites one line on a terminal, and ends it once connected', () => {
    const screen = new Screen(true);
    const progress = progressOn(screen);
    progress.show(report('enrolling.requesting'));
    progress.show(report('connecting'));
    progress.show(report('connected', { status: 'connected', reason: 'connected' }));
    progress.finishLine();
    expect(screen.text.split(OVERWRITE)).toHaveLength(4);
    expect(screen.text.split('\n')).toHaveLength(2);
    expect(screen.text).toContain(`${ESCAPE}[32mconnected`);
    expect(screen.text).not.toContain('active.');
  });

  it('writes plain lines without a terminal, or on a dumb one', () => {
    for (const dumb of [false, true]) {
      if (dumb) vi.stubEnv('TERM', 'dumb');
      const screen = new Screen(dumb);
      const progress = progressOn(screen);
      progress.show(report('enrolling.requesting'));
      progress.show(report('connecting'));
      progress.finishLine();
      expect(screen.text).toMatch(
        /^ +0\.0 s {2}connecting enrolling\.requesting {2}\(enabled\)\n.*connecting connecting.*\n$/,
      );
      expect(screen.text).not.toContain(ESCAPE);
    }
  });

  it('writes no colours with NO_COLOR', () => {
    vi.stubEnv('NO_COLOR', '1');
    const screen = new Screen(true);
    progressOn(screen).show(report('connecting'));
    expect(screen.text.replaceAll(OVERWRITE, '')).not.toContain(ESCAPE);
  });

  it('shows the reason and the time of the next attempt, and keeps that line', () => {
    const screen = new Screen(true, 200);
    const failure = { reason: 'backendUnavailable', message: 'HTTP 503 from the backend', at: 0 } as const;
    progressOn(screen).show(
      report('backingOff.failed', {
        status: 'errored',
        reason: 'backendUnavailable',
        lastFailure: failure,
        nextAttemptAt: Date.now() + 20_000,
      }),
    );
    expect(screen.text).toMatch(/HTTP 503 from the backend {2}next attempt in 20 s\n$/);
  });

  it('cuts a line to the width of the terminal; colour codes do not count', () => {
    const screen = new Screen(true, 40);
    const failure = { reason: 'backendUnavailable', message: 'm'.repeat(300), at: 0 } as const;
    progressOn(screen).show(report('backingOff.failed', { status: 'errored', lastFailure: failure }));
    const seen = screen.text
      .replace(OVERWRITE, '')
      .replace(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '')
      .trimEnd();
    expect(seen).toHaveLength(39);
    expect(seen.endsWith('…')).toBe(true);
  });

  it('does not repeat a line', () => {
    const screen = new Screen(false);
    const progress = progressOn(screen);
    progress.show(report('connecting'));
    progress.show(report('connecting'));
    expect(screen.text.split('\n')).toHaveLength(2);
  });
});
