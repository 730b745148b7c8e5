import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { IdleMemory } from '../../src/system/idle-memory.js';

describe('returning memory', () => {
  let collected = 0;
  let busy = 0;
  const faults: unknown[] = [];
  let memory: IdleMemory;
  const collect = async () => {
    collected += 1;
  };
  let live = 0;
  const come = (clients: number) => {
    for (let i = 0; i < clients; i += 1) {
      live += 1;
      memory.note();
    }
  };
  const go = (clients: number) => {
    for (let i = 0; i < clients; i += 1) {
      live -= 1;
      memory.note();
    }
  };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    collected = 0;
    faults.length = 0;
    busy = 0;
    live = 0;
    memory = new IdleMemory({
      live: () => live,
      onFault: (error) => faults.push(error),
      collect,
      busy: () => busy,
    });
  });
  afterEach(() => {
    memory.close();
    vi.useRealTimers();
  });

  const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

  it('happens once for a wave of 256 clients that connect or disconnect, and not for fewer', async () => {
    come(255);
    await seconds(3);
    expect([collected, vi.getTimerCount()]).toEqual([0, 0]);
    come(1);
    await seconds(3);
    expect([collected, vi.getTimerCount()]).toEqual([1, 0]);
    go(255);
    await seconds(2);
    expect(collected).toBe(1);
    go(1);
    await seconds(2);
    expect(collected).toBe(2);
  });

  it('does not happen for clients that come and go one by one, however many', async () => {
    come(30);
    for (let i = 0; i < 2_000; i += 1) {
      come(1);
      go(1);
    }
    await seconds(3);
    expect([collected, vi.getTimerCount()]).toEqual([0, 0]);
  });

  it('waits while clients connect or disconnect, and while the process is busy', async () => {
    come(300);
    for (let i = 0; i < 3; i += 1) {
      come(1);
      await seconds(1);
    }
    expect(collected).toBe(0);
    busy = 0.5;
    await seconds(5);
    expect(collected).toBe(0);
    busy = 0.1;
    await seconds(1);
    expect(collected).toBe(1);
  });

  it('does not happen after close; a failure is reported', async () => {
    come(300);
    memory.close();
    await seconds(2);
    expect([collected, vi.getTimerCount()]).toEqual([0, 0]);
    memory = new IdleMemory({
      live: () => live,
      onFault: (error) => faults.push(error),
      collect: () => Promise.reject(new Error('no')),
      busy: () => busy,
    });
    go(300);
    come(300);
    await seconds(2);
    expect(faults).toEqual([new Error('no')]);
  });
});
