import { describe, expect, it } from 'vitest';
import { createActor } from 'xstate';
import { type StdioConnectionEvent, stdioConnectionMachine } from '../../machines/stdio-connection.js';
import { EdgeCover, TestClock, unusedNames } from '../support/charts.js';

const TIMING = {
  stdioFirstAnswer: 12_000,
  stdioNextAnswer: 60_000,
  stdioLastAnswer: 10_000,
  stdioFinish: 2_000,
};
const cover = new EdgeCover(stdioConnectionMachine);

function actorOf() {
  const effects: string[] = [];
  const machine = stdioConnectionMachine.provide({
    actions: {
      endAppServerInput: () => void effects.push('endAppServerInput'),
      release: () => void effects.push('release'),
    },
  });
  const clock = new TestClock();
  const actor = createActor(machine, { input: { timing: TIMING }, clock, inspect: cover.watch(machine) });
  actor.start();
  return {
    effects,
    send: (...types: StdioConnectionEvent['type'][]) => {
      for (const type of types) actor.send({ type });
    },
    wait: (ms: number) => clock.advance(ms),
    get state() {
      const { value } = actor.getSnapshot();
      return typeof value === 'string' ? value : Object.entries(value).flat().join('.');
    },
  };
}

describe('RC-77: stdioConnection', () => {
  it('after the last response the app server gets the end of its input, and 2 s', async () => {
    const one = actorOf();
    one.send('INPUT.ENDED');
    expect(one.state).toBe('answering.first');
    one.send('ANSWERED');
    expect([one.state, ...one.effects]).toEqual(['finishing', 'endAppServerInput']);
    await one.wait(1_999);
    expect(one.state).toBe('finishing');
    await one.wait(1);
    expect([one.state, ...one.effects]).toEqual(['closed', 'endAppServerInput', 'release']);
  });

  it('an app server that says nothing gets the end of its input after 12 s, and has 10 s to answer', async () => {
    const one = actorOf();
    one.send('INPUT.ENDED');
    await one.wait(12_000);
    expect([one.state, ...one.effects]).toEqual(['ending', 'endAppServerInput']);
    await one.wait(10_000);
    expect(one.state).toBe('closed');
    const other = actorOf();
    other.send('INPUT.ENDED');
    await other.wait(12_000);
    other.send('PROGRESS', 'ANSWERED');
    expect(other.state).toBe('closed');
  });

  it('one that answers has 60 s for each next message', async () => {
    const one = actorOf();
    one.send('INPUT.ENDED', 'PROGRESS');
    for (let n = 0; n < 3; n += 1) {
      await one.wait(59_999);
      expect(one.state).toBe('answering.next');
      one.send('PROGRESS');
    }
    await one.wait(60_000);
    expect(one.state).toBe('ending');
  });

  it.each(['ENDED', 'APP_SERVER.CLOSED'] as const)('%s closes it in any state', (event) => {
    for (const events of [[], ['INPUT.ENDED'], ['INPUT.ENDED', 'ANSWERED']] as const) {
      const one = actorOf();
      one.send(...events, event);
      expect([one.state, one.effects.at(-1)]).toEqual(['closed', 'release']);
    }
  });

  it('uses every name of its setup', async () => {
    expect(unusedNames(stdioConnectionMachine)).toEqual([]);
    expect(cover.untaken).toEqual([]);
  });
});
