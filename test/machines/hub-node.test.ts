import { afterAll, describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type HubNodeEvent, type HubNodeOpened, hubNodeMachine } from '../../machines/hub-node.js';
import { statePath } from '../../src/protocol/decision.js';
import { Desk, EdgeCover, settle, TestClock, unusedNames } from '../support/charts.js';

const cover = new EdgeCover(hubNodeMachine);
const DRAIN = 10_000;

function rig() {
  const clock = new TestClock();
  const desk = new Desk<{ open: HubNodeOpened; drain: unknown; end: unknown }>();
  const checks: string[] = [];
  const machine = hubNodeMachine.provide({
    actors: { open: desk.actor('open'), drain: desk.actor('drain'), end: desk.actor('end') },
    actions: { checkControllers: () => void checks.push('check') },
  });
  const actor = createActor(machine, {
    clock,
    input: { drain: DRAIN },
    inspect: cover.watch(machine),
  }).start();
  return {
    clock,
    desk,
    checks,
    send: async (...types: HubNodeEvent['type'][]) => {
      for (const type of types) actor.send({ type });
      await settle();
    },
    get state() {
      return statePath(actor.getSnapshot().value);
    },
  };
}

async function serving() {
  const at = rig();
  await at.desk.answer('open', { connected: true });
  expect(at.state).toBe('serving');
  return at;
}

describe('hubNode', () => {
  it('HUB-30: without the broker it is degraded, and looks for revoked controllers when it is back', async () => {
    const at = await serving();
    await at.send('BROKER.LOST');
    expect([at.state, at.checks]).toEqual(['degraded', []]);
    await at.send('BROKER.BACK');
    expect([at.state, at.checks]).toEqual(['serving', ['check']]);
    const late = rig();
    await late.desk.answer('open', { connected: false });
    expect(late.state).toBe('degraded');
    await late.send('STOP');
    expect(late.state).toBe('draining');
  });

  it('HUB-33: closes its sockets one after the other, then the server', async () => {
    const at = await serving();
    await at.send('STOP');
    expect(at.state).toBe('draining');
    await at.desk.answer('drain', undefined);
    expect(at.state).toBe('closing');
    await at.desk.answer('end', undefined);
    expect(at.state).toBe('stopped');
  });

  it('HUB-33: a second signal does not wait for the sockets', async () => {
    const at = await serving();
    await at.send('STOP', 'STOP');
    expect([at.state, at.desk.aborted]).toEqual(['closing', ['drain']]);
  });

  it('HUB-33: sockets and requests that do not end do not keep the node', async () => {
    const at = await serving();
    await at.send('STOP');
    await at.clock.advance(DRAIN + 4_999);
    expect(at.state).toBe('draining');
    await at.clock.advance(1);
    expect(at.state).toBe('closing');
    await at.clock.advance(9_999);
    expect(at.state).toBe('closing');
    await at.clock.advance(1);
    expect(at.state).toBe('stopped');
  });

  it('an adapter that fails while the node stops does not keep it', async () => {
    const at = await serving();
    await at.send('STOP');
    await at.desk.fail('drain', new Error('it failed'));
    await at.desk.fail('end', new Error('it failed'));
    expect(at.state).toBe('stopped');
  });

  it.each(['end', 'error', 'never'])(
    'a start that fails is undone, also when that ends with "%s"',
    async (how) => {
      const at = rig();
      await at.desk.fail('open', new Error('it failed'));
      expect(at.state).toBe('undoing');
      if (how === 'end') await at.desk.answer('end', undefined);
      else if (how === 'error') await at.desk.fail('end', new Error('it failed'));
      else await at.clock.advance(10_000);
      expect(at.state).toBe('failed');
    },
  );

  it('a start ends after 20 s without the broker, and with a signal', async () => {
    const silent = rig();
    await silent.clock.advance(19_999);
    expect(silent.state).toBe('starting');
    await silent.clock.advance(1);
    expect([silent.state, silent.desk.aborted]).toEqual(['undoing', ['open']]);
    const stopped = rig();
    await stopped.send('STOP');
    expect(stopped.state).toBe('undoing');
  });

  afterAll(() => {
    expect(cover.untaken).toEqual([]);
    expect(unusedNames(hubNodeMachine)).toEqual([]);
  });
});
