/** The port Bus, once for each adapter. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Bus, BusUnavailableError, isSubjectWord, NoRespondersError } from '../../src/hub/bus/bus.js';
import { describeAdapters, type HubBroker } from './adapters.js';

const connection = (bus: Bus, expected: boolean): Promise<void> =>
  new Promise((resolve) => {
    if (bus.connected === expected) return resolve();
    const stop = bus.onConnection((connected) => {
      if (connected !== expected) return;
      stop();
      resolve();
    });
  });

describeAdapters('a bus', (open) => {
  let broker: HubBroker;
  let here: Bus;
  let there: Bus;

  beforeEach(async () => {
    broker = await open();
    here = (await broker.node()).bus;
    there = (await broker.node()).bus;
  });
  afterEach(() => broker.end());

  it('HUB-1, HUB-2: brings messages to each subscriber of their subject, in order, and to no other', async () => {
    const got: string[] = [];
    const other: string[] = [];
    const all = new Promise<void>((resolve) => {
      there.subscribe('rc.node.b', (payload) => {
        got.push(payload);
        if (got.length === 1_000) resolve();
      });
    });
    there.subscribe('rc.node.c', (payload) => other.push(payload));
    await there.flush();
    const sent = Array.from({ length: 1_000 }, (_, n) => `message ${n} – ü`);
    for (const payload of sent) here.publish('rc.node.b', payload);
    await all;
    expect(got).toEqual(sent);
    expect(other).toEqual([]);
  });

  it('brings a message to the node that published it, too', async () => {
    const got = new Promise<string>((resolve) => here.subscribe('rc.node.a', resolve));
    await here.flush();
    here.publish('rc.node.a', 'to myself');
    expect(await got).toBe('to myself');
  });

  it('brings nothing after the end of a subscription', async () => {
    const got: string[] = [];
    const subscription = there.subscribe('rc.node.b', (payload) => got.push(payload));
    const mark = new Promise<string>((resolve) => there.subscribe('rc.node.mark', resolve));
    subscription.end();
    await there.flush();
    here.publish('rc.node.b', 'late');
    here.publish('rc.node.mark', 'mark');
    await mark;
    expect(got).toEqual([]);
  });

  it('HUB-2: a request gets a response, or learns that nobody subscribes', async () => {
    there.subscribe('rc.env.e.in', (payload, respond) => respond(`${payload} and back`));
    await there.flush();
    expect(await here.request('rc.env.e.in', 'there', 2_000)).toBe('there and back');
    await expect(here.request('rc.env.none.in', '', 2_000)).rejects.toThrow(NoRespondersError);
  });

  it('a request that a subscriber does not answer ends with its limit', async () => {
    there.subscribe('rc.env.e.in', () => {});
    await there.flush();
    await expect(here.request('rc.env.e.in', '', 50)).rejects.toThrow(BusUnavailableError);
  });

  it('nobody subscribes once the node has closed its connection', async () => {
    const gone = await broker.node();
    gone.bus.subscribe('rc.env.e.in', (_payload, respond) => respond(''));
    await gone.bus.flush();
    expect(await here.request('rc.env.e.in', '', 2_000)).toBe('');
    await gone.close();
    // The broker learns it a moment later.
    const ask = (): Promise<string> =>
      here
        .request('rc.env.e.in', '', 100)
        .catch((error: unknown) => (error instanceof Error ? error.name : ''));
    await expect.poll(ask, { timeout: 5_000, interval: 10 }).toBe('NoRespondersError');
  });

  it('HUB-3: reports a broker that was killed, drops messages meanwhile, and keeps its subscriptions', async () => {
    const got: string[] = [];
    const back = new Promise<void>((resolve) => {
      there.subscribe('rc.node.b', (payload) => {
        got.push(payload);
        if (payload === 'after') resolve();
      });
    });
    await there.flush();
    await broker.stop();
    await Promise.all([connection(here, false), connection(there, false)]);
    here.publish('rc.node.b', 'lost');
    await expect(here.request('rc.node.b', 'lost', 1_000)).rejects.toThrow(BusUnavailableError);
    await expect(here.flush()).rejects.toThrow(BusUnavailableError);
    await broker.start();
    await Promise.all([connection(here, true), connection(there, true)]);
    await there.flush();
    here.publish('rc.node.b', 'after');
    await back;
    expect(got).toEqual(['after']);
  });
});

describe('the words of a subject', () => {
  it.each(['env_0f', 'a-b', 'A9'])('%s is one', (word) => expect(isSubjectWord(word)).toBe(true));
  it.each(['', 'a.b', '*', '>', 'a b', 'ü', 'x'.repeat(129)])('"%s" is none', (word) => {
    expect(isSubjectWord(word)).toBe(false);
  });
});
