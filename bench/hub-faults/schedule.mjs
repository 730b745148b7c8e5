// The faults. Each one begins and ends what it breaks, and leaves a whole hub behind.
import { pause } from './dialer.mjs';

const other = (items, n) => items[n % items.length];

/** `round` counts the faults of a run, so that each hits another node or broker than the one before. */
export const FAULTS = {
  'kill-node': async ({ nodes }, round) => {
    const node = other(nodes, round);
    await node.end('SIGKILL');
    await pause(2_000);
    await node.start();
  },
  'stop-node': async ({ nodes }, round) => {
    const node = other(nodes, round);
    node.signal('SIGSTOP');
    await pause(8_000);
    node.signal('SIGCONT');
  },
  'restart-node': async ({ nodes }, round) => {
    const node = other(nodes, round);
    await node.end('SIGTERM');
    await node.start();
  },
  'kill-broker': async ({ brokers }, round) => {
    const broker = other(brokers, round);
    await broker.end('SIGKILL');
    await pause(3_000);
    await broker.start();
  },
  'stop-broker': async ({ brokers }, round) => {
    const broker = other(brokers, round);
    broker.signal('SIGSTOP');
    await pause(8_000);
    broker.signal('SIGCONT');
  },
  'kill-all-brokers': async ({ brokers }) => {
    await Promise.all(brokers.map((broker) => broker.end('SIGKILL')));
    await pause(2_000);
    await Promise.all(brokers.map((broker) => broker.start()));
  },
  /** One node cannot reach any broker. The engines that leave it get owners elsewhere, while it believes to own them. */
  partition: async ({ nodes }, round, { engines }) => {
    const { proxies } = other(nodes, round);
    for (const proxy of proxies) proxy.setCut(true);
    await pause(1_000);
    for (const engine of engines) engine.dialer.drop();
    await pause(9_000);
    for (const proxy of proxies) proxy.setCut(false);
  },
  'slow-broker': async ({ nodes }, round) => {
    const { proxies } = other(nodes, round);
    for (const proxy of proxies) proxy.rate = 20_000;
    await pause(8_000);
    for (const proxy of proxies) proxy.rate = undefined;
  },
  rolling: async ({ nodes, brokers }) => {
    for (const broker of brokers) {
      await broker.end('SIGTERM');
      await broker.start();
      await pause(1_500);
    }
    for (const node of nodes) {
      await node.end('SIGTERM');
      await node.start();
    }
  },
  herd: async (_cluster, _round, { engines, controllers }) => {
    for (const end of [...engines, ...controllers]) end.dialer.drop();
    await pause(500);
  },
};
