/** The relay over both adapters of its ports, with one engine and a few controllers. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { describeAdapters, type HubBroker } from './adapters.js';
import { ENVIRONMENT, FAST, TestController, TestEngine, TestNode, TestPlainController } from './relay-rig.js';

const upTo = (count: number): number[] => Array.from({ length: count }, (_, k) => k + 1);
const soon = { timeout: 10_000, interval: 5 };

describeAdapters('the relay', (open) => {
  let broker: HubBroker;
  let nodes: TestNode[];
  let engine: TestEngine;
  let ended: (() => Promise<void>)[];

  beforeEach(async () => {
    broker = await open();
    nodes = [0, 1, 2].map(() => new TestNode(broker, FAST));
    for (const node of nodes) await node.start();
    engine = new TestEngine(nodes);
    ended = [() => engine.stop()];
  });
  afterEach(async () => {
    for (const end of ended) await end();
    for (const node of nodes) await node.kill();
    await broker.end();
  });

  function controllerAt(index: number, clientId = 'cli_1'): TestController {
    const controller = new TestController(nodes, clientId, index);
    controller.start();
    ended.push(() => controller.stop());
    return controller;
  }

  it.each([
    ['the same node', 0],
    ['another node', 1],
  ])(
    'HUB-12: carries numbered frames both ways, large ones in chunks, with both ends at %s',
    async (_where, index) => {
      engine.start();
      const controller = controllerAt(index);
      const stream = controller.open('stream_1');
      for (const k of upTo(100)) controller.send(stream, k, k === 50 ? 400_000 : 10);
      await expect.poll(() => engine.received.get(stream), soon).toEqual(upTo(100));
      for (const k of upTo(100)) engine.send(stream, k, k === 50 ? 400_000 : 10);
      await expect.poll(() => controller.received.get(stream), soon).toEqual(upTo(100));
      expect(engine.opened.get(stream)).toBe(1);
      controller.closeStream(stream);
      await expect.poll(() => engine.knows(stream), soon).toBe(false);
    },
  );

  it('HUB-16: carries messages of a controller without numbers, and closes its stream with its socket', async () => {
    engine.start();
    const controller = new TestPlainController(nodes[1] as TestNode, 'cli_2', 'stream_2');
    for (const k of upTo(50)) controller.send(k, k === 25 ? 400_000 : 10);
    await expect.poll(() => engine.received.get(controller.key), soon).toEqual(upTo(50));
    for (const k of upTo(50)) engine.send(controller.key, k, k === 25 ? 400_000 : 10);
    await expect.poll(() => controller.received, soon).toEqual(upTo(50));
    controller.end();
    await expect.poll(() => engine.knows(controller.key), soon).toBe(false);
  });

  it('a message sent before the engine is connected arrives when it is', async () => {
    const controller = controllerAt(1);
    const stream = controller.open('stream_1');
    controller.send(stream, 1, 10);
    engine.start();
    await expect.poll(() => engine.received.get(stream), soon).toEqual([1]);
  });

  it('HUB-11: a stream survives the kill of both nodes, one after the other', async () => {
    engine.start();
    const controller = controllerAt(1);
    const stream = controller.open('stream_1');
    let k = 0;
    const both = async (): Promise<void> => {
      for (let n = 0; n < 20; n += 1) {
        k += 1;
        controller.send(stream, k, 10);
        engine.send(stream, k, 10);
      }
    };
    await expect.poll(() => engine.knows(stream), soon).toBe(true);
    await both();
    await nodes[0]?.kill();
    await both();
    await expect.poll(() => engine.received.get(stream), soon).toEqual(upTo(k));
    await nodes[0]?.start();
    await both();
    await nodes[1]?.kill();
    await both();
    await expect.poll(() => engine.received.get(stream), soon).toEqual(upTo(k));
    await expect.poll(() => controller.received.get(stream), soon).toEqual(upTo(k));
    expect(engine.opened.get(stream)).toBe(1);
    expect(controller.closed.size).toBe(0);
  });

  it('HUB-17: a stream outlives any absence of the broker, in which its engine cannot connect', async () => {
    const short = { ...FAST, reconnectHold: 2_000, offlineHold: 4_500 };
    const node = new TestNode(broker, short);
    await node.start();
    nodes.push(node);
    engine.start();
    const controller = controllerAt(3);
    const stream = controller.open('stream_1');
    await expect.poll(() => engine.knows(stream), soon).toBe(true);
    engine.send(stream, 1, 10);
    await expect.poll(() => controller.received.get(stream), soon).toEqual([1]);
    await broker.stop();
    // A stream that the engine has not answered shows how much time has passed.
    await expect.poll(() => node.node?.edgeOf(ENVIRONMENT).connected, soon).toBe(false);
    const later = controller.open('stream_2');
    await expect.poll(() => controller.closed.get(later), soon).toBe(4404);
    expect(controller.closed.get(stream)).toBeUndefined();
    await broker.start();
    engine.send(stream, 2, 10);
    await expect.poll(() => controller.received.get(stream), soon).toEqual([1, 2]);
  });

  it('HUB-15: an engine that was restarted closes the streams that it had answered', async () => {
    engine.start();
    const controller = controllerAt(1);
    const stream = controller.open('stream_1');
    await expect.poll(() => engine.knows(stream), soon).toBe(true);
    engine.send(stream, 1, 10);
    await expect.poll(() => controller.received.get(stream), soon).toEqual([1]);
    engine.restart();
    await expect.poll(() => controller.closed.get(stream), soon).toBe(4410);
  });
});
