import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MemoryReturn } from '../../src/adapters/memory-return.js';

describe('giving memory back', () => {
  let collected = 0;
  let busy = 0;
  const faults: unknown[] = [];
  let memory: MemoryReturn;
  const collect = async () => {
    collected += 1;
  };
  const wave = (clients: number) => {
    for (let i = 0; i < clients; i += 1) memory.note();
  };

  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    collected = 0;
    faults.length = 0;
    busy = 0;
    memory = new MemoryReturn({ onFault: (error) => faults.push(error), collect, busy: () => busy });
  });
  afterEach(() => {
    memory.close();
    vi.useRealTimers();
  });

  const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

  it('is done once for a wave of 256, and not for less', async () => {
    wave(255);
    await seconds(3);
    expect([collected, vi.getTimerCount()]).toEqual([0, 0]);
    wave(1);
    await seconds(3);
    expect([collected, vi.getTimerCount()]).toEqual([1, 0]);
    wave(255);
    await seconds(2);
    expect(collected).toBe(1);
  });

  it('waits while clients still go, and while the process is busy', async () => {
    wave(300);
    for (let i = 0; i < 3; i += 1) {
      wave(1);
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

  it('not after the end; what fails is told', async () => {
    wave(300);
    memory.close();
    await seconds(2);
    expect([collected, vi.getTimerCount()]).toEqual([0, 0]);
    memory = new MemoryReturn({
      onFault: (error) => faults.push(error),
      collect: () => Promise.reject(new Error('no')),
      busy: () => busy,
    });
    wave(300);
    await seconds(2);
    expect(faults).toEqual([new Error('no')]);
  });
});
