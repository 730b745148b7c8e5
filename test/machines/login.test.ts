import { afterAll, describe, expect, it } from 'vitest';
import { type ActorRefFrom, createActor, createMachine, type SnapshotFrom } from 'xstate';
import { loginMachine } from '../../machines/login/machine.js';
import type { LoginProgress } from '../../machines/login/setup.js';
import type {
  CodeOutcome,
  DeviceOutcome,
  DevicePoll,
  ExchangeStep,
  LoginOutcome,
  PlaceOutcome,
  PortOutcome,
  SaveOutcome,
} from '../../src/protocol/account.js';
import { statePath } from '../../src/protocol/decision.js';
import type { Failure } from '../../src/protocol/outcomes.js';
import type { Reason } from '../../src/protocol/reasons.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

interface Outcomes {
  checkPlace: PlaceOutcome;
  openPort: PortOutcome;
  requestCancel: unknown;
  awaitCallback: CodeOutcome;
  awaitOther: unknown;
  requestDeviceCode: DeviceOutcome;
  pollDevice: DevicePoll;
  exchangeCode: ExchangeStep;
  saveSignIn: SaveOutcome;
  awaitSuccessPage: unknown;
  completeSignIn: LoginOutcome;
}

const cover = new EdgeCover(loginMachine);
const failure = (reason: Reason): Failure => ({ reason, message: `it was ${reason}`, at: 1 });
const failed = (reason: Reason) => ({ kind: 'failed', failure: failure(reason) }) as const;
const saved = (page: 'local' | 'none'): SaveOutcome => ({ kind: 'saved', stored: { kind: 'apiKey' }, page });
const pending = (slowDown = false, retryAfter = 0): DevicePoll => ({ kind: 'pending', slowDown, retryAfter });
const retry: DevicePoll = { kind: 'retry', failure: failure('issuerFailed'), retryAfter: 0 };
const bug = new Error('bug');

class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<Outcomes>();
  readonly progress: string[] = [];
  /** Failures that the browser was shown. */
  readonly shown: string[] = [];
  readonly parent;

  constructor(kind: 'browser' | 'device') {
    const { desk, clock } = this;
    const login = loginMachine.provide({
      actors: {
        checkPlace: desk.actor('checkPlace'),
        openPort: desk.actor('openPort'),
        requestCancel: desk.actor('requestCancel'),
        awaitCallback: desk.actor('awaitCallback'),
        awaitOther: desk.actor('awaitOther'),
        requestDeviceCode: desk.actor('requestDeviceCode'),
        pollDevice: desk.actor('pollDevice'),
        exchangeCode: desk.actor('exchangeCode'),
        saveSignIn: desk.actor('saveSignIn'),
        awaitSuccessPage: desk.actor('awaitSuccessPage'),
        completeSignIn: desk.actor('completeSignIn'),
      },
      actions: {
        showFailure: ({ context: { outcome } }) => {
          this.shown.push(outcome !== null && 'failure' in outcome ? outcome.failure.reason : '?');
        },
      },
    });
    const env = { now: () => 1, monotonic: () => clock.now(), random: () => 0.5 };
    const host = createMachine({
      types: {} as { events: LoginProgress },
      invoke: {
        id: 'login',
        src: login,
        input: {
          env,
          loginId: 'L',
          kind,
          loginTimeout: 600_000,
          issuerTimeout: 30_000,
          loginPorts: [1455, 1457],
        },
      },
      on: { '*': { actions: ({ event }) => this.progress.push(event.type.replace('SIGN_IN.', '')) } },
    });
    this.parent = createActor(host, { clock, inspect: cover.watch(login) });
    this.parent.start();
    this.login = this.parent.getSnapshot().children.login as ActorRefFrom<typeof loginMachine> | undefined;
  }

  readonly login;

  get snapshot() {
    if (this.login === undefined) throw new Error('the chart did not start');
    return this.login.getSnapshot() as SnapshotFrom<typeof loginMachine>;
  }

  get state(): string {
    return statePath(this.snapshot.value);
  }

  /** The output in short form. */
  get end(): string {
    const { output } = this.snapshot;
    if (this.snapshot.status !== 'done' || output === undefined) return this.state;
    return 'failure' in output ? `${output.kind} ${output.failure.reason}` : output.kind;
  }

  async finish(): Promise<void> {
    this.login?.send({ type: 'FINISH' });
    await settle();
  }

  /** A browser sign-in up to this state. */
  async to(
    state: 'listening' | 'waiting' | 'exchanging' | 'saving' | 'awaitingSuccess' | 'completing',
  ): Promise<this> {
    await this.desk.answer('checkPlace', { kind: 'prepared' });
    if (state === 'listening') return this;
    await this.desk.answer('openPort', { kind: 'opened' });
    if (state === 'waiting') return this;
    await this.desk.answer('awaitCallback', { kind: 'code' });
    if (state === 'exchanging') return this;
    await this.desk.answer('exchangeCode', { kind: 'granted' });
    if (state === 'saving') return this;
    await this.desk.answer('saveSignIn', saved('local'));
    if (state === 'awaitingSuccess') return this;
    await this.desk.answer('awaitSuccessPage', undefined);
    return this;
  }

  /** A device sign-in up to its first poll. */
  async polling(): Promise<this> {
    await this.desk.answer('checkPlace', { kind: 'prepared' });
    await this.desk.answer('requestDeviceCode', { kind: 'opened', interval: 5_000 });
    return this;
  }
}

