// Nodes, brokers, engines and controllers, and faults one after the other. Numbered messages go both ways on the stream of
// each controller; the checker counts what was lost, doubled or out of order, and streams that were closed.
//
//   npm run --silent build && node bench/hub-faults.mjs [--engines 100] [--controllers 300] [--seconds 60] [--nodes 2]
//     [--brokers 3] [--rate 4] [--schedule kill-node,stop-node,…] [--connect-rate 500] [--json]
//
// --rate is in messages a second, for each stream and direction. The faults begin evenly spread over --seconds; without
// --schedule all of them do. Exit code 1: the guarantee of docs/hub.md did not hold. Needs nats-server.
import { parseArgs } from 'node:util';
import { Cluster } from './hub-faults/cluster.mjs';
import { pause } from './hub-faults/dialer.mjs';
import { Controller, Engine } from './hub-faults/ends.mjs';
import { FAULTS } from './hub-faults/schedule.mjs';

const { values } = parseArgs({
  options: {
    engines: { type: 'string', default: '100' },
    controllers: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '60' },
    nodes: { type: 'string', default: '2' },
    brokers: { type: 'string', default: '3' },
    rate: { type: 'string', default: '4' },
    schedule: { type: 'string', default: Object.keys(FAULTS).join(',') },
    'connect-rate': { type: 'string', default: '500' },
    json: { type: 'boolean', default: false },
    verbose: { type: 'boolean', default: false },
  },
});
const [engineCount, controllerCount, seconds] = [values.engines, values.controllers, values.seconds].map(
  Number,
);
const schedule = values.schedule.split(',').filter((name) => name !== '');
const unknown = schedule.filter((name) => !(name in FAULTS));
if (unknown.length > 0) {
  console.error(`unknown fault ${unknown.join(', ')}; the faults are ${Object.keys(FAULTS).join(', ')}`);
  process.exit(2);
}
/** How long everything that is still on its way may take after the last fault, ms. */
const SETTLE = 60_000;
const AT_ONCE = 8;
const say = (text) => {
  if (!values.json) console.log(`${(performance.now() / 1_000).toFixed(1).padStart(6)} s  ${text}`);
};

/** Several at a time, in the order of their numbers. */
async function made(count, make) {
  const all = [];
  const one = async (n) => {
    all[n] = await make(n);
  };
  for (let n = 0; n < count; n += AT_ONCE)
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, k) => one(n + k)));
  return all;
}

async function people(nodes) {
  const engines = await made(engineCount, (n) => Engine.enroll(nodes, `account-${n % 10}`));
  const byStream = new Map();
  for (const engine of engines) {
    engine.directionsOf = (streamId) => byStream.get(streamId);
    engine.start(nodes);
  }
  const controllers = await made(controllerCount, async (n) => {
    const engine = engines[n % engineCount];
    const controller = new Controller(await engine.claim(nodes));
    controller.engine = engine;
    byStream.set(controller.streamId, controller);
    controller.onClosed = (code) => say(`the stream of ${controller.clientId} was closed with ${code}`);
    controller.start(nodes);
    return controller;
  });
  return { engines, controllers };
}

/** Of all streams since the last call, ms. */
function longestSince(controllers) {
  let longest = 0;
  for (const { up, down, closed } of controllers) {
    for (const direction of closed === undefined ? [up, down] : []) {
      const open = direction.lost === 0 ? 0 : performance.now() - direction.at;
      longest = Math.max(longest, direction.pause, open);
      direction.pause = 0;
    }
  }
  return Math.round(longest);
}

/** Until it holds; false: not in time. */
async function until(check, limit) {
  const end = performance.now() + limit;
  while (!check()) {
    if (performance.now() > end) return false;
    await pause(50);
  }
  return true;
}

function summary({ engines, controllers }) {
  const directions = controllers.flatMap(({ up, down }) => [up, down]);
  const sum = (read) => directions.reduce((total, direction) => total + read(direction), 0);
  const dialers = [...engines, ...controllers].map(({ dialer }) => dialer);
  const refused = {};
  for (const dialer of dialers) {
    for (const [status, count] of dialer.refused) refused[status] = (refused[status] ?? 0) + count;
  }
  const closed = controllers.filter((controller) => controller.closed !== undefined);
  return {
    sent: sum(({ sent }) => sent),
    lost: sum(({ lost }) => lost),
    doubled: sum(({ doubled }) => doubled),
    disordered: sum(({ disordered }) => disordered),
    closed: closed.length,
    closeCodes: [...new Set(closed.map((controller) => controller.closed))],
    reopened: engines.reduce(
      (total, { streams }) => total + [...streams.values()].filter(({ opened }) => opened > 1).length,
      0,
    ),
    connects: dialers.reduce((total, { connects }) => total + connects, 0),
    refused,
    refusedWithoutRetryAfter: dialers.reduce((total, dialer) => total + dialer.withoutRetryAfter, 0),
    longestPauseMs: Math.round(Math.max(0, ...directions.map(({ longestPause }) => longestPause))),
  };
}

const cluster = await Cluster.start({
  brokers: Number(values.brokers),
  nodes: Number(values.nodes),
  args: ['--connect-rate', values['connect-rate']],
});
let failed = true;
try {
  if (values.verbose) for (const node of cluster.nodes) node.onLine = (line) => console.error(line);
  const ends = await people(cluster.nodes);
  const { engines, controllers } = ends;
  const ready = await until(() => controllers.every(({ answered }) => answered), SETTLE);
  if (!ready) throw new Error('not every stream was opened');
  say(`${engines.length} engines and ${controllers.length} controllers are connected`);
  for (const { up, down } of controllers) {
    up.at = performance.now();
    down.at = performance.now();
  }
  let turn = 0;
  const slices = 20;
  const traffic = setInterval(
    () => {
      // One slice of the streams each time, so that the load is even.
      for (let n = turn % slices; n < controllers.length; n += slices) {
        controllers[n].send();
        controllers[n].engine.send(controllers[n].streamId);
      }
      turn += 1;
    },
    1_000 / Number(values.rate) / slices,
  );
  const from = performance.now();
  for (const [n, name] of schedule.entries()) {
    const at = from + (seconds * 1_000 * (n + 0.5)) / schedule.length;
    await pause(Math.max(0, at - performance.now()));
    say(`${name} (the longest pause before: ${longestSince(controllers)} ms)`);
    await FAULTS[name](cluster, n, ends);
  }
  await pause(Math.max(0, from + seconds * 1_000 - performance.now()));
  clearInterval(traffic);
  const last = performance.now();
  await until(
    () => controllers.every(({ up, down, closed }) => closed !== undefined || up.lost + down.lost === 0),
    SETTLE,
  );
  const result = { schedule, ...summary(ends), settledMs: Math.round(performance.now() - last) };
  if (values.json) console.log(JSON.stringify(result));
  else console.log(result);
  failed = result.lost + result.doubled + result.disordered + result.closed + result.reopened > 0;
  if (failed && values.verbose) {
    for (const { up, down, closed, streamId } of controllers) {
      if (up.lost + down.lost + up.doubled + down.doubled + up.disordered + down.disordered > 0)
        console.error(streamId, closed, up, down);
    }
  }
  for (const end of [...engines, ...controllers]) end.dialer.stop();
} finally {
  await cluster.end();
}
process.exit(failed ? 1 : 0);
