import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { appServerMachine } from '../../machines/app-server/machine.js';
import type { AppServerEvent, AppServerInput } from '../../machines/app-server/types.js';
import { statePath } from '../../src/protocol/decision.js';
import { type Failure, failure, type LaunchOutcome } from '../../src/protocol/outcomes.js';
import { DEFAULT_TIMING } from '../../src/protocol/timing.js';
import { Desk, settle, TestClock, unusedNames } from '../support/charts.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

const died = (message = 'It exited with code 3.'): Failure => failure('appServerExited', message, 0);
const STARVED: LaunchOutcome = {
  kind: 'starved',
  failure: failure('outOfDescriptors', 'The engine has too many open files.', 0),
};

/** The chart with scripted launches. `did` lists what adapters were asked for. */
class Rig {
  readonly clock = new TestClock();
  readonly desk = new Desk<{ launch: LaunchOutcome }>();
  readonly did: string[] = [];
  readonly actor;

  constructor(mode: AppServerInput['mode']) {
    const note = (name: string) => () => {
      this.did.push(name);
    };
    const machine = appServerMachine.provide({
      actors: { launch: this.desk.actor('launch') },
      actions: {
        giveUp: ({ event }) => {
          this.did.push(`giveUp ${'client' in event ? event.client : ''}`);
        },
        admitWaiting: note('admit'),
        refuseWaiting: note('refuse'),
        askAgain: note('askAgain'),
        retireChild: note('retire'),
        checkSocket: note('checkSocket'),
        endAll: note('endAll'),
      },
    });
    this.actor = createActor(machine, {
      clock: this.clock,
      input: {
        env: { now: () => this.clock.now(), monotonic: () => this.clock.now(), random: () => 0.5 },
        timing: DEFAULT_TIMING,
        mode,
        modeReason: 'the test says so',
      },
    });
    this.actor.start();
  }

  /** A shared child that listens. */
  static async listening(): Promise<Rig> {
    const rig = new Rig('shared');
    rig.send({ type: 'START' });
    await rig.desk.answer('launch', { kind: 'listening' });
    return rig;
  }

  send(event: AppServerEvent): void {
    this.actor.send(event);
  }

  get state(): string {
    return statePath(this.actor.getSnapshot().value);
  }
  get context() {
    return this.actor.getSnapshot().context;
  }
  get reason(): string {
    return this.context.decision.reason;
  }
  get detail(): string | null {
    return this.context.decision.detail;
  }
  get unavailable(): boolean {
    return this.actor.getSnapshot().hasTag('unavailable');
  }

  /** What adapters were asked for since the last call. */
  taken(): string[] {
    return this.did.splice(0);
  }

  /** A client connects, its `initialize` is passed on, and it gets the response. */
  serve(client: string): void {
    this.send({ type: 'CLIENT.WAITS' });
    this.send({ type: 'INITIALIZE.SENT', client });
    this.send({ type: 'ANSWERED', client });
  }

  fail(client: string, served = 0, message?: string): void {
    this.send({ type: 'FAILED', client, served, failure: died(message), exited: true });
  }

  async exits(): Promise<void> {
    this.send({ type: 'CHILD.EXITED', failure: died() });
    await settle();
  }
}

