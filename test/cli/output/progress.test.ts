import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Progress } from '../../../src/cli/output/progress.js';
import { Output } from '../../../src/cli/output/terminal.js';
import type { TimedReport } from '../../../src/remote-control/status.js';

const ESCAPE = '\u001b';

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
  decisionId: null,
  lastFailureId: null,
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
  it('writes a line for each state, plain without a terminal and on a dumb one', () => {
    for (const dumb of [false, true]) {
      if (dumb) vi.stubEnv('TERM', 'dumb');
      const screen = new Screen(dumb);
      const progress = progressOn(screen);
      progress.show(report('enrolling.requesting'));
      progress.show(report('connecting'));
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
    expect(screen.text).not.toContain(ESCAPE);
  });

  it('shows the reason and the time of the next attempt', () => {
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

  it('does not repeat a line', () => {
    const screen = new Screen(false);
    const progress = progressOn(screen);
    progress.show(report('connecting'));
    progress.show(report('connecting'));
    expect(screen.text.split('\n')).toHaveLength(2);
  });
});
