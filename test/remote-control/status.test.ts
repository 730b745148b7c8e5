import { describe, expect, it } from 'vitest';
import { createActor, fromPromise } from 'xstate';
import { remoteControlMachine } from '../../machines/remote-control/machine.js';
import type {
  AuthOutcome,
  DialOutcome,
  EnrollOutcome,
  Failure,
  LoadEnrollmentOutcome,
  StoreOutcome,
} from '../../src/protocol/outcomes.js';
import { Secret } from '../../src/protocol/secret.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { type PublicStatus, StatusBoard, type TimedReport } from '../../src/remote-control/status.js';
import { TestClock } from '../support/charts.js';

const START = 1_700_000_000_000;
const missing: Failure = { reason: 'authMissing', message: 'nobody is signed in', at: START };

/** The chart with an account, a backend and a clock that the test controls. */
class World {
  readonly clock = new TestClock();
  auth: AuthOutcome = { kind: 'usable', account: { accountId: 'a', generation: 1 } };
  enroll: EnrollOutcome = {
    kind: 'granted',
    enrollment: { serverId: 's', environmentId: 'e', serverName: 'host' },
    token: { secret: new Secret('hush'), expiresAt: START + 3_600_000 },
  };
  readonly reports: TimedReport[] = [];
  readonly statuses: PublicStatus[] = [];
  readonly actor = createActor(
    remoteControlMachine.provide({
      actors: {
        loadAuth: fromPromise(async () => this.auth),
        loadEnrollment: fromPromise(
          async (): Promise<LoadEnrollmentOutcome> => ({ kind: 'none', preference: 'unset' }),
        ),
        enroll: fromPromise(async () => this.enroll),
        saveEnrollment: fromPromise(async (): Promise<StoreOutcome> => ({ kind: 'done' })),
        dial: fromPromise(() => new Promise<DialOutcome>(() => {})),
        drain: fromPromise(async () => {}),
      },
      actions: { closeVirtualClients: () => {} },
    }),
    {
      clock: this.clock,
      input: {
        env: { now: () => this.now, monotonic: () => this.now, random: () => 0.5 },
        timing: DEFAULT_TIMING,
        target: { ok: true, socketUrl: 'ws://127.0.0.1/' },
        store: 'present',
        serverName: 'host',
        clientName: null,
        authStartup: 'recoverable',
        onConflict: 'wait',
      },
    },
  );
  readonly board = new StatusBoard(this.actor, 'installation', {
    now: () => this.now,
    monotonic: () => this.now,
  });

  constructor() {
    this.actor.subscribe(() => this.board.refresh());
    this.board.onReport((report) => this.reports.push(report));
    this.board.onPublic((status) => this.statuses.push(status));
    this.actor.start();
  }

  get now(): number {
    return START + this.clock.now();
  }

  async enable(): Promise<void> {
    this.actor.send({ type: 'ENABLE', by: 'start', durable: false });
    await this.clock.advance(0);
  }

  get states(): string[] {
    return this.reports.map(({ state }) => state);
  }
}

describe('StatusBoard', () => {
  it('RC-42: the public status has four members, and is reported only when one of them has changed', async () => {
    const world = new World();
    expect(world.board.publicStatus).toEqual({
      status: 'disabled',
      serverName: 'host',
      installationId: 'installation',
      environmentId: null,
    });
    await world.enable();
    expect(world.states.length).toBeGreaterThan(4);
    expect(world.statuses.map(({ status, environmentId }) => [status, environmentId])).toEqual([
      ['connecting', null],
      ['connecting', 'e'],
    ]);
    world.board.refresh();
    expect(world.statuses).toHaveLength(2);
    world.actor.send({ type: 'DISABLE', durable: false });
    expect(world.statuses.at(-1)).toMatchObject({ status: 'disabled', environmentId: null });
  });

  it('RC-42a: the report contains the start of the state, its reason and its end, and never the token', async () => {
    const world = new World();
    await world.clock.advance(5_000);
    await world.enable();
    await world.clock.advance(7_000);
    expect(world.board.report).toMatchObject({
      status: 'connecting',
      state: 'active.connecting',
      since: START + 5_000,
      serverId: 's',
      environmentId: 'e',
      accountId: 'a',
      tokenExpiresAt: START + 3_600_000,
      lastFailure: null,
      nextAttemptAt: null,
    });
    expect(JSON.stringify([world.reports, world.statuses])).not.toContain('hush');
  });

  it('RC-42a: a failure is reported with its details and the time of the next attempt', async () => {
    const world = new World();
    const failure: Failure = {
      reason: 'backendUnavailable',
      message: 'HTTP 503',
      at: START,
      httpStatus: 503,
      requestId: 'r',
    };
    world.enroll = { kind: 'transient', failure };
    await world.enable();
    expect(world.board.report).toMatchObject({
      status: 'errored',
      reason: 'backendUnavailable',
      detail: 'HTTP 503',
      lastFailure: failure,
      nextAttemptAt: START + 750,
    });
    // The pause has ended: an attempt is in progress.
    world.enroll = { kind: 'other', failure };
    await world.clock.advance(750);
    expect(world.board.report.nextAttemptAt).toBe(START + 750 + 1_500);
  });

  it('RC-26: the check for an account each second is not reported, and does not reset "since"', async () => {
    const world = new World();
    world.auth = { kind: 'ineligible', failure: missing };
    await world.enable();
    const since = world.board.report.since;
    const reported = world.reports.length;
    expect(world.board.report.state).toBe('active.awaitingAuth.missing');
    await world.clock.advance(10_500);
    expect(world.reports.length).toBe(reported);
    expect(world.board.report).toMatchObject({
      since,
      state: 'active.awaitingAuth.missing',
      nextAttemptAt: START + 11_000,
    });
    world.auth = { kind: 'ineligible', failure: { ...missing, reason: 'authApiKeyOnly' } };
    await world.clock.advance(1_000);
    expect(world.reports.slice(reported).map(({ reason }) => reason)).toEqual(['authApiKeyOnly']);
    world.auth = { kind: 'usable', account: { accountId: 'a', generation: 1 } };
    await world.clock.advance(1_000);
    expect(world.board.report.state).toBe('active.connecting');
  });

  it('a removed listener is not called', async () => {
    const world = new World();
    const calls: string[] = [];
    const removals = [
      world.board.onReport(({ state }) => calls.push(state)),
      world.board.onPublic(({ status }) => calls.push(status)),
    ];
    for (const remove of removals) remove();
    await world.enable();
    expect(calls).toEqual([]);
  });
});