describe('chart appServer', () => {
  it('uses every name of its setup', () => {
    expect(unusedNames(appServerMachine)).toEqual([]);
  });

  describe('RC-62: a shared child that does not listen', () => {
    it('starts with the engine, and one child per client does not', async () => {
      const shared = new Rig('shared');
      shared.send({ type: 'START' });
      expect([shared.state, shared.desk.open]).toEqual(['starting.launching', ['launch']]);
      const own = new Rig('perClient');
      own.send({ type: 'START' });
      expect([own.state, own.desk.open]).toEqual(['idle', []]);
    });

    it('that exits first: each client gets its own from then on, and the waiting client is not refused', async () => {
      const rig = new Rig('shared');
      rig.send({ type: 'START' });
      rig.send({ type: 'CLIENT.WAITS' });
      expect(rig.taken(), 'the client waits').toEqual([]);
      await rig.desk.answer('launch', { kind: 'exited', failure: died('unknown option --listen') });
      expect([rig.state, rig.context.mode, rig.taken()]).toEqual(['idle', 'perClient', ['askAgain']]);
      expect(rig.context.modeReason).toContain('unknown option --listen');
      expect(rig.detail).toContain('unknown option --listen');
      rig.send({ type: 'CLIENT.WAITS' });
      expect([rig.state, rig.taken()]).toEqual(['starting.connecting', ['admit']]);
      expect(rig.desk.count('launch'), 'no second shared child').toBe(1);
    });

    it('within 10 s: the same, and the attempt is ended', async () => {
      const rig = new Rig('shared');
      rig.send({ type: 'START' });
      await rig.clock.advance(10 * SECOND - 1);
      expect(rig.state).toBe('starting.launching');
      await rig.clock.advance(1);
      expect([rig.state, rig.context.mode, rig.desk.aborted]).toEqual(['idle', 'perClient', ['launch']]);
      expect(rig.context.modeReason).toContain('did not listen on its socket within 10 s');
    });

    it('that has listened before is restarted instead', async () => {
      const rig = await Rig.listening();
      await rig.exits();
      expect(rig.context.mode).toBe('shared');
      rig.send({ type: 'CLIENT.WAITS' });
      await rig.desk.answer('launch', { kind: 'exited', failure: died() });
      expect([rig.state, rig.context.mode]).toEqual(['backingOff', 'shared']);
    });
  });

  describe('RC-63: a shared child that dies', () => {
    it('starts again after a pause of at most a second, or at once for the next client', async () => {
      const rig = await Rig.listening();
      rig.serve('a');
      await rig.exits();
      expect([rig.state, rig.reason, rig.unavailable]).toEqual(['backingOff', 'appServerExited', true]);
      await rig.clock.advance(SECOND);
      expect([rig.state, rig.desk.open]).toEqual(['starting.relaunching', ['launch']]);
      await rig.desk.answer('launch', { kind: 'listening' });
      await rig.exits();
      rig.taken();
      rig.send({ type: 'CLIENT.WAITS' });
      expect([rig.state, rig.taken()], 'no pause for a client').toEqual(['starting.relaunching', []]);
      await rig.desk.answer('launch', { kind: 'listening' });
      expect([rig.state, rig.taken()]).toEqual(['listening', ['admit']]);
    });

    it('five times within a minute: clients get the cause until a minute after the first', async () => {
      const rig = await Rig.listening();
      const first = rig.clock.now();
      for (let death = 1; death <= 5; death += 1) {
        await rig.exits();
        expect(rig.state, `death ${death}`).toBe(death < 5 ? 'backingOff' : 'down.refusing');
        if (death === 5) break;
        await rig.clock.advance(SECOND);
        rig.send({ type: 'CLIENT.WAITS' });
        await rig.desk.answer('launch', { kind: 'listening' });
      }
      expect([rig.reason, rig.unavailable, rig.context.exits]).toEqual(['appServerBreaker', true, 5]);
      expect(rig.detail).toContain('It exited with code 3.');
      rig.taken();
      rig.send({ type: 'CLIENT.WAITS' });
      expect(rig.taken()).toEqual(['refuse']);
      await rig.clock.advance(first + MINUTE - rig.clock.now() - 1);
      expect(rig.state).toBe('down.refusing');
      await rig.clock.advance(1);
      expect([rig.state, rig.context.recent]).toEqual(['starting.relaunching', 0]);
    });

    it('less often: no more than four within a minute never stop it', async () => {
      const rig = await Rig.listening();
      for (let death = 1; death <= 12; death += 1) {
        await rig.exits();
        expect(rig.state, `death ${death}`).toBe('backingOff');
        rig.send({ type: 'CLIENT.WAITS' });
        await rig.desk.answer('launch', { kind: 'listening' });
        await rig.clock.advance(MINUTE / 4);
      }
    });

    it('one child per client: the fifth failure stops new ones, and a minute later the next client is an attempt', async () => {
      const rig = new Rig('perClient');
      for (const client of ['a', 'b', 'c', 'd', 'e']) {
        rig.send({ type: 'CLIENT.WAITS' });
        rig.fail(client);
      }
      expect([rig.state, rig.reason]).toEqual(['down.refusing', 'appServerBreaker']);
      rig.taken();
      rig.send({ type: 'CLIENT.WAITS' });
      expect(rig.taken()).toEqual(['refuse']);
      await rig.clock.advance(MINUTE);
      expect([rig.state, rig.unavailable]).toEqual(['failing.old', false]);
      rig.send({ type: 'CLIENT.WAITS' });
      expect(rig.taken()).toEqual(['admit']);
    });

    it('a URL: one client a second is let through, and an answer ends it', async () => {
      const rig = new Rig('socket');
      for (const client of ['a', 'b', 'c', 'd', 'e']) {
        rig.send({ type: 'CLIENT.WAITS' });
        rig.fail(client);
      }
      await rig.clock.advance(SECOND);
      rig.taken();
      rig.send({ type: 'CLIENT.WAITS' });
      rig.send({ type: 'CLIENT.WAITS' });
      expect(rig.taken()).toEqual(['admit', 'refuse']);
      rig.send({ type: 'ANSWERED', client: 'f' });
      expect([rig.state, rig.reason, rig.context.recent]).toEqual([
        'serving.perClient',
        'appServerServing',
        0,
      ]);
    });
  });

  describe('RC-63: the first failure begins the minute, in each state', () => {
    const exited: LaunchOutcome = { kind: 'exited', failure: died() };
    const replacing = async (): Promise<Rig> => {
      const rig = await Rig.listening();
      rig.send({ type: 'SOCKET.GONE' });
      return rig;
    };
    const waiting = (): Rig => {
      const rig = new Rig('perClient');
      rig.send({ type: 'CLIENT.WAITS' });
      return rig;
    };
    const WAYS: Readonly<Record<string, () => Promise<Rig>>> = {
      'idle, a connection': async () => {
        const rig = new Rig('perClient');
        rig.fail('a');
        return rig;
      },
      'starting.connecting, the first client': async () => {
        const rig = waiting();
        rig.fail('a');
        return rig;
      },
      'serving.perClient, the only client': async () => {
        const rig = waiting();
        rig.serve('a');
        rig.fail('a');
        return rig;
      },
      'starting.relaunching, the new child exits': async () => {
        const rig = await replacing();
        await rig.desk.answer('launch', exited);
        return rig;
      },
      'starting.relaunching, it does not listen in time': async () => {
        const rig = await replacing();
        await rig.clock.advance(10 * SECOND);
        return rig;
      },
      'starting.confirming, the child exits': async () => {
        const rig = await Rig.listening();
        rig.send({ type: 'UNREACHABLE' });
        await rig.exits();
        return rig;
      },
      'listening, the child exits': async () => {
        const rig = await Rig.listening();
        await rig.exits();
        return rig;
      },
      'listening, a connection': async () => {
        const rig = await Rig.listening();
        rig.fail('a');
        return rig;
      },
      'serving.shared, the child exits': async () => {
        const rig = await Rig.listening();
        rig.serve('a');
        await rig.exits();
        return rig;
      },
    };

    it.each(Object.entries(WAYS))('%s', async (_, fail) => {
      const rig = await fail();
      expect([rig.context.recent, rig.context.failures]).toEqual([1, 1]);
      // A shared child is started again, and listens.
      await rig.clock.advance(SECOND);
      if (rig.desk.open.includes('launch')) await rig.desk.answer('launch', { kind: 'listening' });
      await rig.clock.advance(MINUTE - SECOND - 1);
      expect(rig.context.recent).toBe(1);
      await rig.clock.advance(1);
      expect(rig.context.recent).toBe(0);
    });
  });

  it('RC-66: a restart replaces a child that is being started again', async () => {
    const rig = await Rig.listening();
    rig.send({ type: 'SOCKET.GONE' });
    await settle();
    rig.taken();
    rig.send({ type: 'RESTART', cause: 'The account changed.' });
    await settle();
    expect([rig.state, rig.reason, rig.taken()]).toEqual([
      'starting.relaunching',
      'appServerRestarted',
      ['endAll'],
    ]);
    expect(rig.desk.count('launch')).toBe(3);
  });

  it('RC-67: a second client that is served, and one of several that leaves, have no deadline any more', async () => {
    const rig = new Rig('perClient');
    rig.serve('a');
    rig.serve('b');
    rig.send({ type: 'INITIALIZE.SENT', client: 'c' });
    rig.send({ type: 'CLIENT.LEFT', client: 'c', served: 2 });
    rig.taken();
    await rig.clock.advance(MINUTE);
    expect([rig.state, rig.taken()]).toEqual(['serving.perClient', []]);
  });

  describe('RC-64: the socket file of a shared child is gone', () => {
    it('new clients get a new child, and the old one ends with its last client', async () => {
      const rig = await Rig.listening();
      rig.serve('a');
      rig.taken();
      rig.send({ type: 'UNREACHABLE' });
      rig.send({ type: 'SOCKET.GONE' });
      expect([rig.state, rig.reason, rig.taken()]).toEqual([
        'starting.relaunching',
        'appServerSocketGone',
        ['retire'],
      ]);
      expect([rig.context.failures, rig.context.exits], 'no failure').toEqual([0, 0]);
      await rig.desk.answer('launch', { kind: 'listening' });
      expect([rig.state, rig.taken()]).toEqual(['listening', ['admit']]);
    });

    it('it is checked each 10 s', async () => {
      const rig = await Rig.listening();
      rig.taken();
      await rig.clock.advance(20 * SECOND);
      expect(rig.taken().filter((one) => one === 'checkSocket')).toHaveLength(2);
      rig.serve('a');
      rig.taken();
      await rig.clock.advance(20 * SECOND);
      expect(rig.taken()).toEqual(['checkSocket', 'checkSocket']);
    });

    it('a child that does not accept a connection because it exits is a failure, and is not replaced twice', async () => {
      const rig = await Rig.listening();
      rig.send({ type: 'UNREACHABLE' });
      expect(rig.state).toBe('starting.confirming');
      await rig.exits();
      expect([rig.state, rig.context.exits, rig.desk.open]).toEqual(['backingOff', 1, []]);
    });
  });

  describe('RC-66: a restart by the engine', () => {
    it('ends the children with the cause and is no failure', async () => {
      const rig = await Rig.listening();
      rig.serve('a');
      rig.taken();
      rig.send({ type: 'RESTART', cause: 'The account changed.' });
      expect([rig.state, rig.reason, rig.detail, rig.taken()]).toEqual([
        'starting.relaunching',
        'appServerRestarted',
        'The account changed.',
        ['endAll'],
      ]);
      expect([rig.context.failures, rig.context.recent]).toEqual([0, 0]);
      await rig.desk.answer('launch', { kind: 'listening' });
      expect(rig.state).toBe('listening');
    });

    it('replaces a child that is being started, and one per client starts for the next client', async () => {
      const rig = new Rig('shared');
      rig.send({ type: 'START' });
      rig.send({ type: 'RESTART', cause: 'The account changed.' });
      await settle();
      expect([rig.desk.aborted, rig.desk.open]).toEqual([['launch'], ['launch']]);
      const own = new Rig('perClient');
      own.serve('a');
      own.taken();
      own.send({ type: 'RESTART', cause: 'The account changed.' });
      expect([own.state, own.taken()]).toEqual(['idle', ['endAll']]);
    });
  });

  describe('RC-67: an app server that does not answer initialize', () => {
    it('within 30 s is given up for that client only', async () => {
      const rig = new Rig('perClient');
      rig.send({ type: 'CLIENT.WAITS' });
      rig.send({ type: 'INITIALIZE.SENT', client: 'mute' });
      await rig.clock.advance(10 * SECOND);
      rig.serve('good');
      rig.taken();
      await rig.clock.advance(20 * SECOND - 1);
      expect(rig.taken()).toEqual([]);
      await rig.clock.advance(1);
      expect(rig.taken()).toEqual(['giveUp mute']);
      await rig.clock.advance(MINUTE);
      expect(rig.taken(), 'the client with an answer').toEqual([]);
    });

    it('a client that leaves or fails first has no deadline any more', async () => {
      const rig = new Rig('perClient');
      for (const client of ['left', 'failed']) {
        rig.send({ type: 'CLIENT.WAITS' });
        rig.send({ type: 'INITIALIZE.SENT', client });
      }
      rig.send({ type: 'CLIENT.LEFT', client: 'left', served: 0 });
      rig.fail('failed');
      rig.taken();
      await rig.clock.advance(MINUTE);
      expect(rig.taken().filter((one) => one.startsWith('giveUp'))).toEqual([]);
    });

    it('a shared child that serves nobody else is replaced; one that serves others stays', async () => {
      const mute = failure('appServerMute', 'no answer', 0);
      const alone = await Rig.listening();
      alone.send({ type: 'INITIALIZE.SENT', client: 'a' });
      alone.taken();
      alone.send({ type: 'FAILED', client: 'a', served: 0, failure: mute, exited: false });
      expect([alone.state, alone.reason, alone.taken()]).toEqual([
        'backingOff',
        'appServerMute',
        ['retire', 'refuse'],
      ]);
      const busy = await Rig.listening();
      busy.serve('b');
      busy.taken();
      busy.send({ type: 'FAILED', client: 'a', served: 1, failure: mute, exited: false });
      expect([busy.state, busy.unavailable, busy.taken()]).toEqual(['serving.shared', false, []]);
    });
  });

  describe('RC-68: no file descriptors', () => {
    it('is no failure of the app server, and the first shared child is tried again without a fallback', async () => {
      const rig = new Rig('shared');
      rig.send({ type: 'START' });
      rig.send({ type: 'CLIENT.WAITS' });
      await rig.desk.answer('launch', STARVED);
      expect([rig.state, rig.reason, rig.context.mode, rig.taken()]).toEqual([
        'starting.waiting',
        'outOfDescriptors',
        'shared',
        ['refuse'],
      ]);
      await rig.clock.advance(SECOND);
      await rig.desk.answer('launch', { kind: 'listening' });
      expect([rig.state, rig.context.failures]).toEqual(['listening', 0]);
    });

    it('any number of times', () => {
      const rig = new Rig('perClient');
      for (let client = 0; client < 20; client += 1) {
        rig.send({ type: 'CLIENT.WAITS' });
        rig.send({
          type: 'STARVED',
          client: String(client),
          failure: failure('outOfDescriptors', 'EMFILE', 0),
        });
      }
      expect([rig.state, rig.context.failures]).toEqual(['failing.recent', 0]);
    });
  });

  describe('RC-69: what is shown', () => {
    it('a failure is shown for a minute while nobody is served, and an answer ends it', async () => {
      const rig = new Rig('perClient');
      rig.send({ type: 'CLIENT.WAITS' });
      rig.fail('a', 0, 'no license');
      expect([rig.state, rig.unavailable, rig.detail]).toEqual(['failing.recent', true, 'no license']);
      await rig.clock.advance(MINUTE - 1);
      expect(rig.unavailable).toBe(true);
      await rig.clock.advance(1);
      expect(rig.unavailable).toBe(false);
      rig.fail('b');
      rig.serve('c');
      expect([rig.state, rig.reason, rig.unavailable]).toEqual([
        'serving.perClient',
        'appServerServing',
        false,
      ]);
    });

    it('the failure of one client does not hide that others are served', () => {
      const rig = new Rig('perClient');
      rig.serve('a');
      rig.fail('b', 1);
      expect([rig.state, rig.unavailable, rig.context.exits, rig.context.failures]).toEqual([
        'serving.perClient',
        false,
        1,
        1,
      ]);
    });
  });
});
