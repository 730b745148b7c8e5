import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { createSleepDetector, type WakeCause } from '../../src/system/sleep-detector.js';

const INTERVAL = 2_000;

function address(ip: string, internal = false): NetworkInterfaceInfo {
  return { address: ip, netmask: '', family: 'IPv4', mac: '', internal, cidr: null };
}

function detector() {
  const world = { wall: 1_000_000, counted: 0, interfaces: { eth0: [address('192.0.2.1')] } as object };
  const causes: WakeCause[] = [];
  let look = (): void => {};
  let stopped = 0;
  const wake = createSleepDetector({
    interval: INTERVAL,
    now: () => world.wall,
    monotonic: () => world.counted,
    interfaces: () => {
      if ('broken' in world.interfaces) throw new Error('EACCES');
      return world.interfaces as NodeJS.Dict<NetworkInterfaceInfo[]>;
    },
    every: (ms, run) => {
      expect(ms).toBe(INTERVAL);
      look = run;
      return () => {
        stopped += 1;
      };
    },
    onWake: (cause) => causes.push(cause),
  });
  const tick = (wallStep = INTERVAL, countedStep = wallStep): void => {
    world.wall += wallStep;
    world.counted += countedStep;
    look();
  };
  return { world, causes, tick, wake, stopped: () => stopped };
}

describe('createSleepDetector', () => {
  it('RC-25a: reports nothing while the clocks agree', () => {
    const { causes, tick } = detector();
    for (let n = 0; n < 100; n += 1) tick(INTERVAL + (n % 3) * 20, INTERVAL + (n % 5) * 10);
    expect(causes).toEqual([]);
  });

  it.each([
    ['the machine slept', 3_600_000, INTERVAL],
    ['the machine slept and its counting clock ran on', 3_600_000, 3_600_000],
    ['the clock was set forward', INTERVAL + 10_000, INTERVAL],
    ['the clock was set back', INTERVAL - 3_600_000, INTERVAL],
    ['the process was stopped', 60_000, 60_000],
  ])('RC-25a: %s: told once, with the size of the jump', (_what, wallStep, countedStep) => {
    const { causes, tick } = detector();
    tick();
    tick(wallStep, countedStep);
    expect(causes).toMatchObject([{ kind: 'clock' }]);
    tick();
    tick();
    expect(causes).toHaveLength(1);
  });

  it('RC-25a: reports the size of a jump', () => {
    const { causes, tick } = detector();
    tick(60_000, INTERVAL);
    expect(causes).toEqual([{ kind: 'clock', jumpMs: 58_000 }]);
  });

  it('RC-25a: small corrections of the clock and late checks are not a wake-up', () => {
    const { causes, tick } = detector();
    tick(INTERVAL + 2_500, INTERVAL);
    tick(INTERVAL - 2_500, INTERVAL);
    tick(INTERVAL + 2_500);
    expect(causes).toEqual([]);
  });

  it('RC-25a: reports an address that appears, disappears or changes', () => {
    const { world, causes, tick } = detector();
    tick();
    for (const next of [
      { eth0: [address('192.0.2.2')] },
      { eth0: [address('192.0.2.2')], wlan0: [address('198.51.100.7')] },
      { wlan0: [address('198.51.100.7')] },
      {},
    ]) {
      const before = causes.length;
      world.interfaces = next;
      tick();
      tick();
      expect(causes.slice(before)).toEqual([{ kind: 'network' }]);
    }
  });

  it('RC-25a: the order, loopback and link-local addresses do not matter', () => {
    const { world, causes, tick } = detector();
    world.interfaces = { eth0: [address('192.0.2.1'), address('2001:db8::1')] };
    tick();
    for (const next of [
      { eth0: [address('2001:db8::1'), address('192.0.2.1')] },
      { eth0: [address('2001:db8::1'), address('192.0.2.1')], lo: [address('127.0.0.1', true)] },
      {
        eth0: [address('2001:db8::1'), address('192.0.2.1')],
        veth1: [address('fe80::1'), address('169.254.3.4')],
      },
      { eth0: [address('2001:db8::1'), address('192.0.2.1')], veth1: undefined },
    ]) {
      world.interfaces = next;
      tick();
    }
    expect(causes).toEqual([]);
  });

  it('RC-25a: works with the clocks alone when the system does not list its interfaces', () => {
    const { world, causes, tick } = detector();
    tick();
    world.interfaces = { broken: true };
    tick();
    world.interfaces = { eth0: [address('192.0.2.1')] };
    tick();
    expect(causes).toEqual([]);
    tick(60_000, INTERVAL);
    expect(causes).toHaveLength(1);
  });

  it('RC-25a: a wake-up in a new network is reported once', () => {
    const { world, causes, tick } = detector();
    tick();
    world.interfaces = { eth0: [address('203.0.113.5')] };
    tick(60_000, INTERVAL);
    tick();
    expect(causes).toMatchObject([{ kind: 'clock' }]);
  });

  it('RC-25a: close stops it', () => {
    const { wake, stopped } = detector();
    wake.close();
    expect(stopped()).toBe(1);
  });

  it('RC-25a: with the clocks of the system it reports nothing, and close stops its checks', async () => {
    const causes: WakeCause[] = [];
    const counting = () => {
      const seen = { looks: 0 };
      const interfaces = () => {
        seen.looks += 1;
        return {};
      };
      const wake = createSleepDetector({ interval: 5, interfaces, onWake: (cause) => causes.push(cause) });
      return { seen, wake };
    };
    const first = counting();
    await vi.waitFor(() => expect(first.seen.looks).toBeGreaterThan(3));
    first.wake.close();
    const before = first.seen.looks;
    const second = counting();
    await vi.waitFor(() => expect(second.seen.looks).toBeGreaterThan(3));
    second.wake.close();
    expect(first.seen.looks).toBe(before);
    expect(causes).toEqual([]);
  });
});