const browser = () => new Rig('browser');
const device = () => new Rig('device');

describe('login: browser', () => {
  it('ACC-70 … ACC-77: each step is reported, and the success ends it', async () => {
    const rig = await browser().to('completing');
    await rig.desk.answer('completeSignIn', { kind: 'finished' });
    expect([rig.end, rig.progress]).toEqual([
      'finished',
      ['OPENED', 'APPROVED', 'SAVING', 'SAVED', 'COMPLETING', expect.stringContaining('done')],
    ]);
  });

  it('ACC-113: a sign-in that cannot be saved is not begun', async () => {
    for (const how of ['answer', 'break', 'silence'] as const) {
      const rig = browser();
      if (how === 'answer') await rig.desk.answer('checkPlace', failed('authFileNotWritable'));
      else if (how === 'break') await rig.desk.fail('checkPlace', bug);
      else await rig.clock.advance(30_000);
      expect(rig.end).toBe(`notOpened ${how === 'break' ? 'engineFault' : 'authFileNotWritable'}`);
    }
  });

  it('ACC-70: a port in use gets one request to cancel, then ten attempts, then the next port', async () => {
    const rig = await browser().to('listening');
    const ports: unknown[] = [];
    const attempt = async () => {
      ports.push((rig.desk.lastInput('openPort') as { port: number }).port);
      await rig.desk.answer('openPort', { kind: 'inUse' });
    };
    await attempt();
    expect([rig.state, rig.desk.lastInput('requestCancel')]).toEqual([
      'browser.opening.asking',
      { loginId: 'L', port: 1455 },
    ]);
    await rig.desk.answer('requestCancel', undefined);
    for (let round = 0; round < 20; round += 1) {
      if (rig.state !== 'browser.opening.pausing') break;
      await rig.clock.advance(200);
      await attempt();
    }
    // The second port is tried at once.
    expect([rig.state, ports.length]).toEqual(['browser.opening.listening', 11]);
    for (let round = 0; round < 11; round += 1) {
      await attempt();
      await rig.clock.advance(200);
    }
    expect([rig.end, rig.desk.count('requestCancel'), ports.slice(10, 13)]).toEqual([
      'notOpened loginPortsBusy',
      1,
      [1455, 1457, 1457],
    ]);
  });

  it('ACC-70: the program that uses the port may break or stay silent', async () => {
    for (const how of ['break', 'silence'] as const) {
      const rig = await browser().to('listening');
      await rig.desk.answer('openPort', { kind: 'inUse' });
      if (how === 'break') await rig.desk.fail('requestCancel', bug);
      else await rig.clock.advance(2_000);
      expect(rig.state).toBe('browser.opening.pausing');
    }
  });

  it('ACC-70: a port that cannot be opened for another reason ends it', async () => {
    for (const how of ['answer', 'break', 'silence'] as const) {
      const rig = await browser().to('listening');
      if (how === 'answer') await rig.desk.answer('openPort', failed('issuerFailed'));
      else if (how === 'break') await rig.desk.fail('openPort', bug);
      else await rig.clock.advance(5_000);
      const reason = { answer: 'issuerFailed', break: 'engineFault', silence: 'loginPortsBusy' }[how];
      expect([rig.end, rig.progress.includes('OPENED')]).toEqual([`notOpened ${reason}`, false]);
    }
  });

  it('ACC-77: it times out while it waits for the browser', async () => {
    const rig = await browser().to('waiting');
    await rig.clock.advance(599_999);
    expect(rig.state).toBe('browser.waiting');
    await rig.clock.advance(1);
    expect([rig.end, rig.desk.aborted]).toEqual(['failed loginTimedOut', ['awaitCallback']]);
  });

  it.each([
    ['waiting', 'awaitCallback'],
    ['exchanging', 'exchangeCode'],
    ['saving', 'saveSignIn'],
    ['completing', 'completeSignIn'],
  ] as const)('ACC-74, ACC-75: a failure in %s is shown in the browser', async (state, src) => {
    for (const how of ['answer', 'break'] as const) {
      const rig = await browser().to(state);
      if (how === 'answer') await rig.desk.answer(src, failed('loginRefused'));
      else await rig.desk.fail(src, bug);
      const reason = how === 'answer' ? 'loginRefused' : 'engineFault';
      expect([rig.end, rig.shown]).toEqual([`failed ${reason}`, [reason]]);
    }
  });

  it('ACC-76: another program that asks for the port ends it while the code is exchanged', async () => {
    for (const how of ['answer', 'break'] as const) {
      const rig = await browser().to('exchanging');
      if (how === 'answer') await rig.desk.answer('awaitOther', undefined);
      else await rig.desk.fail('awaitOther', bug);
      expect(rig.end).toBe(`failed ${how === 'answer' ? 'loginCancelled' : 'engineFault'}`);
      expect(rig.desk.aborted).toEqual(['exchangeCode']);
    }
  });

  it('each wait for the issuer, the disk and the app server ends', async () => {
    const ends = [];
    for (const state of ['exchanging', 'saving', 'completing'] as const) {
      const rig = await browser().to(state);
      await rig.clock.advance(state === 'exchanging' ? 95_000 : 300_000);
      ends.push(rig.end);
    }
    expect(ends).toEqual(['failed issuerUnreachable', 'failed authFileNotWritable', 'finished']);
  });

  it('ACC-111: the wait for the success page ends after 5 s, at once for another request, and when it breaks', async () => {
    for (const how of ['time', 'finish', 'break'] as const) {
      const rig = await browser().to('awaitingSuccess');
      if (how === 'time') await rig.clock.advance(5_000);
      else if (how === 'finish') await rig.finish();
      else await rig.desk.fail('awaitSuccessPage', bug);
      expect(rig.state).toBe('completing');
    }
    const hosted = await browser().to('saving');
    await hosted.desk.answer('saveSignIn', saved('none'));
    expect([hosted.state, hosted.progress.slice(-2)]).toEqual(['completing', ['SAVED', 'COMPLETING']]);
  });
});

