import { describe, expect, it } from 'vitest';
import { failure, type LaunchOutcome } from '../../src/protocol/outcomes.js';
import { MINUTE, AppServerRig as Rig, SECOND } from '../support/app-server-rig.js';

const STARVED: LaunchOutcome = {
  kind: 'starved',
  failure: failure('outOfDescriptors', 'The engine has too many open files.', 0),
};

describe('chart appServer: its clients', () => {
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
