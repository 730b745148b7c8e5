/**
 * The guarantee of docs/hub.md as a property: numbered messages go both ways while nodes are killed, the engine and the
 * controllers move, nodes are cut off and the broker is killed. Each stream must bring each number once and in order.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { MemoryBus } from '../../src/hub/bus/memory-bus.js';
import { describeAdapters, type HubBroker } from './adapters.js';
import { FAST, TestController, TestEngine, TestNode, TestPlainController } from './relay-rig.js';

type Step =
  | { readonly kind: 'up' | 'down'; readonly stream: number; readonly count: number; readonly large: boolean }
  | { readonly kind: 'kill' | 'start' | 'cutOff' | 'reconnect'; readonly node: number }
  | { readonly kind: 'moveEngine'; readonly node: number; readonly halfOpen: boolean }
  | {
      readonly kind: 'moveController';
      readonly controller: number;
      readonly node: number;
      readonly halfOpen: boolean;
    }
  | { readonly kind: 'stopBroker' | 'startBroker' }
  | { readonly kind: 'wait'; readonly ms: number };

const NODES = 3;
const CONTROLLERS = 2;
/** Of each controller. */
const STREAMS = 2;
const DEADLINE = 15_000;

const node = fc.nat(NODES - 1);
const traffic = fc.record({
  kind: fc.constantFrom('up', 'down'),
  stream: fc.nat(CONTROLLERS * STREAMS - 1),
  count: fc.integer({ min: 1, max: 40 }),
  large: fc.boolean(),
});
const fault: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constantFrom('kill', 'start', 'cutOff', 'reconnect'), node }),
  fc.record({ kind: fc.constant('moveEngine'), node, halfOpen: fc.boolean() }),
  fc.record({
    ...{ kind: fc.constant('moveController'), node, halfOpen: fc.boolean() },
    controller: fc.nat(CONTROLLERS - 1),
  }),
  fc.record({ kind: fc.constantFrom('stopBroker', 'startBroker') }),
);
const wait = fc.record({ kind: fc.constant('wait'), ms: fc.nat(60) });
const schedule: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: traffic },
    { weight: 2, arbitrary: fault },
    { weight: 2, arbitrary: wait },
  ),
  { minLength: 4, maxLength: 40 },
);

interface Numbers {
  readonly key: string;
  readonly controller: TestController;
  up: number;
  down: number;
}

async function play(broker: HubBroker, steps: readonly Step[]): Promise<void> {
  const nodes = Array.from({ length: NODES }, () => new TestNode(broker, FAST));
  for (const one of nodes) await one.start();
  const engine = new TestEngine(nodes);
  const controllers = Array.from(
    { length: CONTROLLERS },
    (_, n) => new TestController(nodes, `cli_${n}`, n + 1),
  );
  let brokerUp = true;
  const reach = (index: number, reachable: boolean): void => {
    const bus = nodes[index]?.connection?.bus;
    if (bus instanceof MemoryBus) bus.setReachable(reachable);
  };
  try {
    engine.start();
    for (const controller of controllers) controller.start();
    const streams = controllers.flatMap((controller) =>
      Array.from({ length: STREAMS }, (_, n): Numbers => {
        return { key: controller.open(`stream_${n}`), controller, up: 0, down: 0 };
      }),
    );
    const plain = new TestPlainController(nodes[2] as TestNode, 'cli_plain', 'stream_plain');
    let plainSent = 0;
    let plainDown = 0;
    for (const { key } of streams)
      await expect.poll(() => engine.knows(key), { timeout: DEADLINE }).toBe(true);
    for (const step of steps) {
      switch (step.kind) {
        case 'up':
        case 'down': {
          const stream = streams[step.stream];
          if (stream === undefined) break;
          for (let n = 0; n < step.count; n += 1) {
            const bytes = step.large && n === 0 ? 350_000 : 20;
            if (step.kind === 'up') {
              stream.up += 1;
              stream.controller.send(stream.key, stream.up, bytes);
            } else {
              stream.down += 1;
              engine.send(stream.key, stream.down, bytes);
            }
          }
          plainSent += 1;
          plain.send(plainSent, 20);
          if (engine.knows(plain.key)) {
            plainDown += 1;
            engine.send(plain.key, plainDown, 20);
          }
          break;
        }
        case 'kill':
          await nodes[step.node]?.kill();
          break;
        case 'start':
          if (brokerUp) await nodes[step.node]?.start();
          break;
        case 'cutOff':
          reach(step.node, false);
          break;
        case 'reconnect':
          reach(step.node, true);
          break;
        case 'moveEngine':
          engine.move(step.node, step.halfOpen);
          break;
        case 'moveController':
          controllers[step.controller]?.move(step.node, step.halfOpen);
          break;
        case 'stopBroker':
          if (brokerUp) await broker.stop();
          brokerUp = false;
          break;
        case 'startBroker':
          if (!brokerUp) await broker.start();
          brokerUp = true;
          break;
        case 'wait':
          await sleep(step.ms);
      }
    }
    if (!brokerUp) await broker.start();
    for (const [index, one] of nodes.entries()) {
      await one.start();
      reach(index, true);
    }
    for (const { key, controller, up, down } of streams) {
      await expect
        .poll(
          () => ({
            closed: controller.closed.get(key),
            opened: engine.opened.get(key),
            up: engine.received.get(key)?.length ?? 0,
            down: controller.received.get(key)?.length ?? 0,
          }),
          { timeout: DEADLINE, interval: 5 },
        )
        .toEqual({ closed: undefined, opened: 1, up, down });
      expect(engine.received.get(key) ?? []).toEqual(Array.from({ length: up }, (_, k) => k + 1));
      expect(controller.received.get(key) ?? []).toEqual(Array.from({ length: down }, (_, k) => k + 1));
    }
    // Without numbers: in order and never twice; complete while the socket lives.
    if (plain.closed === undefined) {
      await expect
        .poll(() => [engine.received.get(plain.key)?.length ?? 0, plain.received.length], {
          timeout: DEADLINE,
        })
        .toEqual([plainSent, plainDown]);
    }
    expect(plain.received).toEqual(Array.from({ length: plain.received.length }, (_, k) => k + 1));
    const arrived = engine.received.get(plain.key) ?? [];
    expect(arrived).toEqual(Array.from({ length: arrived.length }, (_, k) => k + 1));
  } finally {
    await engine.stop();
    for (const controller of controllers) await controller.stop();
    for (const one of nodes) await one.kill();
  }
}

describeAdapters('the guarantee of the relay', (open) => {
  it('HUB-10 to HUB-14, HUB-16: nothing is lost, doubled or out of order, and no stream is closed', {
    timeout: 180_000,
  }, async () => {
    let broker = await open();
    try {
      const isMemory = (await broker.node()).bus instanceof MemoryBus;
      await fc.assert(
        fc.asyncProperty(schedule, async (steps) => {
          try {
            await play(broker, steps);
          } catch (error) {
            // The next schedule gets a broker without what this one left.
            await broker.end();
            broker = await open();
            throw error;
          }
        }),
        {
          numRuns: Number(process.env.RC_HUB_RUNS ?? (isMemory ? 60 : 10)),
          endOnFailure: true,
          ...(process.env.RC_TEST_SEED === undefined ? {} : { seed: Number(process.env.RC_TEST_SEED) }),
        },
      );
    } finally {
      await broker.end();
    }
  });
});