describe('login: device', () => {
  it('ACC-79, ACC-80: polls at the interval of the issuer until the code was typed', async () => {
    const rig = await device().polling();
    await rig.desk.answer('pollDevice', pending());
    expect([rig.state, rig.clock.nextIn]).toEqual(['device.pausing', 5_000]);
    await rig.clock.advance(5_000);
    await rig.desk.answer('pollDevice', { kind: 'code' });
    expect([rig.state, rig.progress]).toEqual(['exchanging', ['OPENED', 'APPROVED']]);
  });

  it('ACC-79: without a code it is not opened', async () => {
    for (const how of ['answer', 'break', 'silence'] as const) {
      const rig = device();
      await rig.desk.answer('checkPlace', { kind: 'prepared' });
      if (how === 'answer') await rig.desk.answer('requestDeviceCode', failed('deviceLoginUnavailable'));
      else if (how === 'break') await rig.desk.fail('requestDeviceCode', bug);
      else await rig.clock.advance(35_000);
      const reason = { answer: 'deviceLoginUnavailable', break: 'engineFault', silence: 'issuerUnreachable' }[
        how
      ];
      expect(rig.end).toBe(`notOpened ${reason}`);
    }
  });

  it('ACC-110: slow_down makes all later pauses 5 s longer; Retry-After is the least pause', async () => {
    const rig = await device().polling();
    const pauses: unknown[] = [];
    for (const answer of [
      pending(true),
      pending(),
      retry,
      pending(false, 30_000),
      pending(true),
      pending(),
    ]) {
      await rig.desk.answer('pollDevice', answer);
      pauses.push(rig.clock.nextIn);
      await rig.clock.advance(rig.clock.nextIn ?? 0);
    }
    expect(pauses).toEqual([10_000, 10_000, 10_000, 30_000, 15_000, 15_000]);
  });

  it('ACC-80, ACC-110: a pause that outlasts the code is cut, and one more poll follows', async () => {
    const rig = await device().polling();
    await rig.desk.answer('pollDevice', pending(false, 880_000));
    await rig.clock.advance(880_000);
    await rig.desk.answer('pollDevice', pending(false, 60_000));
    expect(rig.clock.nextIn).toBe(20_000);
    await rig.clock.advance(20_000);
    await rig.desk.answer('pollDevice', pending());
    expect([rig.end, rig.shown]).toEqual(['failed loginTimedOut', ['loginTimedOut']]);
    const failing = await device().polling();
    await failing.desk.answer('pollDevice', pending(false, 900_000));
    await failing.clock.advance(900_000);
    await failing.desk.answer('pollDevice', retry);
    expect(failing.end).toBe('failed issuerFailed');
  });

  it('ACC-110: an issuer that does not respond is asked again; one that denies ends it', async () => {
    const rig = await device().polling();
    await rig.clock.advance(35_000);
    expect([rig.state, rig.clock.nextIn]).toEqual(['device.pausing', 5_000]);
    for (const how of ['answer', 'break'] as const) {
      const denied = await device().polling();
      if (how === 'answer') await denied.desk.answer('pollDevice', failed('deviceCodeDenied'));
      else await denied.desk.fail('pollDevice', bug);
      expect(denied.end).toBe(`failed ${how === 'answer' ? 'deviceCodeDenied' : 'engineFault'}`);
    }
  });
});

afterAll(() => {
  expect(cover.untaken).toEqual([]);
  expect(unusedNames(loginMachine)).toEqual([]);
});
