import { describe, expect } from 'vitest';
import { it } from '../support/lab.js';

describe('rc-engine status --watch', () => {
  it('RC-131: follows an engine that stops and starts, and ends on Ctrl-C with the last code', async ({
    lab,
  }) => {
    const first = await lab.connected();
    const watch = lab.run(['status', '--watch', '--json', '--home', lab.home]);
    const connected = () =>
      watch.lines.filter(({ remoteControl }) => JSON.stringify(remoteControl)?.includes('"connected"'));
    await watch.until(() => connected().length > 0, 'the status');
    await first.stop();
    await watch.line(({ type, code }) => type === 'error' && code === 'notRunning', 'the end of the engine');
    const before = connected().length;
    const second = await lab.connected();
    await watch.until(() => connected().length > before, 'the new engine', 15_000);
    expect((await watch.stop('SIGINT')).code).toBe(0);
    await second.stop();
  }, 60_000);

  it('prints the status again at a change only, as text, and ends with code 5 without an engine', async ({
    lab,
  }) => {
    const watch = lab.run(['status', '--watch', '--home', lab.home]);
    await watch.until(() => watch.stdout.includes('No engine runs'), 'the problem');
    expect(watch.stdout).toMatch(/^next step +/m);
    const { code, stdout } = await watch.stop('SIGINT');
    expect([code, stdout.split('No engine runs').length]).toEqual([5, 2]);
  });
});
