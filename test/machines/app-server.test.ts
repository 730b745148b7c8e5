import { describe, expect, it } from 'vitest';
import { appServerMachine } from '../../machines/app-server/machine.js';
import type { LaunchOutcome } from '../../src/protocol/outcomes.js';
import { died, MINUTE, AppServerRig as Rig, SECOND } from '../support/app-server-rig.js';
import { settle, unusedNames } from '../support/charts.js';

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
});
