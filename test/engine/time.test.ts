/** Clocks that jump: the wall clock is the engine's `env`; timers continue unchanged. */
import { describe, expect } from 'vitest';
import type { FaultInput } from '../../src/backend/index.js';
import { it, type Rig } from '../support/engine-rig.js';
import { claimController } from '../support/peers.js';

class Wall {
  offset = 0;
  readonly env = {
    now: () => Date.now() + this.offset,
    monotonic: () => performance.now(),
    random: () => Math.random(),
  };
}

const HOUR = 3_600_000;
const fault = async (rig: Rig, input: Extract<FaultInput, { action: 'answer' }>['fault']) =>
  (await rig.lab.backend()).fault({ action: 'answer', fault: input });

describe('a clock that jumps', () => {
  it('forward past the end of the token: the open link stays, and the next one starts with a refresh (RC-13)', async ({
    rig,
  }) => {
    const wall = new Wall();
    const engine = await rig.connected({ env: wall.env });
    wall.offset = 2 * HOUR;
    expect(engine.status.status).toBe('connected');
    expect(engine.fullStatus.remoteControl.tokenExpiresAt).toBeLessThan(wall.env.now());
    (await rig.lab.backend()).fault({ action: 'closeSockets' });
    await rig.until(() => engine.fullStatus.counters.linksOpened === 2, 'next link');
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, dials: 2 });
    expect(engine.fullStatus.counters.refreshRequests).toBeGreaterThanOrEqual(1);
  });

  it('backward: the token stays valid for longer, and no request is sent', async ({ rig }) => {
    const wall = new Wall();
    const engine = await rig.connected({ env: wall.env });
    wall.offset = -24 * HOUR;
    (await rig.lab.backend()).fault({ action: 'closeSockets' });
    await rig.until(() => engine.fullStatus.counters.linksOpened === 2, 'next link');
    expect(engine.fullStatus.counters).toMatchObject({ enrollRequests: 1, refreshRequests: 0 });
  });

  it('backward during a pause: the pause does not become longer', async ({ rig }) => {
    const wall = new Wall();
    await rig.lab.signIn();
    await fault(rig, { route: 'enroll', answer: 'status', status: 500, times: 3 });
    const engine = await rig.start({ env: wall.env });
    await rig.reached(engine, ({ status }) => status === 'errored', 'errored');
    wall.offset = -24 * HOUR;
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
  });

  it('backward during a Retry-After: it ends at the same moment', async ({ rig }) => {
    const wall = new Wall();
    await rig.lab.signIn();
    await fault(rig, { route: 'enroll', answer: 'status', status: 429, headers: { 'retry-after': '1' } });
    const engine = await rig.start({ env: wall.env });
    await rig.reached(engine, ({ state }) => state === 'active.backingOff.retryAfter', 'retryAfter');
    const started = performance.now();
    wall.offset = -24 * HOUR;
    await rig.reached(engine, ({ status }) => status === 'connected', 'connected');
    expect(performance.now() - started).toBeGreaterThan(900);
    expect(performance.now() - started).toBeLessThan(4_000);
  });

  it('forward during a Retry-After: nothing is sent before it has passed on the monotonic clock', async ({
    rig,
  }) => {
    const wall = new Wall();
    await rig.lab.signIn();
    await fault(rig, { route: 'enroll', answer: 'status', status: 429, headers: { 'retry-after': '1' } });
    const engine = await rig.start({ env: wall.env });
    await rig.reached(engine, ({ state }) => state === 'active.backingOff.retryAfter', 'retryAfter');
    const started = performance.now();
    wall.offset = HOUR;
    await rig.until(() => engine.fullStatus.counters.enrollRequests === 2, 'next try');
    expect(performance.now() - started).toBeGreaterThan(900);
  });

  it('a machine with a very wrong clock can still connect', async ({ rig }) => {
    for (const offset of [-400 * 24 * HOUR, 400 * 24 * HOUR]) {
      const wall = new Wall();
      wall.offset = offset;
      const engine = await rig.connected({ env: wall.env });
      expect(engine.fullStatus.counters.dials).toBe(1);
      await engine.stop();
    }
    expect(rig.lab.requests('enroll')).toBe(1);
  });

  it('changes no age: since when it is connected, and since when the engine runs (RC-42a)', async ({
    rig,
  }) => {
    const wall = new Wall();
    wall.offset = -40 * 24 * HOUR;
    const engine = await rig.connected({ env: wall.env });
    wall.offset = 0;
    const { now, startedAt, remoteControl } = engine.fullStatus;
    for (const time of [startedAt, remoteControl.since, remoteControl.openedAt ?? 0]) {
      expect(now - time).toBeGreaterThanOrEqual(0);
      expect(now - time).toBeLessThan(60_000);
    }
  });

  it('closes no client: idle time is not read from the wall clock (RC-34)', async ({ rig }) => {
    const wall = new Wall();
    const engine = await rig.connected({ env: wall.env, timing: { idleSweep: 20 } });
    const controller = await claimController(engine, await rig.lab.backend());
    for (const offset of [-HOUR, HOUR, 0]) {
      wall.offset = offset;
      expect(await controller.request('engine/echo', { payload: offset })).toEqual({ payload: offset });
      expect(engine.fullStatus.remoteClients).toHaveLength(1);
    }
    await controller.close();
  });
});
