/** A chart that many clients share behaves as an actor does. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createMachine } from 'xstate';
import { SharedChart, SharedRun } from '../../src/session/shared-chart.js';

const machine = createMachine({
  id: 'shared',
  initial: 'idle',
  states: {
    idle: { on: { START: { target: 'waiting', actions: 'started' } } },
    waiting: { on: { STOP: 'stopped' }, after: { 1000: 'late' } },
    late: {},
    stopped: { type: 'final' },
  },
});

class Run extends SharedRun<string> {
  onAction = (): void => {};

  send(type: string): void {
    this.take(type);
  }

  protected override perform(): void {
    this.onAction();
  }

  get state(): string {
    return this.at.name;
  }
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const run = (): Run => new Run(new SharedChart(machine, undefined), undefined);

it('a delay ends with its state', () => {
  const one = run();
  one.send('START');
  expect(vi.getTimerCount()).toBe(1);
  one.send('STOP');
  expect(vi.getTimerCount()).toBe(0);
});

it('an action that leaves the new state at once stops its delay, too', () => {
  const one = run();
  one.onAction = () => one.send('STOP');
  one.send('START');
  expect(one.state).toBe('stopped');
  expect(vi.getTimerCount()).toBe(0);
});
