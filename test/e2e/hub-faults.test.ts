/**
 * The guarantee of docs/hub.md with real programs: nodes, a cluster of three brokers, and the ends of bench/hub-faults.mjs,
 * which were written from the specification. Each fault hits a hub that relays numbered messages both ways.
 */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { noNats } from '../support/nats-server.js';

const SCRIPT = join(import.meta.dirname, '../../bench/hub-faults.mjs');

interface Result {
  readonly code: number;
  readonly output: string;
}

function run(faults: string, seconds: number, ...more: readonly string[]): Promise<Result> {
  const args = [...more, '--rate', '10', '--seconds', String(seconds)];
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [SCRIPT, ...args, '--schedule', faults, '--json'],
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(child.exitCode), output: stdout + stderr }),
    );
  });
}

it.skipIf(noNats !== '').each([
  ['the kill of the node of an engine, and of a controller', 'kill-node,kill-node', 8],
  ['a node that is stopped and continued, and a restart', 'stop-node,restart-node', 12],
  ['the kill of one broker and of all', 'kill-broker,kill-all-brokers', 10],
  ['a broker that is stopped and continued, and one that is slow', 'stop-broker,slow-broker', 16],
  ['a partition, in which two nodes believe to own an engine', 'partition', 10],
  ['a rolling update of brokers and nodes under load', 'rolling', 6],
])(
  `HUB-11: %s: nothing is lost, doubled or out of order, and no stream is closed${noNats}`,
  { timeout: 180_000 },
  async (_what, faults, seconds) => {
    const { code, output } = await run(faults, seconds, '--engines', '4', '--controllers', '8');
    const result: unknown = JSON.parse(output.split('\n').find((line) => line.startsWith('{')) ?? 'null');
    expect({ code, result }, output).toMatchObject({
      code: 0,
      result: { lost: 0, doubled: 0, disordered: 0, closed: 0, reopened: 0 },
    });
    expect(result).toHaveProperty(
      'sent',
      expect.toSatisfy((sent: number) => sent > 500),
    );
  },
);

it.skipIf(noNats !== '')(
  `HUB-31: ends that all come back at once are accepted at a bounded rate, and lose nothing${noNats}`,
  { timeout: 180_000 },
  async () => {
    const more = ['--engines', '10', '--controllers', '30', '--connect-rate', '10', '--brokers', '1'];
    const { code, output } = await run('herd', 4, ...more);
    const result: unknown = JSON.parse(output.split('\n').find((line) => line.startsWith('{')) ?? 'null');
    expect({ code, result }, output).toMatchObject({
      code: 0,
      result: { lost: 0, doubled: 0, disordered: 0, closed: 0, refusedWithoutRetryAfter: 0 },
    });
    expect(result).toHaveProperty('refused.503');
  },
);
