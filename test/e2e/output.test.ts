import { describe, expect } from 'vitest';
import { it } from '../support/lab.js';

const mentions = (text: string, of: string): number => text.split(of).length - 1;

describe('RC-105: a reader of stdout that has gone', () => {
  it('does not end the engine, which notes it once', async ({ lab }) => {
    const engine = await lab.connected();
    const backend = await lab.backend();
    engine.child.stdout.destroy();
    for (let links = 2; links < 4; links += 1) {
      backend.fault({ action: 'dropSockets', side: 'server' });
      await expect
        .poll(() => backend.events.filter(({ kind }) => kind === 'socketOpened').length, { timeout: 10_000 })
        .toBeGreaterThanOrEqual(links);
      await lab.reached({ status: 'connected' });
    }
    const { code, stderr } = await engine.stop('SIGTERM');
    expect(code, stderr).toBe(0);
    expect(mentions(stderr, 'stdout cannot be written'), stderr).toBe(1);
  });

  it('ends a short command without a word', async ({ lab }) => {
    const graph = lab.run(['graph', 'remoteControl', '--format', 'json']);
    graph.child.stdout.destroy();
    expect(await graph.exited).toMatchObject({ code: 0, stderr: '' });
  });
});
